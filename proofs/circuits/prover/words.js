// A policy in words for a person to read: word for word what proofs/tier/policy.py says (a mini-program translates it);
// both are held to proofs/vectors/tier_words.json.

import { AMOUNT_MAX, EPOCH_MAX, SECONDS_MAX } from "./statement.js";

const RANKS = 16;

/** The predicate, one clause after the other; `tierNames` are names by rank. */
export function inWords(policy, tierNames = []) {
  const clauses = [
    tiers(Number(policy.tierMask), tierNames),
    amount(policy),
    policy.sinceMax === SECONDS_MAX ? "" : `member since ${day(policy.sinceMax)} or before`,
    policy.validOn === 0n ? "" : `the tier still holds on ${day(policy.validOn)}`,
    policy.keyEpochMax === EPOCH_MAX ? "" : `the key is of epoch ${policy.keyEpochMax} or before`,
  ].filter(Boolean);
  const uses = { 0: "never", 1: "once" }[policy.maxUses] ?? `up to ${policy.maxUses} times`;
  return `${clauses.join("; ") || "is a member in this epoch"}. Can be shown ${uses} for this purpose in this window.`;
}

/** Ranks above the last name are held by nobody and left unsaid; without names ranks are shown by number. */
function tiers(mask, names) {
  const count = names.length || RANKS;
  const asked = Array.from({ length: count }, (_, rank) => rank).filter((rank) => (mask >> rank) & 1);
  const called = asked.map((rank) => names[rank] ?? `number ${rank}`);
  if (asked.length === count) return "";
  if (!asked.length) return "a tier that nobody has";
  if (asked.length === 1) return `tier ${called[0]}`;
  return asked[0] + asked.length === count ? `tier ${called[0]} or higher` : `tier one of ${called.join(", ")}`;
}

const grouped = (value) => value.toString().replace(/\B(?=(\d{3})+$)/g, ",");

function amount({ lo, hi, metric }) {
  const what = metric ? "spend" : "points";
  if (lo > hi) return `${what} that nobody has (${grouped(lo)} or more and ${grouped(hi)} or less)`;
  if (hi === AMOUNT_MAX) return lo ? `${what} ${grouped(lo)} or more` : "";
  return lo ? `${what} from ${grouped(lo)} to ${grouped(hi)}` : `${what} ${grouped(hi)} or less`;
}

/** A moment in UTC; midnight is a day. */
function day(second) {
  const [date, time] = new Date(Number(second) * 1000).toISOString().split(/[T.]/);
  return time === "00:00:00" ? date : `${date} ${time} UTC`;
}
