// What a revert, a default or a suspension leaves behind, in the hands of those who would make use of it.
import assert from "node:assert/strict";
import { before, beforeEach, describe, it } from "node:test";
import { ATTESTERS, DAY, HOUR, UNIT, commit, events, newAlliance, refusal } from "./alliance.mjs";
import { batch, earn, force, openLanes, voidOf } from "./lanes.mjs";
import { hashStruct } from "./words.mjs";

const QUORUM = ATTESTERS.slice(0, 3);
const [ACTIVE, DELINQUENT, SUSPENDED, LEFT] = [1n, 2n, 3n, 4n];
const [TERMS, GAP] = [4n, 9n];
const said = async (promise) => (await refusal(promise)).name;
const hashOf = (header) => hashStruct("BatchHeader", header);

/** What `reopenForced` asks for: the entry as it stood, and the batch that had answered it. */
const answered = (entry, held) => [entry.toObject(), held.header.batchNo, hashOf(held.header)];

async function settle(alliance, nets) {
  const { header } = await commit(alliance, { nets, wallets: QUORUM });
  await alliance.pass(6 * HOUR);
  await (await alliance.hub.finaliseBatch(header, nets)).wait();
  return header.batchNo;
}

describe("a batch that answered forced events and was thrown out", () => {
  let alliance, hub, queue, byOwner, last, snapshot;
  before(async () => {
    alliance = await newAlliance();
    ({ hub, queue } = alliance);
    byOwner = alliance.registry.connect(alliance.owner);
    await openLanes(alliance, [1, 2]);
    await commit(alliance);
    last = await batch(alliance, [], { 1: 3, 2: 0 });
    await hub.grantRole(await hub.COURT_ROLE(), alliance.admin.address);
    snapshot = await alliance.rpc("evm_snapshot");
  });
  beforeEach(async () => {
    await alliance.rpc("evm_revert", snapshot);
    snapshot = await alliance.rpc("evm_snapshot");
  });

  const fault = async (id, event) => {
    const receipt = await (await queue.dropForced(id, event)).wait();
    return events(queue, receipt, "ForcedDropped")[0].fault;
  };
  /** Forces these; a batch holds the first `few`, which are discharged by it. */
  async function answerFirst(list, few) {
    for (const event of list) await force(alliance, event, last);
    const entries = [];
    for (let id = 1; id <= few; id++) entries.push(await queue.entry(id));
    const held = await batch(alliance, list.slice(0, few), { 1: 3, 2: 0 });
    for (let id = 1; id <= few; id++) await queue.dischargeForced(id, held.leafProof(id - 1));
    return { entries, held };
  }
  const throwOut = async (held) => {
    await hub.revertFrom(held.header, alliance.owner.address, 1);
    await hub.postBond(10_000n * UNIT);
  };

  it("does not stop the hub for what followed them in their lane", async () => {
    const list = [earn(1, 4), voidOf(1, 5)];
    const { entries, held } = await answerFirst(list, 1);
    await throwOut(held);
    await byOwner.endTerms(1);
    await alliance.pass(2 * DAY);
    assert.equal(await said(commit(alliance)), "ForcedOverdue");
    assert.equal(await said(queue.dropForced(2, list[1])), "StillDue");
    await queue.reopenForced(1, ...answered(entries[0], held), 0);
    assert.equal(await fault(1, list[0]), TERMS);
    assert.equal(await fault(2, list[1]), GAP);
    await commit(alliance);
  });

  it("frees the operator from none of them: each stands where it stood, due as it was", async () => {
    const { entries, held } = await answerFirst([voidOf(1, 4), voidOf(2, 1), voidOf(1, 5), voidOf(2, 2)], 3);
    assert.equal(await said(queue.reopenForced(1, ...answered(entries[0], held), 0)), "BatchStands");
    await throwOut(held);
    const back = (id, after) => queue.reopenForced(id, ...answered(entries[id - 1], held), after);
    assert.equal(await said(back(3, 4)), "NotItsPlace");
    await back(3, 0);
    assert.equal(await said(back(3, 0)), "NotDischarged");
    assert.equal(await said(back(2, 3)), "NotItsPlace");
    await back(1, 0);
    await back(2, 1);
    const order = [];
    for (let id = (await queue.queue())[0]; id !== 0n; id = (await queue.entry(id)).next) order.push(id);
    assert.deepEqual(order, [1n, 2n, 3n, 4n]);
    for (const [i, entry] of entries.entries()) {
      const now = await queue.entry(i + 1);
      assert.deepEqual([now.eventHash, now.basisHash, now.dueAt], [entry.eventHash, entry.basisHash, entry.dueAt]);
    }
    await alliance.pass(2 * DAY);
    assert.deepEqual((await refusal(commit(alliance))).args.slice(0, 1), [1n]);
    const again = { ...entries[0].toObject(), dueAt: 0 };
    assert.equal(await said(queue.reopenForced(1, again, held.header.batchNo, hashOf(held.header), 0)), "NotDischarged");
  });

  it("leaves its lane's order: what is forced anew is in the way of what would come back", async () => {
    const { entries, held } = await answerFirst([voidOf(1, 4), voidOf(1, 5)], 2);
    await throwOut(held);
    await force(alliance, voidOf(1, 4), last);
    for (const id of [1, 2]) {
      assert.equal(await said(queue.reopenForced(id, ...answered(entries[id - 1], held), 0)), "WrongNonce", `event ${id}`);
    }
  });
});

