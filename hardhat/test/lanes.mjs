// Small batches with real leaves and lane rows: merchants with keys of their own, trees over what they signed, and the proofs
// that the forced queue asks for.
import { Wallet, keccak256 } from "ethers";
import { attest, commit } from "./alliance.mjs";
import { ZERO, concat, hashStruct, signedDigest, treePath, treeRoot, word } from "./words.mjs";

export const [EARN, REDEEM, REFERRAL, VOID, REFERRAL_CASH] = [1, 2, 8, 9, 12];
export const EVERY_KIND = 0xfffe;
export const SOME_MEMBER = keccak256(Buffer.from("member"));
/** The operator's key for receipts, in tests. */
export const RECEIPT_KEY = new Wallet(keccak256(Buffer.from("receipt-key")));

export const laneKey = (merchantId) => new Wallet(keccak256(Buffer.from(`lane-${merchantId}`)));
export const laneAccount = (merchantId, keyId = 1) =>
  concat("0x01", word(merchantId).replace(/.*(.{8})$/, "0x$1"), word(keyId).replace(/.*(.{8})$/, "0x$1"), "0x" + "00".repeat(23));

/** Registers lane 1 of each merchant and terms `merchantId` of each issuer: 10,000 base units a point, on redemption. */
export async function openLanes({ registry, owner }, merchantIds, kindMask = EVERY_KIND) {
  const byOwner = registry.connect(owner);
  await byOwner.addKeys(merchantIds.map((merchantId) => ({ merchantId, keyId: 1, signer: laneKey(merchantId).address, kindMask })));
  await byOwner.addTerms(merchantIds.map((issuerId) => ({ issuerId, acceptorId: 0, num: 10_000, den: 1, mode: 0 })));
}

export function earn(merchantId, nonce, changes = {}) {
  return {
    kind: EARN,
    merchantId,
    keyId: 1,
    nonce,
    occurredAt: 1,
    issuerId: merchantId,
    memberRef: SOME_MEMBER,
    points: 500,
    termsId: merchantId,
    settleAmount: 0,
    refEventId: ZERO,
    campaignId: 0,
    level: 0,
    basis: 0,
    detailHash: word(nonce),
    ...changes,
  };
}

export const voidOf = (merchantId, nonce, changes = {}) =>
  earn(merchantId, nonce, { kind: VOID, issuerId: 0, memberRef: ZERO, points: 0, termsId: 0, ...changes });

export async function sign(hub, type, value, wallet) {
  return attest(wallet, signedDigest(await hub.domainSeparator(), hashStruct(type, value)));
}

export async function leafOf(hub, leafNo, event, wallet = laneKey(event.merchantId)) {
  const [sigR, sigVS] = await sign(hub, "PointsEvent", event, wallet);
  return {
    leafNo,
    lanePrevLeafNo: 0n,
    eventHash: hashStruct("PointsEvent", event),
    sigR,
    sigVS,
    issuerPosting: ZERO,
    debtorPosting: ZERO,
    creditorPosting: ZERO,
    memberPosting: ZERO,
    totalPointsAfter: 0n,
  };
}

/** A batch over `events` whose accounts tree says how far each lane has come (`seqs`: merchant → seq). */
export async function plan(alliance, events, seqs) {
  const { hub } = alliance;
  const first = await hub.nextLeafNo();
  const list = events.length ? events : [voidOf(9, 1)];
  const leaves = [];
  for (const [i, event] of list.entries()) leaves.push(await leafOf(hub, first + BigInt(i), event));
  const rows = Object.entries(seqs).map(([merchantId, seq]) => ({
    account: laneAccount(Number(merchantId)),
    seq,
    lastLeafNo: 0,
    balance: 0,
    salt: word(merchantId),
  }));
  const leafHashes = leaves.map((leaf) => hashStruct("SettlementLeaf", leaf));
  const rowHashes = rows.map((row) => hashStruct("AccountRow", row));
  const fields = {
    leafCount: BigInt(leaves.length),
    leavesRoot: treeRoot(leafHashes),
    accountsCount: BigInt(rows.length),
    accountsRoot: treeRoot(rowHashes),
  };
  return { events: list, leaves, rows, leafHashes, rowHashes, fields };
}

/** What the hub was given, with proofs of its leaves and rows. */
export const proven = (planned, header) => ({
  ...planned,
  header,
  leafProof: (index) => ({
    header,
    leaf: planned.leaves[index],
    index,
    path: treePath(planned.leafHashes, index),
    pointsEvent: planned.events[index],
  }),
  rowProof: (merchantId) => {
    const index = planned.rows.findIndex((row) => row.account === laneAccount(merchantId));
    return { header, row: planned.rows[index], index, path: treePath(planned.rowHashes, index) };
  },
});

/** Commits such a batch; the same with proofs. */
export async function batch(alliance, events, seqs, options = {}) {
  const planned = await plan(alliance, events, seqs);
  const { header, receipt } = await commit(alliance, { ...planned.fields, ...options });
  return { ...proven(planned, header), receipt };
}

/** Forces an event that its merchant signed. */
export async function force(alliance, event, last, wallet = laneKey(event.merchantId)) {
  const signature = await sign(alliance.hub, "PointsEvent", event, wallet);
  return alliance.queue.forceEvent(event, signature, last.rowProof(event.merchantId));
}
