// Merchants, guarantors, operators and passers-by who mean harm: each attack, and what becomes of it. Forced events have their
// own pages (forced_exits.test.mjs), reverts too (court.test.mjs).
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ATTESTERS, DAY, HOUR, UNIT, artifact, commit, newAlliance, newChain, refusal } from "./alliance.mjs";
import { SIGNERS, bySigners, signatures } from "./council.mjs";
import { Interface } from "ethers";

const QUORUM = ATTESTERS.slice(0, 3);
const FAR = (1n << 63n).toString();
const said = async (promise) => (await refusal(promise)).name;

describe("a hostile merchant", () => {
  it("that calls back in the middle of a payment comes in by no door", async () => {
    const alliance = await newAlliance({ token: "CallbackToken", collateral: 1_000n, bond: 0n });
    const { hub, fund, asset } = alliance;
    const owner = { hub: hub.connect(alliance.owner), fund: fund.connect(alliance.owner) };
    const nets = [{ merchantId: 1, amount: -1_500n }, { merchantId: 2, amount: 1_500n }];
    const { header } = await commit(alliance, { nets, wallets: QUORUM });
    await alliance.pass(6 * HOUR);
    await hub.finaliseBatch(header, nets);
    const { header: waiting } = await commit(alliance, { nets: [], wallets: QUORUM });
    await hub.deposit(1, 100);
    await owner.fund.joinGuarantee(4, 10, 0);
    await owner.fund.leaveGuarantee(4, 5_000_000);
    await owner.hub.requestWithdraw(2, 1_000);
    await owner.hub.requestWithdraw(3, 1_000);
    await alliance.pass(7 * DAY);
    const encode = (name, ...args) => new Interface(artifact("SettlementHub").abi).encodeFunctionData(name, args);
    const intoFund = (name, ...args) => new Interface(artifact("GuaranteeFund").abi).encodeFunctionData(name, args);
    const doors = [
      [hub.target, encode("deposit", 1, 1)],
      [hub.target, encode("executeWithdraw", 3)],
      [hub.target, encode("postBond", 1)],
      [hub.target, encode("finaliseBatch", waiting, [])],
      [hub.target, encode("finaliseThrough", 2)],
      [fund.target, intoFund("collectClaim", 1, 2)],
    ];
    for (const [target, call] of doors) {
      await asset.callBack(target, call);
      assert.equal(await said(hub.executeWithdraw(2)), "ReentrancyGuardReentrantCall", call.slice(0, 10));
    }
    const { held, owed } = await hub.solvency();
    assert.equal(held, owed);
  });

  it("that names an auditor its administrator gives itself away, and the auditor is free again with one call", async () => {
    const alliance = await newAlliance({ collateral: 1_000n });
    const { registry, hub } = alliance;
    const nets = [{ merchantId: 1, amount: -1n }, { merchantId: 2, amount: 1n }];
    const three = [ATTESTERS[0], ATTESTERS[1], ATTESTERS[3]];
    const windowHours = async () => {
      const { header } = await commit(alliance, { nets, wallets: three });
      const { finalAfter, committedAt } = await hub.record(header.batchNo);
      return Number(finalAfter - committedAt) / HOUR;
    };
    assert.equal(await windowHours(), 6);
    const auditor = ATTESTERS[0].connect(alliance.provider);
    await registry.connect(alliance.owner).setAddresses(4, auditor.address, auditor.address);
    assert.equal(await windowHours(), 7 * 24, "no auditor among them who is nobody's administrator");
    await (await alliance.admin.sendTransaction({ to: auditor.address, value: 10n ** 18n })).wait();
    await registry.connect(auditor).setAddresses(4, alliance.admin.address, alliance.admin.address);
    assert.equal(await windowHours(), 6);
    assert.equal(await said(registry.connect(alliance.owner).setAddresses(4, auditor.address, auditor.address)), "NotMerchantAdmin");
  });

  it("that defaults on dust every day does not keep its collateral from those it owes", async () => {
    const alliance = await newAlliance({ collateral: 0n, bond: 0n });
    const { hub, fund } = alliance;
    const nets = [{ merchantId: 1, amount: -1n }, { merchantId: 2, amount: 1n }];
    for (let day = 0; day < 40; day++) {
      const { header } = await commit(alliance, { nets, wallets: QUORUM });
      await alliance.pass(6 * HOUR);
      await hub.finaliseBatch(header, nets);
    }
    assert.deepEqual(await refusal(hub.deposit(1, 40)), { name: "TooManyDebts", args: [1n, 32n] });
    await hub.deposit(1, 32);
    await hub.deposit(1, 8);
    assert.equal(await fund.owedBy(1), 0n);
    for (let no = 1; no <= 40; no++) await fund.collectClaim(no, 2);
    assert.equal((await hub.balanceOf(2)).free, 40n);
  });
});

