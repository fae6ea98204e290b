// Keys of a circuit: what snarkjs makes and checks, each step with its words on the way. Nothing here decides whose keys
// they are; development keys (make.mjs) and ceremonies (../ceremony) are both put together from these steps.

import { createHash } from "node:crypto";
import { createReadStream, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { curves, powersOfTau, zKey } from "snarkjs";
import { keccak256 } from "../../js/keccak.js";
import { concat, fromHex, toHex } from "../../js/words.js";

const require = createRequire(import.meta.url);
const SNARKJS = dirname(dirname(require.resolve("snarkjs")));
const TEMPLATE = join(SNARKJS, "templates", "verifier_groth16.sol.ejs");
export const snarkjsVersion = () => `snarkjs ${JSON.parse(readFileSync(join(SNARKJS, "package.json"), "utf8")).version}`;

/** A logger for snarkjs that passes on what it says of its progress, one line at a time, and keeps all of it. */
export function listener(say = () => {}) {
  const kept = [];
  const hear = (text) => {
    kept.push(text);
    say(text);
  };
  return { kept, error: hear, warn: hear, info: hear, debug: (text) => say(text) };
}

export async function blake2b512(path) {
  const hash = createHash("blake2b512");
  for await (const piece of createReadStream(path)) hash.update(piece);
  return hash.digest("hex");
}

export const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

/** snarkjs answers false, after words to its logger, where it does not do what it was asked. */
async function done(step, logger) {
  const answer = await step;
  if (answer === false) throw new Error(logger.kept.at(-1) ?? "snarkjs refuses, and does not say why");
  return answer;
}

/** Powers of tau from a beacon that everybody knows: reproducible to the byte, and worth nothing but for tests. */
export async function knownPowers({ power, beacon, name, iterations }, files, logger) {
  const curve = await curves.getCurveFromName("bn128");
  await done(powersOfTau.newAccumulator(curve, power, files.empty, logger), logger);
  await done(powersOfTau.beacon(files.empty, files.known, name, beacon.replace(/^0x/, ""), iterations, logger), logger);
  await done(powersOfTau.preparePhase2(files.known, files.prepared, logger), logger);
}

/** The first key of a circuit, without any contribution: it accepts forged proofs (gamma = delta) and is never exported. */
export async function firstKey({ r1cs, powers, key }, logger) {
  const hash = await zKey.newZKey(r1cs, powers, key, logger);
  if (!(hash instanceof Uint8Array))
    throw new Error("the constraint system and the powers of tau do not make a key: " + logger.kept.join("; "));
}

export const contribute = (from, to, { name, entropy }, logger) =>
  done(zKey.contribute(from, to, name, entropy, logger), logger);

export const applyBeacon = (from, to, { name, beacon, iterations }, logger) =>
  done(zKey.beacon(from, to, name, beacon.replace(/^0x/, ""), iterations, logger), logger);

/** Whether a key belongs to this circuit and these powers, and each contribution in it follows from the one before. */
export const follows = ({ r1cs, powers, key }, logger) => zKey.verifyFromR1cs(r1cs, powers, key, logger);

/** The verification key in its usual JSON form. Throws on a key without a contribution. */
export async function verificationKey(key) {
  const found = await zKey.exportVerificationKey(key, listener());
  if (JSON.stringify(found.vk_gamma_2) === JSON.stringify(found.vk_delta_2)) {
    throw new Error("gamma = delta: nobody contributed to this key, and whoever has it forges proofs");
  }
  if ([found.vk_gamma_2, found.vk_delta_2].some((point) => JSON.stringify(point) === JSON.stringify(found.vk_beta_2))) {
    throw new Error("beta is gamma or delta: nobody contributed to the powers, and whoever has the key forges proofs");
  }
  return found;
}

const word = (decimal) => fromHex("0x" + BigInt(decimal).toString(16).padStart(64, "0"));
const g1 = ([x, y]) => [word(x), word(y)];
const g2 = ([x, y]) => [word(x[1]), word(x[0]), word(y[1]), word(y[0])]; // imaginary part first, as the EVM has it

/** The name of a verification key: the hash of its points in the order alpha, beta, gamma, delta, inputs. */
export function keyHash(key) {
  const points = [
    ...g1(key.vk_alpha_1),
    ...g2(key.vk_beta_2),
    ...g2(key.vk_gamma_2),
    ...g2(key.vk_delta_2),
    ...key.IC.flatMap(g1),
  ];
  return toHex(keccak256(concat(...points)));
}

/** The Solidity source of the verifier of a key, as snarkjs exports it, under our contract's name. */
export async function solidityVerifier(key, name) {
  const template = readFileSync(TEMPLATE, "utf8").replace("contract Groth16Verifier", `contract ${name}`);
  return zKey.exportSolidityVerifier(key, { groth16: template }, listener());
}
