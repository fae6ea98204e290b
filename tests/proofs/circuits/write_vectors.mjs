// Writes proofs/vectors/tier_proof.json: proofs over the development keys that verifiers in Python, Solidity and
// JavaScript read. Run by hand after `make circuits` has changed the keys; each run draws other proofs.
//
//   node tests/proofs/circuits/write_vectors.mjs
import { writeFileSync } from "node:fs";
import { prove, proofOf, witnessOf } from "../../../proofs/circuits/prover/prove.js";
import { development, inputs, signalsOf } from "./member.mjs";

const CASES = {
  "the member as they are": {},
  "the same member, proven again": {},
  "spend, the second use": { terms: { metric: 1n, lo: 400_000n, hi: 500_000n }, useIndex: 1n },
  "any tier, no bounds": {
    terms: {
      lo: 0n,
      hi: 2n ** 64n - 1n,
      sinceMax: 2n ** 32n - 1n,
      validOn: 0n,
      keyEpochMax: 2n ** 32n - 1n,
      tierMask: 0xffffn,
    },
  },
};
const asText = (_, value) => (typeof value === "bigint" ? value.toString() : value);

const proofs = [];
for (const [name, change] of Object.entries(CASES)) {
  const input = inputs(change);
  const { proof, signals } = await proofOf(await witnessOf(input, development), development.zkey);
  if (signals.join() !== signalsOf(input).join()) throw new Error(`${name}: other signals`);
  proofs.push({ case: name, signals, proof });
}
const { circuit, circuit_id, setup, vk_hash } = development.manifest;
const vector = {
  note: "made with development keys: proofs/circuits/dev",
  ...{ circuit, circuit_id, setup, vk_hash },
  verification_key: development.verificationKey,
  signals: ["nullifier", "root", "epoch_tag", "scope", "challenge", "policy"],
  proofs,
  input: inputs(),
  response: await prove(inputs(), development),
};
writeFileSync(new URL("../../../proofs/vectors/tier_proof.json", import.meta.url), JSON.stringify(vector, asText, 1) + "\n");
process.exit(0);
