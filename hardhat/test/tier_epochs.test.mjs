// Publishing epochs and ruling the tier registry: who may, what is refused, and what stays as it was.
import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { TypedDataEncoder, keccak256, toUtf8Bytes } from "ethers";
import { DAY, events, refusal } from "./alliance.mjs";
import { CEREMONY, CIRCUIT_ID, DEVELOPMENT, EPOCH_KEY, EPOCH_TYPES, GRACE, NOBODY, R, STRANGER } from "./tiers.mjs";
import { newTiers, nextEpoch, publish, signHeader } from "./tiers.mjs";
import { ZERO } from "./words.mjs";

const said = async (promise) => (await refusal(promise)).name;
const REFUSED = "AccessControlUnauthorizedAccount";

describe("publishing an epoch", () => {
  let tiers, registry;
  beforeEach(async () => {
    tiers = await newTiers();
    ({ registry } = tiers);
  });

  it("stores root, times, circuit and header, and tells all of it", async () => {
    const header = await nextEpoch(tiers);
    const signature = await signHeader(tiers, header);
    const receipt = await (await registry.publishEpoch(header, signature)).wait();
    const headerHash = TypedDataEncoder.hashStruct("TierEpoch", EPOCH_TYPES, header);
    const [event] = events(registry, receipt, "EpochPublished");
    assert.equal(event.headerHash, headerHash);
    assert.equal(event.signer, EPOCH_KEY.address);
    assert.deepEqual(event.header.toObject(), { ...header, depth: 24n, notBefore: BigInt(header.notBefore), notAfter: BigInt(header.notAfter) });
    assert.equal(await registry.epochDigest(header), TypedDataEncoder.hash(tiers.domain, EPOCH_TYPES, header));
    assert.deepEqual([...(await registry.lastEpoch())], [1n, headerHash]);
    const stored = (await registry.epochOf(1)).toObject();
    const { root, notBefore, notAfter } = event.header;
    assert.deepEqual(stored, { root, headerHash, notBefore, notAfter, circuitNo: 1n, revoked: false });
  });

  it("chains each header to the one before, with gaps in numbers", async () => {
    const first = await publish(tiers);
    const second = await publish(tiers, { epoch: 5n });
    assert.equal(first.previous, ZERO);
    assert.equal(second.previous, TypedDataEncoder.hashStruct("TierEpoch", EPOCH_TYPES, first));
    assert.equal(await said(publish(tiers, { previous: ZERO })), "PreviousMismatch");
    assert.equal(await said(publish(tiers, { previous: second.previous })), "PreviousMismatch");
  });

  it("happens once", async () => {
    const header = await nextEpoch(tiers);
    const signature = await signHeader(tiers, header);
    await registry.publishEpoch(header, signature);
    assert.equal(await said(registry.publishEpoch(header, signature)), "EpochAlreadyPublished");
    const other = { ...header, root: header.root + 1n };
    assert.equal(await said(registry.publishEpoch(other, await signHeader(tiers, other))), "EpochNotRising");
    await publish(tiers);
    assert.equal(await said(registry.publishEpoch(header, signature)), "EpochAlreadyPublished");
    assert.equal((await registry.epochOf(1)).root, header.root);
  });

  const at = Math.floor(Date.now() / 1000);
  const BAD = [
    ["AllianceMismatch", { allianceId: 1n }],
    ["EpochNotRising", { epoch: 0n }],
    ["PreviousMismatch", { previous: keccak256("0x01") }],
    ["RootOutOfField", { root: 0n }],
    ["RootOutOfField", { root: R }],
    ["RootOutOfField", { root: (1n << 256n) - 1n }],
    ["DepthMismatch", { depth: 23 }],
    ["EpochTimesInvalid", { notBefore: at + 40 * DAY, notAfter: at + 39 * DAY }],
    ["EpochOver", { notBefore: at - 2 * DAY, notAfter: at - DAY }],
    ["CircuitUnknown", { circuitId: keccak256("0x01") }],
    ["VkHashMismatch", { vkHash: keccak256("0x01") }],
  ];
  for (const [i, [name, changes]] of BAD.entries()) {
    it(`refuses ${i}: ${name}`, async () => {
      assert.equal(await said(publish(tiers, changes)), name);
      assert.deepEqual([...(await registry.lastEpoch())], [0n, ZERO]);
    });
  }

  it("refuses an epoch that ends this very second", async () => {
    const now = (await tiers.now()) + 100;
    const header = await nextEpoch(tiers, { notAfter: now });
    await tiers.rpc("evm_setNextBlockTimestamp", now);
    assert.equal(await said(registry.publishEpoch(header, await signHeader(tiers, header))), "EpochOver");
  });

  it("refuses a stranger's hand and a stranger's signature", async () => {
    const header = await nextEpoch(tiers);
    const byOther = registry.connect(await tiers.account(3));
    assert.equal(await said(byOther.publishEpoch(header, await signHeader(tiers, header))), REFUSED);
    assert.equal(await said(publish(tiers, {}, STRANGER)), "EpochSignerMismatch");
    const signature = await signHeader(tiers, header);
    const changed = { ...header, cohorts: keccak256("0x01") };
    assert.equal(await said(registry.publishEpoch(changed, signature)), "EpochSignerMismatch");
    const other = await newTiers({ chain: tiers });
    const foreign = await other.registry.publishEpoch.staticCall(header, signature).catch((error) => error);
    assert.equal(other.registry.interface.parseError(foreign.data).name, "AllianceMismatch");
  });

  it("goes by the epoch key of today", async () => {
    await registry.setEpochKey(STRANGER.address);
    assert.equal(await said(publish(tiers)), "EpochSignerMismatch");
    await publish(tiers, {}, STRANGER);
    assert.equal(await registry.epochKey(), STRANGER.address);
    assert.equal(await said(registry.setEpochKey(NOBODY)), "ZeroEpochKey");
  });

  it("refuses a circuit that was retired", async () => {
    await registry.retireCircuit(1);
    assert.equal(await said(publish(tiers)), "CircuitRetired");
  });
});

