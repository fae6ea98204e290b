// Answers the witnesses on standard input (a list of the circuit's inputs as decimal strings) with proofs over the
// development keys, as a list of responses on standard output. Run by tests/proofs/tier/answers.py.
import { readFileSync, writeSync } from "node:fs";
import { prove } from "../../../proofs/circuits/prover/prove.js";
import { development } from "../circuits/member.mjs";

const asNumbers = (value) => (Array.isArray(value) ? value.map(BigInt) : BigInt(value));
const responses = [];
for (const inputs of JSON.parse(readFileSync(0, "utf8"))) {
  const named = Object.fromEntries(Object.entries(inputs).map(([name, value]) => [name, asNumbers(value)]));
  responses.push(await prove(named, development));
}
writeSync(1, JSON.stringify(responses));
process.exit(0);
