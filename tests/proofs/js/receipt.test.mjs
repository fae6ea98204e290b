// The receipt check of browsers and mini-programs, on the example that Python and Solidity read too: hashes against an
// independent library, each step's failure, the questions to nodes, its size and its time.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { build } from "esbuild";
import { keccak256 as reference } from "ethers";
import { confirm, node } from "../../../proofs/js/chain.js";
import { keccak256 } from "../../../proofs/js/keccak.js";
import { STEPS, check, rootFromPath } from "../../../proofs/js/receipt.js";
import { recover } from "../../../proofs/js/signature.js";
import * as w from "../../../proofs/js/words.js";

const EX1 = JSON.parse(readFileSync(new URL("../../../proofs/vectors/ex1.json", import.meta.url)));
const BUNDLE_BYTES_MAX = 20_000;
const SLOTS = ["issuer", "debtor", "creditor", "member"];

/** The receipt of a leaf of the example. */
function receipt(leafNo = 3, slot = "member") {
  const { event, leaf, postings, path } = EX1.leaves[leafNo - 1];
  const { hash, ...posting } = postings[slot];
  const signer = EX1.merchants.find((each) => each.merchantId === event.merchantId).address;
  return structuredClone({
    ...{ chainId: EX1.domain.chainId, hub: EX1.domain.hub, signer, header: EX1.header, event, sigR: leaf.sigR, sigVS: leaf.sigVS },
    postings: Object.fromEntries(SLOTS.map((name) => [name, leaf[`${name}Posting`]])),
    ...{ own: { slot, posting }, leafNo: leaf.leafNo, lanePrevLeafNo: leaf.lanePrevLeafNo, totalPointsAfter: leaf.totalPointsAfter, path },
  });
}

const failing = (checked) => checked.steps.find((each) => each.ok === false)?.step ?? "none";

function who(...signed) {
  try {
    return w.toHex(recover(...signed));
  } catch {
    return "nobody";
  }
}

describe("what the check is made of", () => {
  it("hashes like another library, over every length around the blocks", () => {
    for (let length = 0; length <= 410; length++) {
      const data = Uint8Array.from({ length }, (_, at) => (at * 7 + length) & 255);
      assert.equal(w.toHex(keccak256(data)), reference(data), `${length} bytes`);
    }
  });

  it("hashes every struct of the example", () => {
    for (const { event, eventHash, postings, leaf, leafHash } of EX1.leaves) {
      assert.equal(w.toHex(w.hashStruct(w.PointsEvent, event)), eventHash);
      assert.equal(w.toHex(w.hashStruct(w.SettlementLeaf, leaf)), leafHash);
      for (const slot of SLOTS.filter((name) => postings[name])) {
        const { hash, ...posting } = postings[slot];
        assert.equal(w.toHex(w.hashStruct(w.Posting, posting)), hash);
      }
    }
    assert.equal(w.toHex(w.hashStruct(w.BatchHeader, EX1.header)), EX1.headerHash);
    assert.equal(w.toHex(w.hashStruct(w.BatchHeader, EX1.genesis.header)), EX1.genesis.headerHash);
    for (const [type, name] of [[w.PointsEvent, "PointsEvent"], [w.Posting, "Posting"], [w.SettlementLeaf, "SettlementLeaf"], [w.BatchHeader, "BatchHeader"]]) {
      assert.equal(w.toHex(keccak256(w.ascii(type))), EX1.typeHashes[name]);
    }
  });

  it("recovers each signer, and refuses the twin and what nobody signed", () => {
    const order = BigInt("0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");
    for (const { event, digest, leaf } of EX1.leaves) {
      const [hash, r, vs] = [digest, leaf.sigR, leaf.sigVS].map(w.fromHex);
      const signer = EX1.merchants.find((each) => each.merchantId === event.merchantId).address;
      assert.equal(w.toHex(recover(hash, r, vs)), signer);
      const twin = w.word(BigInt.asUintN(255, order - BigInt.asUintN(255, BigInt(leaf.sigVS))), "uint256");
      assert.notEqual(who(hash, r, twin), signer);
      for (const [badR, badVs] of [[r, w.word((order + BigInt(1)) / BigInt(2), "uint256")], [new Uint8Array(32), vs], [r, new Uint8Array(32)], [new Uint8Array(32).fill(255), vs], [w.word(order, "uint256"), vs]]) {
        assert.throws(() => recover(hash, badR, badVs), (error) => error.step === "signature");
      }
    }
  });

  it("climbs only with the whole path", () => {
    EX1.leaves.forEach(({ leafHash, path }, index) => {
      const item = w.fromHex(leafHash);
      const steps = path.map((each) => w.fromHex(each));
      assert.equal(w.toHex(rootFromPath(item, index, EX1.leaves.length, steps)), EX1.header.leavesRoot);
      for (const wrong of [[...steps, steps[0]], steps.slice(1), steps.slice(0, -1)]) {
        const root = rootFromPath(item, index, EX1.leaves.length, wrong);
        assert.ok(root === null || w.toHex(root) !== EX1.header.leavesRoot);
      }
    });
    assert.equal(rootFromPath(new Uint8Array(32), 0, 1, [new Uint8Array(32)]), null);
  });
});

