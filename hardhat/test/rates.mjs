// Cash beside points and nets of cash, in plain JavaScript from protocol §2.4 and §3.4: a third opinion beside Python's and
// what the contracts decide. Amounts are BigInt; a rate is num/den base units a point.
const BASE_UNITS_PER_AU = 10_000n;
const [ISSUANCE, REFUND_REDEEM, TRANSFER_OUT, TRANSFER_IN] = [1, 4, 14, 15];
const ACCEPTORS = [2, 4, 6];
const ADDS = [1, 4, 7, 8, 10, 15];

const absolute = (value) => (value < 0n ? -value : value);
const aboveZero = (value) => (value > 0n ? value : 0n);
const larger = (left, right) => (left > right ? left : right);

/** Numbers of a row, which has them as decimal strings. */
function numbers(row) {
  const [points, settle, num, den, balance] = ["points", "settleAmount", "num", "den", "memberBalance"].map((name) => BigInt(row[name]));
  const [kind, mode] = [Number(row.kind), Number(row.mode)];
  return { points, settle, num, den, balance, kind, reserve: mode === ISSUANCE && !ACCEPTORS.includes(kind) };
}

/** Less than this, times 1/den, may cash with the reserve be off: a point, or an AU where a point is worth less. */
const roundingOf = ({ num, den }) => larger(num, BASE_UNITS_PER_AU * den);

/** Whether cash and points may stand together, by the event and its terms alone. */
export function rateHolds(row) {
  const given = numbers(row);
  const { points, settle, num, den, kind, reserve } = given;
  if (reserve) return settle * den < points * num + roundingOf(given);
  const off = settle * den - points * num;
  return kind === REFUND_REDEEM ? absolute(off) < num : -num < off && off <= 0n;
}

/** Whether the reserve keeps up with what the member has above zero after the leaf. */
export function reserveFollows(row) {
  const given = numbers(row);
  const { points, settle, num, den, kind, balance, reserve } = given;
  if (!reserve) return true;
  const before = ADDS.includes(kind) ? balance - points : balance + points;
  const moved = absolute(aboveZero(balance) - aboveZero(before));
  const due = kind === TRANSFER_OUT ? 0n : kind === TRANSFER_IN ? points - moved : moved;
  return absolute(settle * den - due * num) < roundingOf(given);
}

/** Each party's change of cash, ascending, without zeroes; lists of {merchantId, amount} with decimal strings. */
export function netsFrom(now, since) {
  const changes = new Map();
  const add = (listed, sign) => {
    for (const { merchantId, amount } of listed) changes.set(Number(merchantId), (changes.get(Number(merchantId)) ?? 0n) + sign * BigInt(amount));
  };
  add(now, 1n);
  add(since, -1n);
  const moved = [...changes].filter(([, amount]) => amount).sort(([left], [right]) => left - right);
  return moved.map(([merchantId, amount]) => ({ merchantId: String(merchantId), amount: String(amount) }));
}
