// Proofs of a tier: a checked witness and a checked request in, the response for the partner out. Runs in browsers, in
// Node and, with the shim beside it, in mini-programs: one thread, no network, no file. This file links snarkjs (GPL-3.0);
// the others of this folder do not.

import { groth16 } from "snarkjs";
import { calculator } from "./calculator.js";
import { CIRCUIT_ID, PUBLIC_SIGNALS, systemRandom } from "./statement.js";

const SINGLE_THREAD = { singleThread: true };

/** The proof in the response's form: affine coordinates as decimal strings, two to a point. */
function affine({ pi_a, pi_b, pi_c }) {
  if (pi_a[2] !== "1" || pi_c[2] !== "1" || pi_b[2].join() !== "1,0") throw new Error("the proof holds a point at infinity");
  return { pi_a: pi_a.slice(0, 2), pi_b: pi_b.slice(0, 2), pi_c: pi_c.slice(0, 2) };
}

/** The witness of `input` (BigInt by the circuit's signal names); throws NoWitness where a constraint fails. */
export async function witnessOf(input, { wasm, instantiate }) {
  const calculate = await calculator(wasm, instantiate);
  return calculate(input);
}

/** A proof over a finished witness: { proof, signals }. Drawn anew each time: no two of one witness are alike. */
export async function proofOf(witness, zkey) {
  systemRandom(32); // a platform without randomness is found out here and not by a proof that gives the witness away
  const { proof, publicSignals } = await groth16.prove(zkey, witness, undefined, SINGLE_THREAD);
  return { proof: affine(proof), signals: publicSignals };
}

/** The response to a request: `input` from makeInput; `wasm` and `zkey` are the circuit's bytes. */
export async function prove(input, { wasm, zkey, instantiate }) {
  const witness = await witnessOf(input, { wasm, instantiate });
  const { proof, signals } = await proofOf(witness, zkey);
  PUBLIC_SIGNALS.forEach((name, i) => {
    if (BigInt(signals[i]) !== input[name]) throw new Error(`the proof is of another ${name}`);
  });
  return { circuit_id: CIRCUIT_ID, nullifier: signals[0], proof };
}

export { CIRCUIT_ID, allianceId, epochTag, makeCommitment } from "./statement.js";
export { checkWitness, makeInput, parseWitness, policyOf } from "./witness.js";
export { challengeOf, parseRequest } from "./request.js";
export { parseHeader } from "./header.js";
export { checkRequest } from "./consent.js";
export { WINDOW_SECONDS, questionOf } from "./narrowing.js";