describe("a passer-by who gives too little gas", () => {
  it("finalises nothing in part: the batch settles with its default noted everywhere, or not at all", async () => {
    const alliance = await newAlliance({ collateral: 10n });
    const { hub, fund, registry } = alliance;
    const nets = [{ merchantId: 1, amount: -1_000n }, { merchantId: 2, amount: 1_000n }];
    const { header } = await commit(alliance, { nets, wallets: QUORUM });
    await alliance.pass(6 * HOUR);
    const enough = await hub.finaliseBatch.estimateGas(header, nets);
    let refused = 0;
    for (let gasLimit = 60_000n; gasLimit < (enough * 9n) / 10n; gasLimit += 20_000n) {
      refused += await hub.finaliseBatch(header, nets, { gasLimit }).then((sent) => sent.wait()).then(() => 0, () => 1);
      assert.deepEqual([await fund.owedBy(1), (await registry.merchant(1)).status, (await hub.record(1)).status], [0n, 1n, 1n]);
    }
    assert.ok(refused >= 5);
    await hub.finaliseBatch(header, nets, { gasLimit: enough });
    assert.deepEqual([await fund.owedBy(1), (await registry.merchant(1)).status, (await hub.record(1)).status], [990n, 2n, 2n]);
  });
});

describe("a hostile guarantor", () => {
  const NETS = [{ merchantId: 1, amount: -1_000n }, { merchantId: 2, amount: 1_000n }];

  it("that said long ago that it leaves cannot do so when a loss is in sight", async () => {
    const alliance = await newAlliance({ collateral: 500n, bond: 0n });
    const { hub } = alliance;
    const fund = alliance.fund.connect(alliance.owner);
    await fund.joinGuarantee(3, 400, 0);
    await fund.leaveGuarantee(3, await fund.sharesOf(3));
    await alliance.pass(200 * DAY);
    const { header } = await commit(alliance, { nets: NETS, wallets: QUORUM });
    assert.equal(await said(fund.executeLeave(3)), "LeaveLapsed");
    await fund.leaveGuarantee(3, await fund.sharesOf(3));
    await alliance.pass(6 * HOUR);
    await hub.finaliseBatch(header, NETS);
    assert.equal(await fund.worthOf(3), 0n, "it has borne the loss");
  });

  it("that joins a fund which has lost everything, for a unit, has next to nothing of what comes back", async () => {
    const alliance = await newAlliance({ collateral: 500n, bond: 0n });
    const { hub } = alliance;
    const fund = alliance.fund.connect(alliance.owner);
    await fund.joinGuarantee(3, 500, 0);
    const { header } = await commit(alliance, { nets: NETS, wallets: QUORUM });
    await alliance.pass(6 * HOUR);
    await hub.finaliseBatch(header, NETS);
    assert.equal(await fund.assets(), 0n);
    await fund.joinGuarantee(4, 1, 0);
    await hub.deposit(1, 500);
    await fund.restoreReserves(1);
    assert.ok((await fund.worthOf(4)) <= 1n);
    assert.ok((await fund.worthOf(3)) >= 498n);
  });
});

describe("a passer-by", () => {
  it("that collects for others pays them and not itself", async () => {
    const alliance = await newAlliance({ collateral: 1_000n });
    const { hub, asset } = alliance;
    const [stranger, challenger] = [await alliance.account(7), await alliance.account(8)];
    await hub.grantRole(await hub.COURT_ROLE(), alliance.admin.address);
    const { header } = await commit(alliance);
    await hub.revertFrom(header, challenger.address, 1);
    await alliance.fund.connect(stranger).collectBounty(challenger.address);
    assert.equal(await asset.balanceOf(challenger.address), 5_000n * UNIT);
    assert.equal(await asset.balanceOf(stranger.address), 0n);
    await hub.connect(alliance.owner).requestWithdraw(1, 1_000);
    await alliance.pass(7 * DAY);
    await hub.connect(stranger).executeWithdraw(1);
    assert.equal(await asset.balanceOf(alliance.owner.address), 1_000n);
    assert.equal(await asset.balanceOf(stranger.address), 0n);
  });
});

describe("what a council has signed", () => {
  const FIVE = SIGNERS.map((wallet) => wallet.address);

  it("says nothing to its twin on the same chain, nor to the council of the same address on another chain", async () => {
    const [here, there] = [await newChain(), await newChain({ chainId: 31_338 })];
    const councils = [];
    for (const chain of [here, there]) {
      const admin = await chain.account(0);
      councils.push([await chain.deploy("Council", [FIVE, 3], admin), await chain.deploy("Council", [FIVE, 3], admin)]);
    }
    const [[ours, twin], [abroad]] = councils;
    assert.equal(ours.target, abroad.target);
    const data = ours.interface.encodeFunctionData("setThreshold", [2]);
    const signed = await signatures(ours, ours.target, data, SIGNERS.slice(0, 3));
    for (const other of [twin, abroad]) assert.equal(await said(other.execute(ours.target, data, FAR, signed)), "SignaturesInvalid");
    await (await ours.execute(ours.target, data, FAR, signed)).wait();
    assert.equal(await ours.threshold(), 2n);
    await bySigners(twin, twin.target, twin.interface.encodeFunctionData("setThreshold", [2]));
  });
});
