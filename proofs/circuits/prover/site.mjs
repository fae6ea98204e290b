// Writes the page of a member's wallet, with everything that it loads:
//
//   node proofs/circuits/prover/site.mjs FOLDER KEYS
//
//   index.html, page.js, wallet.js     the page, which puts the wallet at `window.wallet` and then has data-ready
//   prover.js, LICENSE.md              the prover as it goes to browsers, and what it is under
//   circuit.wasm, circuit.zkey         the circuit's files out of KEYS, unpacked

import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loaded } from "../build/manifest.mjs";
import { bundleForBrowsers } from "./bundle.mjs";

const PAGE = `<!doctype html><html lang="en"><meta charset="utf-8"><title>wallet</title>
<script type="module" src="page.js"></script></html>
`;
const SCRIPT = `import * as prover from "./prover.js";
import { makeWallet } from "./wallet.js";
const load = async (name) => new Uint8Array(await (await fetch(name)).arrayBuffer());
const [wasm, zkey] = await Promise.all([load("circuit.wasm"), load("circuit.zkey")]);
window.wallet = makeWallet(prover, { wasm, zkey });
document.documentElement.dataset.ready = "";
`;

const [folder, keys] = process.argv.slice(2);
if (!keys) throw new Error("say where to, and with which keys: node proofs/circuits/prover/site.mjs FOLDER KEYS");
await bundleForBrowsers(folder);
copyFileSync(join(import.meta.dirname, "wallet.js"), join(folder, "wallet.js"));
const { wasm, zkey } = loaded(keys, { production: false });
for (const [name, bytes] of Object.entries({
  "index.html": PAGE,
  "page.js": SCRIPT,
  "circuit.wasm": wasm,
  "circuit.zkey": zkey,
}))
  writeFileSync(join(folder, name), bytes);
process.exit(0);
