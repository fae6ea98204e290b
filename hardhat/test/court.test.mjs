// Courts, an account in their place: reverts and what they leave behind, demands, slashing; then the end of a hub.
import assert from "node:assert/strict";
import { before, beforeEach, describe, it } from "node:test";
import { ATTESTERS, DAY, HOUR, UNIT, attestations, commit, events, newAlliance, nextHeader, refusal } from "./alliance.mjs";
import { ZERO, hashStruct } from "./words.mjs";

const QUORUM = ATTESTERS.slice(0, 3);
const NETS = [
  { merchantId: 1, amount: -700n },
  { merchantId: 2, amount: -300n },
  { merchantId: 3, amount: 1_000n },
];
const COMMITTED = 1n;
const REVERTED = 3n;
const said = async (promise) => (await refusal(promise)).name;
const hashOf = (header) => hashStruct("BatchHeader", header);

/** An alliance whose account 5 is the court and account 6 the challenger. */
async function withCourt(options) {
  const alliance = await newAlliance(options);
  const court = await alliance.account(5);
  await alliance.hub.grantRole(await alliance.hub.COURT_ROLE(), court.address);
  return { ...alliance, court: alliance.hub.connect(court), challenger: await alliance.account(6) };
}

describe("a revert", () => {
  let alliance, hub, court, challenger, pending, snapshot;
  before(async () => {
    alliance = await withCourt({ collateral: 800n });
    ({ hub, court, challenger } = alliance);
    pending = [];
    for (const nets of [undefined, NETS, undefined, NETS, undefined]) pending.push((await commit(alliance, { nets })).header);
    snapshot = await alliance.rpc("evm_snapshot");
  });
  beforeEach(async () => {
    await alliance.rpc("evm_revert", snapshot);
    snapshot = await alliance.rpc("evm_snapshot");
  });
  const revertFrom = (number, header = pending[number - 1]) => court.revertFrom(header, challenger.address, 9);

  it("takes the sequence back to before the batch, and shows nothing of it and of what followed", async () => {
    const receipt = await (await revertFrom(2)).wait();
    const [told] = events(hub, receipt, "BatchReverted");
    assert.deepEqual([told.batchNo, told.code, told.challenger, told.slashed], [2n, 9n, challenger.address, 10_000n * UNIT]);
    assert.deepEqual(
      [await hub.nextBatchNo(), await hub.nextLeafNo(), await hub.lastSettleBatch()],
      [2n, pending[1].firstLeafNo, 0n],
    );
    for (const number of [2, 3, 4, 5]) {
      assert.equal(await hub.headerHash(number), ZERO);
      assert.equal((await hub.record(number)).status, REVERTED);
    }
    assert.equal((await hub.record(1)).status, COMMITTED);
    assert.equal(await hub.headerHash(1), hashOf(pending[0]));
  });

  it("is a court's, of a batch that is pending, with the header it was committed with", async () => {
    assert.equal(await said(hub.revertFrom(pending[1], challenger.address, 9)), "AccessControlUnauthorizedAccount");
    assert.equal(await said(revertFrom(2, { ...pending[1], firstLeafNo: 1n })), "BatchNotPending");
    assert.equal(await said(revertFrom(2, { ...pending[1], batchNo: 3n })), "BatchNotPending");
    assert.equal(await said(revertFrom(6, await nextHeader(alliance))), "BatchNotPending");
    await revertFrom(3);
    assert.equal(await said(revertFrom(3)), "BatchNotPending");
    assert.equal(await said(revertFrom(4)), "BatchNotPending");
    await alliance.pass(7 * DAY);
    await hub.finaliseThrough(1);
    assert.equal(await said(revertFrom(1)), "BatchNotPending");
    await hub.postBond(20_000n * UNIT);
    await revertFrom(2);
  });

  it("leaves nothing that could be finalised, though its number comes up again", async () => {
    await revertFrom(1);
    await alliance.pass(7 * DAY);
    assert.equal(await said(hub.finaliseBatch(pending[0], [])), "NothingToFinalise");
    assert.equal(await said(hub.finaliseThrough(1)), "NothingToFinalise");
    await hub.postBond(20_000n * UNIT);
    const { header } = await commit(alliance, { totalPoints: 7n });
    await alliance.pass(7 * DAY);
    assert.equal(await said(hub.finaliseBatch(pending[0], [])), "HeaderMismatch");
    await hub.finaliseBatch(header, []);
    assert.equal(await said(hub.finaliseBatch(pending[1], NETS)), "NothingToFinalise");
    assert.equal(await said(hub.commitBatch(pending[1], NETS, [])), "WrongPrevHeader");
    assert.equal(await hub.isFinal(1, hashOf(header)), true);
  });

  it("refuses the very same header for ever, whoever signed it, and says AlreadyCommitted only to what stands", async () => {
    await revertFrom(4);
    await hub.postBond(20_000n * UNIT);
    const signed = await attestations(hub, pending[3], QUORUM);
    assert.deepEqual(await refusal(hub.commitBatch(pending[3], NETS, signed)), { name: "AlreadyReverted", args: [4n, hashOf(pending[3])] });
    assert.equal(await said(hub.commitBatch(pending[4], [], [])), "WrongSequence");
    const { header } = await commit(alliance, { nets: NETS, totalPoints: 7n });
    assert.equal(await said(hub.commitBatch(header, NETS, [])), "AlreadyCommitted");
    assert.equal(await hub.lastSettleBatch(), 4n);
    assert.equal(await said(hub.commitBatch(pending[4], [], [])), "WrongPrevHeader");
  });

  it("remembers every header that was thrown out under a number, not only the last", async () => {
    await revertFrom(5);
    await hub.postBond(20_000n * UNIT);
    const { header } = await commit(alliance, { totalPoints: 7n });
    await revertFrom(5, header);
    await hub.postBond(20_000n * UNIT);
    for (const each of [pending[4], header]) assert.equal(await said(hub.commitBatch(each, [], [])), "AlreadyReverted");
    assert.equal(await said(hub.releaseReverted(pending[3], NETS)), "NothingToRelease");
  });

  it("has the locks of each settling batch released, once, exactly", async () => {
    const locks = async () => Promise.all([1, 2].map(async (id) => [...(await hub.balanceOf(id))]));
    assert.deepEqual(await locks(), [[0n, 800n], [200n, 600n]]);
    assert.equal(await said(hub.releaseReverted(pending[1], NETS)), "NothingToRelease");
    await revertFrom(2);
    assert.equal(await said(hub.releaseReverted(pending[1], [])), "NetsHashWrong");
    assert.equal(await said(hub.releaseReverted(pending[0], [])), "NothingToRelease");
    await hub.releaseReverted(pending[3], NETS);
    assert.deepEqual(await locks(), [[100n, 700n], [500n, 300n]]);
    await hub.releaseReverted(pending[1], NETS);
    assert.deepEqual(await locks(), [[800n, 0n], [800n, 0n]]);
    assert.equal(await said(hub.releaseReverted(pending[1], NETS)), "NothingToRelease");
  });

  it("leaves a settling header refused when its locks are released", async () => {
    await revertFrom(4);
    await hub.releaseReverted(pending[3], NETS);
    await hub.postBond(20_000n * UNIT);
    assert.equal(await said(hub.commitBatch(pending[3], NETS, [])), "AlreadyReverted");
    assert.equal(await said(hub.releaseReverted(pending[3], NETS)), "NothingToRelease");
    assert.deepEqual([...(await hub.balanceOf(1))], [100n, 700n]);
  });

  it("costs a fifth of the bond: half to the challenger, half to the fund", async () => {
    await revertFrom(2);
    assert.equal(await hub.operatorBond(), 40_000n * UNIT);
    assert.equal(await alliance.fund.bountyOf(challenger.address), 5_000n * UNIT);
    assert.equal(await alliance.fund.assets(), 5_000n * UNIT);
    assert.equal(await said(commit(alliance)), "BondTooLow");
    await alliance.fund.collectBounty(challenger.address);
    assert.equal(await alliance.asset.balanceOf(challenger.address), 5_000n * UNIT);
    assert.equal(await said(alliance.fund.collectBounty(challenger.address)), "NoBounty");
    const { held, owed } = await hub.solvency();
    assert.equal(held, owed);
  });

  it("does not hold up status changes: history goes on where it was", async () => {
    const { registry } = alliance;
    await registry.setStatus(1, 3);
    await revertFrom(1);
    await registry.setStatus(1, 1);
    assert.equal(await registry.statusAt(1, 6), 1n);
    assert.equal(await registry.statusAt(1, 7), 1n);
  });
});

