// Writes what a wallet's page loads into a folder: the bundle, and the development circuit's files unpacked.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { DEVELOPMENT, loaded } from "../../../proofs/circuits/build/manifest.mjs";
import { bundle } from "../../../proofs/circuits/prover/bundle.mjs";

const folder = process.argv[2];
await bundle(folder);
const { wasm, zkey } = loaded(DEVELOPMENT, { production: false });
writeFileSync(join(folder, "circuit.wasm"), wasm);
writeFileSync(join(folder, "circuit.zkey"), zkey);
process.exit(0);
