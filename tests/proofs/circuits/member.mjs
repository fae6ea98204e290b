// A made-up member for tests of the circuit: a secret, attributes, a place in a small tree of depth 24, a policy that
// admits them with room on both sides, and the inputs that follow. Everything can be changed on the way.
import { readFileSync } from "node:fs";
import { after } from "node:test";
import { groth16 } from "snarkjs";
import { DEVELOPMENT, loaded } from "../../../proofs/circuits/build/manifest.mjs";
import { calculator } from "../../../proofs/circuits/prover/calculator.js";
import { proofOf } from "../../../proofs/circuits/prover/prove.js";
import { R, poseidon } from "../../../proofs/circuits/prover/poseidon.js";
import {
  ATTRIBUTES,
  DEPTH,
  POLICY,
  PUBLIC_SIGNALS,
  commitment,
  epochTag,
  leaf,
  packed,
} from "../../../proofs/circuits/prover/statement.js";
import { makeInput } from "../../../proofs/circuits/prover/witness.js";

export const development = loaded(DEVELOPMENT, { production: false });
export const calculate = await calculator(development.wasm);

export const SECRET = 0x1234567890abcdef1234567890abcdef1234567890abcdef1234567890abcdn;
export const STRANGER = 0xabcdef1234567890abcdef1234567890abcdef1234567890abcdef1234567n;
export const WHO = {
  points: 12_000n,
  spend: 480_000n,
  since: 1_700_000_000n,
  validUntil: 1_800_000_000n,
  keyEpoch: 7n,
  tier: 3n,
  programme: 1n,
};
export const TERMS = {
  lo: 10_000n,
  hi: 20_000n,
  sinceMax: 1_750_000_000n,
  validOn: 1_790_000_000n,
  keyEpochMax: 9n,
  tierMask: 0b1000n,
  metric: 0n,
  maxUses: 2n,
};
export const TAG = epochTag(0xa11ace, 12);

const PLACE = 5n;
const EMPTY = [0n];
while (EMPTY.length < DEPTH) EMPTY.push(poseidon([EMPTY.at(-1), EMPTY.at(-1)]));

/** The sum of fields times their places, whether they fit or not: what a cheat would pack. */
export function overflowing(fields, values) {
  let [word, shift] = [0n, 0n];
  for (const [name, bits] of Object.entries(fields)) {
    word = (word + (values[name] << shift)) % R;
    shift += BigInt(bits);
  }
  return word;
}

/** Siblings of the leaf at PLACE in a tree where its two nearest neighbours are taken too, and the root over them. */
export function treeOver(node) {
  const path = [...EMPTY];
  path[0] = leaf(commitment(STRANGER), TAG, packed(ATTRIBUTES, WHO), 99n);
  path[1] = poseidon([leaf(commitment(STRANGER), TAG, 5n, 98n), 0n]);
  let root = node;
  path.forEach((sibling, i) => (root = poseidon((PLACE >> BigInt(i)) & 1n ? [sibling, root] : [root, sibling])));
  return { path, root };
}

/**
 * Inputs of the circuit for a member who `is` something else than WHO in some fields, under `terms` that differ from
 * TERMS in some, with any `input` put over the result. The tree holds the leaf of what the member is.
 */
export function inputs({ is = {}, terms = {}, secret = SECRET, useIndex = 0n, input = {} } = {}) {
  const attributes = { ...WHO, ...is };
  const salt = 42n;
  const { path, root } = treeOver(leaf(commitment(secret), TAG, overflowing(ATTRIBUTES, attributes), salt));
  const made = makeInput({
    secret,
    witness: { attributes, salt, index: PLACE, path },
    epochTag: TAG,
    root,
    scope: 1111n,
    challenge: 2222n,
    policy: overflowing(POLICY, { ...TERMS, ...terms }),
    useIndex: (useIndex + R) % R,
  });
  return { ...made, ...input };
}

export const signalsOf = (input) => PUBLIC_SIGNALS.map((name) => input[name].toString());

const projective = ({ pi_a, pi_b, pi_c }) => ({
  pi_a: [...pi_a, "1"],
  pi_b: [...pi_b, ["1", "0"]],
  pi_c: [...pi_c, "1"],
  protocol: "groth16",
  curve: "bn128",
});

// Checking a proof starts threads, which would keep the process.
after(() => globalThis.curve_bn128?.terminate());

export const proofOver = (witness) => proofOf(witness, development.zkey);
export const accepts = (signals, proof) => groth16.verify(development.verificationKey, signals, projective(proof));

const MAIN = readFileSync(new URL("../../../proofs/circuits/circom/tier_proof.circom", import.meta.url), "utf8").split("\n");

/** Which part of the statement refused: the component named in the line of the main template that failed. */
export function refusal(error) {
  const told = /template TierProofV1_\d+ line: (\d+)/.exec(error.where ?? "");
  if (!told) return error.reason ?? String(error);
  return /^\s*(\w+)/.exec(MAIN[Number(told[1]) - 1])[1];
}
