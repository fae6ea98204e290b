// Who rules after the founding account has handed over: a council through two timelocks, a guardian that can only pause.
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { Wallet } from "ethers";
import { AUDITOR, DAY, DEFAULT_PARAMS, commit, newAlliance, nextHeader, refusal } from "./alliance.mjs";
import { FAST_DELAY, SIGNERS, SLOW_DELAY, bySigners, handOver, schedule, signatures } from "./council.mjs";

const said = async (promise) => (await refusal(promise)).name;
const REFUSED = "AccessControlUnauthorizedAccount";

describe("an alliance that was handed over", () => {
  let alliance, hub, policy, registry, council, slow, fast, roles, guardian, submitter, operator, founder;
  before(async () => {
    alliance = await newAlliance();
    ({ hub, policy, registry } = alliance);
    founder = alliance.admin;
    [guardian, submitter, operator] = await Promise.all([6, 7, 8].map(alliance.account));
    const to = { guardian: guardian.address, submitter: submitter.address, operator: operator.address };
    ({ council, slow, fast, roles } = await handOver(alliance, to));
  });
  const encoded = (contract, name, ...args) => contract.interface.encodeFunctionData(name, args);

  it("leaves the founding account no role and no say", async () => {
    for (const [contract, name] of roles) assert.equal(await contract.hasRole(await contract[name](), founder.address), false);
    const entry = { merchantId: 99, admin: founder.address, payoutAddress: founder.address };
    const calls = [
      () => policy.setParams(DEFAULT_PARAMS),
      () => policy.setHonestWeight(1),
      () => policy.setDisputeParams({ answerWindowSeconds: DAY, forceDeadlineSeconds: DAY, demandBond: 1 }),
      () => policy.setAttesters([]),
      () => policy.setCampaignRules(founder.address),
      () => policy.addReceiptSigner(founder.address),
      () => policy.retireReceiptSigner(founder.address),
      () => policy.advanceRulesVersion(),
      () => policy.pause(),
      () => policy.unpause(),
      () => policy.setFloor(1, 1),
      () => registry.addMerchants([entry]),
      () => registry.setStatus(1, 3),
      () => registry.bindHub(founder.address),
      () => hub.withdrawBond(1, founder.address),
      () => commit(alliance),
      async () => hub.revertFrom(await nextHeader(alliance), founder.address, 1),
    ];
    for (const call of calls) assert.equal(await said(call()), REFUSED);
    for (const [contract, name] of roles) assert.equal(await said(contract.grantRole(await contract[name](), founder.address)), REFUSED);
    assert.equal(await said(hub.beginWindDown()), "WindDownTooEarly");
  });

  it("takes batches from the submitter as before", async () => {
    await commit({ ...alliance, hub: hub.connect(submitter) });
    assert.equal(await hub.nextBatchNo(), 2n);
  });

  it("changes a parameter 48 hours after the council has said so, not a second earlier, once", async () => {
    const data = encoded(policy, "setParams", { ...DEFAULT_PARAMS, fastWindowSeconds: 7 * 3600 });
    const execute = await schedule(council, fast, FAST_DELAY, policy.target, data);
    assert.equal(await said(execute()), "TimelockUnexpectedOperationState");
    await alliance.pass(FAST_DELAY - 10);
    assert.equal(await said(execute()), "TimelockUnexpectedOperationState");
    await alliance.pass(10);
    await (await execute()).wait();
    assert.equal((await policy.params()).fastWindowSeconds, BigInt(7 * 3600));
    assert.equal(await said(execute()), "TimelockUnexpectedOperationState");
  });

  it("gives notice of 14 days of other attesters, another quorum and a court", async () => {
    const court = await alliance.account(9);
    const attesters = [{ account: Wallet.createRandom().address, role: AUDITOR, weight: 1 }];
    const calls = [
      [policy, encoded(policy, "setAttesters", attesters), async () => (await policy.quorum())[1] === 6n],
      [policy, encoded(policy, "setHonestWeight", 2), async () => (await policy.params()).honestWeight === 2n],
      [hub, encoded(hub, "grantRole", await hub.COURT_ROLE(), court.address), async () => hub.hasRole(await hub.COURT_ROLE(), court.address)],
    ];
    const early = await refusal(schedule(council, slow, FAST_DELAY, policy.target, calls[0][1], 9));
    assert.equal(early.name, "TimelockInsufficientDelay");
    const wrongLock = await schedule(council, fast, FAST_DELAY, policy.target, calls[0][1], 9);
    const executes = [];
    for (const [contract, data] of calls) executes.push(await schedule(council, slow, SLOW_DELAY, contract.target, data));
    await alliance.pass(FAST_DELAY);
    assert.equal(await said(wrongLock()), REFUSED, "the short lock has no say in it");
    await alliance.pass(SLOW_DELAY - FAST_DELAY - 10);
    for (const execute of executes) assert.equal(await said(execute()), "TimelockUnexpectedOperationState");
    await alliance.pass(10);
    for (const [i, [, , done]] of calls.entries()) {
      assert.equal(await done(), false);
      await (await executes[i]()).wait();
      assert.equal(await done(), true);
    }
  });

  it("lets nobody but the council schedule, and the council call off", async () => {
    const data = encoded(policy, "advanceRulesVersion");
    const args = [policy.target, 0, data, "0x" + "00".repeat(32), "0x" + "77".repeat(32)];
    assert.equal(await said(fast.schedule(...args, FAST_DELAY)), REFUSED);
    await bySigners(council, fast.target, encoded(fast, "schedule", ...args, FAST_DELAY));
    const id = await fast.hashOperation(...args);
    await bySigners(council, fast.target, encoded(fast, "cancel", id));
    await alliance.pass(FAST_DELAY);
    assert.equal(await said(fast.execute(...args)), "TimelockUnexpectedOperationState");
    assert.equal(await said(fast.updateDelay(0)), "TimelockUnauthorizedCaller");
  });

  it("has its council act with three different signers of it, in order, once, in time", async () => {
    const entry = [{ merchantId: 77, admin: founder.address, payoutAddress: founder.address }];
    const data = encoded(registry, "addMerchants", entry);
    const target = registry.target;
    const stranger = Wallet.createRandom();
    const far = (1n << 63n).toString();
    const tries = [
      await signatures(council, target, data, SIGNERS.slice(0, 2)),
      await signatures(council, target, data, [...SIGNERS.slice(0, 2), stranger]),
      await signatures(council, target, data, [SIGNERS[0], SIGNERS[0], SIGNERS[1]]),
      await signatures(council, target, encoded(registry, "addMerchants", []), SIGNERS.slice(0, 3)),
      await signatures(council, policy.target, data, SIGNERS.slice(0, 3)),
      "0x",
    ];
    for (const signed of tries) assert.equal(await said(council.execute(target, data, far, signed)), "SignaturesInvalid");
    const deadline = (await alliance.now()) - 1;
    const late = await signatures(council, target, data, SIGNERS.slice(0, 3), { deadline });
    assert.equal(await said(council.execute(target, data, deadline, late)), "CallExpired");
    const signed = await signatures(council, target, data, SIGNERS.slice(2));
    await (await council.execute(target, data, far, signed)).wait();
    assert.equal((await registry.merchant(77)).status, 1n);
    assert.equal(await said(council.execute(target, data, far, signed)), "SignaturesInvalid");
  });

  it("changes its council by the council alone", async () => {
    const fresh = Wallet.createRandom();
    assert.equal(await said(council.addSigners([fresh.address])), "NotCouncil");
    assert.equal(await said(council.removeSigners([SIGNERS[0].address])), "NotCouncil");
    assert.equal(await said(council.setThreshold(1)), "NotCouncil");
    await bySigners(council, council.target, encoded(council, "addSigners", [fresh.address]));
    await bySigners(council, council.target, encoded(council, "removeSigners", [SIGNERS[0].address]));
    const three = [fresh, SIGNERS[3], SIGNERS[4]];
    await bySigners(council, council.target, encoded(council, "setThreshold", 2), three);
    await bySigners(council, council.target, encoded(council, "setThreshold", 3), three.slice(0, 2));
    assert.equal(await council.isSigner(SIGNERS[0].address), false);
  });

  it("has a guardian that pauses for 14 days, not again for 7, and can do nothing else", async () => {
    const asGuardian = policy.connect(guardian);
    assert.equal(await said(asGuardian.unpause()), REFUSED);
    assert.equal(await said(asGuardian.setParams(DEFAULT_PARAMS)), REFUSED);
    await asGuardian.pause();
    const paused = { ...alliance, hub: hub.connect(submitter) };
    assert.equal(await said(commit(paused)), "PolicyPaused");
    await alliance.pass(14 * DAY);
    await commit(paused);
    assert.equal(await said(asGuardian.pause()), "PauseNotRenewable");
    await alliance.pass(7 * DAY - 60);
    assert.equal(await said(asGuardian.pause()), "PauseNotRenewable");
    await alliance.pass(60);
    await asGuardian.pause();
  });

  it("keeps merchants' exit open: what the slow lock changes can be fled from", async () => {
    assert.ok(BigInt(SLOW_DELAY) >= (await policy.params()).withdrawDelaySeconds + 7n * BigInt(DAY));
    const merchant = hub.connect(alliance.owner);
    await merchant.requestWithdraw(1, 1_000_000);
    await alliance.pass(7 * DAY);
    await hub.executeWithdraw(1);
    assert.equal(await alliance.asset.balanceOf(alliance.owner.address), 1_000_000n);
  });
});
