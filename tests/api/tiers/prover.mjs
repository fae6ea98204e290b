// A wallet's prover for tests, one process for a whole run: a line of JSON in, a line out.
//
//   {"secret", "use_index", "witness": {..as delivered}, "header": {..}, "request": {..a request.json}}
//   -> {"response": {..a response.json}} or {"failed": "why"}

import { createInterface } from "node:readline";
import { DEVELOPMENT, loaded } from "../../../proofs/circuits/build/manifest.mjs";
import { prove } from "../../../proofs/circuits/prover/prove.js";
import { challengeOf, parseRequest } from "../../../proofs/circuits/prover/request.js";
import { epochTag } from "../../../proofs/circuits/prover/statement.js";
import { makeInput, parseWitness } from "../../../proofs/circuits/prover/witness.js";

const { wasm, zkey } = loaded(DEVELOPMENT, { production: false });

async function answer({ secret, use_index, witness, header, request }) {
  const asked = parseRequest(request);
  const input = makeInput({
    secret: BigInt(secret),
    witness: parseWitness(witness),
    epochTag: epochTag(header.alliance_id, header.epoch),
    root: BigInt(header.root),
    scope: asked.request.scope,
    challenge: challengeOf(asked),
    policy: asked.request.policy,
    useIndex: BigInt(use_index),
  });
  return { response: await prove(input, { wasm, zkey }) };
}

for await (const line of createInterface({ input: process.stdin })) {
  const told = await answer(JSON.parse(line)).catch((error) => ({ failed: String(error) }));
  process.stdout.write(`${JSON.stringify(told)}\n`);
}
process.exit(0);
