// What a wallet looks at before it proves anything, and what it shows its owner. The same checks in the same order as
// proofs/tier/consent.py: the request, the epoch, the policy, the cohort, what the partner asked before, the owner. No clock
// and no network: what the chain holds and the time come in.

import { unmet, policyOf } from "./witness.js";
import { signerOf, scopeOf } from "./request.js";
import { canonicalHash, cohortOf, headerSigner, knownTree, offGrid } from "./header.js";
import { MEMBERS_MIN, closing, questionOf } from "./narrowing.js";
import { allianceId } from "./statement.js";
import { inWords } from "./words.js";

const POLICY_BITS = 249;

/** The value of `make`, or undefined where it throws: a signature of which nobody can be the signer. */
function orNobody(make) {
  try {
    return make();
  } catch {
    return undefined;
  }
}

const first = (checks) => checks.find(([fine]) => !fine)?.slice(1) ?? null;

function flawOf(asked, now, partnerKey) {
  const { request } = asked;
  if (BigInt.asUintN(POLICY_BITS, request.policy) !== request.policy) return ["policy"];
  const policy = policyOf(request.policy);
  const signer = orNobody(() => signerOf(asked));
  return first([
    [policy.lo <= policy.hi && policy.tierMask && policy.maxUses, "policy"],
    [request.maxUses === policy.maxUses, "uses"],
    [request.scope === scopeOf(asked), "scope"],
    [now < request.expiresAt, "expired"],
    [signer !== undefined, "unsigned"],
    [signer === partnerKey, "stranger"],
  ]);
}

function epochFlaw({ request, chainId, registry }, known, now) {
  const { header } = known.epoch;
  const place = { chainId: known.chainId, registry: known.registry };
  return first([
    [chainId === known.chainId && registry === known.registry, "registry"],
    [request.epoch === header.epoch && request.circuitId === header.circuitId, "epoch"],
    [knownTree(header) && header.allianceId === BigInt(allianceId(place.chainId, place.registry)), "header"],
    [orNobody(() => headerSigner(known.epoch, place)) === known.epochKey, "header"],
    [header.notBefore <= now && now <= header.notAfter, "inactive"],
    [header.root === known.anchoredRoot && known.anchoredRoot !== 0n, "root"],
  ]);
}

function policyFlaw(policy, { epoch: { header }, grid, cohorts }) {
  if (canonicalHash(grid) !== header.policyGrid) return ["grid", "the grid is not the one that the header names"];
  if (canonicalHash(cohorts) !== header.cohorts) return ["grid", "the cohorts are not those that the header names"];
  const off = offGrid(grid, policy);
  if (off) return ["grid", off];
  return policy.validOn <= header.notAfter ? null : ["grid", "valid_on is after the epoch"];
}

/**
 * What to show the owner, or { refused, detail } with the first reason not to.
 *
 * `asked` is from parseRequest. `known` holds what the chain says (chainId, registry, partnerKey or null, epochKey,
 * anchoredRoot or 0n), the operator's `epoch` (from parseHeader), `grid` and `cohorts` as published, the owner's
 * `attributes`, `answeredScopes`, in which something was shown before, and `askedBefore`, what this partner asked the owner
 * in the last 30 days ({ question, epoch }, the word of questionOf). Times and numbers are BigInt.
 */
export function checkRequest(asked, known, { now, useIndex = 0n, tierNames = [] }) {
  if (known.partnerKey === null) return { refused: "stranger", detail: "the registry holds no key for this partner" };
  const early = flawOf(asked, now, known.partnerKey) ?? epochFlaw(asked, known, now);
  if (early) return { refused: early[0], detail: early[1] ?? "" };
  const policy = policyOf(asked.request.policy);
  const off = policyFlaw(policy, known);
  if (off) return { refused: off[0], detail: off[1] };
  const cohort = cohortOf(known.cohorts, policy);
  if (cohort < MEMBERS_MIN) return { refused: "cohort", detail: "" };
  const { header } = known.epoch;
  const close = closing(questionOf(policy, header.notBefore), known.askedBefore ?? [], header.epoch, known.cohorts);
  if (close) return { refused: "closing", detail: close };
  const reason = unmet(policy, known.attributes, useIndex);
  if (reason) return { refused: "unmet", detail: reason };
  const { partnerId, audience, purpose, scope, expiresAt } = asked.request;
  const linkable = (known.answeredScopes ?? []).some((each) => each === scope);
  return { partnerId, audience, purpose, predicate: inWords(policy, tierNames), linkable, cohort, expiresAt };
}
