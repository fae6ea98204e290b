"""A court as the protocol wants it (§4.4), in Python: it sees exhibits, header hashes and the registry, never a file.
Of campaigns and exchange rates it has its own record, as a contract of rewards would.

It shares nothing with the auditor but the exhibits' own check, and believes nothing that does not lead to a header.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from auditor.registry import Registry
from proofs.accounts import CASH, LANE, MEMBER, POINTS, lane_account
from proofs.exhibits import Leaf, check_leaf, check_row
from proofs.headers import nets_hash
from proofs.json_form import from_json
from proofs.kinds import BASE_UNITS_PER_AU, MAY_OWE, Kind, broken_rules, effects, points_delta
from proofs.messages import AccountRow, BatchHeader, PointsEvent, signed_digest
from proofs.receipt import SLOTS
from proofs.signature import SignatureError, recover
from proofs.tariff import BPS, Tariff
from tests.attacks.forge import SEPARATOR

CLOCK_SECONDS = 300


@dataclass(frozen=True)
class Step:
    """One posting of an account, or one event of a lane, as it stands in a leaf."""

    seq: int
    prev: int
    before: int
    after: int


@dataclass(frozen=True)
class Case:
    """The exhibits of one finding, each proven under a header that is on the chain; leaves by place, rows by batch."""

    headers: Mapping[int, BatchHeader]
    nets: Mapping[int, list[tuple[int, int]]]
    leaves: Mapping[int, Leaf]
    rows: Mapping[int, list[tuple[int, AccountRow]]]
    registry: Registry
    tariff: Tariff
    batch_no: int
    account: bytes | None

    def batch_of(self, place: int) -> BatchHeader:
        return next(h for h in self.headers.values() if h.first_leaf_no <= place < h.first_leaf_no + h.leaf_count)

    def events(self, kind: Kind) -> list[PointsEvent]:
        """Those of one kind, in their order."""
        return [leaf.event for _, leaf in sorted(self.leaves.items()) if leaf.event.kind == kind]

    def row(self, batch_no: int) -> AccountRow | None:
        return next((row for _, row in self.rows.get(batch_no, []) if row.account == self.account), None)

    def is_absent(self, batch_no: int) -> bool:
        """Whether two neighbours show that the account has no row there."""
        shown, header = sorted(self.rows.get(batch_no, []), key=lambda each: each[0]), self.headers.get(batch_no)
        assert self.account is not None
        if header is None or not shown or self.row(batch_no) is not None:
            return False
        (first, low), (last, high) = shown[0], shown[-1]
        if first == last:
            return (first == 0 and self.account < low.account) or (
                first == header.accounts_count - 1 and self.account > low.account
            )
        return last == first + 1 and low.account < self.account < high.account


def case_of(
    report: Mapping[str, Any],
    finding: Mapping[str, Any],
    on_chain: Mapping[int, bytes],
    registry: Registry,
    tariff: Tariff,
) -> Case:
    """What a finding's evidence comes to. Raises `ExhibitError`, AssertionError."""
    evidence, exhibits = finding["evidence"], report["exhibits"]
    headers, nets = {}, {}
    for name in evidence["headers"]:
        told = exhibits["headers"][name]
        header = from_json(BatchHeader, told["header"])
        assert header.hash_struct() == on_chain[header.batch_no], "the header is the chain's"
        headers[header.batch_no] = header
        nets[header.batch_no] = [(int(merchant), int(amount)) for merchant, amount in told["nets"]]
    leaves = {}
    for name in evidence.get("leaves", []):
        exhibit = exhibits["leaves"][name]
        header = headers[int(exhibit["batchNo"])]
        leaf = check_leaf(exhibit, header)
        leaves[header.first_leaf_no + leaf.index] = leaf
    rows: dict[int, list[tuple[int, AccountRow]]] = {}
    for name in evidence.get("rows", []):
        exhibit = exhibits["rows"][name]
        batch_no = int(exhibit["batchNo"])
        rows.setdefault(batch_no, []).append(check_row(exhibit, headers[batch_no]))
    account = bytes.fromhex(finding["account"][2:]) if "account" in finding else None
    return Case(headers, nets, leaves, rows, registry, tariff, finding["batchNo"], account)


