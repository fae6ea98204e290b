// The edge vectors in Solidity and in plain JavaScript: encodings, places, sums, signatures, rules and money at their limits.
// Python reads the same files in tests/proofs/test_edges.py, the members' own check in tests/proofs/js/member.test.mjs.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { getAddress, recoverAddress, sha256 } from "ethers";
import { attestations, newAlliance, newChain, nextHeader, refusal } from "./alliance.mjs";
import { netsFrom, rateHolds, reserveFollows } from "./rates.mjs";
import * as js from "./words.mjs";

const VECTORS = join(import.meta.dirname, "..", "..", "proofs", "vectors");
const read = (name) => JSON.parse(readFileSync(join(VECTORS, `${name}.json`), "utf8"));
const [WORDS, PLACES, SUMS] = ["edges_words", "edges_places", "edges_sums"].map(read);
const [SIGNATURES, MONEY, HEADERS, RULES] = ["edges_signatures", "edges_money", "edges_headers", "edges_rules"].map(read);
const FAULTS = ["None", "Kind", "Shape", "Clock", "Terms", "Rate", "Campaign", "Key", "Basis", "Gap"];
const PLACE_ERRORS = { place: "IndexOutsideTree", length: "PathLengthWrong" };
const NO_TERMS = { issuerId: 0, acceptorId: 0, fromBatch: 0, toBatch: 0, mode: 0, num: 0, den: 0 };

const unsigned = (text) => BigInt.asUintN(256, BigInt(text));
const nodeOf = ({ hash, total }) => ({ hash, total: BigInt(total) });
const calldataNode = ({ hash, total }) => ({ hash, total: unsigned(total) });

/** A struct with zero for every field that is not given. */
function structOf(name, given) {
  const zero = (kind) => (kind === "bytes32" ? js.ZERO : kind === "address" ? "0x" + "00".repeat(20) : "0");
  return Object.fromEntries(js.typedFieldsOf(name).map(([kind, field]) => [field, given[field] ?? zero(kind)]));
}

/** What `find` answers, or the name that `nothing` gives to its failing. */
function found(find, nothing = null) {
  try {
    return find();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return nothing;
  }
}