describe("after a court has taken numbers back", () => {
  it("what was revoked, ended or suspended meanwhile can be so from the next batch but one", async () => {
    const alliance = await newAlliance();
    const { hub, registry, admin } = alliance;
    const byOwner = registry.connect(alliance.owner);
    await openLanes(alliance, [1]);
    await hub.grantRole(await hub.COURT_ROLE(), admin.address);
    const { header } = await commit(alliance);
    for (let i = 0; i < 5; i++) await commit(alliance);
    await byOwner.revokeKey(1, 1);
    await byOwner.endTerms(1);
    await registry.setStatus(2, SUSPENDED);
    await registry.setStatus(3, LEFT);
    for (const call of [byOwner.revokeKey(1, 1), byOwner.endTerms(1), registry.renewStatus(3)]) {
      assert.match(await said(call), /^(KeyAlreadyRevoked|TermsAlreadyEnded|StatusInForce)$/);
    }
    await hub.revertFrom(header, admin.address, 1);
    const next = await hub.nextBatchNo();
    assert.equal((await registry.key(1, 1)).toBatch, next + 7n);
    await byOwner.revokeKey(1, 1);
    await byOwner.endTerms(1);
    for (const id of [2, 3]) await registry.connect(await alliance.account(9)).renewStatus(id);
    assert.deepEqual([(await registry.key(1, 1)).toBatch, (await registry.terms(1)).toBatch], [next + 1n, next + 1n]);
    for (const at of [next, next + 1n, next + 100n]) {
      const expected = at === next ? [ACTIVE, ACTIVE] : [SUSPENDED, LEFT];
      assert.deepEqual([await registry.statusAt(2, at), await registry.statusAt(3, at)], expected);
    }
    await registry.setStatus(2, ACTIVE);
    assert.equal(await registry.statusAt(2, next + 100n), ACTIVE, "the last word counts");
  });

  it("nobody ends an alliance because the batch that still stands is old", async () => {
    const alliance = await newAlliance();
    const { hub, admin } = alliance;
    await hub.grantRole(await hub.COURT_ROLE(), admin.address);
    await commit(alliance);
    await alliance.pass(29 * DAY);
    const { header } = await commit(alliance);
    await alliance.pass(2 * DAY);
    await hub.revertFrom(header, admin.address, 1);
    await hub.postBond(50_000n * UNIT);
    const stranger = hub.connect(await alliance.account(9));
    assert.equal(await said(stranger.beginWindDown()), "WindDownTooEarly");
    // A revert under a number that has come up again, but was reached only a moment ago, is not the last thing that happened.
    const { header: first } = await commit(alliance, { totalPoints: 1n });
    const { header: second } = await commit(alliance);
    await hub.postBond(50_000n * UNIT);
    await hub.revertFrom(second, admin.address, 1);
    await hub.revertFrom(first, admin.address, 1);
    await hub.postBond(50_000n * UNIT);
    await alliance.pass(31 * DAY);
    await commit(alliance, { totalPoints: 2n });
    assert.equal((await hub.record(await hub.nextBatchNo())).status, 3n);
    assert.equal(await said(stranger.beginWindDown()), "WindDownTooEarly");
    await alliance.pass(30 * DAY + 1);
    await stranger.beginWindDown();
  });
});

