// The bundles as they go to wallets. A mini-program's world is made here: no WebAssembly but from files of the package, no
// process, window, fetch or crypto of its own, random bytes from a pool that was filled before. The proof made in it holds.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createContext, runInContext } from "node:vm";
import { bundle } from "../../../proofs/circuits/prover/bundle.mjs";
import { accepts, development, inputs, signalsOf } from "./member.mjs";

const BUNDLE_BYTES_MAX = 320_000;
const folder = mkdtempSync(join(tmpdir(), "tongdui-prover-"));
const at = (name) => join(folder, name);

before(() => bundle(folder));
after(() => rmSync(folder, { recursive: true }));

/** A platform's WebAssembly: takes paths inside the package, refuses bytes, knows no compile. */
function platform(files) {
  const opened = [];
  return {
    opened,
    Memory: WebAssembly.Memory,
    Table: WebAssembly.Table,
    instantiate: async (path, imports) => {
      if (typeof path !== "string" || !files[path]) throw new Error("only files of the package");
      opened.push(path);
      return WebAssembly.instantiate(files[path], imports);
    },
  };
}

/** The bundle for mini-programs, started in a world that has little more than the language. */
function started(globals) {
  const module = { exports: {} };
  const plain = {
    Uint8Array,
    Uint16Array,
    Uint32Array,
    BigUint64Array,
    DataView,
    ArrayBuffer,
    Promise,
    Map,
    Set,
    Error,
    RangeError,
    TypeError,
  };
  const world = createContext({ ...plain, BigInt, module, exports: module.exports, console: {}, setTimeout, ...globals });
  runInContext("delete globalThis.WebAssembly", world);
  if (globals.WebAssembly) world.WebAssembly = globals.WebAssembly;
  runInContext(readFileSync(at("prover.mini.js"), "utf8"), world);
  return { module: module.exports, world };
}

describe("the bundle for mini-programs", () => {
  const files = () => ({ "/tier/curve.wasm": readFileSync(at("curve.wasm")), "/tier/circuit.wasm": development.wasm });

  it("makes a proof that holds, of files and a pool alone", async () => {
    const own = platform(files());
    const { module, world } = started({});
    world.WebAssembly = module.standInFor(own, "/tier/curve.wasm");
    world.crypto = module.pool(crypto.getRandomValues(new Uint8Array(4096)));
    const keys = { wasm: "/tier/circuit.wasm", zkey: development.zkey, instantiate: module.fromFiles(own) };
    const response = await module.prove(inputs(), keys);
    assert.equal(await accepts(signalsOf(inputs()), JSON.parse(JSON.stringify(response.proof))), true);
    assert.deepEqual([...new Set(own.opened)].sort(), ["/tier/circuit.wasm", "/tier/curve.wasm"]);
  });

  it("makes none without randomness, nor when the pool is empty", async () => {
    const own = platform(files());
    const { module, world } = started({});
    world.WebAssembly = module.standInFor(own, "/tier/curve.wasm");
    const keys = { wasm: "/tier/circuit.wasm", zkey: development.zkey, instantiate: module.fromFiles(own) };
    await assert.rejects(module.prove(inputs(), keys), /no source of randomness/);
    world.crypto = module.pool(new Uint8Array(8));
    await assert.rejects(module.prove(inputs(), keys), /pool of random bytes is empty/);
    assert.throws(() => module.makeCommitment(), /empty/);
  });

  it("has no BigInt literal, which older builders refuse", () => {
    assert.doesNotMatch(readFileSync(at("prover.mini.js"), "utf8"), /[=(,:?+*-]\s*\d+n\b/);
  });
});

describe("the bundles", () => {
  it("are small, and say under which licence they are", () => {
    for (const name of ["prover.js", "prover.mini.js"]) {
      assert.ok(statSync(at(name)).size < BUNDLE_BYTES_MAX, `${name}: ${statSync(at(name)).size} bytes`);
      assert.match(readFileSync(at(name), "utf8").slice(0, 200), /GPL-3\.0/);
    }
    assert.match(readFileSync(at("LICENSE.md"), "utf8"), /GPL-3\.0/);
  });
});
