// Proofs of tier taken on chain: what is taken, and every way of being refused, in the order in which it is looked at.
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { TypedDataEncoder, keccak256, toUtf8Bytes } from "ethers";
import { DAY, events, refusal } from "./alliance.mjs";
import { CIRCUIT_ID, GRACE, NOBODY, PARTNER, PARTNER_ID, R, REQUEST_TYPES, STRANGER } from "./tiers.mjs";
import { allianceIdOf, answer, newRequest, newTiers, packed, publish, scopeOf } from "./tiers.mjs";

const said = async (promise) => (await refusal(promise)).name;
const ALICE = "0x00000000000000000000000000000000000A11cE";

describe("a proof of tier on chain", () => {
  let tiers, registry, epoch;
  before(async () => {
    tiers = await newTiers();
    ({ registry } = tiers);
    epoch = await publish(tiers, { notAfter: (await tiers.now()) + 30 * DAY });
  });
  const asked = (changes) => newRequest(tiers, epoch.epoch, changes);
  const answered = async (changes = {}, how = {}) => answer(tiers, await asked(changes), { root: epoch.root, ...how });

  it("names the same numbers as the protocol does", async () => {
    const request = await asked();
    assert.equal(await registry.allianceId(), allianceIdOf(tiers.chainId, registry.target));
    assert.equal(await registry.scopeOf(PARTNER_ID, request.purpose, 1), scopeOf(tiers.chainId, registry.target, request));
    assert.equal(await registry.requestDigest(request), TypedDataEncoder.hash(tiers.domain, REQUEST_TYPES, request));
  });

  it("is taken once, from whoever hands it in, for the recipient that was asked about", async () => {
    const call = await answered({}, { nullifier: 1n });
    await registry.checkTier(...call);
    const passerBy = registry.connect(await tiers.account(5));
    const receipt = await (await passerBy.verifyTier(...call)).wait();
    const [event] = events(registry, receipt, "TierVerified");
    const digest = await registry.requestDigest(call[0]);
    assert.deepEqual(event, {
      digest,
      partnerId: BigInt(PARTNER_ID),
      recipient: ALICE,
      scope: call[0].scope,
      nullifier: 1n,
      policy: call[0].policy,
      epoch: 1n,
    });
    assert.equal(await registry.isVerified(digest), true);
    assert.equal(await registry.isUsed(call[0].scope, 1n), true);
    assert.equal(await said(registry.verifyTier(...call)), "RequestUsed");
    assert.equal(await said(registry.checkTier(...call)), "RequestUsed");
  });

  it("cannot be copied for somebody else", async () => {
    const [request, signature, nullifier, proof] = await answered({}, { nullifier: 2n });
    const thief = { ...request, recipient: STRANGER.address };
    assert.equal(await said(registry.verifyTier(thief, signature, nullifier, proof)), "PartnerSignatureMismatch");
    const signed = await answer(tiers, thief, { root: epoch.root, nullifier });
    assert.equal(await said(registry.verifyTier(thief, signed[1], nullifier, proof)), "ProofInvalid");
    await (await registry.verifyTier(request, signature, nullifier, proof)).wait();
  });

  it("uses a nullifier once in a scope, and says so to another request", async () => {
    await registry.verifyTier(...(await answered({}, { nullifier: 3n })));
    const again = await refusal(registry.verifyTier(...(await answered({}, { nullifier: 3n }))));
    assert.deepEqual(again, { name: "NullifierUsed", args: [scopeOf(tiers.chainId, registry.target, await asked()), 3n] });
    await registry.verifyTier(...(await answered({ windowId: 2 }, { nullifier: 3n })));
  });

  it("answers a request once, whoever has another proof for it", async () => {
    const request = await asked({ maxUses: 2, policy: packed({ maxUses: 2n }) });
    await registry.verifyTier(...(await answer(tiers, request, { root: epoch.root, nullifier: 4n })));
    const second = await answer(tiers, request, { root: epoch.root, nullifier: 5n });
    assert.equal(await said(registry.verifyTier(...second)), "RequestUsed");
    const other = await answered({ maxUses: 2, policy: packed({ maxUses: 2n }) }, { nullifier: 5n });
    await registry.verifyTier(...other);
  });

  const REFUSED = [
    ["RequestExpired", { expiresAt: 1 }],
    ["RecipientMissing", { recipient: NOBODY }],
    ["ScopeMismatch", { scope: 1n }],
    ["PolicyOutOfRange", { policy: packed() | (1n << 249n) }],
    ["PolicyOutOfRange", { policy: packed() | (1n << 255n) }],
    ["PolicyUnsatisfiable", { policy: packed({ lo: 2n, hi: 1n }) }],
    ["PolicyUnsatisfiable", { policy: packed({ tierMask: 0n }) }],
    ["PolicyUnsatisfiable", { policy: packed({ maxUses: 0n }), maxUses: 0 }],
    ["MaxUsesMismatch", { maxUses: 2 }],
    ["PartnerUnknown", { partnerId: 8 }],
    ["PartnerSignatureMismatch", {}, { key: STRANGER }],
    ["EpochUnknown", { epoch: 0 }],
    ["EpochUnknown", { epoch: 2 }],
    ["CircuitMismatch", { circuitId: keccak256(toUtf8Bytes("TierProofV1(25)")) }],
    ["NullifierOutOfField", {}, { nullifier: 0n }],
    ["NullifierOutOfField", {}, { nullifier: R }],
    ["NullifierOutOfField", {}, { nullifier: R + 1n }],
    ["NullifierOutOfField", {}, { nullifier: (1n << 256n) - 1n }],
    ["ProofInvalid", {}, { root: 1n }],
    ["ProofInvalid", {}, { root: 0n }],
    ...Array.from({ length: 6 }, (_, i) => [
      "ProofInvalid",
      {},
      { about: (signals) => signals.with(i, signals[i] + 1n), nullifier: 99n },
    ]),
    ["ProofInvalid", {}, { about: (signals) => signals.with(2, signals[2] + (1n << 32n)) }],
  ];
  for (const [i, [name, changes, how]] of REFUSED.entries()) {
    it(`refuses ${i}: ${name}`, async () => {
      const call = await answered(changes, how);
      assert.equal(await said(registry.verifyTier(...call)), name);
      assert.equal(await said(registry.checkTier(...call)), name);
    });
  }

  it("refuses a scope of another partner, and a request that was changed after it was signed", async () => {
    const theirs = scopeOf(tiers.chainId, registry.target, { partnerId: 8, purpose: "welcome gift", windowId: 1 });
    assert.equal(await said(registry.verifyTier(...(await answered({ scope: theirs })))), "ScopeMismatch");
    const call = await answered();
    for (const changed of [{ audience: "other.example" }, { nonce: keccak256("0x01") }, { policy: packed({ lo: 1n }) }]) {
      const altered = [{ ...call[0], ...changed }, ...call.slice(1)];
      assert.equal(await said(registry.verifyTier(...altered)), "PartnerSignatureMismatch");
    }
  });

  it("refuses malformed and malleable signatures", async () => {
    const [request, signature, ...rest] = await answered();
    const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
    const s = (order - BigInt("0x" + signature.slice(66, 130))).toString(16).padStart(64, "0");
    const twin = signature.slice(0, 66) + s + (signature.endsWith("1b") ? "1c" : "1b");
    const tries = [["ECDSAInvalidSignatureS", twin], ["ECDSAInvalidSignatureLength", signature.slice(0, -2)]];
    tries.push(["ECDSAInvalidSignatureLength", "0x"], ["ECDSAInvalidSignatureLength", signature + "00"]);
    tries.push(["ECDSAInvalidSignature", "0x" + "00".repeat(65)]);
    for (const [name, bad] of tries) assert.equal(await said(registry.verifyTier(request, bad, ...rest)), name);
  });

  it("takes no answer for another alliance: the same request at another registry is another number", async () => {
    const other = await newTiers({ chain: tiers });
    const theirs = await publish(other, { root: epoch.root });
    const [request, signature, nullifier, proof] = await answered({}, { nullifier: 6n });
    const there = { ...request, scope: scopeOf(tiers.chainId, other.registry.target, request) };
    assert.equal(await said(other.registry.verifyTier(request, signature, nullifier, proof)), "ScopeMismatch");
    assert.equal(await said(other.registry.verifyTier(there, signature, nullifier, proof)), "PartnerSignatureMismatch");
    const signed = await answer(other, there, { root: theirs.root, nullifier });
    assert.equal(await said(other.registry.verifyTier(there, signed[1], nullifier, proof)), "ProofInvalid");
  });

  it("goes by the partner's key of today", async () => {
    const call = await answered({}, { nullifier: 7n });
    await registry.setPartner(PARTNER_ID, STRANGER.address);
    assert.equal(await said(registry.verifyTier(...call)), "PartnerSignatureMismatch");
    await registry.setPartner(PARTNER_ID, NOBODY);
    assert.equal(await said(registry.verifyTier(...call)), "PartnerUnknown");
    await registry.setPartner(PARTNER_ID, PARTNER.address);
    await registry.verifyTier(...call);
  });

  it("says that there was too little gas, never that a good proof is bad", async () => {
    const call = await answered({}, { nullifier: 8n });
    const names = new Set();
    for (let gas = 30_000; gas < 640_000; gas += 10_000) {
      names.add(await said(registry.checkTier(...call, { gasLimit: gas })).catch(() => "out of gas"));
    }
    assert.deepEqual([...names].sort(), ["GasTooLow", "no refusal", "out of gas"]);
  });

  it("gives a verifier no more than its share of the gas", async () => {
    const greedy = await tiers.deploy("GreedyVerifier", [], tiers.admin);
    const id = keccak256(toUtf8Bytes("greedy"));
    await registry.registerCircuit(id, greedy, keccak256("0x02"), 0);
    const header = await publish(tiers, { circuitId: id, vkHash: keccak256("0x02") });
    const call = await answer(tiers, await newRequest(tiers, header.epoch, { circuitId: id }), { root: header.root });
    assert.equal(await said(registry.checkTier(...call, { gasLimit: 600_000 })), "ProofInvalid");
    const data = registry.interface.encodeFunctionData("verifyTier", call);
    const sent = { from: tiers.admin.address, to: registry.target, data, gas: "0xe4e1c0" };
    const hash = await tiers.rpc("eth_sendTransaction", sent).catch((error) => error.transactionHash ?? error.data?.txHash);
    const receipt = await tiers.rpc("eth_getTransactionReceipt", hash);
    assert.equal(receipt.status, "0x0");
    assert.ok(BigInt(receipt.gasUsed) < 700_000n, `${BigInt(receipt.gasUsed)} of 15,000,000 gas used`);
  });
});

