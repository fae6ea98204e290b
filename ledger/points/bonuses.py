"""What rules do for one event of one member: facts from the slice, grants from the engine, counters into records.

Pure; called by the verbs that see events, and by loading for the names of the records those will ask for. Invariants: a
merchant without rules costs one look-up and no row; whatever was granted is counted in the same journal entry, so that
the one writer can never pass a cap; nothing is changed before the verb says so with `kept`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from msgspec import UNSET
from msgspec.structs import replace

from ledger import accounts
from ledger.commands import Earn, Particulars
from ledger.entry import Entry
from ledger.members import counters
from ledger.members.kinship import Kinship
from ledger.records import AnyRecord, CheckIns, Customer, RecordName, RuleBudget, RuleTally, TaskProgress
from ledger.rules import streak, tally, task
from ledger.rules.caps import NOTHING_SPENT, Spent
from ledger.rules.days import day_of
from ledger.rules.engine import Grant, evaluate
from ledger.rules.facts import Facts
from ledger.rules.rule import Rule
from ledger.rules.tally import Tally
from ledger.slice import Member, Slice
from ledger.wants import Wants


class Bonus(NamedTuple):
    """What rules grant for an event, and every record that changes with it. `hold_ms`: the longest of what grants;
    `steps`: (done, in all) of each task that moved.
    """

    grants: Collection[Grant]
    hold_ms: int
    records: Mapping[RecordName, AnyRecord]
    steps: Mapping[int, tuple[int, int]]

    @property
    def given(self) -> list[int]:
        """Points, for a lot each, by rule number."""
        return [grant.granted for grant in self.grants if grant.granted]

    def kept(self, entry: Entry) -> dict[str, int | str]:
        """Count what was granted; called when everything is posted. Answers what the receipt says: of every rule that
        asked for something what it asked, what it got and the reason; of every task that moved how much is done, and of
        how much.
        """
        for name, record in self.records.items():
            entry.record(name, record)
        said: dict[str, int | str] = {}
        for grant in self.grants:
            if grant.asked:
                rule = f"rule:{grant.rule_id}"
                said |= {f"{rule}:asked": grant.asked, f"{rule}:granted": grant.granted}
                said[f"{rule}:reason"] = grant.reason.value
        for rule_id, (done, of) in self.steps.items():
            said |= {f"task:{rule_id}:done": done, f"task:{rule_id}:of": of}
        return said


NONE = Bonus((), 0, {}, {})


def record_names(state: Slice, want: Wants) -> set[RecordName]:
    """The records that the wanted events may read: for every version of every rule that could ever meet them, those
    that the batch itself publishes included, and for everybody whom a name may mean when it is its turn.
    """
    found: set[RecordName] = set()
    kin: Kinship | None = None
    for merchant_id, name, trigger in want.events:
        rules = state.registry.rules.concerned(merchant_id, trigger)
        if want.rules:
            rules = [*rules, *(rule for issuer, rule in want.rules if issuer == merchant_id)]
        if rules or trigger == "checkin":
            kin = kin or Kinship(state, want)
            found.update(_names(merchant_id, rules, kin.numbers(name)))
    return found


def _names(merchant_id: int, rules: Iterable[Rule], members: Iterable[int]) -> Iterator[RecordName]:
    yield from (counters.budget(merchant_id, rule.rule_id) for rule in rules if rule.caps.budget_points is not None)
    for member_no in members:
        yield counters.check_ins(merchant_id, member_no)
        yield counters.customer(merchant_id, member_no)
        yield from (counters.tally(merchant_id, rule.rule_id, member_no) for rule in rules if rule.caps.tallied)
        yield from (counters.task(merchant_id, rule.rule_id, member_no) for rule in rules if rule.steps)


def decide(state: Slice, member: Member, facts: Facts) -> Bonus:
    """What the rules in force at the event's time do for it. Tier, streak and first order are looked up here. Changes
    nothing.
    """
    published = state.registry.rules
    rules = published.in_force(facts.merchant_id, facts.trigger, facts.at_ms)
    tracked = facts.trigger == "order.paid" and published.asks_first_order(facts.merchant_id)
    return _Decision(state, member, facts).of(rules) if rules or tracked or facts.trigger == "checkin" else NONE


def of_order(state: Slice, member: Member, command: Earn, base_points: int) -> Bonus:
    """What rules add to an order that earns `base_points` without them."""
    if not state.registry.rules.has_any(command.merchant_id):
        return NONE
    said = Particulars() if command.particulars is UNSET else command.particulars
    facts = Facts(
        trigger="order.paid",
        merchant_id=command.merchant_id,
        at_ms=command.at_ms,
        amount_minor=command.amount_minor,
        base_points=base_points,
        utc_offset_minutes=said.utc_offset_minutes,
        platform=said.platform,
        categories=said.categories,
        coupon=said.coupon,
    )
    return decide(state, member, facts)


class _Decision:
    """One event on its way to a bonus: the facts completed, the records that will change."""

    def __init__(self, state: Slice, member: Member, facts: Facts) -> None:
        self.state = state
        self.member = member
        self.day = day_of(facts.at_ms, facts.utc_offset_minutes)
        self.records: dict[RecordName, AnyRecord] = {}
        self.steps: dict[int, tuple[int, int]] = {}
        self.facts = replace(
            facts,
            tier=_tier(state, member),
            first_order=self._is_first_order(facts),
            streak_days=self._checked_in(facts) if facts.trigger == "checkin" else 0,
        )

    def of(self, rules: list[Rule]) -> Bonus:
        completed = [rule.rule_id for rule in rules if rule.steps and self._advanced(rule)]
        spent = {rule.rule_id: self._spent(rule) for rule in rules}
        grants = evaluate(rules, self.facts, spent, completed)
        granted = {grant.rule_id: grant.granted for grant in grants if grant.granted}
        paying = [rule for rule in rules if rule.rule_id in granted]
        for rule in paying:
            self._count(rule, granted[rule.rule_id])
        if self.state.registry.rules.asks_first_order(self.facts.merchant_id):
            self._remember_customer(given=bool(paying))
        return Bonus(grants, max((rule.hold_ms for rule in paying), default=0), self.records, self.steps)

    def _checked_in(self, facts: Facts) -> int:
        """The run of days that this check-in makes, 0 if its day was counted before."""
        name = counters.check_ins(facts.merchant_id, self.member.no)
        found = counters.find(self.state, name, self.member.no)
        assert found is None or isinstance(found, CheckIns)
        after = streak.check_in(found.streak if found is not None else None, self.day)
        if found is None or after.streak != found.streak:
            self.records[name] = CheckIns(streak=after.streak)
        return after.days

    def _customer(self, merchant_id: int) -> Customer | None:
        found = counters.find(self.state, counters.customer(merchant_id, self.member.no), self.member.no)
        assert found is None or isinstance(found, Customer)
        return found

    def _is_first_order(self, facts: Facts) -> bool:
        """Whoever has a history of this issuer's points from before orders were watched counts as an old customer."""
        merchant_id = facts.merchant_id
        if facts.trigger != "order.paid" or not self.state.registry.rules.asks_first_order(merchant_id):
            return False
        known = self._customer(merchant_id)
        return not self._has_history(merchant_id) if known is None else not known.ordered

    def _has_history(self, merchant_id: int) -> bool:
        held = self.state.accounts
        mine = (accounts.pending(merchant_id, self.member.no), accounts.member(merchant_id, self.member.no))
        return any(held[account][0] for account in mine)

    def _remember_customer(self, *, given: bool) -> None:
        """An order makes a customer; points from elsewhere must not make one look like one afterwards."""
        merchant_id, ordered = self.facts.merchant_id, self.facts.trigger == "order.paid"
        known = self._customer(merchant_id)
        if known is None and (ordered or given):
            customer = Customer(ordered=ordered or self._has_history(merchant_id))
            self.records[counters.customer(merchant_id, self.member.no)] = customer
        elif known is not None and ordered and not known.ordered:
            self.records[counters.customer(merchant_id, self.member.no)] = Customer(ordered=True)

    def _advanced(self, rule: Rule) -> bool:
        """Take the event into a task; whether that completes it."""
        name = counters.task(self.facts.merchant_id, rule.rule_id, self.member.no)
        found = counters.find(self.state, name, self.member.no)
        assert found is None or isinstance(found, TaskProgress)
        moved = task.advance(rule.steps, found.progress if found is not None else None, self.facts)
        if moved is None:
            return False
        self.records[name] = TaskProgress(progress=moved.progress)
        self.steps[rule.rule_id] = (sum(moved.progress.counts), sum(step.times for step in rule.steps))
        return moved.completed_now

    def _spent(self, rule: Rule) -> Spent:
        if not rule.caps.counted:
            return NOTHING_SPENT
        if not rule.caps.tallied:
            return Spent(points=self._budget(rule))
        return tally.spent(self._budget(rule), self._tally(rule), self.day)

    def _budget(self, rule: Rule) -> int:
        if rule.caps.budget_points is None:
            return 0
        found = self.state.records[counters.budget(self.facts.merchant_id, rule.rule_id)]
        assert found is None or isinstance(found, RuleBudget)
        return 0 if found is None else found.points

    def _tally(self, rule: Rule) -> Tally:
        if not rule.caps.tallied:
            return Tally()
        name = counters.tally(self.facts.merchant_id, rule.rule_id, self.member.no)
        found = counters.find(self.state, name, self.member.no)
        assert found is None or isinstance(found, RuleTally)
        return Tally() if found is None else found.tally

    def _count(self, rule: Rule, granted: int) -> None:
        merchant_id = self.facts.merchant_id
        if rule.caps.budget_points is not None:
            self.records[counters.budget(merchant_id, rule.rule_id)] = RuleBudget(points=self._budget(rule) + granted)
        if rule.caps.tallied:
            counted = tally.after(self._tally(rule), rule.caps, self.day, granted)
            self.records[counters.tally(merchant_id, rule.rule_id, self.member.no)] = RuleTally(tally=counted)


def _tier(state: Slice, member: Member) -> int:
    """The member's tier, counted from the lowest."""
    if not member.tier or state.registry.tiers is None:
        return 0
    codes = [tier.code for tier in state.registry.tiers.tiers]
    return codes.index(member.tier) if member.tier in codes else 0
