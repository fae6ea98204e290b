// What the ledger delivers to a wallet for an epoch, and what the wallet makes of it: the check that the path leads to the
// root on the chain, whether a policy admits these attributes, and the circuit's inputs.

import { element, list, number, object } from "./decoding.js";
import { ATTRIBUTES, DEPTH, POLICY, commitment, leaf, nullifier, packed, rootFromPath, unpacked } from "./statement.js";

const SNAKE = { validUntil: "valid_until", keyEpoch: "key_epoch" };
const snake = (name) => SNAKE[name] ?? name;

/** A witness as it is delivered: { attributes, salt, index, path }. Throws DecodingError naming the field. */
export function parseWitness(form) {
  object(form, "witness", ["attributes", "salt", "index", "path"]);
  const told = object(form.attributes, "witness.attributes", Object.keys(ATTRIBUTES).map(snake));
  return {
    attributes: Object.fromEntries(
      Object.entries(ATTRIBUTES).map(([name, bits]) => [
        name,
        number(told[snake(name)], `witness.attributes.${snake(name)}`, bits),
      ]),
    ),
    salt: element(form.salt, "witness.salt"),
    index: number(form.index, "witness.index", DEPTH),
    path: list(form.path, "witness.path", DEPTH).map((node, i) => element(node, `witness.path[${i}]`)),
  };
}

/** Whether what was delivered belongs to this secret and leads to this root: an epoch of which it does not is refused. */
export function checkWitness(witness, { secret, epochTag, root }) {
  const node = leaf(commitment(secret), epochTag, packed(ATTRIBUTES, witness.attributes), witness.salt);
  return rootFromPath(node, witness.index, witness.path) === root;
}

/** Why a policy does not admit these attributes and this use, the first reason in order; null when it does. */
export function unmet(policy, attributes, useIndex) {
  const measured = policy.metric ? attributes.spend : attributes.points;
  if (!((policy.tierMask >> attributes.tier) & 1n)) return "tier";
  if (measured < policy.lo) return "low";
  if (measured > policy.hi) return "high";
  if (attributes.since > policy.sinceMax) return "since";
  if (attributes.validUntil < policy.validOn) return "valid";
  if (attributes.keyEpoch > policy.keyEpochMax) return "key";
  return useIndex >= 0n && useIndex < policy.maxUses ? null : "use";
}

/** The circuit's inputs for a witness and the numbers of a request (all BigInt); policy is the packed word. */
export function makeInput({ secret, witness, epochTag, root, scope, challenge, policy, useIndex }) {
  return {
    nullifier: nullifier(secret, scope, useIndex),
    ...{ root, epochTag, scope, challenge, policy },
    secret,
    ...witness.attributes,
    salt: witness.salt,
    useIndex,
    siblings: witness.path,
    positions: Array.from({ length: DEPTH }, (_, i) => (witness.index >> BigInt(i)) & 1n),
  };
}

export const policyOf = (word) => unpacked(POLICY, word);
