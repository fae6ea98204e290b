// That no mixture of forced events stops the hub: whatever is overdue is held by the next batch, or leaves the queue by
// itself, wherever it stands; and what others do meanwhile is in nobody's way.
import assert from "node:assert/strict";
import { before, beforeEach, describe, it } from "node:test";
import { DAY, commit, events, newAlliance, nextHeader, refusal } from "./alliance.mjs";
import { batch, earn, force, openLanes, plan, proven, voidOf } from "./lanes.mjs";
import { hashStruct } from "./words.mjs";

const FAULTS = ["None", "Kind", "Shape", "Clock", "Terms", "Rate", "Campaign", "Key", "Basis", "Gap"];
const [SUSPENDED, ACTIVE] = [3, 1];
const SEQS = { 1: 3, 2: 0, 3: 7 };
const hashOf = (header) => hashStruct("BatchHeader", header);

describe("the ways out of the forced queue", () => {
  let alliance, hub, queue, registry, byOwner, last, snapshot;
  before(async () => {
    alliance = await newAlliance();
    ({ hub, queue, registry } = alliance);
    byOwner = registry.connect(alliance.owner);
    await openLanes(alliance, [1, 2, 3]);
    await commit(alliance);
    last = await batch(alliance, [], SEQS);
    await hub.grantRole(await hub.COURT_ROLE(), alliance.admin.address);
    snapshot = await alliance.rpc("evm_snapshot");
  });
  beforeEach(async () => {
    await alliance.rpc("evm_revert", snapshot);
    snapshot = await alliance.rpc("evm_snapshot");
  });

  const said = async (promise) => (await refusal(promise)).name;
  const drop = async (id, event) => {
    const receipt = await (await queue.dropForced(id, event)).wait();
    return FAULTS[events(queue, receipt, "ForcedDropped")[0].fault];
  };
  /** Ids on the queue, in its order. */
  async function ids() {
    const found = [];
    let [id, tail] = await queue.queue();
    for (; id !== 0n && id !== tail; id = (await queue.entry(id)).next) found.push(Number(id));
    return found;
  }
  /** The next batch, over these events, shown to hold those that are queued under these ids. */
  async function covering(list, queuedAs, options = {}) {
    const planned = await plan(alliance, list, SEQS);
    const header = await nextHeader(alliance, { ...planned.fields, ...options });
    const { leafProof } = proven(planned, header);
    for (const [index, id] of queuedAs.entries()) if (id) await queue.coverForced(id, leafProof(index));
    return header;
  }
  const isNext = async (header) => {
    await (await hub.commitBatch(header, [], [])).wait();
    assert.equal(await hub.nextBatchNo(), BigInt(header.batchNo) + 1n);
  };

  it("lead past a sound event that waits before one whose key has ended", async () => {
    await force(alliance, earn(1, 4), last);
    await force(alliance, earn(2, 1), last);
    await byOwner.revokeKey(2, 1);
    await commit(alliance);
    await alliance.pass(2 * DAY);
    const header = await covering([earn(1, 4)], [1]);
    assert.deepEqual((await refusal(hub.commitBatch(header, [], []))).args.slice(0, 1), [2n]);
    assert.equal(await said(queue.dropForced(1, earn(1, 4))), "StillDue");
    assert.equal(await drop(2, earn(2, 1)), "Key");
    await isNext(header);
    assert.deepEqual(await ids(), []);
  });

  it("lead past a sound event that waits before one that an earlier batch holds", async () => {
    await force(alliance, earn(1, 4), last);
    await force(alliance, earn(2, 1), last);
    const held = await batch(alliance, [earn(2, 1)], SEQS);
    await alliance.pass(2 * DAY);
    await queue.dischargeForced(2, held.leafProof(0));
    assert.deepEqual(await ids(), [1]);
    await isNext(await covering([earn(1, 4)], [1]));
  });

  it("keep the others in their order, whoever leaves", async () => {
    for (const [id, event] of [earn(1, 4), earn(2, 1), earn(3, 8), voidOf(1, 5), voidOf(2, 2)].entries()) {
      assert.equal((await force(alliance, event, last).then((sent) => sent.wait())).status, 1, `event ${id}`);
    }
    const held = await batch(alliance, [earn(3, 8), earn(2, 1), voidOf(2, 2), earn(1, 4), voidOf(1, 5)], SEQS);
    await queue.dischargeForced(3, held.leafProof(0));
    assert.deepEqual(await ids(), [1, 2, 4, 5]);
    assert.equal(await said(queue.dischargeForced(5, held.leafProof(2))), "NotLanesFirst");
    await queue.dischargeForced(2, held.leafProof(1));
    await queue.dischargeForced(5, held.leafProof(2));
    assert.deepEqual(await ids(), [1, 4]);
    await force(alliance, earn(3, 9), await batch(alliance, [], { ...SEQS, 3: 8 }));
    assert.deepEqual(await ids(), [1, 4, 6]);
    await queue.dischargeForced(1, held.leafProof(3));
    await queue.dischargeForced(4, held.leafProof(4));
    assert.deepEqual(await ids(), [6]);
    assert.deepEqual((await queue.queue()).map(Number), [6, 7]);
  });

  it("lead out of the middle of a lane: what went before stays due, what follows goes too, then the lane goes on", async () => {
    await force(alliance, voidOf(1, 4), last);
    await force(alliance, earn(1, 5), last);
    await force(alliance, voidOf(1, 6), last);
    await byOwner.endTerms(1);
    await commit(alliance);
    assert.equal(await drop(2, earn(1, 5)), "Terms");
    assert.equal(await said(queue.dropForced(1, voidOf(1, 4))), "StillDue");
    assert.deepEqual(await refusal(force(alliance, voidOf(1, 5), last)), { name: "LaneBroken", args: [1n, 1n, 1n] });
    assert.equal(await drop(3, voidOf(1, 6)), "Gap");
    await force(alliance, voidOf(1, 5), last);
    assert.deepEqual(await ids(), [1, 4]);
    await alliance.pass(2 * DAY);
    await isNext(await covering([voidOf(1, 4), voidOf(1, 5)], [1, 4]));
  });

  it("do not let an event go because one of its lane was dropped after it was answered", async () => {
    await force(alliance, voidOf(1, 4), last);
    await force(alliance, earn(1, 5), last);
    const held = await batch(alliance, [voidOf(1, 4)], SEQS);
    await queue.dischargeForced(1, held.leafProof(0));
    assert.equal(await said(queue.dropForced(2, earn(1, 5))), "StillDue");
    await byOwner.endTerms(1);
    await commit(alliance);
    assert.equal(await drop(2, earn(1, 5)), "Terms");
    await force(alliance, voidOf(1, 5), await batch(alliance, [], { ...SEQS, 1: 4 }));
    assert.equal(await said(queue.dropForced(3, voidOf(1, 5))), "StillDue");
  });

  it("stay open where only the next batch could hold what is overdue: suspended, ended or revoked now, dropped now", async () => {
    await force(alliance, earn(1, 4), last);
    await alliance.pass(DAY);
    await registry.setStatus(1, SUSPENDED);
    await alliance.pass(2);
    assert.equal(await said(commit(alliance)), "ForcedOverdue");
    assert.equal(await drop(1, earn(1, 4)), "Key");
    await registry.setStatus(1, ACTIVE);
    await commit(alliance);
  });

  it("are no sooner open: within the deadline the next batch can hold what ends after it", async () => {
    await force(alliance, earn(1, 4), last);
    await force(alliance, voidOf(2, 1), last);
    await byOwner.endTerms(1);
    await byOwner.revokeKey(2, 1);
    for (const [id, event] of [[1, earn(1, 4)], [2, voidOf(2, 1)]]) assert.equal(await said(queue.dropForced(id, event)), "StillDue");
    await alliance.pass(DAY + 60);
    assert.equal(await drop(1, earn(1, 4)), "Terms");
    assert.equal(await drop(2, voidOf(2, 1)), "Key");
  });

  it("are not open for a VOID of a suspended merchant, which any batch can hold", async () => {
    await force(alliance, voidOf(1, 4), last);
    await registry.setStatus(1, SUSPENDED);
    await alliance.pass(2 * DAY);
    assert.equal(await said(queue.dropForced(1, voidOf(1, 4))), "StillDue");
    await isNext(await covering([voidOf(1, 4)], [1]));
  });

  it("are not closed by a stranger who shows that some other batch would hold the event too", async () => {
    await force(alliance, earn(1, 4), last);
    await alliance.pass(2 * DAY);
    const header = await covering([earn(1, 4)], [1]);
    const stranger = await alliance.account(9);
    const planned = await plan(alliance, [earn(1, 4)], SEQS);
    const other = await nextHeader(alliance, { ...planned.fields, totalPoints: 5n });
    await queue.connect(stranger).coverForced(1, proven(planned, other).leafProof(0));
    assert.equal(await queue.isCovered(1, hashOf(other)), true);
    await isNext(header);
    assert.equal(await queue.isCovered(1, hashOf(header)), false, "it has left the queue");
  });

  it("begin at any batch that stands: a newer one is in no merchant's way", async () => {
    await commit(alliance);
    await batch(alliance, [], { ...SEQS, 1: 4 });
    await force(alliance, earn(2, 1), last);
    await force(alliance, earn(1, 4), last);
    const used = await batch(alliance, [earn(1, 4)], SEQS);
    await queue.dischargeForced(2, used.leafProof(0));
    await hub.revertFrom(used.header, alliance.owner.address, 1);
    assert.equal(await said(queue.dropForced(1, earn(2, 1))), "StillDue");
    await hub.postBond(20_000n * 1_000_000n);
    await hub.revertFrom(last.header, alliance.owner.address, 1);
    assert.equal(await drop(1, earn(2, 1)), "Basis");
    assert.equal(await said(force(alliance, earn(2, 1), last)), "NotCommitted");
  });

  it("lead past old events that somebody has filled a lane with: what used them discharges them, then the new one is taken", async () => {
    const old = Array.from({ length: 16 }, (_, i) => voidOf(1, 4 + i));
    const used = await batch(alliance, old, { ...SEQS, 1: 19 });
    for (const event of old) await force(alliance, event, last);
    assert.equal(await said(force(alliance, voidOf(1, 20), used)), "LaneQueueFull");
    for (const index of old.keys()) await queue.dischargeForced(1 + index, used.leafProof(index));
    await force(alliance, voidOf(1, 20), used);
    assert.deepEqual(await ids(), [17]);
  });

  it("take a number again when the batch that had discharged it was thrown out", async () => {
    await force(alliance, earn(1, 4), last);
    const held = await batch(alliance, [earn(1, 4)], SEQS);
    await queue.dischargeForced(1, held.leafProof(0));
    await hub.revertFrom(held.header, alliance.owner.address, 1);
    await force(alliance, earn(1, 4), last);
    assert.deepEqual(await ids(), [2]);
  });
});
