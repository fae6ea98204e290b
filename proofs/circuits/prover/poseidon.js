// Poseidon over the scalar field of BN254, as circom's library computes it: state (0, inputs...), 8 full rounds, partial
// rounds by width, x^5, the first word of the state out. Constants are made here by the generator of the Poseidon paper
// (a Grain register of 80 bits) when a width is first used, and not typed in. Not in constant time: whoever may time the
// member's device has the secret anyway.

export const R = 21888242871839275222246405745257275088548364400416034343698204186575808495617n;
export const INPUTS_MAX = 6;

const FIELD_BITS = 254;
const FULL_ROUNDS = 8;
const PARTIAL_ROUNDS = { 2: 56, 3: 57, 4: 56, 5: 60, 6: 60, 7: 63 };
const GRAIN_BITS = 80;
const GRAIN_TAPS = [62, 51, 38, 23, 13, 0];
const GRAIN_WARM_UP_BITS = 160;

/** The bits of the generator for a state of `width` words, without end. */
function* grain(width) {
  const fields = [
    [1, 2],
    [0, 4],
    [FIELD_BITS, 12],
    [width, 12],
    [FULL_ROUNDS, 10],
    [PARTIAL_ROUNDS[width], 10],
  ];
  const register = fields.flatMap(([value, size]) => Array.from({ length: size }, (_, i) => (value >> (size - 1 - i)) & 1));
  while (register.length < GRAIN_BITS) register.push(1);
  let at = 0; // a ring: register[at] is the oldest bit
  const next = () => {
    const bit = GRAIN_TAPS.reduce((sum, tap) => sum ^ register[(at + tap) % GRAIN_BITS], 0);
    register[at] = bit;
    at = (at + 1) % GRAIN_BITS;
    return bit;
  };
  for (let i = 0; i < GRAIN_WARM_UP_BITS; i++) next();
  for (;;) {
    const take = next();
    const bit = next();
    if (take) yield bit;
  }
}

const word = (bits) => {
  let value = 0n;
  for (let i = 0; i < FIELD_BITS; i++) value = (value << 1n) | BigInt(bits.next().value);
  return value;
};

function wordBelow(bits) {
  for (;;) {
    const value = word(bits);
    if (value < R) return value;
  }
}

function inverse(value) {
  let [a, b, x, y] = [value, R, 1n, 0n];
  while (a > 1n) {
    const quotient = b / a;
    [a, b, x, y] = [b % a, a, y - quotient * x, x];
    if (a === 0n) throw new Error("zero has no inverse");
  }
  return ((x % R) + R) % R;
}

/** Round constants and the mixing matrix (of Cauchy's kind) for a state of `width` words. */
function parameters(width) {
  const bits = grain(width);
  const rounds = FULL_ROUNDS + PARTIAL_ROUNDS[width];
  const constants = Array.from({ length: rounds * width }, () => wordBelow(bits));
  const points = Array.from({ length: 2 * width }, () => word(bits) % R);
  if (new Set(points).size !== points.length) throw new Error("points of the matrix come twice");
  const [xs, ys] = [points.slice(0, width), points.slice(width)];
  return { rounds, constants, matrix: xs.map((x) => ys.map((y) => inverse((x + y) % R))) };
}

const known = new Map();
function parametersOf(width) {
  if (!known.has(width)) known.set(width, parameters(width));
  return known.get(width);
}

function fifth(value) {
  const square = (value * value) % R;
  return (((square * square) % R) * value) % R;
}

/** The hash of one to six field elements; throws on anything that is no BigInt in [0, R). */
export function poseidon(inputs) {
  if (inputs.length < 1 || inputs.length > INPUTS_MAX)
    throw new RangeError(`1 to ${INPUTS_MAX} inputs, not ${inputs.length}`);
  for (const value of inputs)
    if (typeof value !== "bigint" || value < 0n || value >= R) throw new RangeError("an input is no field element");
  const { rounds, constants, matrix } = parametersOf(inputs.length + 1);
  let state = [0n, ...inputs];
  for (let round = 0; round < rounds; round++) {
    const full = round < FULL_ROUNDS / 2 || round >= rounds - FULL_ROUNDS / 2;
    const mixed = state.map((value, i) => {
      const sum = (value + constants[round * state.length + i]) % R;
      return full || i === 0 ? fifth(sum) : sum;
    });
    state = matrix.map((row) => row.reduce((sum, factor, i) => sum + factor * mixed[i], 0n) % R);
  }
  return state[0];
}
