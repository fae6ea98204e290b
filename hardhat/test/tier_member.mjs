// A member with a secret, and the proofs that the committed development keys make for it. What is linked here to make proofs
// is under its own licence (proofs/circuits/LICENSE.md); it is for tests, and nothing else imports this file.
import { after } from "node:test";
import { DEVELOPMENT, loaded } from "../../proofs/circuits/build/manifest.mjs";
import { prove } from "../../proofs/circuits/prover/prove.js";
import { poseidon } from "../../proofs/circuits/prover/poseidon.js";
import { ATTRIBUTES, DEPTH, commitment, epochTag, leaf, packed, rootFromPath } from "../../proofs/circuits/prover/statement.js";
import { makeInput } from "../../proofs/circuits/prover/witness.js";
import { PARTNER, REQUEST_TYPES, allianceIdOf, challengeOf, onChain } from "./tiers.mjs";

export const keys = loaded(DEVELOPMENT, { production: false });
export const VK_HASH = keys.manifest.vk_hash;
const SECRET = 0x70726f6f66206f6620746965722c20736565206d79206261646765n;
const GOLD = { points: 12_000n, spend: 480_000n, since: 1_700_000_000n, validUntil: 2_000_000_000n, keyEpoch: 1n, tier: 3n, programme: 1n };
const SALT = 42n;
const PLACE = 5n;
const EMPTY = [0n];
while (EMPTY.length < DEPTH) EMPTY.push(poseidon([EMPTY.at(-1), EMPTY.at(-1)]));

// Arithmetic on the curve starts threads, which would keep the process.
after(() => globalThis.curve_bn128?.terminate());

const tagOf = ({ chainId, registry }, epoch) => epochTag(allianceIdOf(chainId, registry.target), epoch);

/** The root of a tree that holds the member alone, in an epoch. */
export const rootOf = (tiers, epoch) =>
  rootFromPath(leaf(commitment(SECRET), tagOf(tiers, epoch), packed(ATTRIBUTES, GOLD), SALT), PLACE, EMPTY);

/** What `verifyTier` takes, with a proof of the member's. */
export async function proven(tiers, request, { useIndex = 0n, key = PARTNER } = {}) {
  const digest = await tiers.registry.requestDigest(request);
  const witness = { attributes: GOLD, salt: SALT, index: PLACE, path: EMPTY };
  const input = makeInput({
    secret: SECRET,
    witness,
    epochTag: tagOf(tiers, request.epoch),
    root: rootOf(tiers, request.epoch),
    scope: BigInt(request.scope),
    challenge: challengeOf(digest),
    policy: BigInt(request.policy),
    useIndex,
  });
  const { nullifier, proof } = await prove(input, keys);
  const signature = await key.signTypedData(tiers.domain, REQUEST_TYPES, request);
  return [request, signature, BigInt(nullifier), onChain(proof)];
}
