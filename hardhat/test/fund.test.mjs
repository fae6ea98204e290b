// The guarantee fund, the waterfall of a default and its repayment, bounties, and what only the fund may ask of the hub.
import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { DAY, NOTHING_CARRIED, UNIT, commit, events, newAlliance, refusal } from "./alliance.mjs";

const NOBODYS = 1_000_000n;
const said = async (promise) => (await refusal(promise)).name;

/** Commits and settles these nets without attesters. */
async function settle(alliance, nets) {
  const { header } = await commit(alliance, { nets });
  await alliance.pass(7 * DAY);
  return (await alliance.hub.finaliseBatch(header, nets)).wait();
}

describe("joining and leaving", () => {
  let alliance, hub, fund;
  beforeEach(async () => {
    alliance = await newAlliance({ collateral: 1_000n });
    hub = alliance.hub;
    fund = alliance.fund.connect(alliance.owner);
  });

  it("moves free collateral in at the price of a share and out again after 90 days", async () => {
    const sent = await (await fund.joinGuarantee(1, 400, 0)).wait();
    const [joined] = events(fund, sent, "GuaranteeJoined");
    assert.deepEqual([joined.amount, joined.shares], [400n, 400n * NOBODYS]);
    assert.equal((await hub.balanceOf(1)).free, 600n);
    assert.deepEqual([await fund.assets(), await fund.worthOf(1)], [400n, 400n]);
    await fund.leaveGuarantee(1, 100n * NOBODYS);
    assert.equal(await said(fund.executeLeave(1)), "LeaveTooEarly");
    assert.equal(await said(fund.leaveGuarantee(1, 1)), "LeavePending");
    await alliance.pass(90 * DAY);
    await fund.executeLeave(1);
    assert.equal((await hub.balanceOf(1)).free, 700n);
    assert.equal(await said(fund.executeLeave(1)), "NoLeave");
    const { held, owed } = await hub.solvency();
    assert.equal(held, owed);
  });

  it("keeps no way out in store: who did not leave within a week of its 90 days says so anew", async () => {
    await fund.joinGuarantee(1, 400, 0);
    await fund.leaveGuarantee(1, 100n * NOBODYS);
    await alliance.pass(97 * DAY + 1);
    assert.equal(await said(fund.executeLeave(1)), "LeaveLapsed");
    await fund.leaveGuarantee(1, 200n * NOBODYS);
    assert.equal(await said(fund.executeLeave(1)), "LeaveTooEarly");
    await alliance.pass(96 * DAY);
    await fund.executeLeave(1);
    assert.equal((await hub.balanceOf(1)).free, 800n);
  });

  it("is the merchant's admin's, with what is free above the floor", async () => {
    assert.equal(await said(alliance.fund.joinGuarantee(1, 1, 0)), "NotFundAdmin");
    assert.equal(await said(alliance.fund.leaveGuarantee(1, 1)), "NotFundAdmin");
    assert.equal(await said(alliance.fund.cancelLeave(1)), "NotFundAdmin");
    assert.equal(await said(fund.joinGuarantee(1, 0, 0)), "NoAmount");
    assert.equal(await said(fund.leaveGuarantee(1, 0)), "NoAmount");
    assert.equal(await said(fund.joinGuarantee(1, 1_001, 0)), "FreeTooLow");
    await alliance.policy.setFloor(1, 700);
    assert.equal(await said(fund.joinGuarantee(1, 301, 0)), "FreeTooLow");
    await fund.joinGuarantee(1, 300, 0);
    assert.equal(await said(fund.leaveGuarantee(1, 300n * NOBODYS + 1n)), "SharesTooFew");
    await fund.leaveGuarantee(1, 7);
    await fund.cancelLeave(1);
    assert.equal(await said(fund.cancelLeave(1)), "NoLeave");
  });

  it("is not open to who owes to claims", async () => {
    const bare = await newAlliance({ collateral: 10n, bond: 0n });
    await settle(bare, [{ merchantId: 1, amount: -15n }, { merchantId: 2, amount: 15n }]);
    assert.equal(await said(bare.fund.connect(bare.owner).joinGuarantee(1, 1, 0)), "MerchantDelinquent");
  });

  it("keeps for the fund itself what came in before anybody had joined", async () => {
    const court = await newAlliance({ collateral: 1_000n * UNIT });
    await court.hub.grantRole(await court.hub.COURT_ROLE(), court.admin.address);
    const { header } = await commit(court);
    await court.hub.revertFrom(header, court.owner.address, 2);
    assert.equal(await court.fund.assets(), 5_000n * UNIT);
    const member = court.fund.connect(court.owner);
    await member.joinGuarantee(1, 1_000n * UNIT, 0);
    const value = await member.worthOf(1);
    assert.ok(value <= 1_000n * UNIT && value > 999n * UNIT + 990_000n, `${value}`);
  });

  it("does not sell a share for less than it costs", async () => {
    const court = await newAlliance({ bond: 1n << 80n, collateral: 10n });
    await court.hub.grantRole(await court.hub.COURT_ROLE(), court.admin.address);
    const { header } = await commit(court);
    await court.hub.revertFrom(header, court.owner.address, 2);
    assert.equal(await said(court.fund.connect(court.owner).joinGuarantee(1, 10, 0)), "AmountBuysNoShare");
  });
});