describe("a defaulter", () => {
  it("that was suspended is suspended again when it has repaid", async () => {
    const alliance = await newAlliance({ collateral: 0n, bond: 0n });
    const { registry, hub } = alliance;
    await registry.setStatus(1, SUSPENDED);
    await settle(alliance, [{ merchantId: 1, amount: -1n }, { merchantId: 2, amount: 1n }]);
    assert.equal((await registry.merchant(1)).status, DELINQUENT);
    await hub.deposit(1, 1);
    assert.equal((await registry.merchant(1)).status, SUSPENDED);
    await registry.setStatus(1, ACTIVE);
    await settle(alliance, [{ merchantId: 1, amount: -1n }, { merchantId: 2, amount: 1n }]);
    await hub.deposit(1, 1);
    assert.equal((await registry.merchant(1)).status, ACTIVE);
  });

  it("does not sit on what later nets bring it: anybody may have it pay its debts from what is free", async () => {
    const alliance = await newAlliance({ collateral: 0n, bond: 0n });
    const { registry, hub, fund } = alliance;
    const stranger = hub.connect(await alliance.account(9));
    const defaultId = await settle(alliance, [{ merchantId: 1, amount: -500n }, { merchantId: 2, amount: 500n }]);
    await hub.deposit(3, 800);
    await settle(alliance, [{ merchantId: 1, amount: 800n }, { merchantId: 3, amount: -800n }]);
    const waiting = await commit(alliance, { nets: [{ merchantId: 1, amount: -400n }, { merchantId: 2, amount: 400n }], wallets: QUORUM });
    assert.equal(waiting.receipt.status, 1);
    await stranger.repayFromFree(1);
    assert.deepEqual([await fund.owedBy(1), (await hub.balanceOf(1)).locked], [100n, 400n], "what is locked is not touched");
    await hub.deposit(1, 350);
    await stranger.repayFromFree(2);
    await fund.collectClaim(defaultId, 2);
    assert.equal((await hub.balanceOf(2)).free, 500n);
    assert.deepEqual((await hub.balanceOf(1)).toArray(), [250n, 400n]);
    assert.equal((await registry.merchant(1)).status, ACTIVE);
    const { held, owed } = await hub.solvency();
    assert.equal(held, owed);
  });
});

describe("a guarantee fund whose loss overtakes who would join", () => {
  it("takes no money for shares that are worth less than was asked", async () => {
    const alliance = await newAlliance({ collateral: 1_000n, bond: 0n });
    const fund = alliance.fund.connect(alliance.owner);
    await fund.joinGuarantee(3, 1_000, 999);
    await settle(alliance, [{ merchantId: 1, amount: -2_000n }, { merchantId: 2, amount: 2_000n }]);
    const { name, args } = await refusal(fund.joinGuarantee(4, 1_000, 999));
    assert.equal(name, "WorthTooLow");
    assert.ok(args[0] <= 501n, "half of it would be the other members' at once");
    assert.equal((await alliance.hub.balanceOf(4)).free, 1_000n);
  });
});

describe("a guarantee fund that has lost everything many times", () => {
  const STAKE = 5_000n * UNIT;
  let alliance, hub, fund;
  const join = async (id) => {
    await hub.deposit(id, STAKE);
    await (await fund.joinGuarantee(id, STAKE, 0)).wait();
  };
  const loseAll = async () => {
    const missing = (await fund.assets()) + 10n;
    await settle(alliance, [{ merchantId: 1, amount: -missing }, { merchantId: 2, amount: missing }]);
    assert.equal(await fund.assets(), 0n);
    await alliance.pass(91 * DAY);
  };
  beforeEach(async () => {
    alliance = await newAlliance({ merchants: 5, collateral: 0n, bond: 0n });
    hub = alliance.hub;
    fund = alliance.fund.connect(alliance.owner);
  });

  it("still takes members, at what there is", async () => {
    for (let round = 0; round < 9; round++) {
      await join(3);
      assert.ok((await fund.worthOf(3)) >= STAKE - 2n, `round ${round}`);
      await loseAll();
    }
    assert.ok((await fund.recounts()) >= 2n);
  });

  it("counts its shares anew for those who stay, and for what they have announced", async () => {
    for (;;) {
      await join(3);
      if ((await fund.totalShares()) >= 1n << 128n) break;
      await loseAll();
    }
    await fund.leaveGuarantee(3, (await fund.sharesOf(3)) / 2n);
    const [shares, before] = [await fund.sharesOf(3), await fund.recounts()];
    await join(4);
    assert.equal(await fund.recounts(), before + 1n);
    assert.equal(await fund.sharesOf(3), shares >> 64n);
    assert.equal((await fund.leaveOf(3)).shares, (shares / 2n) >> 64n);
    for (const id of [3, 4]) assert.ok((await fund.worthOf(id)) >= STAKE - 2n, `merchant ${id}`);
    await alliance.pass(90 * DAY);
    await fund.executeLeave(3);
    const { free } = await hub.balanceOf(3);
    assert.ok(free <= STAKE / 2n && free >= STAKE / 2n - 2n, `${free}`);
    assert.ok((await fund.worthOf(3)) >= STAKE / 2n - 2n);
    assert.ok((await fund.worthOf(3)) + (await fund.worthOf(4)) <= (await fund.assets()));
  });
});
