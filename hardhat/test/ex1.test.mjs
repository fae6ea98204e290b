// The worked example EX1: every hash of it that a chain or a browser can recompute, by three independent roads: the
// vector file, plain JavaScript, and the Solidity libraries; then the whole batch committed and settled on a real hub.
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { Wallet, getAddress, keccak256, recoverAddress, sha256 } from "ethers";
import { ATTESTERS, DEFAULT_PARAMS, HOUR, NOTHING_CARRIED, UNIT, attest, attesterSet, events, newChain, refusal } from "./alliance.mjs";
import * as js from "./words.mjs";

const { EX1 } = js;
const SLOTS = ["issuer", "debtor", "creditor", "member"];
const EVERY_KIND = 0xfffe;
const items = EX1.leaves.map((leaf) => leaf.leafHash);
const rows = EX1.rows.map((row) => row.hash);

describe("EX1 in Solidity and JavaScript", () => {
  let chain, harness;
  before(async () => {
    chain = await newChain();
    harness = await chain.deploy("VerifierHarness", [], await chain.account(9));
  });

  async function sameHash(name, values, expected) {
    assert.equal(js.hashStruct(name, values), expected, `${name} in JavaScript`);
    assert.equal(await harness[`hash${name}`](values), expected, `${name} in Solidity`);
  }

  it("has the type hashes, also those of structs that EX1 does not fill", async () => {
    for (const [name, expected] of Object.entries(EX1.typeHashes)) {
      assert.equal(js.typeHash(name), expected);
      const sample = Object.fromEntries(js.fieldsOf(name).map((field, i) => [field, 3 + i]));
      for (const field of js.fieldsOf(name)) {
        if (/account|payee|Hash|Root|salt|authKey|memberRef|refEventId|Posting|sigR|sigVS|journalHead/.test(field)) {
          sample[field] = js.word(sample[field]);
        }
        if (field === "recipient") sample[field] = getAddress("0x" + "17".repeat(20));
      }
      await sameHash(name, sample, js.hashStruct(name, sample));
    }
  });

  it("hashes all postings, events, leaves, rows, nets and headers alike", async () => {
    for (const { event, eventHash, postings, leaf, leafHash } of EX1.leaves) {
      await sameHash("PointsEvent", event, eventHash);
      for (const slot of SLOTS) {
        if (postings[slot]) await sameHash("Posting", postings[slot], postings[slot].hash);
        assert.equal(leaf[`${slot}Posting`], postings[slot]?.hash ?? js.ZERO);
      }
      await sameHash("SettlementLeaf", leaf, leafHash);
    }
    for (const row of [...EX1.rows, ...EX1.genesis.rows]) await sameHash("AccountRow", row, row.hash);
    await sameHash("BatchHeader", EX1.genesis.header, EX1.genesis.headerHash);
    await sameHash("BatchHeader", EX1.header, EX1.headerHash);
    assert.equal(js.netsHash(EX1.nets), EX1.header.netsHash);
    assert.equal(await harness.hashNets(EX1.nets), EX1.header.netsHash);
  });

  it("recovers each merchant from its signature, and not from the malleable twin", async () => {
    const separator = js.domainSeparator(EX1.domain.chainId, EX1.domain.hub);
    assert.equal(separator, EX1.domain.separator);
    const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
    for (const { event, eventId, digest, leaf } of EX1.leaves) {
      assert.equal(js.eventId(event), eventId);
      assert.equal(js.signedDigest(separator, leaf.eventHash), digest);
      const signer = getAddress(EX1.merchants[event.merchantId - 1].address);
      assert.equal(recoverAddress(digest, { r: leaf.sigR, yParityAndS: leaf.sigVS }), signer);
      assert.equal(await harness.recover(digest, leaf.sigR, leaf.sigVS), signer);
      // The twin n − s is no low s, and here not even below 2^255: the compact form has no room for it.
      const s = BigInt(leaf.sigVS) & ((1n << 255n) - 1n);
      assert.ok(order - s >= 1n << 255n);
      const highest = js.word((1n << 255n) - 1n);
      for (const [r, vs] of [[leaf.sigR, highest], [js.ZERO, leaf.sigVS], [leaf.sigR, js.ZERO]]) {
        assert.match((await refusal(harness.recover(digest, r, vs))).name, /^ECDSAInvalidSignature/);
      }
    }
  });

  it("proves each leaf and row in its place, and a receipt up to the header hash", async () => {
    assert.equal(js.treeRoot(items), EX1.header.leavesRoot);
    assert.equal(js.treeRoot(rows), EX1.header.accountsRoot);
    assert.equal(js.treeRoot(EX1.genesis.rows.map((row) => row.hash)), EX1.genesis.header.accountsRoot);
    for (const [index, { leaf, leafHash, treeLeaf, path }] of EX1.leaves.entries()) {
      assert.equal(js.treeLeaf(leafHash), treeLeaf);
      assert.deepEqual(js.treePath(items, index), path);
      await harness.requireIncluded(EX1.header.leavesRoot, items.length, index, leafHash, path);
      const leavesRoot = js.rootFromPath(items.length, index, js.hashStruct("SettlementLeaf", leaf), path);
      assert.equal(js.hashStruct("BatchHeader", { ...EX1.header, leavesRoot }), EX1.headerHash);
    }
    for (const [index, row] of EX1.rows.entries()) {
      assert.deepEqual(js.treePath(rows, index), row.path);
      await harness.requireIncluded(EX1.header.accountsRoot, rows.length, index, row.hash, row.path);
    }
    // A row's proof is no leaf's proof: the type hash parts the trees.
    await assert.rejects(
      harness.requireIncluded(EX1.header.leavesRoot, rows.length, 0, EX1.rows[0].hash, EX1.rows[0].path),
    );
  });

  it("sums the liabilities to the header's total of points", async () => {
    const { issuers, sumRoot, total, debtTotal } = EX1.liabilities;
    const tops = [];
    for (const issuer of issuers) {
      const leaves = [];
      for (const leaf of issuer.leaves) {
        await sameHash("LiabilityLeaf", leaf, leaf.hash);
        leaves.push(js.sumLeaf(leaf.hash, leaf.balance));
        assert.equal(leaves.at(-1).hash, leaf.sumLeaf);
      }
      assert.deepEqual(js.sumRoot(leaves), { hash: issuer.sumRoot, total: BigInt(issuer.total) });
      await sameHash("IssuerLiability", issuer, issuer.hash);
      tops.push(js.sumLeaf(issuer.hash, issuer.total));
      assert.equal(tops.at(-1).hash, issuer.sumLeaf);
    }
    assert.deepEqual(js.sumRoot(tops), { hash: sumRoot, total: BigInt(total) });
    assert.equal(BigInt(total) - BigInt(debtTotal), BigInt(EX1.header.totalPoints));
  });

  it("binds genesis to chain and hub", async () => {
    assert.equal(await harness.genesisAnchor(31337, EX1.domain.hub), EX1.genesis.header.prevHeaderHash);
    assert.notEqual(await harness.genesisAnchor(31338, EX1.domain.hub), EX1.genesis.header.prevHeaderHash);
    assert.equal(sha256(js.concat("0x00", EX1.genesis.headerHash)), EX1.header.historyRoot);
    assert.equal(EX1.genesis.header.historyRoot, sha256("0x"));
  });
});

