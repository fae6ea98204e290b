// Who signed: the address that belongs to an EIP-2098 compact signature over secp256k1.
//
// Only one form of a signature exists: s in the lower half of the order, r and s not zero (proofs/signature.py). Plain
// BigInt arithmetic, not in constant time: nothing here is secret. A mini-program may leave this file out; then the
// check says that the signature was not looked at.

import { keccak256 } from "./keccak.js";
import { concat, fromHex, StepError, toHex } from "./words.js";

const big = BigInt;
const [ZERO, ONE, TWO, THREE, SEVEN] = [0, 1, 2, 3, 7].map(big);
const P = big("0xfffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f");
const N = big("0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");
const G = [
  big("0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"),
  big("0x483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8"),
  ONE,
];
const mod = (value, by) => ((value % by) + by) % by;
const word = (value) => fromHex("0x" + value.toString(16).padStart(64, "0"));

/** The address (20 bytes) that signed `digest`. */
export function recover(digest, r, vs) {
  const refuse = (problem) => new StepError("signature", problem);
  const packed = big(toHex(vs));
  const [x, s, odd] = [big(toHex(r)), big.asUintN(255, packed), packed >> big(255)];
  if (!s || s > N / TWO || !x || x >= N) throw refuse("r and s must not be zero and s must be in the lower half of the order");
  const square = mod(x * x * x + SEVEN, P);
  let y = power(square, (P + ONE) / big(4), P);
  if (mod(y * y, P) !== square) throw refuse("no public key belongs to this signature");
  if ((y & ONE) !== odd) y = P - y;
  const inverse = power(x, N - TWO, N);
  const sum = shamir(mod(-big(toHex(digest)) * inverse, N), [x, y, ONE], mod(s * inverse, N));
  if (!sum[2]) throw refuse("no public key belongs to this signature");
  const z = power(sum[2], P - TWO, P);
  const affine = [mod(sum[0] * z * z, P), mod(sum[1] * z * z * z, P)];
  return keccak256(concat(word(affine[0]), word(affine[1]))).slice(12);
}

function power(base, exponent, by) {
  let result = ONE;
  for (let left = exponent, square = base; left; left >>= ONE, square = (square * square) % by) {
    if (left & ONE) result = (result * square) % by;
  }
  return result;
}

/** a·G + b·Q, both at once from the highest bit down. Points are Jacobian; z = 0 is the point at infinity. */
function shamir(a, q, b) {
  const both = add(G, q);
  let sum = [ZERO, ONE, ZERO];
  for (let bit = big(255); bit >= ZERO; bit -= ONE) {
    sum = double(sum);
    const [inA, inB] = [(a >> bit) & ONE, (b >> bit) & ONE];
    if (inA || inB) sum = add(sum, inA && inB ? both : inA ? G : q);
  }
  return sum;
}

function double([x, y, z]) {
  if (!z || !y) return [ZERO, ONE, ZERO];
  const yy = (y * y) % P;
  const s = (big(4) * x * yy) % P;
  const m = (THREE * x * x) % P;
  const x3 = mod(m * m - TWO * s, P);
  return [x3, mod(m * (s - x3) - big(8) * yy * yy, P), (TWO * y * z) % P];
}

function add(left, right) {
  if (!left[2]) return right;
  if (!right[2]) return left;
  const [z1, z2] = [(left[2] * left[2]) % P, (right[2] * right[2]) % P];
  const [u1, u2] = [(left[0] * z2) % P, (right[0] * z1) % P];
  const [s1, s2] = [(left[1] * z2 * right[2]) % P, (right[1] * z1 * left[2]) % P];
  const [h, t] = [mod(u2 - u1, P), mod(s2 - s1, P)];
  if (!h) return t ? [ZERO, ONE, ZERO] : double(left);
  const hh = (h * h) % P;
  const hhh = (h * hh) % P;
  const v = (u1 * hh) % P;
  const x3 = mod(t * t - hhh - TWO * v, P);
  return [x3, mod(t * (v - x3) - s1 * hhh, P), (h * left[2] * right[2]) % P];
}
