// Forced events: who may force what, the deadline that stops commits, and the ways out of the queue. That there is always one:
// forced_exits.test.mjs.
import assert from "node:assert/strict";
import { before, beforeEach, describe, it } from "node:test";
import { DAY, HOUR, commit, events, newAlliance, nextHeader, refusal } from "./alliance.mjs";
import { REDEEM, REFERRAL, REFERRAL_CASH, SOME_MEMBER, batch, earn, force, laneKey, openLanes, plan, proven, sign, voidOf } from "./lanes.mjs";
import { ZERO, hashStruct, treeRoot, word } from "./words.mjs";

const FAULTS = ["None", "Kind", "Shape", "Clock", "Terms", "Rate", "Campaign", "Key", "Basis", "Gap"];
const SEQS = { 1: 3, 2: 0, 3: 7 };

describe("forced events", () => {
  let alliance, hub, queue, last, snapshot;
  before(async () => {
    alliance = await newAlliance();
    ({ hub, queue } = alliance);
    await openLanes(alliance, [1, 2, 3]);
    await commit(alliance);
    last = await batch(alliance, [], SEQS);
    snapshot = await alliance.rpc("evm_snapshot");
  });
  beforeEach(async () => {
    await alliance.rpc("evm_revert", snapshot);
    snapshot = await alliance.rpc("evm_snapshot");
  });

  const said = async (promise) => (await refusal(promise)).name;
  const headAndTail = async () => (await queue.queue()).map(Number);

  it("are queued in order, with a deadline, and told in full", async () => {
    const receipt = await (await force(alliance, earn(1, 4), last)).wait();
    const [told] = events(queue, receipt, "ForcedQueued");
    const dueAt = (await alliance.now()) + DAY;
    assert.deepEqual([told.id, told.merchantId, told.keyId, told.dueAt], [1n, 1n, 1n, BigInt(dueAt)]);
    assert.equal(told.eventHash, hashStruct("PointsEvent", earn(1, 4)));
    assert.equal(told.pointsEvent.detailHash, word(4));
    assert.deepEqual([...told.signature], await sign(hub, "PointsEvent", earn(1, 4), laneKey(1)));
    await force(alliance, voidOf(3, 8), last);
    await force(alliance, earn(1, 5), last);
    assert.deepEqual(await headAndTail(), [1, 4]);
    assert.equal((await queue.entry(3)).nonce, 5n);
  });

  const shapes = [
    ["a kind with hidden state", { kind: REDEEM }, "Kind"],
    ["kind 0", { kind: 0 }, "Kind"],
    ["no points", { points: 0 }, "Shape"],
    ["no member", { memberRef: ZERO }, "Shape"],
    ["a reference", { refEventId: word(1) }, "Shape"],
    ["a campaign", { campaignId: 1 }, "Shape"],
    ["a level", { level: 1 }, "Shape"],
    ["a basis", { basis: 1 }, "Shape"],
    ["another issuer", { issuerId: 2, termsId: 2 }, "Shape"],
    ["a time to come", { occurredAt: 1n << 40n }, "Clock"],
    ["no terms", { termsId: 0 }, "Terms"],
    ["another's terms", { termsId: 2 }, "Terms"],
    ["cash that this mode does not move", { settleAmount: 1 }, "Rate"],
    ["a referral without a campaign", { kind: REFERRAL, refEventId: word(1) }, "Shape"],
    ["a referral at level 3", { kind: REFERRAL, refEventId: word(1), campaignId: 7, level: 3 }, "Shape"],
    ["a referral that no contract answers for", { kind: REFERRAL, refEventId: word(1), campaignId: 7, level: 1 }, "Campaign"],
    ["a cash referral with points", { kind: REFERRAL_CASH, issuerId: 0, termsId: 0, refEventId: word(1), campaignId: 7, level: 1 }, "Shape"],
  ];
  for (const [what, changes, fault] of shapes) {
    it(`are refused with ${what}: ${fault}`, async () => {
      const { name, args } = await refusal(force(alliance, earn(1, 4, changes), last));
      assert.deepEqual([name, FAULTS[args[0]]], ["NotForceable", fault]);
    });
  }

  it("are refused out of turn, of another lane, by another key, against a batch that is not there", async () => {
    assert.deepEqual(await refusal(force(alliance, earn(1, 5), last)), { name: "WrongNonce", args: [4n, 5n] });
    assert.deepEqual(await refusal(force(alliance, earn(1, 3), last)), { name: "WrongNonce", args: [4n, 3n] });
    assert.equal(await said(force(alliance, earn(1, 4), last, laneKey(2))), "WrongSigner");
    const signature = await sign(hub, "PointsEvent", earn(1, 4), laneKey(1));
    assert.equal(await said(queue.forceEvent(earn(1, 4), signature, last.rowProof(2))), "WrongLane");
    const wrongRow = { ...last.rowProof(1), row: { ...last.rowProof(1).row, seq: 2 } };
    assert.equal(await said(queue.forceEvent(earn(1, 3), signature, wrongRow)), "RootMismatch");
    const { header } = await commit(alliance);
    const elsewhere = { ...last, rowProof: (id) => ({ ...last.rowProof(id), header: { ...header, accountsRoot: last.header.accountsRoot } }) };
    assert.equal(await said(force(alliance, earn(1, 4), elsewhere)), "NotCommitted");
    const stranger = earn(4, 1, { termsId: 4 });
    const more = await batch(alliance, [], { ...SEQS, 4: 0 });
    assert.equal(await said(force(alliance, stranger, more, laneKey(1))), "NotForceable");
  });

  it("may wait sixteen to a lane", async () => {
    for (let nonce = 4; nonce < 20; nonce++) await force(alliance, voidOf(1, nonce), last);
    assert.equal(await said(force(alliance, voidOf(1, 20), last)), "LaneQueueFull");
    await force(alliance, voidOf(2, 1), last);
  });

  it("stop commits once overdue, and are discharged by a committed leaf", async () => {
    await force(alliance, earn(1, 4), last);
    await force(alliance, earn(2, 1), last);
    const held = await batch(alliance, [earn(2, 1), earn(1, 4)], SEQS);
    assert.equal(await said(queue.dischargeForced(1, held.leafProof(0))), "WrongLane");
    await alliance.pass(DAY + 1);
    assert.deepEqual((await refusal(commit(alliance))).name, "ForcedOverdue");
    const receipt = await (await queue.dischargeForced(1, held.leafProof(1))).wait();
    assert.deepEqual(events(queue, receipt, "ForcedDischarged").map(({ id, batchNo, late }) => [id, batchNo, late]), [[1n, 3n, true]]);
    assert.deepEqual((await refusal(commit(alliance))).args.slice(0, 1), [2n]);
    await queue.dischargeForced(2, held.leafProof(0));
    assert.equal(await said(queue.dischargeForced(2, held.leafProof(0))), "NotQueued");
    assert.equal(await said(queue.dischargeForced(3, held.leafProof(0))), "NotQueued");
    await commit(alliance);
    assert.deepEqual(await headAndTail(), [3, 3]);
  });

  it("let through only the batch that was shown to hold them, when all are overdue", async () => {
    await force(alliance, earn(1, 4), last);
    await force(alliance, earn(3, 8), last);
    await alliance.pass(3 * DAY);
    const planned = await plan(alliance, [earn(1, 4), earn(2, 1), earn(3, 8)], SEQS);
    const header = await nextHeader(alliance, planned.fields);
    const { leafProof } = proven(planned, header);
    const send = () => hub.commitBatch(header, [], []);
    assert.equal(await said(send()), "ForcedOverdue");
    await queue.coverForced(1, leafProof(0));
    assert.deepEqual((await refusal(send())).args.slice(0, 1), [2n]);
    assert.equal(await said(queue.coverForced(3, leafProof(2))), "NotQueued");
    assert.equal(await said(queue.coverForced(2, { ...leafProof(2), header: { ...header, batchNo: 9 } })), "NotNextBatch");
    await queue.coverForced(2, leafProof(2));
    assert.equal(await said(hub.commitBatch({ ...header, totalPoints: 1n }, [], [])), "ForcedOverdue");
    const receipt = await (await send()).wait();
    assert.deepEqual(events(queue, receipt, "ForcedDischarged").map(({ id, batchNo, late }) => [id, batchNo, late]), [
      [1n, 3n, true],
      [2n, 3n, true],
    ]);
    await commit(alliance);
  });

  it("are discharged by another event with the same number, and the double signature is noted", async () => {
    await force(alliance, earn(1, 4), last);
    const other = earn(1, 4, { points: 999 });
    const forged = await batch(alliance, [other], SEQS);
    const lying = forged.leafProof(0);
    lying.leaf = { ...lying.leaf, eventHash: hashStruct("PointsEvent", earn(1, 4)) };
    assert.equal(await said(queue.dischargeForced(1, lying)), "RootMismatch");
    assert.equal(await said(queue.dischargeForced(1, { ...forged.leafProof(0), pointsEvent: earn(1, 4) })), "WrongEvent");
    const receipt = await (await queue.dischargeForced(1, forged.leafProof(0))).wait();
    const [told] = events(queue, receipt, "Equivocation");
    assert.deepEqual([told.merchantId, told.nonce, told.mergedHash], [1n, 4n, hashStruct("PointsEvent", other)]);
    assert.equal(await queue.equivocations(1), 1n);
  });

  it("make one double signature of one event, however often it is shown", async () => {
    await force(alliance, earn(1, 4), last);
    const planned = await plan(alliance, [earn(1, 4, { points: 999 })], SEQS);
    for (const totalPoints of [1n, 2n]) {
      const header = await nextHeader(alliance, { ...planned.fields, totalPoints });
      await queue.coverForced(1, proven(planned, header).leafProof(0));
    }
    assert.equal(await queue.equivocations(1), 1n);
  });

  it("are not discharged by an event that the merchant did not sign", async () => {
    await force(alliance, earn(1, 4), last);
    const other = earn(1, 4, { points: 999 });
    const planned = await plan(alliance, [other], SEQS);
    const signature = await sign(hub, "PointsEvent", other, laneKey(2));
    [planned.leaves[0].sigR, planned.leaves[0].sigVS] = signature;
    planned.leafHashes[0] = hashStruct("SettlementLeaf", planned.leaves[0]);
    const { header } = await commit(alliance, { ...planned.fields, leavesRoot: treeRoot(planned.leafHashes) });
    assert.equal(await said(queue.dischargeForced(1, proven(planned, header).leafProof(0))), "WrongSigner");
    assert.equal(await queue.equivocations(1), 0n);
  });

  it("can be dropped when the key was revoked, and what followed in the lane with it", async () => {
    await force(alliance, earn(1, 4), last);
    await force(alliance, earn(1, 5), last);
    await force(alliance, earn(2, 1), last);
    assert.equal(await said(queue.dropForced(1, earn(1, 4))), "StillDue");
    assert.equal(await said(queue.dropForced(2, earn(1, 5))), "StillDue");
    await alliance.registry.connect(alliance.owner).revokeKey(1, 1);
    assert.equal(await said(queue.dropForced(1, earn(1, 4))), "StillDue");
    await commit(alliance);
    assert.equal(await said(queue.dropForced(1, earn(1, 5))), "WrongEvent");
    const first = await (await queue.dropForced(1, earn(1, 4))).wait();
    const second = await (await queue.dropForced(2, earn(1, 5))).wait();
    const faults = [first, second].map((receipt) => FAULTS[events(queue, receipt, "ForcedDropped")[0].fault]);
    assert.deepEqual(faults, ["Key", "Gap"]);
    assert.equal(await said(queue.dropForced(3, earn(2, 1))), "StillDue");
  });

  it("can be dropped when their terms ended", async () => {
    await force(alliance, earn(1, 4), last);
    await alliance.registry.connect(alliance.owner).endTerms(1);
    await commit(alliance);
    const receipt = await (await queue.dropForced(1, earn(1, 4))).wait();
    assert.equal(FAULTS[events(queue, receipt, "ForcedDropped")[0].fault], "Terms");
    const now = await batch(alliance, [], SEQS);
    await force(alliance, voidOf(1, 4), now);
  });

  it("can be dropped when the batch they followed was reverted", async () => {
    await hub.grantRole(await hub.COURT_ROLE(), alliance.admin.address);
    await force(alliance, earn(1, 4), last);
    await hub.revertFrom(last.header, alliance.owner.address, 1);
    const receipt = await (await queue.dropForced(1, earn(1, 4))).wait();
    assert.equal(FAULTS[events(queue, receipt, "ForcedDropped")[0].fault], "Basis");
  });

  it("keep their order when the deadline is shortened", async () => {
    await force(alliance, earn(1, 4), last);
    const { policy } = alliance;
    await policy.setDisputeParams({ ...(await policy.disputeParams()).toObject(), forceDeadlineSeconds: HOUR });
    await force(alliance, earn(2, 1), last);
    const [first, second] = [await queue.entry(1), await queue.entry(2)];
    assert.ok(second.dueAt >= first.dueAt);
  });

  it("are for the hub alone to clear", async () => {
    assert.equal(await said(queue.clearOverdue(ZERO)), "NotHub");
    assert.equal(await said(queue.bindHub()), "HubBoundAlready");
    assert.equal(await said(hub.setForcedDue(1)), "NotPartner");
  });
});