def step_of(leaf: Leaf, account: bytes) -> Step | None:
    if account[0] == LANE:
        event = leaf.event
        if lane_account(event.merchant_id, event.key_id) != account:
            return None
        return Step(event.nonce, leaf.leaf.lane_prev_leaf_no, 0, 0)
    posting = next((each for each in leaf.postings.values() if each.account == account), None)
    if posting is None:
        return None
    return Step(posting.seq, posting.prev_leaf_no, posting.balance - posting.delta, posting.balance)


def bad_signature(case: Case) -> Iterator[bool]:
    for place, leaf in case.leaves.items():
        event, batch_no = leaf.event, case.batch_of(place).batch_no
        key = case.registry.key_at(event.merchant_id, event.key_id, batch_no=batch_no, kind=event.kind)
        try:
            yield recover(signed_digest(SEPARATOR, event.hash_struct()), leaf.leaf.sig_r, leaf.leaf.sig_vs) != key
        except SignatureError:
            yield True


def bad_leaf_no(case: Case) -> Iterator[bool]:
    yield from (leaf.leaf.leaf_no != place for place, leaf in case.leaves.items())


def malformed(case: Case) -> Iterator[bool]:
    for place, leaf in case.leaves.items():
        event, header = leaf.event, case.batch_of(place)
        terms = case.registry.terms.get(event.terms_id)
        yield any(broken_rules(event, terms, header.batch_no))
        yield event.occurred_at > header.sealed_at + CLOCK_SECONDS
        yield event.merchant_id not in case.registry.statuses or (
            event.issuer_id != 0 and event.issuer_id not in case.registry.statuses
        )
        due = effects(event, 0 if terms is None else terms.mode)
        posted = {slot: (each.account, each.delta) for slot, each in leaf.postings.items()}
        for slot in SLOTS:
            expected, actual = getattr(due, slot), posted.get(slot)
            if slot == "member":
                yield (expected is None) != (actual is None)
                yield actual is not None and (actual[0][0] != MEMBER or actual[1] != points_delta(event))
            else:
                yield expected != actual
        member = leaf.postings.get("member")
        yield member is not None and member.balance < 0 and member.delta < 0 and event.kind not in MAY_OWE
    for row in (row for rows in case.rows.values() for _, row in rows):
        yield row.account[0] not in {LANE, POINTS, CASH} or (row.account[0] == LANE and row.balance != 0)


def bad_chain(case: Case) -> Iterator[bool]:
    """Codes 4 to 8: an account's own chain of postings, from the row before to the row after, is not one."""
    account = case.account
    if account is None:
        return
    steps = {place: step for place, leaf in case.leaves.items() if (step := step_of(leaf, account)) is not None}
    yield len({step.seq for step in steps.values()}) < len(steps)
    header = case.headers[case.batch_no]
    before, after = case.row(case.batch_no - 1), case.row(case.batch_no)
    for place, step in steps.items():
        pointed = case.leaves.get(step.prev)
        yield step.prev >= place
        yield step.prev == 0 and (step.seq, step.before) != (1, 0)
        if pointed is not None:
            there = step_of(pointed, account)
            yield there is None or (there.seq, there.after) != (step.seq - 1, step.before)
        opens = step.prev < header.first_leaf_no <= place
        yield (
            before is not None
            and opens
            and (before.seq, before.last_leaf_no, before.balance)
            != (
                step.seq - 1,
                step.prev,
                step.before,
            )
        )
        yield opens and case.is_absent(case.batch_no - 1)
        yield (
            after is not None and place >= header.first_leaf_no and (place > after.last_leaf_no or step.seq > after.seq)
        )
    if after is not None:
        last = case.leaves.get(after.last_leaf_no)
        closing = None if last is None else step_of(last, account)
        yield last is not None and (closing is None or (closing.seq, closing.after) != (after.seq, after.balance))
        untouched = after.last_leaf_no < header.first_leaf_no
        yield before is not None and untouched and replaced(before) != replaced(after)
        yield before is None and untouched and case.is_absent(case.batch_no - 1) and replaced(after)[1:] != (0, 0, 0)
        yield before is not None and after.seq < before.seq
        yield after.last_leaf_no >= header.first_leaf_no + header.leaf_count
        yield before is None and case.is_absent(case.batch_no - 1) and after.last_leaf_no >= header.first_leaf_no
    yield before is not None and case.is_absent(case.batch_no)


