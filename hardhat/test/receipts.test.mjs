// Promises of the operator that were not kept: what a late receipt must show, and what it is paid.
import assert from "node:assert/strict";
import { before, beforeEach, describe, it } from "node:test";
import { Wallet } from "ethers";
import { DAY, UNIT, commit, events, newAlliance, refusal } from "./alliance.mjs";
import { RECEIPT_KEY, REDEEM, batch, earn, laneKey, openLanes, sign } from "./lanes.mjs";
import { hashStruct } from "./words.mjs";

const redeem = (settleAmount) => earn(1, 5, { kind: REDEEM, issuerId: 2, termsId: 2, settleAmount });

describe("late receipts", () => {
  let alliance, hub, queue, policy, first, last, sealedAt, snapshot;
  before(async () => {
    alliance = await newAlliance({ collateral: 0n });
    ({ hub, queue, policy } = alliance);
    await openLanes(alliance, [1, 2, 3]);
    await policy.addReceiptSigner(RECEIPT_KEY.address);
    await commit(alliance);
    first = await batch(alliance, [], { 1: 4, 2: 0 });
    snapshot = await alliance.rpc("evm_snapshot");
  });
  beforeEach(async () => {
    await alliance.rpc("evm_revert", snapshot);
    snapshot = await alliance.rpc("evm_snapshot");
    look(first);
  });
  const look = (at) => {
    last = at;
    sealedAt = Number(at.header.sealedAt);
  };

  function receiptFor(event, changes = {}) {
    const { merchantId, keyId, nonce } = event;
    const mergeBy = sealedAt - 1;
    return { eventHash: hashStruct("PointsEvent", event), merchantId, keyId, nonce, acceptedAt: mergeBy - 7200, mergeBy, ...changes };
  }

  async function prove(event, { changes, wallet = RECEIPT_KEY, row = 1, show = false } = {}) {
    const receipt = receiptFor(event, changes);
    const signature = await sign(hub, "AcceptanceReceipt", receipt, wallet);
    const proof = last.rowProof(row);
    if (show) return queue.proveLateEvent(receipt, signature, proof, event);
    return queue.proveLateReceipt(receipt, signature, proof);
  }
  const said = async (promise) => (await refusal(promise)).name;
  const freeOf = async (merchantId) => (await hub.balanceOf(merchantId)).free;

  it("pay 100 units from the bond into the merchant's collateral, once for a number", async () => {
    const sent = await (await prove(redeem(5n * UNIT))).wait();
    const [told] = events(queue, sent, "LateReceipt");
    assert.deepEqual([told.merchantId, told.keyId, told.nonce, told.paid], [1n, 1n, 5n, 100n * UNIT]);
    assert.equal(await freeOf(1), 100n * UNIT);
    assert.equal(await hub.operatorBond(), 49_900n * UNIT);
    assert.equal(await said(prove(redeem(5n * UNIT))), "PenaltyAlreadyPaid");
    const { held, owed } = await hub.solvency();
    assert.equal(held, owed);
  });

  const amounts = [
    [5n * UNIT, 100n * UNIT],
    [100n * UNIT, 100n * UNIT],
    [100n * UNIT + 1n, 100n * UNIT + 1n],
    [1_000n * UNIT, 1_000n * UNIT],
    [70_000n * UNIT, 1_000n * UNIT],
  ];
  for (const [settleAmount, paid] of amounts) {
    it(`pay ${paid} for an event of ${settleAmount} that is shown`, async () => {
      await prove(redeem(settleAmount), { show: true });
      assert.equal(await freeOf(1), paid);
      assert.equal(await queue.penaltyPaid(1, 1, 5), paid);
    });
  }

  it("that was shown without its event is topped up with it, so nobody can settle it for less", async () => {
    await prove(redeem(700n * UNIT));
    await prove(redeem(700n * UNIT), { show: true });
    assert.equal(await freeOf(1), 700n * UNIT);
    assert.equal(await said(prove(redeem(700n * UNIT), { show: true })), "PenaltyAlreadyPaid");
  });

  const refused = [
    ["a promise that was not over", { changes: { mergeBy: 1n << 40n } }, "ReceiptNotLate"],
    ["a number that the lane has reached", { changes: { nonce: 4 } }, "ReceiptKept"],
    ["another lane's row", { row: 2 }, "WrongLane"],
    ["a merchant's own signature", { wallet: laneKey(1) }, "UnknownReceiptSigner"],
    ["another event than it names", { changes: { eventHash: "0x" + "11".repeat(32) }, show: true }, "WrongEvent"],
  ];
  for (const [what, options, name] of refused) {
    it(`are refused with ${what}`, async () => {
      assert.equal(await said(prove(redeem(5n * UNIT), options)), name);
    });
  }

  it("sealed at the very second of the promise were in time", async () => {
    assert.equal(await said(prove(redeem(1n), { changes: { mergeBy: sealedAt } })), "ReceiptNotLate");
  });

  it("are refused against a header that is not committed", async () => {
    const event = redeem(1n);
    const receipt = receiptFor(event);
    const signature = await sign(hub, "AcceptanceReceipt", receipt, RECEIPT_KEY);
    const proof = last.rowProof(1);
    const forged = { ...proof, header: { ...proof.header, sealedAt: proof.header.sealedAt + 1n } };
    assert.equal(await said(queue.proveLateReceipt(receipt, signature, forged)), "NotCommitted");
  });

  it("of a retired key are good for 7 days more, and the key never comes back", async () => {
    await policy.retireReceiptSigner(RECEIPT_KEY.address);
    await prove(redeem(1n));
    await alliance.pass(7 * DAY + 1);
    assert.equal(await said(prove(redeem(1n), { show: true })), "UnknownReceiptSigner");
    assert.equal(await said(policy.addReceiptSigner(RECEIPT_KEY.address)), "ReceiptSignerKnown");
    assert.equal(await said(policy.retireReceiptSigner(RECEIPT_KEY.address)), "ReceiptSignerUnknown");
    assert.equal(await said(policy.addReceiptSigner("0x" + "00".repeat(20))), "ZeroReceiptSigner");
    assert.equal(await said(policy.connect(alliance.owner).addReceiptSigner(Wallet.createRandom().address)), "AccessControlUnauthorizedAccount");
  });

  it("can be asked for again when the bond was too small", async () => {
    const params = (await policy.params()).toObject();
    await policy.setParams({ ...params, operatorBondMin: 0n });
    await hub.withdrawBond(49_970n * UNIT, alliance.owner.address);
    await prove(redeem(1n));
    assert.equal(await freeOf(1), 30n * UNIT);
    assert.equal(await said(prove(redeem(1n))), "BondEmpty");
    await hub.postBond(500n * UNIT);
    await prove(redeem(1n));
    assert.equal(await freeOf(1), 100n * UNIT);
  });

  describe("of a lane that ends", () => {
    const HALF_HOUR = 1_800;
    const fresh = { acceptedAt: () => sealedAt - HALF_HOUR, mergeBy: () => sealedAt + 5_400 };
    const old = { acceptedAt: () => sealedAt - HALF_HOUR - 1, mergeBy: () => sealedAt + 5_399 };
    const changesOf = (times) => ({ acceptedAt: times.acceptedAt(), mergeBy: times.mergeBy() });
    const ends = [
      ["a revocation", () => alliance.registry.connect(alliance.owner).revokeKey(1, 1)],
      ["a suspension", () => alliance.registry.setStatus(1, 3)],
    ];
    for (const [what, end] of ends) {
      it(`are not late in a batch after ${what}, whatever they promise`, async () => {
        await end();
        await commit(alliance);
        look(await batch(alliance, [], { 1: 4, 2: 0 }));
        assert.equal(await said(prove(redeem(1n), { changes: { acceptedAt: 1, mergeBy: 2 } })), "LaneEnded");
      });

      it(`were due half an hour after they were accepted in the last batch before ${what}`, async () => {
        await end();
        look(await batch(alliance, [], { 1: 4, 2: 0 }));
        assert.equal(await said(prove(redeem(1n), { changes: changesOf(fresh) })), "ReceiptNotLate");
        await prove(redeem(1n), { changes: changesOf(old) });
        assert.equal(await freeOf(1), 100n * UNIT);
      });

      it(`keep their time where the promise ran out before ${what}`, async () => {
        await end();
        look(await batch(alliance, [], { 1: 4, 2: 0 }));
        await prove(redeem(1n), { changes: { acceptedAt: sealedAt - 60, mergeBy: sealedAt - 1 } });
      });
    }

    it("keep their time while nothing has ended", async () => {
      assert.equal(await said(prove(redeem(1n), { changes: changesOf(old) })), "ReceiptNotLate");
    });
  });

  it("move bond for the queue alone", async () => {
    assert.equal(await said(hub.payPenalty(1, 1)), "NotPartner");
  });
});
