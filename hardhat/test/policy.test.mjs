// The policy: bounds that no role can pass, the attester set, and a pause that ends by itself.
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { AbiCoder, ZeroAddress, keccak256 } from "ethers";
import { ATTESTERS, AUDITOR, DAY, DEFAULT_PARAMS, HOUR, WATCHER, commit, newAlliance, refusal } from "./alliance.mjs";

const hashOf = (...versions) => keccak256(AbiCoder.defaultAbiCoder().encode(["uint32", "uint32", "uint32"], versions));

describe("AlliancePolicy", () => {
  let alliance, policy, stranger;
  before(async () => {
    alliance = await newAlliance({ merchants: 1, collateral: 0n });
    policy = alliance.policy;
    stranger = policy.connect(await alliance.account(6));
  });

  const outOfBounds = [
    ["fastWindowSeconds", 2 * HOUR - 1],
    ["slowWindowSeconds", 3 * DAY - 1],
    ["slowWindowSeconds", 30 * DAY + 1],
    ["withdrawDelaySeconds", 30 * DAY + 1],
    ["sealLagSecondsMax", 0],
    ["sealLagSecondsMax", DAY + 1],
    ["withdrawDelaySeconds", 7 * DAY - 1],
    ["honestWeight", 4],
    ["grossCapFast", DEFAULT_PARAMS.grossCapSlow - 1n],
  ];
  for (const [field, value] of outOfBounds) {
    it(`refuses ${field} ${value}`, async () => {
      const refused = await refusal(policy.setParams({ ...DEFAULT_PARAMS, [field]: value }));
      assert.deepEqual([refused.name, refused.args[0], refused.args[1]], ["ParamOutOfBounds", field, BigInt(value)]);
    });
  }

  it("refuses a slow window that is shorter than the fast one", async () => {
    const params = { ...DEFAULT_PARAMS, fastWindowSeconds: 8 * DAY };
    assert.equal((await refusal(policy.setParams(params))).name, "ParamOutOfBounds");
  });

  it("gives every change a configHash of its versions and keeps the one before", async () => {
    assert.equal(await policy.configHash(), hashOf(1, 1, 1));
    assert.equal((await policy.previousConfigHash()).previous, keccak256(Buffer.from("config-0")));
    const changes = [
      [() => policy.setParams(DEFAULT_PARAMS), [1, 1, 2]],
      [() => policy.advanceRulesVersion(), [2, 1, 2]],
      [() => policy.setAttesters([]), [2, 2, 2]],
      [() => policy.setHonestWeight(3), [2, 2, 3]],
      [async () => policy.setDisputeParams((await policy.disputeParams()).toObject()), [2, 2, 4]],
    ];
    for (const [change, versions] of changes) {
      const before = await policy.configHash();
      await change();
      assert.deepEqual([...(await policy.versions())], versions.map(BigInt));
      assert.equal(await policy.configHash(), hashOf(...versions));
      const { previous, until } = await policy.previousConfigHash();
      assert.deepEqual([previous, Number(until)], [before, (await alliance.now()) + DAY]);
    }
  });

  const badDisputes = [
    ["answerWindowSeconds", 6 * HOUR - 1],
    ["forceDeadlineSeconds", HOUR - 1],
    ["forceDeadlineSeconds", 72 * HOUR + 1],
  ];
  for (const [field, value] of badDisputes) {
    it(`refuses ${field} ${value}`, async () => {
      const params = (await policy.disputeParams()).toObject();
      const refused = await refusal(policy.setDisputeParams({ ...params, [field]: value }));
      assert.deepEqual([refused.name, refused.args[0], refused.args[1]], ["ParamOutOfBounds", field, BigInt(value)]);
    });
  }

  it("changes the weight that a quorum takes apart from the other parameters", async () => {
    assert.equal((await refusal(policy.setHonestWeight(0))).name, "ParamOutOfBounds");
    await policy.setHonestWeight(2);
    assert.deepEqual([...(await policy.quorum())], [4n, 5n]);
    await policy.setHonestWeight(3);
  });

  it("is the governor's alone to change, and the guardian's to pause", async () => {
    const refused = "AccessControlUnauthorizedAccount";
    const calls = [
      () => stranger.setParams(DEFAULT_PARAMS),
      () => stranger.setHonestWeight(2),
      () => stranger.setCampaignRules(ZeroAddress),
      () => stranger.retireReceiptSigner(ZeroAddress),
      () => stranger.advanceRulesVersion(),
      () => stranger.setAttesters([]),
      () => stranger.pause(),
      () => stranger.unpause(),
    ];
    for (const call of calls) {
      assert.equal((await refusal(call())).name, refused);
    }
  });

  it("adds, changes and removes attesters, and never lets one weigh a quorum alone", async () => {
    const [account] = [ATTESTERS[5].address];
    assert.deepEqual([...(await policy.quorum())], [3n, 5n]);
    await policy.setAttesters([{ account, role: AUDITOR, weight: 3 }]);
    assert.deepEqual([...(await policy.quorum())], [6n, 8n]);
    await policy.setAttesters([{ account, role: WATCHER, weight: 1 }]);
    assert.deepEqual([...(await policy.attesterOf(account))], [WATCHER, 1n]);
    await policy.setAttesters([{ account, role: 0, weight: 0 }]);
    assert.deepEqual([...(await policy.quorum())], [3n, 5n]);
    await policy.setAttesters(ATTESTERS.slice(1, 5).map((wallet) => ({ account: wallet.address, role: 0, weight: 0 })));
    assert.deepEqual([...(await policy.quorum())], [2n, 1n]);
    assert.equal((await refusal(policy.setAttesters([{ account: ZeroAddress, role: 1, weight: 1 }]))).name, "ZeroAttester");
    for (const [role, weight] of [[1, 0], [0, 1]]) {
      assert.equal((await refusal(policy.setAttesters([{ account, role, weight }]))).name, "AttesterWeightInvalid");
    }
  });

  it("pauses commits for 14 days at most, and not again by the same guardian for 7 more", async () => {
    assert.equal((await refusal(policy.unpause())).name, "PolicyNotPaused");
    await policy.pause();
    assert.equal((await refusal(policy.pause())).name, "PolicyPaused");
    assert.equal((await refusal(commit(alliance))).name, "PolicyPaused");
    assert.equal(Number(await policy.pausedUntil()), (await alliance.now()) + 14 * DAY);
    await alliance.pass(14 * DAY);
    await commit(alliance);
    assert.equal((await refusal(policy.pause())).name, "PauseNotRenewable");
    await alliance.pass(7 * DAY);
    await policy.pause();
    await policy.unpause();
    await commit(alliance);
  });
});
