"""The engine: rules, facts and what was granted before in; grants with reasons out. Pure, total, called by the verbs.

Invariants: the result does not depend on the order in which the rules are given; every rule that the event concerns
has exactly one grant, so that the explanation is complete; no grant exceeds what was asked or what a cap leaves; of an
exclusive group at most one rule grants. A dry run calls the same function and keeps nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from operator import attrgetter
from typing import NamedTuple

from ledger.rules.caps import NOTHING_SPENT, Reason, Spent, allow
from ledger.rules.conditions import holds
from ledger.rules.facts import Facts
from ledger.rules.rewards import asked
from ledger.rules.rule import Additive, Best, First, Rule


class Grant(NamedTuple):
    """What one rule does for one event."""

    rule_id: int
    version: int
    asked: int
    granted: int
    reason: Reason


def evaluate(
    rules: Iterable[Rule], facts: Facts, counters: Mapping[int, Spent], completed: Collection[int] = ()
) -> list[Grant]:
    """One grant per rule that the event concerns, by rule number.

    `rules` are the versions in force, one per rule; `counters` what each has granted, by rule number (missing:
    nothing); `completed` the numbers of the tasks that this event completes: a task asks then and only then.
    """
    concerned = [rule for rule in rules if (rule.rule_id in completed if rule.steps else rule.trigger == facts.trigger)]
    concerned.sort(key=_number)
    capped = [_capped(rule, facts, counters.get(rule.rule_id, NOTHING_SPENT)) for rule in concerned]
    if all(type(rule.stacking) is Additive for rule in concerned):
        return capped
    chosen = _chosen(concerned, capped)
    return [grant if grant.rule_id in chosen else _passed_over(grant) for grant in capped]


_number = attrgetter("rule_id")


def _capped(rule: Rule, facts: Facts, spent: Spent) -> Grant:
    """The rule on its own."""
    if rule.condition is not None and not holds(rule.condition, facts):
        return Grant(rule.rule_id, rule.version, 0, 0, Reason.CONDITION)
    points = asked(rule.reward, facts)
    return Grant(rule.rule_id, rule.version, points, *allow(rule.caps, points, spent))


def _chosen(rules: list[Rule], capped: list[Grant]) -> set[int]:
    """The rules that may grant: all additive ones, and of each group the one it picks."""
    chosen: set[int] = set()
    groups: dict[Best | First, list[tuple[int, int]]] = {}
    for rule, grant in zip(rules, capped, strict=True):
        if not grant.granted:
            continue
        match rule.stacking:
            case Additive():
                chosen.add(rule.rule_id)
            case Best() as group:
                groups.setdefault(group, []).append((-grant.granted, rule.rule_id))
            case First(group=name, rank=rank):
                groups.setdefault(First(name), []).append((rank, rule.rule_id))
    return chosen | {min(places)[1] for places in groups.values()}


def _passed_over(grant: Grant) -> Grant:
    """What a group did not pick grants nothing; a reason it had of its own stands."""
    return grant._replace(granted=0, reason=Reason.EXCLUSIVE) if grant.granted else grant
