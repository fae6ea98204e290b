// A set of circuit files in a folder, named by circuit.json: which circuit, who set it up (dev or ceremony), the hash of
// the verification key and of every file. Readers take nothing whose hash is another, and production takes no
// development key: everybody knows what it was made from, and can forge proofs with that.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { brotliDecompressSync } from "node:zlib";
import { keccak256 } from "../../js/keccak.js";
import { ascii, toHex } from "../../js/words.js";
import { CIRCUITS } from "./compile.mjs";
import { keyHash, sha256 } from "./keys.mjs";

export const DEVELOPMENT = join(CIRCUITS, "dev");
export const CIRCUIT = "TierProofV1(24)";
const SETUPS = ["dev", "ceremony"];

export const circuitId = (name) => toHex(keccak256(ascii(name)));
export const manifestOf = (folder) => JSON.parse(readFileSync(join(folder, "circuit.json"), "utf8"));

/** The bytes of one file of a set, unpacked where it is kept packed; throws where the hash is not the manifest's. */
export function fileOf(folder, name, manifest = manifestOf(folder)) {
  const packed = join(folder, `${name}.br`);
  const bytes = existsSync(packed) ? brotliDecompressSync(readFileSync(packed)) : readFileSync(join(folder, name));
  if (sha256(bytes) !== manifest.files_sha256[name]) throw new Error(`${name} in ${folder} is not the file of its manifest`);
  return new Uint8Array(bytes);
}

/** A set ready for use: { manifest, verificationKey, wasm, zkey }. `production` refuses development keys. */
export function loaded(folder, { production }) {
  const manifest = manifestOf(folder);
  if (!SETUPS.includes(manifest.setup))
    throw new Error(`${folder}: setup is ${JSON.stringify(manifest.setup)}, not ${SETUPS.join(" or ")}`);
  const development = manifest.setup === "dev" || manifest.vk_hash === manifestOf(DEVELOPMENT).vk_hash;
  if (production && development) throw new Error(`${folder} holds development keys: with them anybody forges proofs`);
  const verificationKey = JSON.parse(new TextDecoder().decode(fileOf(folder, "verification_key.json", manifest)));
  if (keyHash(verificationKey) !== manifest.vk_hash)
    throw new Error(`${folder}: the verification key has another hash than its manifest says`);
  return {
    manifest,
    verificationKey,
    wasm: fileOf(folder, "circuit.wasm", manifest),
    zkey: fileOf(folder, "circuit.zkey", manifest),
  };
}