describe("a receipt", () => {
  for (const [leafNo, slot] of [[1, "member"], [2, "issuer"], [3, "debtor"], [3, "creditor"], [4, "member"], [5, "debtor"]]) {
    it(`of leaf ${leafNo} opens its ${slot} posting and proves the header`, () => {
      const checked = check(receipt(leafNo, slot), { recover });
      assert.deepEqual(checked.steps.map((each) => each.ok), [true, true, true, true, true, null]);
      assert.deepEqual([checked.ok, checked.batchNo, checked.headerHash], [true, "1", EX1.headerHash]);
    });
  }

  it("tells which step fails, and takes none after it", () => {
    const zero = "0x" + "00".repeat(32);
    const changes = [
      ["form", { note: "more" }], ["form", { path: "0x00" }], ["form", { path: Array(21).fill(zero) }], ["form", { own: [] }],
      ["form", { postings: {} }], ["form", { header: null }], ["form", { event: 7 }], ["form", { own: { slot: "shop", posting: {} } }],
      ["form", { chainId: 31337 }], ["form", { leafNo: "03" }], ["form", { lanePrevLeafNo: "-1" }], ["form", { sigR: zero.toUpperCase() }],
      ["signature", { signer: "0x" + "11".repeat(20) }], ["signature", { chainId: "1" }], ["signature", { sigVS: "0x" + "ff".repeat(32) }],
      ["posting", { postings: { ...receipt().postings, member: zero } }], ["position", { leafNo: "9" }], ["position", { leafNo: "0" }],
      ["root", { lanePrevLeafNo: "1" }], ["root", { path: [] }], ["root", { postings: { ...receipt().postings, issuer: zero } }],
    ];
    for (const [step, change] of changes) {
      const checked = check({ ...receipt(), ...change }, { recover });
      assert.equal(failing(checked), step, JSON.stringify(change));
      assert.ok(checked.steps.slice(STEPS.indexOf(step) + 1).every((each) => each.ok === null));
      assert.deepEqual([checked.ok, checked.headerHash], [false, null]);
    }
    for (const nothing of [null, 1, "text", [], {}]) assert.equal(failing(check(nothing)), "form");
  });

  it("is compared with what an app shows", () => {
    const right = { points: "200", delta: "-200", balance: "300", settleAmount: "2000000", batchNo: "1", leafNo: "3" };
    assert.ok(check(receipt(), { recover, shown: right }).steps.every((each) => each.ok));
    for (const [name, text] of [["points", "2000"], ["balance", "3000"], ["settleAmount", ""], ["price", "1"]]) {
      assert.equal(failing(check(receipt(), { recover, shown: { ...right, [name]: text } })), "shown");
    }
  });

  it("without the signature's code says that the signature was not looked at", () => {
    const checked = check({ ...receipt(), signer: "0x" + "11".repeat(20) });
    assert.deepEqual(checked.steps.map((each) => each.ok), [true, null, true, true, true, null]);
  });
});

