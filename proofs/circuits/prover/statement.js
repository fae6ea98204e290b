// The statement of a tier proof in plain numbers: what is packed how, what is hashed with what. The same words are in the
// circuit (proofs/circuits/circom) and in Python (proofs/tier); the shared vectors hold the three together.

import { keccak256 } from "../../js/keccak.js";
import { ascii, concat, fromHex, toHex } from "../../js/words.js";
import { R, poseidon } from "./poseidon.js";

export const DEPTH = 24;
export const CIRCUIT_ID = toHex(keccak256(ascii(`TierProofV1(${DEPTH})`)));
export const PUBLIC_SIGNALS = ["nullifier", "root", "epochTag", "scope", "challenge", "policy"];

const SECRET_BYTES = 31; // 248 bits: every such number is a field element

/** A hash as a field element: its lowest 8 bits are left out. */
export const asField = (hash) => BigInt(toHex(hash)) >> 8n;
const TAG_IDENTITY = asField(keccak256(ascii("tongdui.tier.v1.identity")));
const TAG_NULLIFIER = asField(keccak256(ascii("tongdui.tier.v1.nullifier")));
const SCOPE_TAG = keccak256(ascii("LAZK-scope-v1"));

// Fields of the packed words, lowest first, with their widths in bits.
export const ATTRIBUTES = { points: 64, spend: 64, since: 32, validUntil: 32, keyEpoch: 32, tier: 4, programme: 8 };
export const POLICY = { lo: 64, hi: 64, sinceMax: 32, validOn: 32, keyEpochMax: 32, tierMask: 16, metric: 1, maxUses: 8 };

// Bounds of a policy that bind nobody: no upper end, any time of joining, a key of any age, any tier.
export const AMOUNT_MAX = 2n ** 64n - 1n;
export const SECONDS_MAX = 2n ** 32n - 1n;
export const EPOCH_MAX = 2n ** 32n - 1n;
export const ANY_TIER = 0xffffn;

const bitsOf = (fields) => Object.values(fields).reduce((sum, bits) => sum + bits, 0);

/** One number of many; throws on a field that is missing or does not fit its width. */
export function packed(fields, values) {
  let [word, shift] = [0n, 0n];
  for (const [name, bits] of Object.entries(fields)) {
    const value = values[name];
    if (typeof value !== "bigint" || BigInt.asUintN(bits, value) !== value)
      throw new RangeError(`${name} is not of ${bits} bits`);
    word |= value << shift;
    shift += BigInt(bits);
  }
  return word;
}

export function unpacked(fields, word) {
  if (BigInt.asUintN(bitsOf(fields), word) !== word) throw new RangeError(`the word is not of ${bitsOf(fields)} bits`);
  const values = {};
  let rest = word;
  for (const [name, bits] of Object.entries(fields)) {
    values[name] = BigInt.asUintN(bits, rest);
    rest >>= BigInt(bits);
  }
  return values;
}

export const commitment = (secret) => poseidon([TAG_IDENTITY, secret]);
export const leaf = (committed, epochTag, attributes, salt) => poseidon([committed, epochTag, attributes, salt]);
export const nullifier = (secret, scope, useIndex) => poseidon([TAG_NULLIFIER, secret, scope, useIndex]);
export const epochTag = (allianceId, epoch) => (BigInt(allianceId) << 32n) | BigInt(epoch);

/** The root over a leaf; bit i of `index` says that the node at height i is a right child. */
export function rootFromPath(node, index, siblings) {
  return siblings.reduce(
    (below, sibling, i) => poseidon((index >> BigInt(i)) & 1n ? [sibling, below] : [below, sibling]),
    node,
  );
}

const uintWord = (value) => fromHex("0x" + BigInt(value).toString(16).padStart(64, "0"));
const addressWord = (address) => fromHex("0x" + address.toLowerCase().slice(2).padStart(64, "0"));
/** Text as UTF-8; mini-programs have no TextEncoder. */
export const utf8 = (text) =>
  Uint8Array.from(encodeURIComponent(text).match(/%..|./g) ?? [], (part) =>
    part.length === 3 ? parseInt(part.slice(1), 16) : part.charCodeAt(0),
  );

/** The room within which two proofs of one member are linkable: a partner's purpose in one window of time. */
export function scope({ chainId, registry, partnerId, purpose, windowId }) {
  const words = [
    SCOPE_TAG,
    uintWord(chainId),
    addressWord(registry),
    uintWord(partnerId),
    keccak256(utf8(purpose)),
    uintWord(windowId),
  ];
  return asField(keccak256(concat(...words)));
}

/** Which alliance it is: the first four bytes of the hash of its chain and registry. */
export function allianceId(chainId, registry) {
  return Number(BigInt(toHex(keccak256(concat(uintWord(chainId), addressWord(registry))))) >> 224n);
}

/** A fresh secret of a member and the commitment that the ledger keeps. The secret never leaves the device. */
export function makeCommitment(randomBytes = systemRandom) {
  const bytes = randomBytes(SECRET_BYTES);
  if (!(bytes instanceof Uint8Array) || bytes.length !== SECRET_BYTES)
    throw new Error(`${SECRET_BYTES} random bytes are wanted`);
  if (bytes.every((byte) => byte === bytes[0]))
    throw new Error("the source of randomness answers the same byte over and over");
  const secret = BigInt(toHex(bytes));
  return { secret: secret.toString(), commitment: commitment(secret).toString() };
}

/** Bytes of the platform's generator. Where there is none it throws: a weaker source would give the secret away. */
export function systemRandom(count) {
  if (typeof globalThis.crypto?.getRandomValues !== "function") throw new Error("no source of randomness is here");
  return globalThis.crypto.getRandomValues(new Uint8Array(count));
}
