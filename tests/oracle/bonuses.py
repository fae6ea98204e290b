"""Earning rules, as far as the oracle follows them: what a merchant's rules add to an order, and give for other events.

Rules without conditions, steps or streaks: trigger, reward, caps, validity, stacking, versions. What such a rule grants
depends on nothing but the event and what it granted before. Every rule is asked on its own, cut by its caps; of an
exclusive group one pays.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.oracle.books import AMOUNT_MAX, DAY_MS, Books, Command, Rule

LATE_DAYS_MAX = 30


def granted(
    books: Books, command: Command, member: str, trigger: str, base: int = 0
) -> list[tuple[dict[str, Any], int]]:
    """(version, points) of each rule that grants anything for the event, by number; counted."""
    at_ms, found = command["at_ms"], []
    offset = (command.get("particulars") or {}).get("utc_offset_minutes", 0)
    day = (at_ms + offset * 60_000) // DAY_MS
    for _, rule in sorted(books.rules.items()):
        version = rule.in_force(at_ms)
        if rule.merchant == command["merchant_id"] and version is not None and version["trigger"] == trigger:
            points = allowed(rule, version, member, day, asked(version["reward"], command.get("amount_minor", 0), base))
            if points:
                found.append((rule, version, points))
    paying = [each for each in found if is_chosen(each[1], [other[1:] for other in found])]
    for rule, version, points in paying:
        count(rule, version["caps"], member, day, points)
    return [(version, points) for _, version, points in paying]


def asked(reward: Command, amount: int, base: int) -> int:
    """What the rule would give."""
    if reward["kind"] == "fixed":
        return int(reward["points"])
    if reward["kind"] == "per_amount":
        return int(amount * reward["points"] // reward["per_minor"])
    return int(base * reward["num"] // reward["den"] - base)


def allowed(rule: Rule, version: Command, member: str, day: int, points: int) -> int:
    """What the caps leave of it; all or nothing where the rule says so."""
    caps = version["caps"]
    days, times = rule.days.get(member, Counter()), rule.day_times.get(member, Counter())
    forgotten = bool(days) and day < max(days) - LATE_DAYS_MAX
    rooms = [AMOUNT_MAX if caps["event_points"] is None else caps["event_points"]]
    if caps["member_points"] is not None:
        rooms.append(caps["member_points"] - rule.of_member[member])
    if caps["member_times"] is not None and rule.times[member] >= caps["member_times"]:
        rooms.append(0)
    if caps["member_day_points"] is not None:
        rooms.append(caps["member_day_points"] - (AMOUNT_MAX if forgotten else days[day]))
    if caps["member_day_times"] is not None and (forgotten or times[day] >= caps["member_day_times"]):
        rooms.append(0)
    if caps["budget_points"] is not None:
        rooms.append(caps["budget_points"] - rule.points)
    if points <= min(rooms):
        return points
    return 0 if caps["whole"] else max(0, min(rooms))


def is_chosen(version: Command, found: list[tuple[Command, int]]) -> bool:
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
