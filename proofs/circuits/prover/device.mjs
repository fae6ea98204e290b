// A member's device where there is no browser: the wallet in Node, a line of JSON in, a line out, until the input ends.
//
//   node proofs/circuits/prover/device.mjs KEYS
//
//   {"open": null | {..}}  ->  {"secret", "commitment", "asked"}: what it is to keep
//   {"answer": {..}}       ->  {"predicate", "cohort", "response", "ms"} or {"refused": "why"}
//   {"kept": null}         ->  as of open, by now

import { createInterface } from "node:readline";
import { loaded } from "../build/manifest.mjs";
import * as prover from "./prove.js";
import { makeWallet } from "./wallet.js";

const { wasm, zkey } = loaded(process.argv[2], { production: false });
const wallet = makeWallet(prover, { wasm, zkey });

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  const [[what, given]] = Object.entries(asked);
  const told = await { open: wallet.open, answer: wallet.answer, kept: wallet.kept }[what](given);
  process.stdout.write(`${JSON.stringify(told)}\n`);
}
process.exit(0);