def replaced(row: AccountRow) -> tuple[bytes, int, int, int]:
    return row.account, row.seq, row.last_leaf_no, row.balance


def bad_net(case: Case) -> Iterator[bool]:
    header = case.headers[case.batch_no]
    assert nets_hash(case.nets[case.batch_no], settling=True) == header.nets_hash
    before, after = case.row(header.nets_since_batch), case.row(case.batch_no)
    if case.account is not None and after is not None:
        merchant = int.from_bytes(case.account[1:5], "big")
        absent = before is None and case.is_absent(header.nets_since_batch)
        was = before.balance if before is not None else 0
        moved = after.balance - was != dict(case.nets[case.batch_no]).get(merchant, 0)
        yield (absent or before is not None) and moved


def bad_total(case: Case) -> Iterator[bool]:
    header = case.headers[case.batch_no]
    for place, leaf in case.leaves.items():
        after, delta = leaf.leaf.total_points_after, points_delta(leaf.event)
        earlier = case.leaves.get(place - 1)
        if earlier is not None:
            yield earlier.leaf.total_points_after + delta != after
        if place == header.first_leaf_no:
            yield case.headers[case.batch_no - 1].total_points + delta != after
        if place == header.first_leaf_no + header.leaf_count - 1:
            yield after != header.total_points


def bad_referral(case: Case) -> Iterator[bool]:
    for event in case.events(Kind.REFERRAL) + case.events(Kind.REFERRAL_CASH):
        rule = case.tariff.campaigns.get(event.campaign_id)
        if rule is None or rule.sponsor_id != event.merchant_id or event.level > len(rule.level_bps):
            yield True
            continue
        yield event.basis % max(1, rule.basis_bucket) != 0
        if event.kind == Kind.REFERRAL:
            terms, bps = case.registry.terms[event.terms_id], rule.level_bps[event.level - 1]
            worth = 0 if event.basis < rule.basis_min else event.basis * bps
            worth = min(worth, rule.reward_max * BPS) if rule.reward_max else worth
            yield event.points != worth * terms.den // (terms.num * BPS)


def bad_exchange(case: Case) -> Iterator[bool]:
    """The points given must be what the fewest points of the other issuer give, or a leaf's rounding to whole AU more
    (decision 0069).
    """
    out, arrived = case.events(Kind.EXCHANGE_OUT), case.events(Kind.EXCHANGE_IN)
    for event in arrived:
        taken, spare = sum(each.points for each in out), 0
        for each in out:
            terms = case.registry.terms[each.terms_id]
            spare += -(-BASE_UNITS_PER_AU * terms.den // terms.num) - 1
        rates = case.tariff.rates_at(out[0].issuer_id, event.issuer_id, event.occurred_at)
        yield not any(
            points * rate.num // rate.den == event.points > (points - 1) * rate.num // rate.den
            for rate in rates
            for points in range(taken - spare, taken + 1)
        )


def row_order(case: Case) -> Iterator[bool]:
    for rows in case.rows.values():
        for (at, one), (then, other) in pairwise(sorted(rows, key=lambda each: each[0])):
            yield then == at + 1 and one.account >= other.account


Rule = Callable[[Case], Iterator[bool]]
CODES: dict[int, Rule] = {
    1: bad_signature,
    2: bad_leaf_no,
    3: malformed,
    **dict.fromkeys((4, 5, 6, 7, 8), bad_chain),
    9: bad_net,
    10: bad_total,
    11: bad_referral,
    12: row_order,
    13: bad_exchange,
}


def shows(case: Case, code: int) -> bool:
    """Whether the contradiction can be seen from the exhibits alone."""
    return any(CODES[code](case))
