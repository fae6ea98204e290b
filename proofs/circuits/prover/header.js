// An epoch's header as the operator signs it and the chain anchors it, and the two tables whose hashes it carries: the
// grid of policies that may be asked, and how many members a predicate fits (proofs/tier/header.py, grid.py, cohorts.py).

import { keccak256 } from "../../js/keccak.js";
import { ascii, toHex } from "../../js/words.js";
import { element, hex, number, object } from "./decoding.js";
import { AMOUNT_MAX, ANY_TIER, DEPTH, EPOCH_MAX, SECONDS_MAX } from "./statement.js";
import { digest, signer } from "./typed.js";

export const HEADER_TYPE =
  "TierEpoch(uint32 allianceId,uint32 epoch,uint256 root,uint8 depth,bytes32 cohorts,bytes32 policyGrid,bytes32 circuitId," +
  "bytes32 vkHash,uint64 notBefore,uint64 notAfter,bytes32 previous)";
const FIELDS = HEADER_TYPE.slice(HEADER_TYPE.indexOf("(") + 1, -1)
  .split(",")
  .map((field) => field.split(" "));
const SIGNATURE_BYTES = 65;
const snake = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

function value(kind, form, where) {
  if (kind === "bytes32") return hex(form, where);
  return kind === "uint256" ? element(form, where) : number(form, where, Number(kind.slice("uint".length)));
}

/** { header, signature } as it is published: the header (names of the type string) and its signature. */
export function parseHeader(form) {
  object(form, "epoch", ["header", "signature"]);
  const told = object(
    form.header,
    "epoch.header",
    FIELDS.map(([, name]) => snake(name)),
  );
  const header = Object.fromEntries(
    FIELDS.map(([kind, name]) => [name, value(kind, told[snake(name)], `epoch.header.${snake(name)}`)]),
  );
  return { header, signature: hex(form.signature, "epoch.signature", SIGNATURE_BYTES) };
}

/** The address that signed a header for a registry on a chain; throws where there is none. */
export const headerSigner = ({ header, signature }, place) => signer(digest(HEADER_TYPE, header, place), signature);

/** Whether a header speaks of a tree that the circuit knows. */
export const knownTree = ({ depth, root }) => depth === BigInt(DEPTH) && root !== 0n;

/** The hash of a JSON value: keys sorted, no blanks. Tables hold numbers and letters of ASCII alone. */
export const canonicalHash = (form) => toHex(keccak256(ascii(canonical(form))));

function canonical(form) {
  if (Array.isArray(form)) return `[${form.map(canonical).join(",")}]`;
  if (typeof form !== "object" || form === null) return JSON.stringify(form);
  const entries = Object.keys(form)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${canonical(form[name])}`);
  return `{${entries.join(",")}}`;
}

/** The pairs of bounds between edges: everything, from an edge on, below it, and between neighbours. */
function isBand(edges, lo, hi) {
  const free = lo === 0n || edges.includes(lo);
  if (hi === AMOUNT_MAX) return free;
  const at = edges.indexOf(hi + 1n);
  return at >= 0 && (lo === 0n || edges[at - 1] === lo);
}

/** The first part of a policy that the published grid does not allow to be asked; null when all are. */
export function offGrid(grid, policy) {
  const edges = (policy.metric ? grid.spend_edges : grid.points_edges).map(BigInt);
  const listed = (list, found) => list.some((each) => BigInt(each) === found);
  const checks = [
    ["tier_mask", policy.tierMask === ANY_TIER || listed(grid.tier_masks, policy.tierMask)],
    ["lo", policy.lo === 0n || edges.includes(policy.lo)],
    ["hi", isBand(edges, policy.lo, policy.hi)],
    ["since_max", policy.sinceMax === SECONDS_MAX || listed(grid.since_edges, policy.sinceMax)],
    ["valid_on", policy.validOn % BigInt(grid.valid_on_step_seconds) === 0n],
    ["key_epoch_max", policy.keyEpochMax === EPOCH_MAX || policy.keyEpochMax % BigInt(grid.key_epoch_step) === 0n],
    ["max_uses", policy.maxUses > 0n && policy.maxUses <= BigInt(grid.max_uses_max)],
  ];
  return checks.find(([, fine]) => !fine)?.[0] ?? null;
}

/** How many members at least the policy's predicate fits, 0 when it is none of those that are published. */
export function cohortOf(cohorts, policy) {
  const metric = policy.lo === 0n && policy.hi === AMOUNT_MAX ? 0n : policy.metric;
  const wanted = [policy.tierMask, metric, policy.lo, policy.hi, policy.sinceMax];
  const row = cohorts.cohorts.find((each) => wanted.every((part, i) => BigInt(each[i]) === part));
  return row ? row[5] : 0;
}
