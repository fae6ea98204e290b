// Collateral, floors, bond and hostile assets: what goes in, what may come out, and when.
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { ATTESTERS, DAY, HOUR, UNIT, artifact, commit, events, newAlliance, refusal } from "./alliance.mjs";
import { Interface } from "ethers";

const QUORUM = ATTESTERS.slice(0, 3);

describe("collateral", () => {
  let alliance, hub, asMerchant;
  before(async () => {
    alliance = await newAlliance({ collateral: 1_000n });
    hub = alliance.hub;
    asMerchant = hub.connect(alliance.owner);
  });

  it("takes deposits from anyone for any registered merchant, and no others", async () => {
    const receipt = await (await hub.deposit(2, 5)).wait();
    assert.equal(events(hub, receipt, "Deposited")[0].amount, 5n);
    assert.equal((await hub.balanceOf(2)).free, 1_005n);
    assert.equal((await refusal(hub.deposit(99, 5))).name, "MerchantNotRegistered");
    assert.equal((await refusal(hub.deposit(2, 0))).name, "ZeroAmount");
  });

  it("pays a withdrawal to the payout address after the delay, also while paused", async () => {
    assert.equal((await refusal(hub.requestWithdraw(1, 400))).name, "NotPayoutAdmin");
    assert.equal((await refusal(asMerchant.requestWithdraw(1, 0))).name, "ZeroAmount");
    assert.equal((await refusal(hub.executeWithdraw(1))).name, "NoWithdrawal");
    await asMerchant.requestWithdraw(1, 400);
    assert.equal((await refusal(asMerchant.requestWithdraw(1, 1))).name, "WithdrawalPending");
    await alliance.pass(7 * DAY - 10);
    assert.equal((await refusal(hub.executeWithdraw(1))).name, "WithdrawalTooEarly");
    await alliance.pass(10);
    await alliance.policy.pause();
    const before = await alliance.asset.balanceOf(alliance.owner.address);
    await hub.executeWithdraw(1);
    assert.equal((await alliance.asset.balanceOf(alliance.owner.address)) - before, 400n);
    assert.equal((await hub.balanceOf(1)).free, 600n);
    await alliance.policy.unpause();
    assert.equal((await refusal(hub.executeWithdraw(1))).name, "NoWithdrawal");
  });

  it("keeps no way out in store: a withdrawal that was not executed in a week has lapsed, and is announced anew", async () => {
    await asMerchant.requestWithdraw(4, 300);
    const { readyAt } = await hub.withdrawalOf(4);
    await alliance.moveTo(Number(readyAt) + 7 * DAY);
    assert.deepEqual(await refusal(hub.executeWithdraw(4)), { name: "WithdrawalLapsed", args: [4n, readyAt + BigInt(7 * DAY)] });
    await asMerchant.requestWithdraw(4, 200);
    assert.equal((await refusal(hub.executeWithdraw(4))).name, "WithdrawalTooEarly");
    await alliance.pass(7 * DAY);
    await hub.executeWithdraw(4);
    assert.equal((await hub.balanceOf(4)).free, 800n);
    await hub.deposit(4, 200);
  });

  it("takes a withdrawal back", async () => {
    assert.equal((await refusal(asMerchant.cancelWithdraw(1))).name, "NoWithdrawal");
    await asMerchant.requestWithdraw(1, 1);
    assert.equal((await refusal(hub.cancelWithdraw(1))).name, "NotPayoutAdmin");
    await asMerchant.cancelWithdraw(1);
    assert.equal((await hub.withdrawalOf(1)).amount, 0n);
  });

  it("keeps what nets have locked, and what the floor holds", async () => {
    await asMerchant.requestWithdraw(3, 1_000);
    await alliance.pass(8 * DAY);
    await commit(alliance, { nets: [{ merchantId: 3, amount: -1n }, { merchantId: 4, amount: 1n }] });
    assert.deepEqual(await refusal(hub.executeWithdraw(3)), { name: "FreeTooLow", args: [3n, 999n, 1_000n] });
    await hub.deposit(3, 1);
    await alliance.policy.setFloor(3, 1);
    assert.deepEqual(await refusal(hub.executeWithdraw(3)), { name: "FreeTooLow", args: [3n, 1_000n, 1_001n] });
    await hub.deposit(3, 1);
    await hub.executeWithdraw(3);
    assert.equal((await hub.balanceOf(3)).free, 1n);
  });

  it("raises a floor at once but tenfold at most, and lowers it only after 7 days", async () => {
    assert.equal((await refusal(alliance.policy.connect(alliance.owner).setFloor(4, 1))).name, "AccessControlUnauthorizedAccount");
    assert.equal((await refusal(alliance.policy.setFloor(4, 100_001n * UNIT))).name, "FloorTooHigh");
    await alliance.policy.setFloor(4, 100);
    assert.equal(await alliance.policy.floorOf(4), 100n);
    assert.deepEqual(await refusal(alliance.policy.setFloor(4, 1_001)), { name: "FloorTooHigh", args: [4n, 1_001n, 1_000n] });
    await alliance.policy.setFloor(4, 1_000);
    await alliance.policy.setFloor(4, 10);
    assert.equal(await alliance.policy.floorOf(4), 1_000n);
    await alliance.pass(7 * DAY);
    assert.equal(await alliance.policy.floorOf(4), 10n);
  });

  it("lets the operator have back only bond above the minimum", async () => {
    await hub.postBond(7);
    const to = alliance.owner.address;
    assert.equal((await refusal(asMerchant.withdrawBond(7, to))).name, "AccessControlUnauthorizedAccount");
    assert.equal((await refusal(hub.withdrawBond(8, to))).name, "BondTooLow");
    await hub.withdrawBond(7, to);
    assert.equal(await hub.operatorBond(), 50_000n * UNIT);
  });

  it("refuses withdrawals of a defaulter until its claims are repaid", async () => {
    const fresh = await newAlliance({ collateral: 100n, bond: 0n });
    const nets = [{ merchantId: 1, amount: -150n }, { merchantId: 2, amount: 150n }];
    const { header } = await commit(fresh, { nets, wallets: QUORUM });
    await fresh.pass(6 * HOUR);
    await fresh.hub.finaliseBatch(header, nets);
    await fresh.hub.connect(fresh.owner).requestWithdraw(1, 1);
    await fresh.pass(7 * DAY);
    assert.deepEqual(await refusal(fresh.hub.executeWithdraw(1)), { name: "MerchantDelinquent", args: [1n, 50n] });
    assert.equal(await fresh.hub.netPosition(1), -50n);
    assert.equal((await refusal(fresh.fund.collectClaim(1, 2))).name, "NothingToCollect");
    await fresh.hub.deposit(1, 51);
    await fresh.hub.executeWithdraw(1);
    await fresh.fund.collectClaim(1, 2);
    assert.equal((await refusal(fresh.fund.collectClaim(1, 2))).name, "NothingToCollect");
    assert.equal((await fresh.hub.balanceOf(2)).free, 250n);
  });
});