describe("EX1 on the hub it was written for", () => {
  let chain, hub, asset, registry, fund;
  const wallets = ATTESTERS.slice(0, 3);

  before(async () => {
    chain = await newChain();
    const [first, admin] = [await chain.account(0), await chain.account(1)];
    await chain.moveTo(1_799_999_000 + 1_000);
    asset = await chain.deploy("TestToken", [], admin);
    registry = await chain.deploy("MerchantRegistry", [admin.address], admin);
    // EX1's default variation has no fund and no slice of a bond.
    const params = { ...DEFAULT_PARAMS, operatorBondMin: 0n };
    const policyArgs = [registry, admin.address, params, attesterSet(5), EX1.header.configHash];
    const policy = await chain.deploy("AlliancePolicy", policyArgs, admin);
    const { accountsCount, accountsRoot, dataHash, openedAt, configHash } = EX1.genesis.header;
    const genesis = { accountsCount, accountsRoot, dataHash, foundedAt: openedAt, configHash, carried: NOTHING_CARRIED };
    fund = await chain.deploy("GuaranteeFund", [registry], admin);
    const queue = await chain.deploy("ForcedQueue", [policy], admin);
    // The first contract of the node's first account has EX1's address.
    hub = (await chain.deploy("SettlementHub", [asset, policy, fund, queue, admin.address, genesis], first)).connect(admin);
    await registry.bindHub(hub);
    await registerEx1(admin);
  });

  async function registerEx1(admin) {
    const ids = EX1.merchants.map(({ merchantId }) => merchantId);
    await registry.addMerchants(ids.map((merchantId) => ({ merchantId, admin, payoutAddress: admin })));
    await registry.addKeys(
      EX1.merchants.map(({ merchantId, keyId, address }) => ({ merchantId, keyId, signer: address, kindMask: EVERY_KIND })),
    );
    await registry.addTerms(EX1.terms.map(({ issuerId, acceptorId, num, den, mode }) => ({ issuerId, acceptorId, num, den, mode })));
    await asset.mint(admin.address, 100_000n * UNIT);
    await asset.approve(hub, 100_000n * UNIT);
    await hub.deposit(1, 1_000_000);
    await hub.deposit(2, 5_000_000);
  }

  it("stands at EX1's address with EX1's genesis and domain", async () => {
    assert.equal(hub.target, getAddress(EX1.domain.hub));
    assert.equal(await hub.domainSeparator(), EX1.domain.separator);
    assert.equal(await hub.headerHash(0), EX1.genesis.headerHash);
    const { fields, name, version, chainId, verifyingContract } = await hub.eip712Domain();
    assert.deepEqual([fields, name, version, chainId, verifyingContract], ["0x0f", "PointsAlliance", "1", 31337n, hub.target]);
    for (const { merchantId, keyId, address, privateKey } of EX1.merchants) {
      assert.equal(new Wallet(privateKey).address, getAddress(address));
      assert.equal(await registry.keyAt(merchantId, keyId, 1, 1), getAddress(address));
    }
  });

  it("settles the default variation: m1 lacks 500,000 and m3 gets 1,500,000 and a claim", async () => {
    await chain.moveTo(1_800_001_000);
    const digest = js.signedDigest(await hub.domainSeparator(), EX1.headerHash);
    assert.equal(digest, EX1.attesterDigest);
    const sent = await hub.commitBatch(EX1.header, EX1.nets, wallets.map((wallet) => attest(wallet, digest)));
    const receipt = await sent.wait();
    assert.equal(await hub.headerHash(1), EX1.headerHash);
    const [shortage] = events(hub, receipt, "Shortage");
    assert.deepEqual([shortage.merchantId, shortage.missing], [1n, 500_000n]);
    await chain.pass(6 * HOUR);
    const settled = await (await hub.finaliseBatch(EX1.header, EX1.nets)).wait();
    assert.deepEqual(
      events(hub, settled, "NetSettled").map(({ merchantId, net, shortfall }) => [merchantId, net, shortfall]),
      [[1n, -1_500_000n, 500_000n], [2n, -500_000n, 0n], [3n, 2_000_000n, 500_000n]],
    );
    const free = await Promise.all([1, 2, 3].map(async (id) => (await hub.balanceOf(id)).free));
    assert.deepEqual(free, [0n, 4_500_000n, 1_500_000n]);
    assert.equal((await fund.claimOf(1, 3)).amount, 500_000n);
    assert.equal(await fund.owedBy(1), 500_000n);
    assert.equal(await registry.keyAt(1, 1, 3, 1), "0x" + "00".repeat(20), "a defaulter earns no more from batch 3 on");
    assert.notEqual(await registry.keyAt(1, 1, 3, 4), "0x" + "00".repeat(20), "but can still take goods back");
  });

  it("repays the claim from the defaulter's next deposit", async () => {
    await hub.deposit(1, 600_000);
    await fund.collectClaim(1, 3);
    assert.equal((await hub.balanceOf(3)).free, 2_000_000n);
    assert.equal((await hub.balanceOf(1)).free, 100_000n);
    assert.equal((await registry.merchant(1)).status, 1n);
    const { held, owed } = await hub.solvency();
    assert.equal(held, owed);
  });
});
