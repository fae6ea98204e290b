// A policy in words for a person to read: the same words as proofs/tier/policy.py says (a mini-program translates them).

const AMOUNT_MAX = 2n ** 64n - 1n;
const SECONDS_MAX = 2n ** 32n - 1n;
const EPOCH_MAX = 2n ** 32n - 1n;
const RANKS = 16;
const ANY_TIER = 0xffff;

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

/** Ranks without a name are shown by number; ranks above all names count only where the mask names them alone. */
function tiers(mask, names) {
  const known = names.length ? 2 ** names.length - 1 : ANY_TIER;
  const above = mask >> names.length;
  const wholeAbove = above === 0 || above === ANY_TIER >> names.length;
  const asked = wholeAbove && mask & known ? mask & known : mask;
  if (mask === ANY_TIER || (names.length && asked === known)) return "";
  if (!mask) return "a tier that nobody has";
  const ranks = Array.from({ length: RANKS }, (_, rank) => rank).filter((rank) => (asked >> rank) & 1);
  const called = ranks.map((rank) => names[rank] ?? `tier ${rank}`);
  if (mask === (ANY_TIER >> ranks[0]) << ranks[0])
    return names.length ? `tier ${called[0]} or higher` : `${called[0]} or higher`;
  return called.length > 1 ? `tier is one of ${called.join(", ")}` : `tier is exactly ${called[0]}`;
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