describe("demands", () => {
  let alliance, hub, court, header, hash;
  beforeEach(async () => {
    alliance = await withCourt({ collateral: 0n });
    ({ hub, court } = alliance);
    ({ header } = await commit(alliance, { wallets: QUORUM }));
    hash = hashOf(header);
  });

  it("keep a batch from becoming final, and its window open for the answer", async () => {
    await alliance.pass(5 * HOUR);
    const receipt = await (await court.addDemand(1, hash)).wait();
    const [told] = events(hub, receipt, "DemandAdded");
    assert.equal(told.finalAfter, BigInt((await alliance.now()) + DAY));
    assert.equal((await hub.record(1)).finalAfter, told.finalAfter);
    await court.addDemand(1, hash);
    await alliance.pass(2 * DAY);
    assert.deepEqual((await refusal(hub.finaliseThrough(1))), { name: "DemandsOpen", args: [1n, 2n] });
    await court.closeDemand(1, hash);
    assert.equal(await said(hub.finaliseBatch(header, [])), "DemandsOpen");
    await court.closeDemand(1, hash);
    await hub.finaliseThrough(1);
    assert.equal(await said(court.addDemand(1, hash)), "BatchNotPending");
  });

  it("do not shorten a window", async () => {
    const { header: slow } = await commit(alliance);
    const { finalAfter } = await hub.record(2);
    await court.addDemand(2, hashOf(slow));
    assert.equal((await hub.record(2)).finalAfter, finalAfter);
  });

  it("end three slow windows after the commit; what stays open longer is any court's to close", async () => {
    await alliance.pass(20 * DAY - HOUR);
    await court.addDemand(1, hash);
    await alliance.pass(2 * HOUR);
    assert.equal(await said(court.addDemand(1, hash)), "DemandsExhausted");
    await alliance.pass(20 * DAY);
    assert.equal(await said(hub.finaliseThrough(1)), "DemandsOpen");
    await hub.grantRole(await hub.COURT_ROLE(), alliance.owner.address);
    await hub.connect(alliance.owner).closeDemand(1, hash);
    await hub.finaliseThrough(1);
  });

  it("go with the batch they were about", async () => {
    await court.addDemand(1, hash);
    await court.revertFrom(header, alliance.challenger.address, 20);
    await hub.postBond(20_000n * UNIT);
    const { header: next } = await commit(alliance, { totalPoints: 5n });
    await court.addDemand(1, hashOf(next));
    await court.closeDemand(1, hash);
    assert.equal((await hub.record(1)).openDemands, 1n);
  });

  it("are a court's", async () => {
    assert.equal(await said(hub.addDemand(1, hash)), "AccessControlUnauthorizedAccount");
    assert.equal(await said(hub.closeDemand(1, hash)), "AccessControlUnauthorizedAccount");
    assert.equal(await said(court.addDemand(1, ZERO)), "BatchNotPending");
    assert.equal(await said(court.addDemand(2, ZERO)), "BatchNotPending");
  });
});