describe("the waterfall", () => {
  const NETS = [
    { merchantId: 1, amount: -3_000n },
    { merchantId: 2, amount: 2_000n },
    { merchantId: 3, amount: 1_000n },
  ];
  let alliance, hub, fund;

  /** Merchant 1 lacks `3,000 − has`; `own` of its money and `others` of merchant 4's are in the fund; a bond of `bond`. */
  async function withTranches({ has, own = 0n, others = 0n, bond = 0n }) {
    alliance = await newAlliance({ collateral: 0n, bond });
    ({ hub } = alliance);
    fund = alliance.fund.connect(alliance.owner);
    if (has + own) await hub.deposit(1, has + own);
    if (others) await hub.deposit(4, others);
    if (own) await fund.joinGuarantee(1, own, 0);
    if (others) await fund.joinGuarantee(4, others, 0);
    return settle(alliance, NETS);
  }
  const creditors = async () => Promise.all([2, 3].map(async (id) => (await hub.balanceOf(id)).free));
  async function checkSolvent() {
    const { held, owed } = await hub.solvency();
    assert.equal(held, owed);
  }

  const table = [
    ["own shares alone", { has: 2_500n, own: 500n, others: 900n, bond: 10_000n }, { own: 500n, bond: 0n, fund: 0n, left: 0n }],
    ["own shares in part", { has: 2_500n, own: 800n, others: 900n }, { own: 500n, bond: 0n, fund: 0n, left: 0n }],
    ["then a fifth of the bond", { has: 2_500n, own: 100n, others: 900n, bond: 2_000n }, { own: 100n, bond: 400n, fund: 0n, left: 0n }],
    ["then the fund", { has: 2_500n, own: 100n, others: 900n, bond: 500n }, { own: 100n, bond: 100n, fund: 300n, left: 0n }],
    ["then the creditors", { has: 2_500n, own: 100n, others: 200n, bond: 505n }, { own: 100n, bond: 101n, fund: 200n, left: 99n }],
    ["the creditors alone", { has: 2_500n }, { own: 0n, bond: 0n, fund: 0n, left: 500n }],
  ];
  for (const [what, setting, expected] of table) {
    it(`takes ${what}`, async () => {
      const receipt = await withTranches(setting);
      const own = events(fund, receipt, "OwnSharesTaken").reduce((sum, { amount }) => sum + amount, 0n);
      const [covered] = events(fund, receipt, "LossCovered");
      assert.equal(own, expected.own);
      assert.deepEqual([covered?.fromBond ?? 0n, covered?.fromFund ?? 0n, covered?.left ?? 0n], [expected.bond, expected.fund, expected.left]);
      assert.equal(await hub.operatorBond(), (setting.bond ?? 0n) - expected.bond);
      assert.equal(await fund.assets(), (setting.own ?? 0n) + (setting.others ?? 0n) - expected.own - expected.fund);
      assert.equal(await fund.owedBy(1), expected.bond + expected.fund + expected.left);
      const [two, three] = await creditors();
      assert.equal(two + three, 3_000n - expected.left);
      // Both floors, and the odd unit, if there is one, from the first.
      const cut = expected.left - (expected.left * 1_000n) / 3_000n;
      assert.deepEqual([two, three], [2_000n - cut, 1_000n - (expected.left - cut)]);
      await checkSolvent();
    });
  }

  it("is repaid the other way: claims, then the fund, then the bond", async () => {
    await withTranches({ has: 2_500n, own: 100n, others: 200n, bond: 505n });
    await hub.deposit(1, 60);
    await fund.collectClaim(1, 2);
    await fund.collectClaim(1, 3);
    assert.equal(await said(fund.restoreReserves(1)), "NothingToRestore");
    await hub.deposit(1, 139);
    await fund.restoreReserves(1);
    assert.deepEqual([await fund.assets(), await hub.operatorBond()], [100n, 404n]);
    await fund.collectClaim(1, 2);
    await fund.collectClaim(1, 3);
    assert.deepEqual(await creditors(), [2_000n, 1_000n]);
    await hub.deposit(1, 201);
    await fund.restoreReserves(1);
    assert.deepEqual([await fund.assets(), await hub.operatorBond(), await fund.owedBy(1)], [200n, 505n, 0n]);
    assert.equal(await said(fund.collectClaim(1, 2)), "NothingToCollect");
    assert.equal(await said(fund.restoreReserves(1)), "NothingToRestore");
    await hub.deposit(1, 7);
    assert.equal((await hub.balanceOf(1)).free, 7n);
    assert.equal((await alliance.registry.merchant(1)).status, 1n);
    await checkSolvent();
  });

  it("lets a member's leave pay only what a default has left of its shares", async () => {
    await withTranches({ has: 2_500n, own: 800n });
    assert.equal(await fund.worthOf(1), 300n);
    await fund.leaveGuarantee(1, await fund.sharesOf(1));
    await alliance.pass(90 * DAY);
    await fund.executeLeave(1);
    assert.equal((await hub.balanceOf(1)).free, 300n);
  });

  it("sells nobody cheaply what a defaulter will have repaid: what is lost is in the price, less every day", async () => {
    await withTranches({ has: 1_000n, others: 2_000n });
    assert.equal(await fund.assets(), 0n);
    assert.ok((await fund.hopedFor()) >= 1_999n);
    await hub.deposit(2, 1_000);
    await fund.joinGuarantee(2, 1_000, 0);
    await hub.deposit(1, 2_000);
    await fund.restoreReserves(1);
    assert.equal(await fund.assets(), 3_000n);
    const gained = (await fund.worthOf(2)) - 1_000n;
    assert.ok(gained <= 0n, `who joined between loss and recovery gained ${gained}`);
    assert.ok((await fund.worthOf(4)) >= 1_998n);
    assert.equal(await fund.hopedFor(), 0n);
    await checkSolvent();
  });

  it("gives up hope over 90 days, and at once what is made good", async () => {
    await withTranches({ has: 1_000n, others: 2_000n });
    await alliance.pass(45 * DAY);
    const half = await fund.hopedFor();
    assert.ok(half <= 1_000n && half >= 999n, `${half}`);
    await hub.deposit(1, 400);
    await fund.restoreReserves(1);
    const rest = await fund.hopedFor();
    assert.ok(rest <= 600n && rest >= 598n, `${rest}`);
    await alliance.pass(90 * DAY);
    assert.equal(await fund.hopedFor(), 0n);
    await hub.deposit(3, 400);
    await fund.joinGuarantee(3, 400, 0);
    assert.ok((await fund.worthOf(3)) >= 398n, "then others join at what there is");
  });

  it("is for the hub alone to run, and the hub's doors for the fund alone to use", async () => {
    await withTranches({ has: 3_000n });
    const one = "0x" + "01".repeat(20);
    for (const call of [fund.takeLoss(1, 1, 1), fund.cover(1, 1, 1), fund.addClaim(1, 1, 1), fund.repay(1, 1), fund.putSlash(one, 2)]) {
      assert.equal(await said(call), "NotHub");
    }
    for (const call of [hub.moveToFund(1, 1), hub.moveFromFund(1, 1), hub.payBounty(one, 1), hub.refillBond(1)]) {
      assert.equal(await said(call), "NotPartner");
    }
    assert.equal(await said(fund.bindHub()), "HubBoundAlready");
    assert.equal(await said(fund.collectBounty(one)), "NoBounty");
  });

  it("belongs to one hub: a second one cannot be made on the same fund or queue", async () => {
    await withTranches({ has: 3_000n });
    const genesis = { accountsCount: 0, accountsRoot: "0x" + "00".repeat(32), dataHash: "0x" + "00".repeat(32), foundedAt: 1, configHash: "0x" + "00".repeat(32), carried: NOTHING_CARRIED };
    const { asset, policy, queue, registry, admin } = alliance;
    const freshFund = await alliance.deploy("GuaranteeFund", [registry], admin);
    const freshQueue = await alliance.deploy("ForcedQueue", [policy], admin);
    const made = (itsFund, itsQueue) => alliance.deploy("SettlementHub", [asset, policy, itsFund, itsQueue, admin.address, genesis], admin);
    assert.equal(await said(made(alliance.fund, freshQueue)), "HubBoundAlready");
    assert.equal(await said(made(freshFund, queue)), "HubBoundAlready");
    await made(freshFund, freshQueue);
  });
});
