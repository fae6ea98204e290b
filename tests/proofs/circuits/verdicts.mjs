// What snarkjs says of Groth16 proofs: an opinion beside ours for the differential suite, and a peer for the benchmark.
// This file links snarkjs (GPL-3.0) and is passed on under its terms; nothing of the Python package needs it.
//
//   node tests/proofs/circuits/verdicts.mjs [one|many] < FORMS.jsonl
//
// Each line of the input is [key, signals, proof] in the JSON forms of proofs/groth16.py (no third coordinates in a
// proof). Written is {"verdicts": a sign for each, 1 accepted, 0 refused, "milliseconds": what each took}, by one
// thread or by as many as snarkjs takes. Whatever snarkjs raises is a refusal.
import { readFileSync } from "node:fs";

import { curves, groth16 } from "snarkjs";

const threads = process.argv[2] ?? "one";
const lines = readFileSync(0, "utf8").split("\n").filter(Boolean).map((line) => JSON.parse(line));
await curves.getCurveFromName("bn128", { singleThread: threads === "one" });

const projective = ({ pi_a, pi_b, pi_c }) => ({
  pi_a: [...pi_a, "1"],
  pi_b: [...pi_b, ["1", "0"]],
  pi_c: [...pi_c, "1"],
});

async function verdict([key, signals, proof]) {
  try {
    return (await groth16.verify(key, signals, projective(proof))) ? "1" : "0";
  } catch {
    return "0";
  }
}

let verdicts = "";
const milliseconds = [];
for (const each of lines) {
  const begun = performance.now();
  verdicts += await verdict(each);
  milliseconds.push(performance.now() - begun);
}
// With one thread snarkjs keeps a channel open that terminate() leaves: the end has to be said.
process.stdout.write(JSON.stringify({ verdicts, milliseconds }), () => process.exit());
