// Whether a partner is closing in on this wallet's owner: what one more policy says together with those that it asked here
// before. The same rule as proofs/tier/narrowing.py, which the doors hold a partner to over all that it asks: a request that
// is handed straight to a device passes no door. A policy stands here as `unpacked`, a question as one packed word.

import { cohortOf } from "./header.js";
import { AMOUNT_MAX, POLICY, packed, unpacked } from "./statement.js";

export const WINDOW_SECONDS = 30 * 86_400;
export const MEMBERS_MIN = 50;
const NARROWINGS_MAX = 3;

const larger = (one, other) => (one > other ? one : other);
const smaller = (one, other) => (one < other ? one : other);

/** Whether a policy says anything of an amount. */
const bounded = ({ lo, hi }) => lo !== 0n || hi !== AMOUNT_MAX;

/** What a policy asks, however often it may be shown, in an epoch that begins at that second. */
export function questionOf(policy, notBefore) {
  const metric = bounded(policy) ? policy.metric : 0n;
  const validOn = policy.validOn > notBefore ? policy.validOn : 0n;
  return packed(POLICY, { ...policy, metric, validOn, maxUses: 1n });
}

/** Whether some attributes fit both. */
function overlap(one, other) {
  if ((one.tierMask & other.tierMask) === 0n) return false;
  if (!bounded(one) || !bounded(other) || one.metric !== other.metric) return true;
  return larger(one.lo, other.lo) <= smaller(one.hi, other.hi);
}

/** The members of both, as one policy where there is one. */
function common(one, other) {
  if (bounded(one) && bounded(other) && one.metric !== other.metric) return null;
  const [lo, hi] = [larger(one.lo, other.lo), smaller(one.hi, other.hi)];
  const { metric } = bounded(one) ? one : other;
  return { tierMask: one.tierMask & other.tierMask, metric, lo, hi, sinceMax: smaller(one.sinceMax, other.sinceMax) };
}

/** Whether whoever fits `part` fits `whole`. */
function within(part, whole) {
  const fits = !bounded(whole) || (part.metric === whole.metric && whole.lo <= part.lo && part.hi <= whole.hi);
  return fits && (part.tierMask & whole.tierMask) === part.tierMask && part.sinceMax <= whole.sinceMax;
}

const published = ({ cohorts }) =>
  cohorts.map(([tierMask, metric, lo, hi, sinceMax]) => ({
    ...{ tierMask: BigInt(tierMask), metric: BigInt(metric) },
    ...{ lo: BigInt(lo), hi: BigInt(hi), sinceMax: BigInt(sinceMax) },
  }));

/** How many may stand behind a published step, 0 for none; the last step has no end. */
const mostBehind = (step, steps) => (steps.find((each) => each > step) ?? Infinity) - 1;

/** Whether those who fit the one and not the other are nobody, or certainly a cohort. */
function leftAreMany(of, without, cohorts, rows) {
  if (within(of, without) || rows.some((each) => within(each, of) && !overlap(each, without))) return true;
  return cohortOf(cohorts, of) - mostBehind(cohortOf(cohorts, without), cohorts.steps) >= MEMBERS_MIN;
}

/** Whether somebody who shows both, or one alone, might be among too few. */
function standsOut(one, other, cohorts, rows) {
  const both = common(one, other);
  if (both === null) return false;
  const shared = rows.some((each) => within(each, both));
  return !(shared && leftAreMany(one, other, cohorts, rows) && leftAreMany(other, one, cohorts, rows));
}

/**
 * Why a question is not answered beside those that the same partner asked before ({ question, epoch }), in an epoch with
 * these cohorts: "policies", too many of them; "cohort", too few people in common with one, or apart from it; or null.
 */
export function closing(question, before, epoch, cohorts) {
  const beside = (asked) =>
    [...new Set(asked.map((each) => each.question))]
      .filter((each) => each !== question)
      .map((each) => unpacked(POLICY, each))
      .filter((each) => overlap(each, unpacked(POLICY, question)));
  const narrowings = before.some((each) => each.question === question) ? [] : beside(before);
  if (narrowings.length > NARROWINGS_MAX) return "policies";
  const others = narrowings.length ? narrowings : beside(before.filter((each) => each.epoch === epoch));
  const rows = published(cohorts);
  return others.some((each) => standsOut(unpacked(POLICY, question), each, cohorts, rows)) ? "cohort" : null;
}