describe("the life of an epoch", () => {
  it("takes proofs from notBefore to notAfter and through its grace, to the second", async () => {
    const tiers = await newTiers();
    const { registry } = tiers;
    const from = (await tiers.now()) + 1_000;
    const epoch = await publish(tiers, { notBefore: from, notAfter: from + DAY });
    const far = { expiresAt: from + 100 * DAY };
    const call = await answer(tiers, await newRequest(tiers, 1, far), { root: epoch.root });
    const end = from + DAY + GRACE;
    for (const [at, name] of [[from - 1, "EpochEarly"], [from, "no refusal"], [end, "no refusal"], [end + 1, "EpochEnded"]]) {
      await tiers.moveTo(at);
      assert.equal(await said(registry.checkTier(...call, { blockTag: "latest" })), name, `at ${at}`);
      assert.equal(await registry.isActive(1, at), name === "no refusal");
    }
    assert.equal(await registry.graceSeconds(), BigInt(GRACE));
    assert.equal(await registry.isActive(2, from), false);
  });

  it("ends at once and for ever when the guardian revokes it", async () => {
    const tiers = await newTiers();
    const { registry } = tiers;
    const epoch = await publish(tiers);
    const call = await answer(tiers, await newRequest(tiers, 1), { root: epoch.root });
    await registry.checkTier(...call);
    const receipt = await (await registry.revokeEpoch(1)).wait();
    assert.deepEqual(events(registry, receipt, "EpochWithdrawn"), [{ epoch: 1n, by: tiers.admin.address }]);
    assert.equal(await said(registry.verifyTier(...call)), "EpochRevoked");
    assert.equal(await registry.isActive(1, await tiers.now()), false);
    assert.equal(await said(registry.revokeEpoch(1)), "EpochRevoked");
    assert.equal(await said(registry.revokeEpoch(2)), "EpochUnknown");
    const again = await publish(tiers);
    assert.equal(again.epoch, 2n);
    await registry.checkTier(...(await answer(tiers, await newRequest(tiers, 2), { root: again.root })));
  });

  it("keeps its circuit when another one becomes current, and ends with it when it is retired", async () => {
    const tiers = await newTiers();
    const { registry } = tiers;
    const first = await publish(tiers);
    const greedy = await tiers.deploy("GreedyVerifier", [], tiers.admin);
    await registry.registerCircuit(CIRCUIT_ID, greedy, keccak256("0x02"), 1);
    assert.equal(await registry.circuitNoOf(CIRCUIT_ID), 2n);
    const call = await answer(tiers, await newRequest(tiers, 1), { root: first.root });
    await registry.checkTier(...call);
    assert.equal(await said(publish(tiers)), "VkHashMismatch");
    const second = await publish(tiers, { vkHash: keccak256("0x02") });
    const other = await answer(tiers, await newRequest(tiers, 2), { root: second.root });
    assert.equal(await said(registry.checkTier(...other)), "ProofInvalid");
    await registry.retireCircuit(1);
    assert.equal(await said(registry.verifyTier(...call)), "CircuitRetired");
    assert.equal(await registry.isActive(1, await tiers.now()), false);
    assert.equal(await registry.isActive(2, await tiers.now()), true);
  });
});