describe("ruling the tier registry", () => {
  it("asks a role for everything, and nothing for more", async () => {
    const tiers = await newTiers();
    const { registry } = tiers;
    const other = await tiers.account(4);
    const header = await nextEpoch(tiers);
    const signature = await signHeader(tiers, header);
    const calls = {
      CHARTER_ROLE: ["registerCircuit", keccak256("0x07"), registry.target, keccak256("0x08"), CEREMONY],
      GOVERNOR_ROLE: ["setEpochKey", EPOCH_KEY.address],
      REGISTRAR_ROLE: ["setPartner", 9, STRANGER.address],
      PUBLISHER_ROLE: ["publishEpoch", header, signature],
    };
    const guarded = { ...calls, GUARDIAN_ROLE: ["revokeEpoch", 1] };
    for (const [role, [name, ...args]] of Object.entries(guarded)) {
      const byOther = registry.connect(other);
      assert.equal(await said(byOther[name](...args)), REFUSED);
      await registry.grantRole(await registry[role](), other.address);
      for (const [unheld, [another, ...theirs]] of Object.entries(guarded)) {
        if (unheld !== role) assert.equal(await said(byOther[another](...theirs)), REFUSED, `${role} is not ${unheld}`);
      }
      await (await byOther[name](...args)).wait();
      await registry.revokeRole(await registry[role](), other.address);
      assert.equal(await said(byOther[name](...args)), REFUSED);
    }
    assert.equal(await said(registry.connect(other).retireCircuit(1)), REFUSED);
  });

  it("registers a key once, of a contract that exists, for ever", async () => {
    const tiers = await newTiers();
    const { registry, checks, vkHash } = tiers;
    const stored = (await registry.circuit(1)).toObject();
    const expected = { circuitId: CIRCUIT_ID, vkHash, verifier: checks.target, setup: DEVELOPMENT, retired: false };
    assert.deepEqual(stored, expected);
    const fresh = keccak256("0x01");
    const tries = [
      ["CircuitKnown", CIRCUIT_ID, checks, vkHash],
      ["CircuitKnown", fresh, checks, vkHash],
      ["VkHashMissing", CIRCUIT_ID, checks, ZERO],
      ["CircuitUnknown", ZERO, checks, fresh],
      ["VerifierMissing", CIRCUIT_ID, STRANGER.address, fresh],
    ];
    for (const [name, ...args] of tries) assert.equal(await said(registry.registerCircuit(...args, CEREMONY)), name);
    assert.equal(await said(registry.retireCircuit(2)), "CircuitNoUnknown");
    await registry.retireCircuit(1);
    assert.equal(await said(registry.retireCircuit(1)), "CircuitRetired");
    assert.equal(await said(registry.registerCircuit(CIRCUIT_ID, checks, vkHash, CEREMONY)), "CircuitKnown");
    assert.equal(await said(registry.setPartner(0, STRANGER.address)), "ZeroPartnerId");
  });

  it("refuses to begin without an admin, an epoch key or a bounded grace", async () => {
    const tiers = await newTiers();
    const { admin, deploy } = tiers;
    const of = (...args) => said(deploy("TierRegistry", args, admin));
    assert.equal(await of(NOBODY, EPOCH_KEY.address, GRACE), "ZeroAdmin");
    assert.equal(await of(admin.address, NOBODY, GRACE), "ZeroEpochKey");
    assert.equal(await of(admin.address, EPOCH_KEY.address, 7 * DAY + 1), "GraceTooLong");
    assert.equal(await of(admin.address, EPOCH_KEY.address, 7 * DAY), "no refusal");
  });
});
