// The one sequence of batches: every refusal of commitBatch and finaliseBatch in the stated order, windows, replay.
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { id } from "ethers";
import { ATTESTERS, DAY, HOUR, UNIT, attestations, commit, events, newAlliance, newChain, nextHeader, refusal } from "./alliance.mjs";
import { ZERO, netsHash, word } from "./words.mjs";

const QUORUM = ATTESTERS.slice(0, 3);
const NETS = [
  { merchantId: 1, amount: -700n },
  { merchantId: 2, amount: -300n },
  { merchantId: 3, amount: 1_000n },
];
const SOME_HASH = id("some hash");

describe("commitBatch", () => {
  let alliance, hub;
  before(async () => {
    alliance = await newAlliance();
    hub = alliance.hub;
    await commit(alliance);
  });

  /** What the hub says to the next header with these changes. */
  async function said({ nets, sigs, wallets = [], sender, ...changes }) {
    const header = await nextHeader(alliance, { nets, ...changes });
    const signatures = sigs ?? (await attestations(hub, header, wallets));
    const at = sender ? hub.connect(sender) : hub;
    return (await refusal(at.commitBatch.staticCall(header, nets ?? [], signatures))).name;
  }

  // Each line breaks its own rule and every later one it can, so that it also shows the order.
  const tooMany = Array.from({ length: 513 }, (_, i) => ({ merchantId: i + 1, amount: i % 2 ? 1n : -1n }));
  const late = { firstLeafNo: 5n, leafCount: 0n, sealedAt: 1n, configHash: ZERO };
  const table = [
    ["another number", { batchNo: 7n, prevHeaderHash: SOME_HASH, ...late }, "WrongSequence"],
    ["genesis again", { batchNo: 0n, ...late }, "WrongSequence"],
    ["a foreign predecessor", { prevHeaderHash: SOME_HASH, ...late }, "WrongPrevHeader"],
    ["a gap in the leaves", late, "WrongFirstLeaf"],
    ["no leaf", { leafCount: 0n, sealedAt: 1n, configHash: ZERO }, "LeafCountOutOfRange"],
    ["2^20 + 1 leaves", { leafCount: (1n << 20n) + 1n }, "LeafCountOutOfRange"],
    ["opened after it was sealed", { sealedAt: 1n, configHash: ZERO }, "OpenedAfterSealed"],
    ["sealed in the future", { sealedAt: 1n << 40n, configHash: ZERO }, "SealedInFuture"],
    ["sealed long ago", { openedAt: 1n, sealedAt: 1n, configHash: ZERO }, "SealTooOld"],
    ["an unknown configuration", { configHash: SOME_HASH, netsSinceBatch: 9n }, "UnknownConfig"],
    ["nets since another batch", { netsSinceBatch: 9n, netsHash: SOME_HASH }, "NetsSinceWrong"],
    ["a hash of nets without nets", { netsHash: SOME_HASH }, "NetsHashWrong"],
    ["nets without their hash", { nets: NETS, netsHash: ZERO }, "NetsHashWrong"],
    ["other nets than hashed", { nets: NETS, netsHash: netsHash([]) }, "NetsHashWrong"],
    ["513 nets", { nets: tooMany }, "TooManyNets"],
    ["descending ids", { nets: [NETS[1], NETS[0], NETS[2]], blobHash: SOME_HASH }, "NetsNotAscending"],
    ["one id twice", { nets: [NETS[0], NETS[0]] }, "NetsNotAscending"],
    ["merchant 0", { nets: [{ merchantId: 0, amount: 1n }] }, "NetsNotAscending"],
    ["a zero net", { nets: [{ merchantId: 1, amount: 0n }] }, "ZeroNet"],
    ["nets that create money", { nets: [NETS[0], NETS[2]], blobHash: SOME_HASH }, "NetsUnbalanced"],
    ["a blob that is not there", { blobHash: SOME_HASH, sigs: [[ZERO, ZERO]] }, "BlobMissing"],
    ["a signature of zeroes", { sigs: [[ZERO, ZERO]] }, "ECDSAInvalidSignature"],
    ["a high s", { sigs: [[SOME_HASH, word((1n << 255n) - 1n)]] }, "ECDSAInvalidSignatureS"],
    ["one attester twice", { wallets: [ATTESTERS[0], ATTESTERS[0]] }, "AttestersNotAscending"],
    ["attesters in descending order", { wallets: [ATTESTERS[1], ATTESTERS[0]] }, "AttestersNotAscending"],
    ["an attester not of the set", { wallets: [ATTESTERS[7]] }, "UnknownAttester"],
    ["65 attestations", { sigs: Array.from({ length: 65 }, () => [ZERO, ZERO]) }, "TooManyAttestations"],
    ["a good header", { nets: NETS, wallets: QUORUM }, "no refusal"],
  ];
  for (const [what, change, expected] of table) {
    it(`answers ${what} with ${expected}`, async () => assert.equal(await said(change), expected));
  }

  it("refuses a net of more than the cap of the window it earns", async () => {
    const nets = (units) => [{ merchantId: 1, amount: -units * UNIT }, { merchantId: 2, amount: units * UNIT }];
    assert.equal(await said({ nets: nets(100_000n) }), "no refusal");
    assert.equal(await said({ nets: nets(100_001n) }), "GrossCapExceeded");
    assert.equal(await said({ nets: nets(100_001n), wallets: QUORUM }), "no refusal");
    assert.equal(await said({ nets: nets(2_000_001n), wallets: QUORUM }), "GrossCapExceeded");
  });

  it("refuses who is no submitter, before anything about the header, and after the pause", async () => {
    const stranger = await alliance.account(5);
    const refused = "AccessControlUnauthorizedAccount";
    assert.equal(await said({ batchNo: 7n, sender: stranger }), refused);
    const snapshot = await alliance.rpc("evm_snapshot");
    await alliance.policy.pause();
    assert.equal(await said({ batchNo: 7n, sender: stranger }), "PolicyPaused");
    await alliance.rpc("evm_revert", snapshot);
  });

  it("refuses with less than the bond at stake", async () => {
    const snapshot = await alliance.rpc("evm_snapshot");
    const params = (await alliance.policy.params()).toObject();
    await alliance.policy.setParams({ ...params, operatorBondMin: params.operatorBondMin + 1n });
    assert.equal(await said({ batchNo: 7n }), "BondTooLow");
    await alliance.rpc("evm_revert", snapshot);
  });

  it("says AlreadyCommitted to the very same header, so that a resubmission is known for one", async () => {
    const { header } = await commit(alliance, { wallets: QUORUM });
    const again = hub.commitBatch.staticCall(header, [], await attestations(hub, header, QUORUM));
    assert.equal((await refusal(again)).name, "AlreadyCommitted");
    const other = hub.commitBatch.staticCall({ ...header, totalPoints: 1n }, [], []);
    assert.equal((await refusal(other)).name, "WrongSequence");
  });

  it("takes the configuration before a change for 24 hours", async () => {
    const before = await alliance.policy.configHash();
    await alliance.policy.advanceRulesVersion();
    assert.notEqual(await alliance.policy.configHash(), before);
    assert.equal(await said({ configHash: before }), "no refusal");
    await alliance.pass(DAY + 1);
    assert.equal(await said({ configHash: before }), "UnknownConfig");
    assert.equal(await said({}), "no refusal");
  });

  it("refuses a batch sealed before its predecessor", async () => {
    const { header } = await commit(alliance);
    const early = header.sealedAt - 1n;
    assert.equal(await said({ openedAt: early, sealedAt: early }), "SealedBeforePrevious");
  });

  it("allows eight settling batches pending, and log batches beside them", async () => {
    const fresh = await newAlliance();
    for (let i = 0; i < 8; i++) await commit(fresh, { nets: NETS });
    assert.equal((await refusal(commit(fresh, { nets: NETS }))).name, "TooManyPending");
    await commit(fresh);
    assert.equal(await fresh.hub.lastSettleBatch(), 8n);
  });

  it("puts the whole header and the attesters into the log", async () => {
    const { header, receipt } = await commit(alliance, { nets: [], wallets: QUORUM });
    const [logged] = events(hub, receipt, "BatchCommitted");
    assert.deepEqual(logged.header.toObject(), header);
    assert.deepEqual([...logged.attesters], QUORUM.map((wallet) => wallet.address));
    assert.equal(logged.weight, 3n);
    assert.equal(logged.headerHash, await hub.headerHash(header.batchNo));
    assert.deepEqual(events(hub, receipt, "NetsCommitted").map(({ nets }) => [...nets]), [[]]);
  });

  it("binds a header to chain and contract: nothing of one hub passes another", async () => {
    const twin = await newAlliance({ chain: await newChain({ chainId: 31_338 }) });
    const { header } = await commit(twin, { wallets: QUORUM });
    const sigs = await attestations(twin.hub, header, QUORUM);
    const replayed = { ...header, batchNo: await hub.nextBatchNo() };
    assert.equal((await refusal(hub.commitBatch.staticCall(replayed, [], sigs))).name, "WrongPrevHeader");
    // Signatures made for the other domain recover to strangers here.
    const own = await nextHeader(alliance);
    const foreign = await attestations(twin.hub, own, [QUORUM[0]]);
    assert.equal((await refusal(hub.commitBatch.staticCall(own, [], foreign))).name, "UnknownAttester");
    assert.notEqual(await twin.hub.domainSeparator(), await hub.domainSeparator());
  });
});