describe("hostile assets", () => {
  const deposit = new Interface(artifact("SettlementHub").abi).encodeFunctionData("deposit", [1, 1]);

  it("refuses one that takes a fee on transfer", async () => {
    const refused = await refusal(newAlliance({ token: "FeeToken", merchants: 1 }));
    assert.equal(refused.name, "AssetDeltaWrong");
  });

  it("is not entered again by one that calls back", async () => {
    const alliance = await newAlliance({ token: "CallbackToken", merchants: 1 });
    await alliance.asset.callBack(alliance.hub.target, deposit);
    assert.equal((await refusal(alliance.hub.deposit(1, 5))).name, "ReentrancyGuardReentrantCall");
  });

  it("settles all the same when one freezes a merchant's payout, for nets move inside the hub", async () => {
    const alliance = await newAlliance({ token: "FreezingToken", collateral: 100n });
    const nets = [{ merchantId: 1, amount: -10n }, { merchantId: 2, amount: 10n }];
    const { header } = await commit(alliance, { nets, wallets: QUORUM });
    await alliance.asset.freeze(alliance.owner.address);
    await alliance.pass(6 * HOUR);
    await alliance.hub.finaliseBatch(header, nets);
    await alliance.hub.connect(alliance.owner).requestWithdraw(2, 110);
    await alliance.pass(7 * DAY);
    assert.equal((await refusal(alliance.hub.executeWithdraw(2))).name, "Frozen");
    assert.equal((await alliance.hub.balanceOf(2)).free, 110n);
  });
});
