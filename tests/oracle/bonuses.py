"""Earning rules: what a merchant's rules add to an order, and give for other events, and why no more.

Every rule is asked on its own and cut by its caps; of an exclusive group one pays. The event is first taken into the
member's streak and into the merchant's tasks, for a task pays with the event that completes it.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.oracle.books import AMOUNT_MAX, Books, Command, Rule
from tests.oracle.conditions import Event, holds
from tests.oracle.doings import LATE_DAYS_MAX, advance, check_in, far, is_first_order, remember_customer

Version = dict[str, Any]


def granted(books: Books, command: Command, member: str, trigger: str, base: int = 0) -> list[tuple[Version, int]]:
    """(version, points) of each rule that grants anything for the event, by number; counted."""
    event = Event(
        merchant=command["merchant_id"],
        member=member,
        trigger=trigger,
        at_ms=command["at_ms"],
        amount=command.get("amount_minor", 0),
        base=base,
        said=command.get("particulars") or {},
        tier=tier_rank(books, member),
    )
    event.first_order = is_first_order(books, event)
    event.streak_days = check_in(books, event) if trigger == "checkin" else 0
    found = [asked_of(rule, version, event) for rule, version in concerned(books, event)]
    paying = [each for each in found if each[2] and is_chosen(each[1], [other[1:3] for other in found if other[2]])]
    for each in found:
        say(books, *each, is_paying=each in paying)
    for rule, version, points, *_ in paying:
        count(rule, version["caps"], member, event.day(), points)
    remember_customer(books, event, was_given=bool(paying))
    return [(version, points) for _, version, points, *_ in paying]


def tier_rank(books: Books, member: str) -> int:
    """The member's recorded tier, 0 the lowest; one that was abolished counts as the lowest."""
    codes = [tier["code"] for tier in books.tiers["tiers"]] if books.tiers else []
    code, _ = books.tier.get(member, ("", 0))
    return codes.index(code) if code in codes else 0


def concerned(books: Books, event: Event) -> list[tuple[Rule, Version]]:
    """The merchant's rules that the event is for, by number: those that wait for it, and tasks that it completes."""
    found = []
    for number, rule in sorted(books.rules.items()):
        version = rule.in_force(event.at_ms) if rule.merchant == event.merchant else None
        if version is None:
            continue
        if version["steps"]:
            moved = advance(rule, version["steps"], event)
            if moved is not None:
                books.said[f"task:{number}"] = far(rule, version["steps"], event.member)
            if moved:
                found.append((rule, version))
        elif version["trigger"] == event.trigger:
            found.append((rule, version))
    return found


def asked_of(rule: Rule, version: Version, event: Event) -> tuple[Rule, Version, int, int, str]:
    """(rule, version, what it gives, what it asked for, why), on its own."""
    points = asked(version["reward"], event) if holds(version["condition"], event) else 0
    return (rule, version, *allowed(rule, version["caps"], event, points))


def asked(reward: Command, event: Event) -> int:
    """What the rule would give."""
    if reward["kind"] == "fixed":
        return int(reward["points"])
    if reward["kind"] == "per_amount":
        return int(event.amount * reward["points"] // reward["per_minor"])
    if reward["kind"] == "times_base":
        return int(event.base * reward["num"] // reward["den"] - event.base)
    table, day = reward["points"], event.streak_days
    if day == 0:
        return 0
    after = {"again": table[(day - 1) % len(table)], "stay": table[-1], "stop": 0}
    return int(table[day - 1] if day <= len(table) else after[reward["then"]])


def allowed(rule: Rule, caps: Command, event: Event, points: int) -> tuple[int, int, str]:
    """(what the caps leave of it, what was asked, why): all or nothing where the rule says so, and the tightest cap."""
    room, why = min(rooms(rule, caps, event), key=lambda each: each[0], default=(AMOUNT_MAX, "granted"))
    if points <= room:
        return points, points, "granted"
    return 0 if caps["whole"] else max(0, room), points, why


def rooms(rule: Rule, caps: Command, event: Event) -> list[tuple[int, str]]:
    """What each cap still lets through, and its name."""
    member, day = event.member, event.day()
    days, times = rule.days.get(member, Counter()), rule.day_times.get(member, Counter())
    forgotten = bool(days) and day < max(days) - LATE_DAYS_MAX
    found = []
    if caps["event_points"] is not None:
        found.append((caps["event_points"], "event-cap"))
    if caps["member_points"] is not None:
        found.append((caps["member_points"] - rule.of_member[member], "member-cap"))
    if caps["member_times"] is not None and rule.times[member] >= caps["member_times"]:
        found.append((0, "member-cap"))
    if caps["member_day_points"] is not None:
        found.append((caps["member_day_points"] - (AMOUNT_MAX if forgotten else days[day]), "member-day-cap"))
    if caps["member_day_times"] is not None and (forgotten or times[day] >= caps["member_day_times"]):
        found.append((0, "member-day-cap"))
    if caps["budget_points"] is not None:
        found.append((caps["budget_points"] - rule.points, "budget"))
    return found


def is_chosen(version: Version, found: list[tuple[Version, int]]) -> bool:
    """Of a group the best, or the first; the lower number among equals."""
    stacking = version["stacking"]
    if stacking["kind"] == "additive":
        return True
    places = [
        (-given if stacking["kind"] == "best" else other["stacking"].get("rank", 0), other["rule_id"])
        for other, given in found
        if (other["stacking"]["kind"], other["stacking"].get("group")) == (stacking["kind"], stacking["group"])
    ]
    return bool(min(places)[1] == version["rule_id"])


def say(books: Books, _: Rule, version: Version, points: int, wanted: int, why: str, *, is_paying: bool) -> None:
    """A rule that asked for something is answered with what it got, and why no more."""
    if wanted:
        passed_over = points and not is_paying
        books.said[f"rule:{version['rule_id']}"] = (wanted, *((0, "exclusive") if passed_over else (points, why)))


def count(rule: Rule, caps: Command, member: str, day: int, points: int) -> None:
    """A version counts what it caps."""
    by_day = caps["member_day_points"] is not None or caps["member_day_times"] is not None
    if caps["budget_points"] is not None:
        rule.points += points
    if by_day or caps["member_points"] is not None or caps["member_times"] is not None:
        rule.of_member[member] += points
        rule.times[member] += 1
        if not by_day:
            rule.days.pop(member, None)
            rule.day_times.pop(member, None)
        else:
            rule.days.setdefault(member, Counter())[day] += points
            rule.day_times.setdefault(member, Counter())[day] += 1
