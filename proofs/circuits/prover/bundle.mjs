// Writes the prover as it goes to wallets:
//
//   node proofs/circuits/prover/bundle.mjs FOLDER [KEYS]
//
//   prover.js         one module for browsers
//   prover.mini.js    the same for mini-programs (CommonJS, no BigInt literals), with files_only.js and wallet.js
//   curve.wasm        the curve's arithmetic, for platforms that load WebAssembly from files alone
//   LICENSE.md        what it is under: GPL-3.0, as snarkjs is in it
//
// and out of KEYS, a folder of development's or of a ceremony's:
//
//   circuit.wasm      the witness calculator, for browsers
//   circuit.wasm.br   the same packed with Brotli, as mini-programs load it: their packages are too small for the other
//   circuit.zkey      the proving key, to be downloaded, and held to its hash in
//   circuit.json      the manifest

import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { brotliCompressSync } from "node:zlib";
import { build } from "esbuild";
import { curves } from "snarkjs";
import { loaded } from "../build/manifest.mjs";

const require = createRequire(import.meta.url);
const HERE = import.meta.dirname;
const SNARKJS = dirname(dirname(require.resolve("snarkjs")));
// What snarkjs imports for its command line and for files; nothing of it is reached by a proof over bytes.
const NOT_REACHED = ["constants", "crypto", "fs", "os", "path", "readline", "web-worker"];
const BANNER =
  "// Tongdui's tier prover with snarkjs in it, under GPL-3.0. Made by proofs/circuits/prover/bundle.mjs from these sources.";

/** Of snarkjs only the prover of one kind of proof; of what it imports from Node, nothing. */
const provingAlone = {
  name: "proving-alone",
  setup(bundler) {
    bundler.onResolve({ filter: /^snarkjs$/ }, () => ({ path: "snarkjs", namespace: "proving" }));
    bundler.onLoad({ filter: /.*/, namespace: "proving" }, () => ({
      contents: `import prove from ${JSON.stringify(join(SNARKJS, "src", "groth16_prove.js"))}; export const groth16 = { prove };`,
      resolveDir: HERE,
    }));
    bundler.onResolve({ filter: new RegExp(`^(${NOT_REACHED.join("|")})$`) }, ({ path }) => ({
      path,
      namespace: "not-reached",
    }));
    bundler.onLoad({ filter: /.*/, namespace: "not-reached" }, () => ({
      contents: "export default {}; export const O_TRUNC = 0, O_CREAT = 0, O_RDWR = 0, O_EXCL = 0, O_RDONLY = 0;",
    }));
  },
};

const shared = {
  bundle: true,
  minify: true,
  legalComments: "inline",
  platform: "browser",
  define: { "process.browser": "true", global: "globalThis" },
  banner: { js: BANNER },
  plugins: [provingAlone],
  logLevel: "error",
};

/** The bytes of the module that the curve's library puts together when it starts; the same each time. */
async function curveModule() {
  const { compile } = WebAssembly;
  let bytes;
  WebAssembly.compile = (code) => {
    bytes = new Uint8Array(code);
    return compile(code);
  };
  try {
    await curves.getCurveFromName("bn128", { singleThread: true });
  } finally {
    WebAssembly.compile = compile;
  }
  return bytes;
}

/** Write the one for browsers to `folder`, with its licence; answers nothing. */
export async function bundleForBrowsers(folder) {
  mkdirSync(folder, { recursive: true });
  await build({ ...shared, entryPoints: [join(HERE, "prove.js")], format: "esm", outfile: join(folder, "prover.js") });
  copyFileSync(join(HERE, "..", "LICENSE.md"), join(folder, "LICENSE.md"));
}

/** Write all of them to `folder`; answers nothing. */
export async function bundle(folder) {
  await bundleForBrowsers(folder);
  await build({
    ...shared,
    stdin: { contents: ["prove", "files_only", "wallet"].map((name) => `export * from "./${name}.js";`).join(""), resolveDir: HERE },
    format: "cjs",
    supported: { bigint: false },
    define: { ...shared.define, "globalThis.btoa": "String" }, // it would write out a worker's source; none is started
    outfile: join(folder, "prover.mini.js"),
  });
  writeFileSync(join(folder, "curve.wasm"), await curveModule());
}

/** Write the circuit's files of a set of keys beside the prover. */
export function circuitFiles(folder, keys) {
  const { wasm, zkey } = loaded(keys, { production: false });
  const files = { "circuit.wasm": wasm, "circuit.wasm.br": brotliCompressSync(wasm), "circuit.zkey": zkey };
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(folder, name), bytes);
  copyFileSync(join(keys, "circuit.json"), join(folder, "circuit.json"));
}

if (process.argv[1] === import.meta.filename) {
  const [folder, keys, ...more] = process.argv.slice(2);
  if (!folder || more.length) {
    console.error("say where to, and of which keys: node proofs/circuits/prover/bundle.mjs FOLDER [KEYS]");
    process.exit(2);
  }
  await bundle(folder);
  if (keys) circuitFiles(folder, keys);
  process.exit(0);
}
