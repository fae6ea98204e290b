// The members' own check at its limits: the edge vectors that Python and Solidity read too, and a receipt with every byte
// of it changed, one at a time, up to what nodes are asked about its header.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { signer as signerOfLong } from "../../../proofs/circuits/prover/typed.js";
import { confirm } from "../../../proofs/js/chain.js";
import { check, rootFromPath } from "../../../proofs/js/receipt.js";
import { recover } from "../../../proofs/js/signature.js";
import * as w from "../../../proofs/js/words.js";

const read = (name) => JSON.parse(readFileSync(new URL(`../../../proofs/vectors/${name}.json`, import.meta.url)));
const [EX1, WORDS, PLACES, SIGNATURES] = ["ex1", "edges_words", "edges_places", "edges_signatures"].map(read);
const STRUCTS = { PointsEvent: w.PointsEvent, Posting: w.Posting, SettlementLeaf: w.SettlementLeaf, BatchHeader: w.BatchHeader };
const SLOTS = ["issuer", "debtor", "creditor", "member"];
const MASKS = [0x01, 0x80, 0xff];
const ZERO = "0x" + "00".repeat(32);

const formOf = (type, given) => {
  const fields = type.slice(type.indexOf("(") + 1, -1).split(",").map((field) => field.split(" "));
  return Object.fromEntries(fields.map(([kind, name]) => [name, given[name] ?? (kind === "bytes32" ? ZERO : "0")]));
};

describe("the edge vectors", () => {
  it("hash the structs of a receipt at their limits", () => {
    const ours = WORDS.hashes.filter(({ struct }) => struct in STRUCTS);
    assert.ok(ours.length > 70);
    for (const { struct, set, hash } of ours) {
      assert.equal(w.toHex(w.hashStruct(STRUCTS[struct], formOf(STRUCTS[struct], set))), hash, JSON.stringify(set));
    }
  });

  it("refuse what fits no word", () => {
    for (const { struct, field, value } of WORDS.refused.filter(({ struct: name }) => name in STRUCTS)) {
      const form = formOf(STRUCTS[struct], { [field]: value });
      assert.throws(() => w.hashStruct(STRUCTS[struct], form), (error) => error.step === "form", `${struct}.${field} ${value}`);
    }
  });

  it("lead to the root of every place, and nowhere from a misused one", () => {
    for (const { about, size, index, item, path, root, against } of [...PLACES.good, ...PLACES.misuses]) {
      const reached = rootFromPath(w.fromHex(item), index, size, path.map(w.fromHex));
      assert.equal(reached && w.toHex(reached), root, `${about}, ${index} of ${size}`);
      assert.notEqual(root, against);
    }
  });

  it("takes no row of the accounts tree for a leaf", () => {
    const [size, leaves, accounts] = [EX1.rows.length, EX1.header.leavesRoot, EX1.header.accountsRoot];
    EX1.rows.forEach(({ hash, path }, index) => {
      const root = w.toHex(rootFromPath(w.fromHex(hash), index, size, path.map(w.fromHex)));
      assert.deepEqual([root, root === leaves], [accounts, false]);
    });
  });

  it("recover signers, and nobody where it is nobody", () => {
    for (const { about, digest, r, vs, signer } of SIGNATURES.compact) {
      const recovered = () => recover(...[digest, r, vs].map(w.fromHex));
      if (signer) assert.equal(w.toHex(recovered()), signer, about);
      else assert.throws(recovered, (error) => error.step === "signature", about);
    }
  });

  it("recover signers of 65 bytes, with v of 27 or 28 only", () => {
    for (const { about, digest, signature, signer } of SIGNATURES.long) {
      const recovered = () => signerOfLong(w.fromHex(digest), signature);
      if (signer) assert.equal(recovered(), signer, about);
      else assert.throws(recovered, about);
    }
  });

  it("know a signature at home only", () => {
    for (const { digest, r, vs, signer, home } of SIGNATURES.domains) {
      const found = w.toHex(recover(...[digest, r, vs].map(w.fromHex)));
      assert.deepEqual([found, found === SIGNATURES.key], [signer, home]);
    }
  });
});

