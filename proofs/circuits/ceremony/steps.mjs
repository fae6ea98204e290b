// The second phase of a ceremony as a folder: circuit.r1cs, the keys 0000.zkey, 0001.zkey, ... (each contribution makes
// the next), wasm of the circuit, and transcript.json, which says who contributed and what everything hashes to. Whoever
// has the folder and the powers of tau checks all of it (`verified`); nothing is believed because the transcript says so.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { compile, compilerVersion } from "../build/compile.mjs";
import {
  applyBeacon,
  blake2b512,
  contribute,
  firstKey,
  follows,
  keyHash,
  listener,
  sha256,
  snarkjsVersion,
  solidityVerifier,
  verificationKey,
} from "../build/keys.mjs";
import { circuitId } from "../build/manifest.mjs";
import { compiled } from "./contract.mjs";

const VERIFIER = "TierProofVerifier";
const ENTROPY_BYTES = 64;
const NAME = /^[\p{L}\p{N} .,'&()-]{1,80}$/u;
const BEACON = /^(0x)?[0-9a-f]{64}$/;
const ITERATIONS_EXP = { min: 10, max: 63 };
const CONTRIBUTIONS_MAX = 9_000;

/** What a ceremony does not accept, in a sentence. */
export class CeremonyRefused extends Error {}

const refuse = (sentence) => {
  throw new CeremonyRefused(sentence);
};
const keyFile = (folder, number) => join(folder, `${String(number).padStart(4, "0")}.zkey`);
const transcriptFile = (folder) => join(folder, "transcript.json");
export const transcriptOf = (folder) =>
  existsSync(transcriptFile(folder))
    ? JSON.parse(readFileSync(transcriptFile(folder), "utf8"))
    : refuse(`${folder} holds no ceremony`);
const keep = (folder, transcript) => writeFileSync(transcriptFile(folder), JSON.stringify(transcript, null, 1) + "\n");

/** Begin: compile the circuit from these sources and make the key that nobody has contributed to. */
export async function begin(folder, { powers, pin, circuit, logger = listener() }) {
  if (existsSync(transcriptFile(folder))) refuse(`${folder} holds a ceremony already`);
  mkdirSync(folder, { recursive: true });
  const made = compile({ main: circuit.main, sources: circuit.sources });
  writeFileSync(join(folder, "circuit.r1cs"), made.r1cs);
  writeFileSync(join(folder, "circuit.wasm"), made.wasm);
  await firstKey({ r1cs: join(folder, "circuit.r1cs"), powers, key: keyFile(folder, 0) }, logger);
  keep(folder, {
    circuit: circuit.name,
    tools: `${compilerVersion()} O2, ${snarkjsVersion()}`,
    r1cs_sha256: sha256(made.r1cs),
    powers: { file: pin.file, blake2b512: pin.blake2b512 },
    first_key_blake2b512: await blake2b512(keyFile(folder, 0)),
    contributions: [],
    beacon: null,
  });
}

/** One contribution, with fresh randomness that leaves this process only inside the key. Answers its hash. */
export async function add(folder, { name, logger = listener() }) {
  const transcript = transcriptOf(folder);
  if (transcript.beacon) refuse("the ceremony is closed");
  if (!NAME.test(name ?? "")) refuse("a contribution needs a name: 1 to 80 letters, digits, spaces and . , ' & ( ) -");
  if (transcript.contributions.some((each) => each.name === name)) refuse(`${name} has contributed already`);
  const number = transcript.contributions.length + 1;
  if (number > CONTRIBUTIONS_MAX) refuse(`at most ${CONTRIBUTIONS_MAX} contributions`);
  const [from, to] = [keyFile(folder, number - 1), keyFile(folder, number)];
  const hash = await contribute(from, to, { name, entropy: randomBytes(ENTROPY_BYTES).toString("hex") }, logger);
  transcript.contributions.push({
    number,
    name,
    hash: Buffer.from(hash).toString("hex"),
    key_blake2b512: await blake2b512(to),
  });
  keep(folder, transcript);
  return transcript.contributions.at(-1);
}

/** Close with a beacon: a public number that nobody could know when the last contribution was made. */
export async function close(folder, { beacon, source, iterations = ITERATIONS_EXP.min, logger = listener() }) {
  const transcript = transcriptOf(folder);
  if (transcript.beacon) refuse("the ceremony is closed already");
  if (!transcript.contributions.length) refuse("nobody has contributed yet");
  if (!BEACON.test(beacon ?? "")) refuse("a beacon is 64 lower-case hex digits, a block's hash for instance");
  if (!source) refuse("say where the beacon comes from, so that others can look it up");
  if (!(iterations >= ITERATIONS_EXP.min && iterations <= ITERATIONS_EXP.max))
    refuse(`2^${ITERATIONS_EXP.min} to 2^${ITERATIONS_EXP.max} iterations`);
  const number = transcript.contributions.length + 1;
  const [from, to] = [keyFile(folder, number - 1), keyFile(folder, number)];
  await applyBeacon(from, to, { name: "beacon", beacon, iterations }, logger);
  transcript.beacon = { number, value: beacon.replace(/^0x/, ""), iterations, source, key_blake2b512: await blake2b512(to) };
  keep(folder, transcript);
  return transcript.beacon;
}

/**
 * Check everything: the sources compile to the circuit of the ceremony, the newest key belongs to it and to the powers,
 * each contribution follows from the one before, and the names and hashes in the key are those of the transcript.
 */
export async function verified(folder, { powers, pin, circuit, logger = listener() }) {
  const transcript = transcriptOf(folder);
  const r1cs = compile({ main: circuit.main, sources: circuit.sources, wasm: false }).r1cs;
  if (sha256(r1cs) !== transcript.r1cs_sha256) refuse("the sources here compile to another circuit than the ceremony's");
  if (sha256(readFileSync(join(folder, "circuit.r1cs"))) !== transcript.r1cs_sha256)
    refuse("circuit.r1cs is not what the transcript says");
  if (pin.blake2b512 !== transcript.powers.blake2b512) refuse("the ceremony stands on other powers of tau");
  const last = transcript.contributions.length + (transcript.beacon ? 1 : 0);
  for (const { number, key_blake2b512: hash } of [
    ...transcript.contributions,
    ...(transcript.beacon ? [transcript.beacon] : []),
  ]) {
    if (!existsSync(keyFile(folder, number)) || (await blake2b512(keyFile(folder, number))) !== hash)
      refuse(`key ${number} is not what the transcript says`);
  }
  if (last === 0) refuse("nobody has contributed yet");
  const heard = listener(logger.info);
  if (!(await follows({ r1cs: join(folder, "circuit.r1cs"), powers, key: keyFile(folder, last) }, heard))) {
    refuse(`key ${last} does not follow from the circuit, the powers and its contributions: ${heard.kept.at(-1)}`);
  }
  compareWithKey(transcript, contributionsIn(heard.kept));
  return { transcript, key: keyFile(folder, last) };
}

/** What snarkjs reads out of a key: number, name and hash of each contribution, and the beacon's generator. */
export function contributionsIn(lines) {
  const found = [];
  for (const line of lines) {
    const told = /^contribution #(\d+) (.*):\s+([0-9a-f\s]+)$/.exec(line);
    if (told) found.push({ number: Number(told[1]), name: told[2], hash: told[3].replace(/\s/g, "") });
    const generator = /^Beacon generator: ([0-9a-f]+)$/.exec(line);
    if (generator) found.at(-1).generator = generator[1];
    const iterations = /^Beacon iterations Exp: (\d+)$/.exec(line);
    if (iterations) found.at(-1).iterations = Number(iterations[1]);
  }
  return found.sort((one, other) => one.number - other.number);
}

function compareWithKey(transcript, found) {
  const wanted = transcript.contributions.map(({ number, name, hash }) => ({ number, name, hash }));
  const closing = transcript.beacon ? found.pop() : undefined;
  if (JSON.stringify(found) !== JSON.stringify(wanted))
    refuse("the contributions in the key are not those of the transcript");
  if (!transcript.beacon) return;
  const { number, value, iterations } = transcript.beacon;
  if (closing?.number !== number || closing.generator !== value || closing.iterations !== iterations) {
    refuse("the beacon in the key is not the one of the transcript");
  }
}

/**
 * What goes into use, once everything is verified: keys, calculator, verifier contract, manifest. Over powers that a
 * rehearsal brought they are development keys: whoever made those powers can forge, whoever contributed afterwards.
 */
export async function exported(folder, out, asked) {
  const { transcript, key } = await verified(folder, asked);
  if (!transcript.beacon) refuse("the ceremony is not closed with a beacon");
  const vk = await verificationKey(key);
  mkdirSync(out, { recursive: true });
  const verifier = await solidityVerifier(key, VERIFIER);
  const files = {
    "circuit.zkey": readFileSync(key),
    "circuit.wasm": readFileSync(join(folder, "circuit.wasm")),
    "verification_key.json": JSON.stringify(vk, null, 1) + "\n",
    [`${VERIFIER}.sol`]: verifier,
    [`${VERIFIER}.json`]: JSON.stringify(compiled(VERIFIER, verifier), null, 1) + "\n",
    "transcript.json": readFileSync(transcriptFile(folder)),
  };
  const wasm = compile({ main: asked.circuit.main, sources: asked.circuit.sources }).wasm;
  if (sha256(wasm) !== sha256(files["circuit.wasm"])) refuse("circuit.wasm is not what the sources compile to");
  const manifest = {
    circuit: transcript.circuit,
    circuit_id: circuitId(transcript.circuit),
    setup: asked.pin.rehearsal ? "dev" : "ceremony",
    vk_hash: keyHash(vk),
    r1cs_sha256: transcript.r1cs_sha256,
    files_sha256: Object.fromEntries(Object.entries(files).map(([name, bytes]) => [name, sha256(bytes)])),
  };
  files["circuit.json"] = JSON.stringify(manifest, null, 1) + "\n";
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(out, name), bytes);
  return manifest;
}
