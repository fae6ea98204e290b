// Measures proofs in a process of their own, for bench/tier_prove.py: JSON on standard output. `ours` is the prover as a
// wallet runs it (one thread, our calculator); `snarkjs` is its own fullProve with as many threads as it takes.
//
//   node proofs/circuits/prover/measure.mjs ours|snarkjs ROUNDS < input.json      # the circuit's inputs, decimal strings

import { groth16 } from "snarkjs";
import { DEVELOPMENT, loaded } from "../build/manifest.mjs";
import { proofOf, witnessOf } from "./prove.js";

const BYTES_PER_KILOBYTE = 1024;
const MICROSECONDS_PER_MILLISECOND = 1000;

async function read(stream) {
  let text = "";
  for await (const piece of stream.setEncoding("utf8")) text += piece;
  return JSON.parse(text, (_, value) => (typeof value === "string" ? BigInt(value) : value));
}

const since = (start) => performance.now() - start;

async function ours(input, { wasm, zkey }) {
  const start = performance.now();
  const witness = await witnessOf(input, { wasm });
  const witnessMs = since(start);
  await proofOf(witness, zkey);
  return { witnessMs, totalMs: since(start) };
}

async function theirs(input, { wasm, zkey }) {
  const start = performance.now();
  await groth16.fullProve(input, wasm, zkey);
  return { totalMs: since(start) };
}

const [who, rounds] = process.argv.slice(2);
const input = await read(process.stdin);
const start = performance.now();
const keys = loaded(DEVELOPMENT, { production: false });
const loadMs = since(start);
const measured = [];
for (let round = 0; round < Number(rounds); round++) {
  const before = process.cpuUsage();
  const times = await (who === "ours" ? ours : theirs)(input, keys);
  const { user, system } = process.cpuUsage(before);
  measured.push({ ...times, processorMs: (user + system) / MICROSECONDS_PER_MILLISECOND });
}
const peakBytes = process.resourceUsage().maxRSS * BYTES_PER_KILOBYTE;
const sizes = { wasmBytes: keys.wasm.length, zkeyBytes: keys.zkey.length };
console.log(JSON.stringify({ loadMs, rounds: measured, peakBytes, ...sizes, constraints: keys.manifest.constraints }));
process.exit(0);
