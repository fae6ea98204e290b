// A tier registry with one circuit and one partner on a fresh chain, and what operator, partner and member hand it: headers,
// requests and answers that fit, each field of which a test may change. Written from the protocol, not from the Solidity.
import { AbiCoder, Wallet, keccak256, toUtf8Bytes } from "ethers";
import { DAY, newChain } from "./alliance.mjs";

export const R = 21888242871839275222246405745257275088548364400416034343698204186575808495617n;
export const GRACE = DAY;
export const CIRCUIT_ID = keccak256(toUtf8Bytes("TierProofV1(24)"));
export const [DEVELOPMENT, CEREMONY] = [0n, 1n];
export const NOBODY = "0x" + "00".repeat(20);
const testKey = (name) => new Wallet(keccak256(toUtf8Bytes(`tongdui-test-${name}`)));
export const [EPOCH_KEY, PARTNER, STRANGER] = ["epoch", "partner", "stranger"].map(testKey);
export const PARTNER_ID = 7;

const types = (name, list) => ({ [name]: list.split(",").map((field) => ({ type: field.split(" ")[0], name: field.split(" ")[1] })) });
export const EPOCH_TYPES = types(
  "TierEpoch",
  "uint32 allianceId,uint32 epoch,uint256 root,uint8 depth,bytes32 cohorts,bytes32 policyGrid,bytes32 circuitId,bytes32 vkHash,uint64 notBefore,uint64 notAfter,bytes32 previous",
);
export const REQUEST_TYPES = types(
  "ProofRequest",
  "uint32 partnerId,string audience,string purpose,uint32 windowId,uint256 scope,uint256 policy,uint32 epoch,bytes32 circuitId,bytes32 nonce,uint64 expiresAt,uint8 maxUses,address recipient",
);

const encoded = (kinds, values) => AbiCoder.defaultAbiCoder().encode(kinds, values);
const text = (value) => keccak256(toUtf8Bytes(value));

export const allianceIdOf = (chainId, registry) => BigInt(keccak256(encoded(["uint256", "address"], [chainId, registry]))) >> 224n;

export function scopeOf(chainId, registry, { partnerId, purpose, windowId }) {
  const kinds = ["bytes32", "uint256", "address", "uint32", "bytes32", "uint32"];
  const words = [text("LAZK-scope-v1"), chainId, registry, partnerId, text(purpose), windowId];
  return BigInt(keccak256(encoded(kinds, words))) >> 8n;
}

/** A policy's one number, lowest field first. */
export function packed({ lo = 0n, hi = (1n << 64n) - 1n, sinceMax = 0xffffffffn, validOn = 0n, keyEpochMax = 0xffffffffn, tierMask = 0b1100n, metric = 0n, maxUses = 1n } = {}) {
  const fields = [[lo, 64n], [hi, 64n], [sinceMax, 32n], [validOn, 32n], [keyEpochMax, 32n], [tierMask, 16n], [metric, 1n], [maxUses, 8n]];
  let [word, at] = [0n, 0n];
  for (const [value, bits] of fields) [word, at] = [word | (BigInt(value) << at), at + bits];
  return word;
}

export const challengeOf = (digest) => BigInt(keccak256(digest)) >> 8n;

/** What a proof is about, in the circuit's order. */
export const signalsOf = ({ chainId, registry }, request, digest, { nullifier, root }) => [
  nullifier,
  root,
  (allianceIdOf(chainId, registry.target) << 32n) | BigInt(request.epoch),
  BigInt(request.scope),
  challengeOf(digest),
  BigInt(request.policy),
];

/** A proof for SignalsVerifier. */
export const proofFor = (signals) => [keccak256(encoded(["uint256[6]"], [signals])), 0, 0, 0, 0, 0, 0, 0];

export async function newTiers({ verifier = "SignalsVerifier", vkHash = text("a key"), chain } = {}) {
  const at = chain ?? (await newChain());
  const admin = await at.account(0);
  const registry = await at.deploy("TierRegistry", [admin.address, EPOCH_KEY.address, GRACE], admin);
  const checks = await at.deploy(verifier, [], admin);
  await registry.registerCircuit(CIRCUIT_ID, checks, vkHash, DEVELOPMENT);
  await registry.setPartner(PARTNER_ID, PARTNER.address);
  const { chainId } = await at.provider.getNetwork();
  const domain = { name: "Tongdui Tier", version: "1", chainId, verifyingContract: registry.target };
  return { ...at, admin, registry, checks, vkHash, chainId, domain };
}

/** A header that would be published next: from now for a day. */
export async function nextEpoch({ registry, chainId, vkHash, now }, changes = {}) {
  const [epoch, previous] = await registry.lastEpoch();
  const from = await now();
  return {
    allianceId: allianceIdOf(chainId, registry.target),
    epoch: epoch + 1n,
    root: BigInt(keccak256(encoded(["uint32"], [epoch]))) >> 8n,
    depth: 24,
    cohorts: text("cohorts"),
    policyGrid: text("grid"),
    circuitId: CIRCUIT_ID,
    vkHash,
    notBefore: from,
    notAfter: from + DAY,
    previous,
    ...changes,
  };
}

export const signHeader = ({ domain }, header, key = EPOCH_KEY) => key.signTypedData(domain, EPOCH_TYPES, header);

/** Publishes the next epoch and returns its header. */
export async function publish(tiers, changes = {}, key = EPOCH_KEY) {
  const header = await nextEpoch(tiers, changes);
  await (await tiers.registry.publishEpoch(header, await signHeader(tiers, header, key))).wait();
  return header;
}

/** A request of the partner's about an epoch, with its scope, unless `changes` say otherwise. */
export async function newRequest({ chainId, registry, now }, epoch, changes = {}) {
  const named = { partnerId: PARTNER_ID, purpose: "welcome gift", windowId: 1, ...changes };
  return {
    audience: "shop.example",
    scope: scopeOf(chainId, registry.target, named),
    policy: packed(),
    epoch,
    circuitId: CIRCUIT_ID,
    nonce: text(`nonce ${nonces++}`),
    expiresAt: (await now()) + 600,
    maxUses: 1,
    recipient: "0x00000000000000000000000000000000000a11ce",
    ...named,
  };
}
let nonces = 0;

/**
 * Everything `verifyTier` takes for a request, in order: the partner's signature over it, and a proof that fits. `about`
 * changes what the proof is about and not what is asked.
 */
export async function answer(tiers, request, { root, nullifier = 12345n, key = PARTNER, about = (signals) => signals }) {
  const signature = await key.signTypedData(tiers.domain, REQUEST_TYPES, request);
  const digest = await tiers.registry.requestDigest(request);
  const signals = about(signalsOf(tiers, request, digest, { nullifier, root }));
  return [request, signature, nullifier, proofFor(signals)];
}

/** A response's proof in the order of `verifyTier`: of a point over the larger field the imaginary part comes first. */
export const onChain = ({ pi_a, pi_b, pi_c }) => [...pi_a, ...pi_b[0].toReversed(), ...pi_b[1].toReversed(), ...pi_c];