describe("windows and finality", () => {
  let alliance, hub;
  before(async () => {
    alliance = await newAlliance();
    hub = alliance.hub;
  });

  // Attesters of the fixture: auditors at places 0, 2, 4; merchant watchers at 1, 3; H = 3 of 5, so a quorum weighs 3.
  const windows = [
    ["nobody", [], 7 * DAY],
    ["a weight of 2", [0, 1], 7 * DAY],
    ["three auditors", [0, 2, 4], 7 * DAY],
    ["two auditors and a watcher", [0, 1, 2], 6 * HOUR],
    ["everybody", [0, 1, 2, 3, 4], 6 * HOUR],
  ];
  for (const [who, places, seconds] of windows) {
    it(`opens ${seconds / HOUR} hours for attestations by ${who}`, async () => {
      const { header } = await commit(alliance, { wallets: places.map((place) => ATTESTERS[place]) });
      const record = await hub.record(header.batchNo);
      assert.equal(record.finalAfter - record.committedAt, BigInt(seconds));
      assert.equal(record.status, 1n);
      assert.equal(record.sealedAt, header.sealedAt);
    });
  }

  it("counts an auditor that administers a merchant as a merchant watcher where money hangs on it", async () => {
    const fresh = await newAlliance();
    const payoutAddress = fresh.owner.address;
    const insiders = [ATTESTERS[0], ATTESTERS[2], ATTESTERS[4]];
    await fresh.registry.addMerchants(
      insiders.map((wallet, i) => ({ merchantId: 901 + i, admin: wallet.address, payoutAddress })),
    );
    const windowOf = async (options) => {
      const { header } = await commit(fresh, { wallets: ATTESTERS.slice(0, 5), ...options });
      const record = await fresh.hub.record(header.batchNo);
      return Number(record.finalAfter - record.committedAt);
    };
    assert.equal(await windowOf({ nets: NETS }), 7 * DAY);
    assert.equal(await windowOf({}), 6 * HOUR);
  });

  it("moves nothing before the window, then exactly the nets, once, in order", async () => {
    const fresh = await newAlliance({ collateral: 10_000n });
    const freshHub = fresh.hub;
    const first = await commit(fresh, { nets: NETS, wallets: QUORUM });
    const second = await commit(fresh, { nets: NETS, wallets: QUORUM });
    const locked = await freshHub.balanceOf(1);
    assert.deepEqual([locked.free, locked.locked], [8_600n, 1_400n]);
    const outOfOrder = freshHub.finaliseBatch.staticCall(second.header, NETS);
    assert.equal((await refusal(outOfOrder)).name, "NothingToFinalise");
    const { finalAfter } = await freshHub.record(1);
    await fresh.rpc("evm_setNextBlockTimestamp", Number(finalAfter) - 1);
    assert.equal((await refusal(freshHub.finaliseBatch(first.header, NETS, { gasLimit: 1_000_000 }))).name, "WindowOpen");
    await fresh.moveTo(Number(finalAfter));
    const forged = { ...first.header, totalPoints: 5n };
    assert.equal((await refusal(freshHub.finaliseBatch(forged, NETS))).name, "HeaderMismatch");
    assert.equal((await refusal(freshHub.finaliseBatch(first.header, []))).name, "NetsHashWrong");
    const receipt = await (await freshHub.finaliseBatch(first.header, NETS)).wait();
    assert.equal(events(freshHub, receipt, "NetSettled").length, 3);
    assert.equal(await freshHub.isFinal(1, await freshHub.headerHash(1)), true);
    assert.equal(await freshHub.isFinal(1, SOME_HASH), false);
    assert.equal(await freshHub.isFinal(2, await freshHub.headerHash(2)), false);
    assert.equal((await refusal(freshHub.finaliseBatch(first.header, NETS))).name, "NothingToFinalise");
    const after = await Promise.all([1, 2, 3, 4].map((merchant) => freshHub.netPosition(merchant)));
    assert.deepEqual(after, [9_300n, 9_700n, 11_000n, 10_000n]);
    const one = await freshHub.balanceOf(1);
    assert.deepEqual([one.free, one.locked], [8_600n, 700n]);
  });

  it("finalises a run of log batches at once, and stops at a settling one", async () => {
    const fresh = await newAlliance();
    await commit(fresh);
    await commit(fresh);
    await commit(fresh, { nets: [] });
    assert.equal((await refusal(fresh.hub.finaliseThrough(2))).name, "WindowOpen");
    await fresh.pass(7 * DAY);
    assert.equal((await refusal(fresh.hub.finaliseThrough(3))).name, "SettlingBatchInRange");
    assert.equal((await refusal(fresh.hub.finaliseThrough(4))).name, "NothingToFinalise");
    assert.equal((await refusal(fresh.hub.finaliseThrough(0))).name, "NothingToFinalise");
    await fresh.hub.finaliseThrough(2);
    assert.equal(await fresh.hub.nextFinalNo(), 3n);
    await fresh.policy.pause();
    assert.equal((await refusal(fresh.hub.finaliseThrough(3))).name, "PolicyPaused");
  });

  it("lets a deposit that comes after the commit still pay the net", async () => {
    const fresh = await newAlliance({ collateral: 0n, bond: 0n });
    const { header, receipt } = await commit(fresh, { nets: NETS, wallets: QUORUM });
    assert.deepEqual(
      events(fresh.hub, receipt, "Shortage").map(({ merchantId, missing }) => [merchantId, missing]),
      [[1n, 700n], [2n, 300n]],
    );
    await fresh.hub.deposit(1, 700);
    await fresh.hub.deposit(2, 299);
    await fresh.pass(6 * HOUR);
    const settled = await (await fresh.hub.finaliseBatch(header, NETS)).wait();
    assert.deepEqual(
      events(fresh.fund, settled, "Defaulted").map(({ merchantId, missing }) => [merchantId, missing]),
      [[2n, 1n]],
    );
    assert.equal((await fresh.hub.balanceOf(3)).free, 999n);
  });
});
