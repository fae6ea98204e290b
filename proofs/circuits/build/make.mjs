// Builds the tier circuit and its development keys, and says on the way what it does:
//
//   node proofs/circuits/build/make.mjs             # what is missing or changed, then the hashes against the committed ones
//   node proofs/circuits/build/make.mjs --check     # compile and compare, make nothing (a few seconds)
//   node proofs/circuits/build/make.mjs --anew      # forget the powers of tau kept in var/circuits, make them again
//
// Development keys come from beacons that everybody knows (hashes of the two sentences below), so the same sources give
// the same bytes on any machine, and nobody may rely on them. A ceremony's keys are made by proofs/circuits/ceremony.

import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { brotliCompressSync, constants } from "node:zlib";
import { objections, WORDS } from "../gate/gate.mjs";
import { parse } from "../gate/r1cs.mjs";
import { ROOT, compile, compilerVersion } from "./compile.mjs";
import {
  applyBeacon,
  firstKey,
  keyHash,
  knownPowers,
  listener,
  sha256,
  snarkjsVersion,
  solidityVerifier,
  verificationKey,
} from "./keys.mjs";
import { CIRCUIT, DEVELOPMENT, circuitId, manifestOf } from "./manifest.mjs";

const POWER = 13;
const KNOWN_POWERS = {
  name: "known to everybody: tests alone",
  beacon: circuitId("tongdui-test-powers-of-tau"),
  iterations: 10,
};
const KNOWN_KEY = { name: "known to everybody: tests alone", beacon: circuitId("tongdui-test-tier-key"), iterations: 10 };
const VERIFIER = "TierProofVerifier";
const VERIFIER_FILE = join(ROOT, "contracts", "generated", `${VERIFIER}.sol`);
const WORK = join(ROOT, "var", "circuits");
const LINE_LETTERS_MAX = 100;

const started = performance.now();
const seconds = () => `${((performance.now() - started) / 1000).toFixed(1).padStart(6)} s`;
const say = (words) => console.log(`${seconds()}  ${words}`);

/** snarkjs's words, on one line that is written over where there is a terminal, and otherwise not at all. */
const progress = () =>
  listener(
    (text) => process.stdout.isTTY && process.stdout.write(`\r\x1b[K${seconds()}    ${text.slice(0, LINE_LETTERS_MAX)}`),
  );
const over = () => process.stdout.isTTY && process.stdout.write("\r\x1b[K");

function checked() {
  say(`compiling with ${compilerVersion()} --O2`);
  const made = compile();
  const system = parse(made.r1cs);
  say(`${system.count} constraints, ${system.wires} wires, ${system.publicInputs} public inputs`);
  const found = objections();
  const objected = Object.keys(WORDS).filter((name) => found[name].length);
  for (const name of objected) say(`${WORDS[name]}: ${found[name].join("; ")}`);
  if (objected.length) throw new Error("the gate objects: no key is made of this circuit");
  say("the gate objects to nothing");
  return { ...made, system };
}

async function powers() {
  const prepared = join(WORK, `known_${POWER}.ptau`);
  if (existsSync(prepared)) {
    say(`powers of tau up to 2^${POWER} are kept in var/circuits`);
    return prepared;
  }
  say(`making powers of tau up to 2^${POWER} (two to five minutes, once)`);
  const part = (name) => join(WORK, `part_${name}.ptau`);
  await knownPowers(
    { power: POWER, ...KNOWN_POWERS },
    { empty: part("empty"), known: part("known"), prepared: part("prepared") },
    progress(),
  );
  over();
  renameSync(part("prepared"), prepared);
  for (const name of ["empty", "known"]) rmSync(part(name));
  return prepared;
}

async function developmentKey(r1cs) {
  const [circuit, first, key] = ["circuit.r1cs", "first.zkey", "circuit.zkey"].map((name) => join(WORK, name));
  writeFileSync(circuit, r1cs);
  const made = { r1cs: circuit, powers: await powers(), key: first };
  say("making the key");
  await firstKey(made, progress());
  await applyBeacon(first, key, KNOWN_KEY, progress());
  over();
  return key;
}

const packed = (bytes) =>
  brotliCompressSync(bytes, {
    params: { [constants.BROTLI_PARAM_LGWIN]: 24, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length },
  });

async function build() {
  const made = checked();
  const key = await developmentKey(made.r1cs);
  const vk = await verificationKey(key);
  const files = {
    "circuit.wasm": made.wasm,
    "circuit.zkey": readFileSync(key),
    "verification_key.json": Buffer.from(JSON.stringify(vk, null, 1) + "\n"),
  };
  const verifier = await solidityVerifier(key, VERIFIER);
  const manifest = {
    circuit: CIRCUIT,
    circuit_id: circuitId(CIRCUIT),
    setup: "dev",
    tools: `${compilerVersion()} --O2, ${snarkjsVersion()}`,
    constraints: made.system.count,
    vk_hash: keyHash(vk),
    r1cs_sha256: sha256(made.r1cs),
    verifier_sha256: sha256(verifier),
    files_sha256: Object.fromEntries(Object.entries(files).map(([name, bytes]) => [name, sha256(bytes)])),
  };
  write(files, verifier, manifest);
}

function write(files, verifier, manifest) {
  const before = existsSync(join(DEVELOPMENT, "circuit.json")) ? JSON.stringify(manifestOf(DEVELOPMENT)) : "";
  say("packing");
  mkdirSync(DEVELOPMENT, { recursive: true });
  mkdirSync(dirname(VERIFIER_FILE), { recursive: true });
  for (const name of ["circuit.wasm", "circuit.zkey"]) writeFileSync(join(DEVELOPMENT, `${name}.br`), packed(files[name]));
  writeFileSync(join(DEVELOPMENT, "verification_key.json"), files["verification_key.json"]);
  writeFileSync(VERIFIER_FILE, verifier);
  writeFileSync(join(DEVELOPMENT, "circuit.json"), JSON.stringify(manifest, null, 1) + "\n");
  say(
    JSON.stringify(manifest) === before
      ? "the same bytes as were there"
      : "written to proofs/circuits/dev and contracts/generated: other bytes than before",
  );
}

function compare() {
  const { r1cs, wasm } = checked();
  const pinned = manifestOf(DEVELOPMENT);
  const stale = [
    ["constraint system", sha256(r1cs), pinned.r1cs_sha256],
    ["witness calculator", sha256(wasm), pinned.files_sha256["circuit.wasm"]],
    ["verifier contract", sha256(readFileSync(VERIFIER_FILE)), pinned.verifier_sha256],
  ].filter(([, found, wanted]) => found !== wanted);
  if (stale.length)
    throw new Error(
      `not what the committed keys were made of: ${stale.map(([name]) => name).join(", ")}. Run: make circuits`,
    );
  say("the committed keys are those of these sources");
}

async function main(words) {
  if (words.includes("--help"))
    return console.log(
      readFileSync(import.meta.filename, "utf8")
        .split("\n\n")[0]
        .replace(/^\/\/ ?/gm, ""),
    );
  if (words.includes("--check")) return compare();
  if (words.includes("--anew")) rmSync(join(WORK, `known_${POWER}.ptau`), { force: true });
  mkdirSync(WORK, { recursive: true });
  await build();
}

try {
  await main(process.argv.slice(2));
  process.exit(0); // snarkjs's workers would keep the process
} catch (error) {
  console.error(`${seconds()}  ${error.message}`);
  process.exit(1);
}