describe("a wind-down", () => {
  let alliance, hub, policy, stranger;
  beforeEach(async () => {
    alliance = await withCourt({ collateral: 1_000n });
    ({ hub, policy } = alliance);
    stranger = hub.connect(await alliance.account(7));
  });

  it("is anybody's to begin 30 days after the last batch, and stops commits for good", async () => {
    await commit(alliance);
    await alliance.pass(30 * DAY);
    const begun = await stranger.beginWindDown();
    await begun.wait();
    assert.equal(await hub.windDownAt(), BigInt(await alliance.now()));
    assert.equal(await said(commit(alliance)), "WindingDown");
    assert.equal(await said(stranger.beginWindDown()), "WindingDown");
    await hub.finaliseThrough(1);
  });

  it("is too early before", async () => {
    await alliance.pass(20 * DAY);
    await commit(alliance);
    await alliance.pass(29 * DAY);
    assert.equal(await said(stranger.beginWindDown()), "WindDownTooEarly");
  });

  it("is the default admin's to begin at any time", async () => {
    await commit(alliance);
    await hub.beginWindDown();
    assert.equal(await said(commit(alliance)), "WindingDown");
  });

  it("is due when guardians have taken turns for more than 14 days", async () => {
    const guardian = await alliance.account(8);
    await policy.grantRole(await policy.GUARDIAN_ROLE(), guardian.address);
    await commit(alliance);
    await policy.pause();
    await alliance.pass(14 * DAY - 60);
    assert.equal(await said(stranger.beginWindDown()), "WindDownTooEarly");
    await alliance.pass(61);
    await policy.connect(guardian).pause();
    await alliance.pass(60);
    assert.ok((await policy.pausedForSeconds()) > BigInt(14 * DAY));
    await (await stranger.beginWindDown()).wait();
    assert.equal(await said(hub.finaliseThrough(2)), "NothingToFinalise");
    await hub.finaliseThrough(1);
  });

  it("does not take pauses far apart for one", async () => {
    await policy.pause();
    await alliance.pass(14 * DAY);
    assert.equal(await policy.pausedForSeconds(), 0n);
    await alliance.pass(7 * DAY);
    await commit(alliance);
    await policy.pause();
    assert.equal(await policy.pausedForSeconds(), 0n);
    await alliance.pass(DAY);
    assert.equal(await policy.pausedForSeconds(), BigInt(DAY));
    assert.equal(await said(stranger.beginWindDown()), "WindDownTooEarly");
  });

  it("gives everybody what is theirs: pending nets move, then no floor, no delay of 90 days, no minimum bond", async () => {
    const owned = { hub: hub.connect(alliance.owner), fund: alliance.fund.connect(alliance.owner) };
    await owned.fund.joinGuarantee(4, 500, 0);
    await owned.fund.leaveGuarantee(4, await owned.fund.sharesOf(4));
    await policy.setFloor(3, 1_500);
    const { header } = await commit(alliance, { nets: NETS, wallets: QUORUM });
    await hub.beginWindDown();
    await owned.hub.requestWithdraw(3, 2_000);
    assert.equal(await said(owned.fund.executeLeave(4)), "LeaveTooEarly");
    await alliance.pass(6 * HOUR);
    await policy.pause();
    await hub.finaliseBatch(header, NETS);
    await owned.fund.executeLeave(4);
    assert.equal((await hub.balanceOf(4)).free, 1_000n);
    assert.equal(await said(owned.hub.executeWithdraw(3)), "WithdrawalTooEarly");
    await alliance.pass(7 * DAY);
    await owned.hub.executeWithdraw(3);
    assert.equal((await hub.balanceOf(3)).free, 0n);
    assert.equal(await said(hub.withdrawBond(1, alliance.owner.address)), "BondTooLow");
    await alliance.pass(90 * DAY);
    await hub.withdrawBond(50_000n * UNIT, alliance.owner.address);
    for (const id of [1, 2, 4]) await owned.hub.requestWithdraw(id, (await hub.balanceOf(id)).free);
    await alliance.pass(7 * DAY);
    for (const id of [1, 2, 4]) await hub.executeWithdraw(id);
    assert.deepEqual([...(await hub.solvency())], [0n, 0n]);
  });

  it("keeps floors until a withdrawal's delay has passed", async () => {
    await policy.setFloor(1, 900);
    const owner = hub.connect(alliance.owner);
    await owner.requestWithdraw(1, 1_000);
    await alliance.pass(7 * DAY);
    await hub.beginWindDown();
    assert.equal(await said(hub.executeWithdraw(1)), "FreeTooLow");
    await alliance.pass(7 * DAY);
    await hub.executeWithdraw(1);
  });
});
