"""What rules know of two members who turn out to be one person. Pure; merge calls it, and loading for the names.

Invariants: no cap is passed by uniting, for what both had is added up; a task that either completed is completed.
Taking a merge back leaves what was added up with the account that it was added to: a person may lose room under a cap
by that, and never wins any. A task that was begun goes on there, and begins anew on the other side.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ledger.members import counters
from ledger.members.kinship import Kinship
from ledger.records import AnyRecord, CheckIns, Customer, RecordName, RuleTally, TaskProgress
from ledger.rules import streak, tally, task
from ledger.rules.rule import Rule
from ledger.slice import Slice
from ledger.wants import Wants


class _Kept(NamedTuple):
    """A record that a member may have, and the rule it is of."""

    name: RecordName
    rule: Rule | None


def record_names(state: Slice, want: Wants) -> Iterator[RecordName]:
    """Every record of rules that members who are being merged may have, those of rules that the batch publishes
    included.
    """
    kin = Kinship(state, want)
    numbers = {number for pair in want.merging for name in pair for number in kin.numbers(name)}
    merchants = state.registry.merchants.keys() | want.merchants
    for number in sorted(numbers):
        yield from (kept.name for kept in _kept(state, merchants, number))
        yield from (kept.name for issuer, rule in want.rules for kept in _of_rule(issuer, rule, number))


def _kept(state: Slice, merchants: Iterable[int], member_no: int) -> Iterator[_Kept]:
    for merchant_id in sorted(merchants):
        yield _Kept(counters.check_ins(merchant_id, member_no), None)
        yield _Kept(counters.customer(merchant_id, member_no), None)
    rules = state.registry.rules
    for rule_id in sorted(rules.versions):
        yield from _of_rule(rules.owner[rule_id], rules.versions[rule_id][0], member_no)


def _of_rule(merchant_id: int, rule: Rule, member_no: int) -> Iterator[_Kept]:
    yield _Kept(counters.tally(merchant_id, rule.rule_id, member_no), rule)
    if rule.steps:
        yield _Kept(counters.task(merchant_id, rule.rule_id, member_no), rule)


def united(state: Slice, member_no: int, into_no: int) -> dict[RecordName, AnyRecord]:
    """The records that change when everything of `member_no` becomes `into_no`'s."""
    found: dict[RecordName, AnyRecord] = {}
    merchants = state.registry.merchants
    for mine, theirs in zip(_kept(state, merchants, member_no), _kept(state, merchants, into_no), strict=True):
        record = counters.find(state, mine.name, member_no)
        if record is not None:
            found[theirs.name] = _one(record, counters.find(state, theirs.name, into_no), mine.rule)
        if isinstance(record, TaskProgress) and not record.progress.completed and mine.rule is not None:
            found[mine.name] = TaskProgress(progress=task.begin(mine.rule.steps))
    return found


def _one(mine: AnyRecord, theirs: AnyRecord | None, rule: Rule | None) -> AnyRecord:
    match mine, theirs:
        case CheckIns(), CheckIns():
            return CheckIns(streak=streak.merged(mine.streak, theirs.streak))
        case Customer(), Customer():
            return Customer(ordered=mine.ordered or theirs.ordered)
        case RuleTally(), RuleTally():
            return RuleTally(tally=tally.merged(mine.tally, theirs.tally))
        case TaskProgress(), TaskProgress():
            assert rule is not None
            return TaskProgress(progress=task.merged(rule.steps, mine.progress, theirs.progress))
        case _:
            assert theirs is None
            return mine
