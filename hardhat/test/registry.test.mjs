// The registry: who may set what, from which batch it holds, and what a restricted merchant may still sign.
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { ZeroAddress } from "ethers";
import { ATTESTERS, HOUR, TILL_MASK, commit, events, newAlliance, refusal } from "./alliance.mjs";

const KINDS = Array.from({ length: 15 }, (_, i) => i + 1);
const [EARN, REDEEM, VOID] = [1, 2, 9];
const SIGNER = ATTESTERS[6].address;

describe("MerchantRegistry", () => {
  let alliance, registry, asMerchant;
  before(async () => {
    alliance = await newAlliance({ merchants: 3, collateral: 0n });
    registry = alliance.registry;
    asMerchant = registry.connect(alliance.owner);
  });

  const opens = async (merchantId, keyId, batchNo) => {
    const signers = await Promise.all(KINDS.map((kind) => registry.keyAt(merchantId, keyId, batchNo, kind)));
    return KINDS.filter((_, i) => signers[i] === SIGNER);
  };

  it("registers merchants once, by the registrar, with real addresses", async () => {
    const one = { merchantId: 8, admin: alliance.owner.address, payoutAddress: alliance.owner.address };
    assert.equal((await refusal(asMerchant.addMerchants([one]))).name, "AccessControlUnauthorizedAccount");
    assert.equal((await refusal(registry.addMerchants([{ ...one, merchantId: 0 }]))).name, "ZeroMerchantId");
    assert.equal((await refusal(registry.addMerchants([{ ...one, merchantId: 1 }]))).name, "MerchantExists");
    assert.equal((await refusal(registry.addMerchants([one, one]))).name, "MerchantExists");
    assert.equal((await refusal(registry.addMerchants([{ ...one, admin: ZeroAddress }]))).name, "ZeroAddress");
    assert.equal((await refusal(registry.addMerchants([{ ...one, payoutAddress: ZeroAddress }]))).name, "ZeroAddress");
    assert.equal((await registry.merchant(1)).status, 1n);
    assert.equal((await registry.merchant(8)).status, 0n);
  });

  it("opens a lane once, for its merchant's admin, from the next batch, with VOID", async () => {
    const lane = { merchantId: 1, keyId: 1, signer: SIGNER, kindMask: TILL_MASK };
    assert.equal((await refusal(registry.addKeys([lane]))).name, "NotMerchantAdmin");
    assert.equal((await refusal(asMerchant.addKeys([{ ...lane, merchantId: 9 }]))).name, "UnknownMerchant");
    assert.equal((await refusal(asMerchant.addKeys([{ ...lane, keyId: 0 }]))).name, "ZeroKeyId");
    assert.equal((await refusal(asMerchant.addKeys([{ ...lane, signer: ZeroAddress }]))).name, "ZeroAddress");
    assert.equal((await refusal(asMerchant.addKeys([{ ...lane, kindMask: 1 }]))).name, "KindMaskInvalid");
    await commit(alliance);
    const receipt = await (await asMerchant.addKeys([lane])).wait();
    assert.equal(events(registry, receipt, "KeySet")[0].fromBatch, 2n);
    assert.equal((await refusal(asMerchant.addKeys([lane]))).name, "KeyExists");
    assert.deepEqual(await opens(1, 1, 1), []);
    assert.deepEqual(await opens(1, 1, 2), [1, 2, 3, 4, VOID]);
    for (const kind of [0, 16, 255]) assert.equal(await registry.keyAt(1, 1, 2, kind), ZeroAddress);
    assert.equal(await registry.keyAt(1, 2, 2, EARN), ZeroAddress);
    assert.equal(await registry.keyAt(2, 1, 2, EARN), ZeroAddress);
  });

  it("closes a lane after one batch of grace, for ever", async () => {
    await asMerchant.addKeys([{ merchantId: 1, keyId: 5, signer: SIGNER, kindMask: TILL_MASK }]);
    assert.equal((await refusal(registry.revokeKey(1, 5))).name, "NotMerchantAdmin");
    assert.equal((await refusal(asMerchant.revokeKey(1, 6))).name, "UnknownKey");
    await asMerchant.revokeKey(1, 5);
    assert.equal((await refusal(asMerchant.revokeKey(1, 5))).name, "KeyAlreadyRevoked");
    assert.deepEqual(await opens(1, 5, 2), [1, 2, 3, 4, VOID]);
    assert.deepEqual(await opens(1, 5, 3), []);
    assert.equal((await registry.key(1, 5)).toBatch, 3n);
  });

  it("appends terms by their issuer alone, and ends them after one batch of grace", async () => {
    const terms = { issuerId: 2, acceptorId: 0, num: 10_000, den: 1, mode: 0 };
    assert.equal((await refusal(registry.addTerms([terms]))).name, "NotMerchantAdmin");
    assert.equal((await refusal(asMerchant.addTerms([{ ...terms, den: 0 }]))).name, "TermsRateInvalid");
    assert.equal((await refusal(asMerchant.addTerms([{ ...terms, num: 0 }]))).name, "TermsRateInvalid");
    assert.equal((await refusal(asMerchant.addTerms([{ ...terms, mode: 2 }]))).name, "TermsModeInvalid");
    await asMerchant.addTerms([terms, { ...terms, issuerId: 3, mode: 1 }]);
    assert.equal(await registry.termsCount(), 2n);
    const second = await registry.terms(2);
    assert.deepEqual([second.issuerId, second.mode, second.fromBatch, second.toBatch], [3n, 1n, 2n, 0n]);
    assert.equal((await refusal(asMerchant.endTerms(3))).name, "UnknownTerms");
    assert.equal((await refusal(registry.endTerms(1))).name, "NotMerchantAdmin");
    await asMerchant.endTerms(1);
    assert.equal((await refusal(asMerchant.endTerms(1))).name, "TermsAlreadyEnded");
    assert.equal((await registry.terms(1)).toBatch, 3n);
  });

  it("keeps the history of a merchant's status by batch", async () => {
    assert.equal((await refusal(asMerchant.setStatus(1, 3))).name, "AccessControlUnauthorizedAccount");
    assert.equal((await refusal(registry.setStatus(77, 3))).name, "UnknownMerchant");
    assert.equal((await refusal(registry.setStatus(1, 2))).name, "StatusNotAllowed");
    await registry.setStatus(1, 3);
    await commit(alliance);
    await commit(alliance);
    await registry.setStatus(1, 1);
    assert.deepEqual(await opens(1, 1, 2), [1, 2, 3, 4, VOID]);
    assert.deepEqual(await opens(1, 1, 3), [3, 4, VOID]);
    assert.deepEqual(await opens(1, 1, 4), [3, 4, VOID]);
    assert.deepEqual(await opens(1, 1, 5), [1, 2, 3, 4, VOID]);
    assert.equal(await registry.statusAt(1, 4), 3n);
    assert.equal(await registry.statusAt(77, 4), 0n);
    await registry.setStatus(3, 4);
    assert.equal((await refusal(registry.setStatus(3, 1))).name, "StatusNotAllowed");
  });

  it("lets only its hub mark and clear a defaulter", async () => {
    assert.equal((await refusal(registry.markDelinquent(2))).name, "NotHub");
    assert.equal((await refusal(registry.clearDelinquent(2))).name, "NotHub");
    await asMerchant.addKeys([{ merchantId: 2, keyId: 1, signer: SIGNER, kindMask: TILL_MASK }]);
    const nets = [{ merchantId: 2, amount: -1n }, { merchantId: 3, amount: 1n }];
    const { header } = await commit(alliance, { nets, wallets: ATTESTERS.slice(0, 3) });
    await alliance.pass(7 * 24 * HOUR);
    await alliance.hub.finaliseThrough(header.batchNo - 1n);
    await alliance.hub.finaliseBatch(header, nets);
    const next = await alliance.hub.nextBatchNo();
    assert.equal(await registry.keyAt(2, 1, next, REDEEM), SIGNER, "one batch of grace");
    assert.equal(await registry.keyAt(2, 1, next + 1n, REDEEM), ZeroAddress);
    assert.equal((await refusal(registry.setStatus(2, 1))).name, "StatusNotAllowed");
    await alliance.hub.deposit(2, 1);
    assert.equal(await registry.keyAt(2, 1, next + 1n, REDEEM), SIGNER);
  });

  it("hands a merchant on, and counts what each address administers", async () => {
    const heir = await alliance.account(7);
    const before = await registry.administeredBy(alliance.owner.address);
    assert.equal((await refusal(registry.setAddresses(2, heir.address, heir.address))).name, "NotMerchantAdmin");
    assert.equal((await refusal(asMerchant.setAddresses(2, ZeroAddress, heir.address))).name, "ZeroAddress");
    await asMerchant.setAddresses(2, heir.address, heir.address);
    assert.equal(await registry.administeredBy(alliance.owner.address), before - 1n);
    assert.equal(await registry.administeredBy(heir.address), 1n);
    assert.equal((await refusal(asMerchant.revokeKey(2, 1))).name, "NotMerchantAdmin");
  });

  it("is bound to one hub, which must know it", async () => {
    assert.equal((await refusal(registry.bindHub(alliance.hub))).name, "HubAlreadyBound");
    assert.equal(await registry.hub(), alliance.hub.target);
    const other = await alliance.deploy("MerchantRegistry", [alliance.admin.address], alliance.admin);
    assert.equal((await refusal(other.bindHub(alliance.hub))).name, "HubForeign");
    assert.equal((await refusal(other.connect(alliance.owner).bindHub(alliance.hub))).name, "AccessControlUnauthorizedAccount");
  });
});