/** The receipt of a leaf of the example. */
function receipt(leafNo, slot) {
  const { event, leaf, postings, path } = EX1.leaves[leafNo - 1];
  const { hash, ...posting } = postings[slot];
  const signer = EX1.merchants.find((each) => each.merchantId === event.merchantId).address;
  return structuredClone({
    ...{ chainId: EX1.domain.chainId, hub: EX1.domain.hub, signer, header: EX1.header, event, sigR: leaf.sigR, sigVS: leaf.sigVS },
    postings: Object.fromEntries(SLOTS.map((name) => [name, leaf[`${name}Posting`]])),
    ...{ own: { slot, posting }, leafNo: leaf.leafNo, lanePrevLeafNo: leaf.lanePrevLeafNo, totalPointsAfter: leaf.totalPointsAfter, path },
  });
}

/** Each text in a form, with what puts another in its place. */
function* texts(form) {
  for (const [name, part] of Object.entries(form)) {
    if (typeof part === "string") yield [name, part, (text) => (form[name] = text)];
    else yield* texts(part);
  }
}

/** The text with each byte turned in several ways: bytes of hex, letters of anything else. */
function* turned(text) {
  const hex = text.startsWith("0x");
  for (let at = hex ? 2 : 0; at < text.length; at += hex ? 2 : 1) {
    for (const mask of MASKS) {
      const byte = hex ? parseInt(text.slice(at, at + 2), 16) : text.charCodeAt(at);
      const other = hex ? (byte ^ mask).toString(16).padStart(2, "0") : String.fromCharCode(byte ^ mask);
      yield text.slice(0, at) + other + text.slice(at + (hex ? 2 : 1));
    }
  }
}

/** `recover` that computes each answer once: most bytes are not of the signature. */
function remembering() {
  const known = new Map();
  return (...given) => {
    const key = given.map(w.toHex).join();
    if (!known.has(key)) {
      try {
        known.set(key, { signer: recover(...given) });
      } catch (error) {
        known.set(key, { error });
      }
    }
    const { signer, error } = known.get(key);
    if (error) throw error;
    return signer;
  };
}

describe("a wrong byte anywhere in a receipt", () => {
  /** A node of the example's chain: it holds the example's headers and nothing else. */
  const held = { 0: EX1.genesis.headerHash, 1: EX1.headerHash };
  const node = async (method, [call] = []) => {
    if (method === "eth_chainId") return "0x7a69";
    if (call.to !== EX1.domain.hub) return "0x";
    const isHash = call.data.length === 2 + 2 * 36;
    return isHash ? (held[BigInt("0x" + call.data.slice(10, 74))] ?? ZERO) : "0x" + "1".padStart(64, "0");
  };
  const passes = async (given, options) => {
    const checked = check(given, options);
    if (!checked.ok) return false;
    const [chain, status] = await confirm(given, checked, [node, node]);
    return chain.ok === true && status.ok === true;
  };

  for (const [leafNo, slot] of [[3, "member"], [5, "debtor"]]) {
    it(`fails at some step, of leaf ${leafNo}`, async () => {
      const options = { recover: remembering() };
      const given = receipt(leafNo, slot);
      let tried = 0;
      assert.ok(await passes(given, options), "the receipt as it is");
      for (const [name, text, put] of texts(given)) {
        for (const other of turned(text)) {
          put(other);
          assert.equal(await passes(given, options), false, `${name}: ${other} for ${text}`);
          tried += 1;
        }
        put(text);
      }
      assert.ok(await passes(given, options), "the receipt put back");
      assert.ok(tried > 2_000, `${tried} bytes`);
    });
  }

  it("without the signature's code fails wherever the tree or the chain binds it", async () => {
    const given = receipt(3, "member");
    const unbound = new Set();
    for (const [name, text, put] of texts(given)) {
      for (const other of turned(text)) {
        put(other);
        if (await passes(given, {})) unbound.add(name);
      }
      put(text);
    }
    assert.deepEqual([...unbound], ["signer"], "who signed is the signature's to say, and the check says that it did not look");
  });
});
