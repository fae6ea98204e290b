// From an old hub to a new one: the last settling batch, the wind-down, and that nothing signed for the old domain counts in
// the new one.
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { ATTESTERS, DAY, HOUR, NOTHING_CARRIED, attestations, commit, newAlliance, nextHeader, refusal } from "./alliance.mjs";
import { batch, earn, force, laneKey, openLanes, sign } from "./lanes.mjs";
import { carriedAnchor, hashStruct, word } from "./words.mjs";

const QUORUM = ATTESTERS.slice(0, 3);
const NETS = [
  { merchantId: 1, amount: -700n },
  { merchantId: 2, amount: 700n },
];
const SEQS = { 1: 3, 2: 0 };
const said = async (promise) => (await refusal(promise)).name;

describe("a migration", () => {
  let old, next, last;
  before(async () => {
    old = await newAlliance({ collateral: 1_000n });
    await openLanes(old, [1, 2]);
    await commit(old, { wallets: QUORUM });
    last = (await commit(old, { nets: NETS, wallets: QUORUM })).header;
    await old.hub.beginWindDown();
    next = await newAlliance({ chain: old, collateral: 0n });
    await openLanes(next, [1, 2]);
    await commit(next, { wallets: QUORUM });
  });

  it("settles the old hub's last batch and pays everybody out, with no batch after it", async () => {
    assert.equal(await said(commit(old, { wallets: QUORUM })), "WindingDown");
    await old.pass(6 * HOUR);
    await old.hub.finaliseThrough(1);
    await old.hub.finaliseBatch(last, NETS);
    assert.equal((await old.hub.balanceOf(2)).free, 1_700n);
    const owner = old.hub.connect(old.owner);
    await owner.requestWithdraw(2, 1_700);
    await old.pass(7 * DAY);
    await old.hub.executeWithdraw(2);
    assert.equal(await old.asset.balanceOf(old.owner.address), 1_700n);
  });

  it("takes in the new hub only what was signed again", async () => {
    const lanes = await batch(next, [], SEQS, { wallets: QUORUM });
    const event = earn(1, 4);
    const before = await sign(old.hub, "PointsEvent", event, laneKey(1));
    assert.equal(await said(next.queue.forceEvent(event, before, lanes.rowProof(1))), "WrongSigner");
    await (await force(next, event, lanes)).wait();
  });

  it("shares no header and no attestation between the hubs", async () => {
    assert.notEqual(await next.hub.domainSeparator(), await old.hub.domainSeparator());
    assert.notEqual(await next.hub.headerHash(0), await old.hub.headerHash(0));
    const header = await nextHeader(next);
    const foreign = await attestations(old.hub, header, QUORUM.slice(0, 1));
    assert.equal(await said(next.hub.commitBatch(header, [], foreign)), "UnknownAttester");
    const batchNo = await next.hub.nextBatchNo();
    assert.equal(await said(next.hub.commitBatch({ ...last, batchNo }, NETS, [])), "WrongPrevHeader");
  });

  it("binds a hub that goes on to the header it goes on after, and counts on from there", async () => {
    const { chainId } = await old.provider.getNetwork();
    const left = { chainId, hub: old.hub.target, headerHash: hashStruct("BatchHeader", last) };
    const counted = { batchNo: last.batchNo + 1n, netsSinceBatch: last.batchNo, firstLeafNo: await old.hub.nextLeafNo() };
    const numbers = { ...counted, totalPoints: 1_000n, journalHead: word(5) };
    const { hub, ...rest } = await newAlliance({ chain: old, collateral: 0n, carried: { ...left, ...numbers } });
    const [told] = await hub.queryFilter("BatchCommitted");
    const { header } = told.args.toObject(true);
    assert.equal(header.prevHeaderHash, carriedAnchor(chainId, hub.target, left));
    assert.deepEqual([header.batchNo, header.firstLeafNo, header.totalPoints, header.netsSinceBatch], [3n, 131_073n, 1_000n, 2n]);
    assert.equal(await hub.headerHash(3), told.args.headerHash);
    assert.equal(await hub.isFinal(3, told.args.headerHash), true);
    assert.deepEqual((await hub.queryFilter("CarriedOver"))[0].args.toArray(), [chainId, left.hub, left.headerHash]);
    const { header: following } = await commit({ hub, ...rest }, { nets: NETS, wallets: QUORUM });
    assert.deepEqual([following.batchNo, following.firstLeafNo, following.netsSinceBatch], [4n, 131_073n, 2n]);
    const log = { ...left, ...numbers, batchNo: 4n };
    const later = await newAlliance({ chain: old, collateral: 0n, carried: log });
    assert.equal((await commit(later, { wallets: QUORUM })).header.netsSinceBatch, 2n, "a log batch came after what settled");
    assert.equal(await said(newAlliance({ chain: old, carried: { ...log, netsSinceBatch: 4n } })), "CarriedUnsettled");
    const half = { ...NOTHING_CARRIED, batchNo: 3n };
    assert.equal(await said(newAlliance({ chain: old, carried: half })), "CarriedHalfway");
    assert.equal(await said(newAlliance({ chain: old, carried: { ...half, batchNo: 0n, headerHash: word(1) } })), "CarriedHalfway");
  });

  it("leaves the old hub's registry to the old hub", async () => {
    assert.equal(await said(old.registry.bindHub(next.hub.target)), "HubAlreadyBound");
  });
});
