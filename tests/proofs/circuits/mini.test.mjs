// The bundles as they go to wallets. A mini-program's world is made here: no WebAssembly but from files of the package, no
// process, window, fetch or crypto of its own, random bytes from a pool that was filled before. What the README tells to type
// makes a proof in it that holds.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { createContext, runInContext } from "node:vm";
import { brotliDecompressSync } from "node:zlib";
import { ROOT } from "../../../proofs/circuits/build/compile.mjs";
import { DEVELOPMENT, manifestOf } from "../../../proofs/circuits/build/manifest.mjs";
import { bundle, circuitFiles } from "../../../proofs/circuits/prover/bundle.mjs";
import { accepts, development, inputs } from "./member.mjs";

const BUNDLE_BYTES_MAX = 320_000;
const PACKAGE_BYTES_MAX = 2 * 1024 * 1024; // of WeChat
const folder = mkdtempSync(join(tmpdir(), "tongdui-prover-"));
const at = (name) => join(folder, name);
const read = (...path) => readFileSync(join(ROOT, ...path), "utf8");
const README = [...read("proofs/circuits/README.md").matchAll(/```js\n(.*?)```/gs)].map(([, text]) => text);

before(async () => {
  await bundle(folder);
  circuitFiles(folder, DEVELOPMENT);
});
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
      const bytes = path.endsWith(".br") ? brotliDecompressSync(files[path]) : files[path];
      return WebAssembly.instantiate(bytes, imports);
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
  const files = () =>
    Object.fromEntries(["curve.wasm", "circuit.wasm.br"].map((name) => [`/tier/${name}`, readFileSync(at(name))]));
  const KEY = "wxfile://circuit.zkey";
  const wx = {
    getRandomValues: async ({ length }) => ({ randomValues: crypto.getRandomValues(new Uint8Array(length)).buffer }),
    getFileSystemManager: () => ({
      readFileSync: (path) => (assert.equal(path, KEY), new Uint8Array(development.zkey).buffer),
      getFileInfo: ({ filePath, digestAlgorithm, success }) => {
        assert.equal(filePath, KEY);
        success({ digest: createHash(digestAlgorithm).update(development.zkey).digest("hex") });
      },
    }),
  };

  /** What a wallet is told, out of the shared vectors. */
  function told() {
    const [held, answers] = ["tier", "tier_answers"].map((name) => JSON.parse(read(`proofs/vectors/${name}.json`)));
    const [{ inputs: input, public: signals, request: number }] = held.witnesses;
    const [{ signed, signer }, epoch] = [held.requests[number], answers.trusted.epochs[0]];
    const { points, spend, since, validUntil, keyEpoch, tier, programme, salt, siblings: path, positions } = input;
    const numbers = { since, valid_until: validUntil, key_epoch: keyEpoch, tier, programme };
    const attributes = { points, spend, ...Object.fromEntries(Object.entries(numbers).map(([k, v]) => [k, Number(v)])) };
    const index = positions.reduce((sum, bit, i) => sum + Number(bit) * 2 ** i, 0);
    const chain = { chain_id: held.chain_id, registry: held.registry, epoch_key: held.header.signer, partner_key: signer };
    return {
      told: {
        delivered: { epoch: epoch.header.epoch, signed: epoch, witness: { attributes, salt, index, path } },
        ...{ grid: held.policy_grid.form, cohorts: held.cohorts.form, chain: { ...chain, root: epoch.header.root } },
        ...{ request: signed, now: answers.now, tiers: ["basic", "silver", "gold", "platinum"] },
      },
      ...{ secret: input.secret, signals },
    };
  }

  it("makes a proof that holds by what the README says, of files and a pool alone", async () => {
    const own = platform(files());
    const { module, world } = started({});
    const program = { exports: {} };
    Object.assign(world, { require: () => module, module: program, wx, WXWebAssembly: own });
    runInContext(README.find((text) => text.includes("openWallet")), world);
    const manifest = manifestOf(folder);
    const other = { files_sha256: { "circuit.zkey": manifest.files_sha256["circuit.wasm"] } };
    await assert.rejects(program.exports.openWallet(KEY, other), /another proving key/);
    const wallet = await program.exports.openWallet(KEY, manifest);
    const { secret, signals, told: asked } = told();
    assert.notEqual((await wallet.open(null)).secret, (await wallet.open(null)).secret);
    assert.match(wallet.look(asked).refused, /not this device's/);
    await wallet.open({ secret, commitment: "" });
    const shown = wallet.look(asked);
    assert.deepEqual([shown.audience, shown.purpose, shown.linkable], ["Café Lindenhof", "breakfast for gold members", false]);
    assert.match(shown.predicate, /^tier platinum;/);
    const [{ partner, epoch, at }] = wallet.kept().asked;
    assert.deepEqual([partner, epoch, at], [3, asked.request.request.epoch, asked.now]);
    assert.equal(wallet.look({ ...asked, answered_scopes: [asked.request.request.scope] }).linkable, true);
    assert.match(wallet.look({ ...asked, use_index: 1 }).refused, /unmet: use/);
    const { response, predicate } = await wallet.answer(asked);
    assert.equal(wallet.kept().asked.length, 1, "the same question is one");
    assert.equal(predicate, shown.predicate);
    assert.equal(await accepts(Object.values(signals), JSON.parse(JSON.stringify(response.proof))), true);
    assert.deepEqual([...new Set(own.opened)].sort(), ["/tier/circuit.wasm.br", "/tier/curve.wasm"]);
  });

  it("answers none of a partner that closes in on its owner, and forgets after thirty days", () => {
    const { module } = started({});
    const { secret, told: asked } = told();
    const [{ partner_id: partner, epoch, policy }, { now }] = [asked.request.request, asked];
    const policyOf = (age) => module.questionOf({ ...module.policyOf(BigInt(policy)), keyEpochMax: BigInt(age) }, BigInt(now));
    const before = (at, who = partner) =>
      [1, 2, 3, 4].map((age) => ({ partner: who, question: policyOf(age).toString(), epoch, at }));
    const looked = (kept) => {
      const wallet = module.makeWallet(module, {});
      wallet.open({ secret, commitment: "", asked: kept });
      return [wallet.look(asked).refused, wallet.kept().asked.length];
    };
    assert.deepEqual(looked(before(now - 1)), ["closing: policies", 4]);
    assert.deepEqual(looked(before(now - 1, partner + 1)), [undefined, 5], "another partner's are its own");
    assert.deepEqual(looked(before(now - module.WINDOW_SECONDS)), [undefined, 1]);
  });

  it("makes none without randomness, nor when the pool is empty", async () => {
    const own = platform(files());
    const { module, world } = started({});
    world.WebAssembly = module.standInFor(own, "/tier/curve.wasm");
    const keys = { wasm: "/tier/circuit.wasm.br", zkey: development.zkey, instantiate: module.fromFiles(own) };
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
  it("fit a mini-program's package together, and come with the circuit's files", () => {
    const packed = ["prover.mini.js", "curve.wasm", "circuit.wasm.br", "circuit.json"];
    assert.ok(packed.reduce((sum, name) => sum + statSync(at(name)).size, 0) < PACKAGE_BYTES_MAX);
    assert.deepEqual(new Uint8Array(readFileSync(at("circuit.wasm"))), development.wasm);
    assert.deepEqual(new Uint8Array(brotliDecompressSync(readFileSync(at("circuit.wasm.br")))), development.wasm);
    assert.deepEqual(new Uint8Array(readFileSync(at("circuit.zkey"))), development.zkey);
  });

  it("are started in a page as the README says", () => {
    assert.ok(read("proofs/circuits/prover/site.mjs").includes(README.find((text) => text.includes("./wallet.js"))));
  });

  it("are small, and say under which licence they are", () => {
    for (const name of ["prover.js", "prover.mini.js"]) {
      assert.ok(statSync(at(name)).size < BUNDLE_BYTES_MAX, `${name}: ${statSync(at(name)).size} bytes`);
      assert.match(readFileSync(at(name), "utf8").slice(0, 200), /GPL-3\.0/);
    }
    assert.match(readFileSync(at("LICENSE.md"), "utf8"), /GPL-3\.0/);
  });
});