describe("the chain", () => {
  const checked = check(receipt(), { recover });
  const yes = "0x" + "1".padStart(64, "0");
  const answering = (held, { final = yes, chainId = "0x7a69", newest = held } = {}) => async (method, [call, block] = []) =>
    method === "eth_chainId" ? chainId : call.data.length === 2 + 2 * 36 ? (block === "finalized" ? held : newest) : final;
  const verdict = async (...nodes) => (await confirm(receipt(), checked, nodes)).map((each) => each.ok);
  const good = answering(EX1.headerHash);

  it("confirms when two nodes hold the header, final or pending", async () => {
    const [chain, status] = await confirm(receipt(), checked, [good, good]);
    assert.deepEqual([chain.ok, status.ok, status.final], [true, true, true]);
    const pending = answering(EX1.headerHash, { final: "0x" + "0".repeat(64) });
    assert.equal((await confirm(receipt(), checked, [good, pending]))[1].final, false);
  });

  it("believes final blocks only, and says what only a newer one shows", async () => {
    const zero = "0x" + "00".repeat(32);
    const early = answering(zero, { newest: EX1.headerHash });
    assert.deepEqual(await verdict(early, early), [null, null]);
    assert.match((await confirm(receipt(), checked, [good, early]))[0].problem, /not final yet/);
    const thrownOutSince = answering(EX1.headerHash, { newest: zero });
    assert.deepEqual(await verdict(thrownOutSince, good), [true, true]);
    const asked = [];
    const noting = async (method, params) => asked.push(params[1]) && good(method, params);
    await verdict(noting, noting);
    assert.deepEqual(new Set(asked), new Set([undefined, "finalized"]));
    const withoutTag = async (method, params) => (params[1] === "finalized" ? assert.fail("unknown block") : good(method, params));
    assert.deepEqual(await verdict(good, withoutTag), [null, null]);
  });

  it("is not convinced by one node, nor by one that is silent", async () => {
    const silent = async () => assert.fail("no answer");
    assert.deepEqual(await verdict(good), [null, null]);
    assert.deepEqual(await verdict(good, silent), [null, null]);
    assert.deepEqual(await verdict(), [null, null]);
  });

  it("fails when any node holds another header or is of another chain", async () => {
    assert.deepEqual(await verdict(good, good, answering("0x" + "00".repeat(32))), [false, null]);
    assert.deepEqual(await verdict(good, answering(EX1.headerHash, { chainId: "0x1" })), [false, null]);
    assert.deepEqual(await verdict(answering("0x"), good), [false, null]);
  });

  it("asks by JSON-RPC", async () => {
    const sent = [];
    const fetcher = async (url, options) => {
      sent.push([url, options.method, JSON.parse(options.body)]);
      return { json: async () => (sent.length === 1 ? { jsonrpc: "2.0", id: 1, result: "0x1" } : { error: { code: 1 } }) };
    };
    assert.equal(await node("http://node", fetcher)("eth_chainId", []), "0x1");
    await assert.rejects(node("http://node", fetcher)("eth_chainId", []), /refuses/);
    assert.deepEqual(sent[0], ["http://node", "POST", { jsonrpc: "2.0", id: 1, method: "eth_chainId", params: [] }]);
  });
});

it("is small, and fast enough to go unnoticed", async (context) => {
  const whole = `export * from "./receipt.js"; export * from "./signature.js"; export * from "./chain.js";`;
  const resolveDir = new URL("../../../proofs/js", import.meta.url).pathname;
  const made = await build({ stdin: { contents: whole, resolveDir }, bundle: true, minify: true, format: "esm", write: false });
  const bytes = made.outputFiles[0].contents.length;
  assert.ok(bytes < BUNDLE_BYTES_MAX, `${bytes} bytes`);
  const timed = (options, times) => {
    check(receipt(), options);
    const given = receipt();
    const start = performance.now();
    for (let time = 0; time < times; time++) check(given, options);
    return ((performance.now() - start) / times).toFixed(2);
  };
  context.diagnostic(`${bytes} bytes bundled; ${timed({}, 200)} ms a check, ${timed({ recover }, 50)} ms with the signature`);
});