describe("edge vectors", () => {
  let chain, words, edges;
  before(async () => {
    chain = await newChain();
    words = await chain.deploy("VerifierHarness", [], await chain.account(9));
    edges = await chain.deploy("EdgeHarness", [], await chain.account(9));
  });

  it("of structs at their limits hash alike", async () => {
    for (const { struct, set, hash } of WORDS.hashes) {
      const values = structOf(struct, set);
      assert.equal(js.hashStruct(struct, values), hash, JSON.stringify(set));
      assert.equal(await words[`hash${struct}`](values), hash, JSON.stringify(set));
    }
  });

  it("of values that do not fit are no struct in JavaScript and no calldata in Solidity", async () => {
    const calling = (struct, encoded) =>
      chain.provider.call({ to: words.target, data: js.concat(words.interface.getFunction(`hash${struct}`).selector, ...encoded) });
    for (const { struct, field, value, word } of WORDS.refused) {
      const values = structOf(struct, {});
      assert.throws(() => js.hashStruct(struct, { ...values, [field]: value }), RangeError, `${struct}.${field} ${value}`);
      const zeroes = js.fieldsOf(struct).map(() => js.ZERO);
      await calling(struct, zeroes);
      await assert.rejects(calling(struct, zeroes.with(js.fieldsOf(struct).indexOf(field), word)), /revert/i, `${struct}.${field} ${value}`);
    }
  });

  it("of places lead to their roots in trees of every size", async () => {
    for (const { size, index, item, path, root } of PLACES.good) {
      assert.equal(js.rootFromPath(size, index, item, path), root);
      assert.equal(await words.rootOf(size, index, item, path), root);
    }
  });

  it("of misused places prove nothing", async () => {
    for (const { about, size, index, item, path, outcome, root, against } of PLACES.misuses) {
      assert.equal(found(() => js.rootFromPath(size, index, item, path)), root, about);
      const { name } = await refusal(words.requireIncluded(against, size, index, item, path));
      assert.equal(name, PLACE_ERRORS[outcome] ?? "RootMismatch", `${about}, ${index} of ${size}`);
      if (root) assert.equal(await words.rootOf(size, index, item, path), root, about);
    }
  });

  it("of sums add up to the limit", async () => {
    for (const { about, items, balances, root, paths } of SUMS.trees) {
      const leaves = items.map((item, at) => js.sumLeaf(item, balances[at]));
      assert.deepEqual(js.sumRoot(leaves), nodeOf(root), about);
      for (const { index, path } of paths) {
        assert.deepEqual(js.sumFromPath(items.length, index, items[index], balances[index], path.map(nodeOf)), nodeOf(root), about);
        await edges.requireInSum(calldataNode(root), items.length, index, items[index], balances[index], path.map(calldataNode));
      }
    }
  });

  it("of false claims about sums prove nothing", async () => {
    const errors = { ...PLACE_ERRORS, range: "SumOutOfRange" };
    for (const { about, size, index, item, balance, path, outcome, root, against } of SUMS.misuses) {
      const claimed = found(() => js.sumFromPath(size, index, item, balance, path.map(nodeOf)));
      assert.deepEqual(claimed, root && nodeOf(root), about);
      assert.notDeepEqual(claimed, nodeOf(against), about);
      const given = [size, index, item, unsigned(balance), path.map(calldataNode)];
      assert.equal((await refusal(edges.requireInSum(calldataNode(against), ...given))).name, errors[outcome] ?? "SumMismatch", about);
      if (!root) continue;
      const told = await edges.sumRootOf(...given);
      assert.deepEqual([told.hash, told.total], [root.hash, BigInt(root.total)], about);
    }
  });

  it("of signatures in two words are of who signed, or nobody's", async () => {
    for (const { about, digest, r, vs, signer } of SIGNATURES.compact) {
      const recovered = words.recover(digest, r, vs);
      if (signer) {
        assert.equal(await recovered, getAddress(signer), about);
        assert.equal(recoverAddress(digest, { r, yParityAndS: vs }), getAddress(signer), about);
      } else {
        assert.match((await refusal(recovered)).name, /^ECDSAInvalidSignatureS?$/, about);
      }
    }
  });

  it("of signatures in 65 bytes are of who signed, or nobody's", async () => {
    for (const { about, digest, signature, signer } of SIGNATURES.long) {
      const recovered = edges.recoverLong(digest, signature);
      if (signer) assert.equal(await recovered, getAddress(signer), about);
      else assert.match((await refusal(recovered)).name, /^ECDSAInvalidSignature(S|Length)?$/, about);
    }
  });

  it("of domains bind a signature to one chain and contract", async () => {
    for (const { about, chainId, hub, separator, structHash, digest, r, vs, signer, home } of SIGNATURES.domains) {
      assert.equal(js.domainSeparator(chainId, hub), separator, about);
      assert.equal(js.signedDigest(separator, structHash), digest, about);
      assert.equal(await words.recover(digest, r, vs), getAddress(signer), about);
      assert.equal(signer === SIGNATURES.key, home, about);
    }
  });

  it("of events are forced by the rules that the other languages name", async () => {
    for (const { about, event, terms, broken, fault } of RULES.cases) {
      const answered = FAULTS[await edges.faultOf(event, terms ?? NO_TERMS, RULES.batchNo, RULES.now)];
      assert.equal(answered, fault, `kind ${event.kind}, ${about}`);
      assert.ok(answered !== "None" || broken.length === 0, `kind ${event.kind}, ${about}`);
    }
  });

  it("of cash beside points round alike, and the chain takes none that it cannot judge", async () => {
    for (const row of [...MONEY.rates, ...read("reserve").cases]) {
      assert.deepEqual([rateHolds(row), reserveFollows(row)], [row.rateHolds, row.reserveFollows], JSON.stringify(row));
    }
    for (const { kind, points, settleAmount, num, den, mode, forced } of MONEY.rates.filter((row) => row.forced)) {
      const referral = kind === "8" ? { refEventId: js.word(1), campaignId: "7", level: "1" } : {};
      const parties = { merchantId: "2", keyId: "1", nonce: "1", issuerId: "2", termsId: "2", memberRef: js.word(2) };
      const event = structOf("PointsEvent", { kind, points, settleAmount, ...parties, ...referral });
      const terms = { ...NO_TERMS, issuerId: 2, fromBatch: 1, num, den, mode };
      assert.equal(FAULTS[await edges.faultOf(event, terms, 5, 1)], forced, JSON.stringify(event));
    }
  });

  it("of headers are anchored, remembered and configured alike", async () => {
    for (const { chainId, hub, anchor } of HEADERS.anchors) {
      assert.equal(js.genesisAnchor(chainId, hub), anchor);
      assert.equal(await words.genesisAnchor(chainId, hub), anchor);
    }
    for (const { chainId, hub, old, anchor } of HEADERS.carried) {
      assert.equal(js.carriedAnchor(chainId, hub, old), anchor);
      assert.equal(await words.carriedAnchor(chainId, hub, old.chainId, old.hub, old.headerHash), anchor);
    }
    for (const { size, root } of HEADERS.histories) assert.equal(js.historyRoot(HEADERS.headerHashes.slice(0, size), sha256), root);
    for (const { versions, hash } of HEADERS.configs) assert.equal(js.configHash(versions), hash);
    for (const { head, entry, next } of HEADERS.links) assert.equal(js.journalLink(head, entry), next);
  });
});

describe("edge vectors of nets on a hub", () => {
  let alliance;
  before(async () => (alliance = await newAlliance()));

  async function answerTo(nets) {
    const header = await nextHeader(alliance, { nets });
    return (await refusal(alliance.hub.commitBatch.staticCall(header, nets, await attestations(alliance.hub, header, [])))).name;
  }

  it("are differences in order, hashed alike, and taken", async () => {
    const harness = await alliance.deploy("VerifierHarness", [], alliance.admin);
    for (const { about, now, since, nets, hash } of MONEY.settled) {
      assert.deepEqual(netsFrom(now, since), nets, about);
      assert.equal(js.netsHash(nets), hash, about);
      assert.equal(await harness.hashNets(nets), hash, about);
      assert.equal(await answerTo(nets), about === "the largest amounts" ? "GrossCapExceeded" : "no refusal", about);
    }
  });

  it("are refused where no batch may have them", async () => {
    for (const { about, refusal: expected, nets, hash } of MONEY.wrong) {
      assert.equal(js.netsHash(nets), hash, about);
      assert.equal(await answerTo(nets), expected, about);
    }
  });
});
