"""Faults for the oracle, to see that the comparison finds them: each is one misunderstanding that somebody could have.

The program is never touched: a fault replaces one function of the oracle for as long as a test looks, so that book and
oracle disagree exactly where the rule book was read wrongly. `FAULTS` names them by what was misunderstood.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from tests.oracle import bonuses, conditions, doings, earning, merging, moving, pricing, spending, tiers
from tests.oracle.books import BPS, DAY_MS, Books, Command, Draw, Lot, Order, Rule
from tests.oracle.conditions import Event


class Fault(NamedTuple):
    """`owner.name` is replaced by `wrong`."""

    owner: Any
    name: str
    wrong: Any


def fee_rounded_up(au: int, bps: int) -> int:
    return -(-au * bps // BPS)


def drawn_as_made(lot: Lot) -> tuple[int, int, int]:
    """Instead of by expiry."""
    return lot.number, 0, 0


def expiry_inclusive(books: Books, member: str, at_ms: int) -> list[Lot]:
    return [lot for lot in pricing.in_turn(books.members[member]) if at_ms <= (lot.expires_ms or 0)]


def refunds_of_what_stands(_: Books, order: Order, lot: Lot, left: int) -> int:
    """Of points that still stand, not of those earned: drifts from the second refund on."""
    return lot.standing * left // order.amount if lot.role in {"base", "bonus"} else 0


def holds_are_free(books: Books, issuer: int, au: int) -> bool:
    """Collateral is not asked for what open holds promise."""
    merchant = books.merchants[issuer]
    limit = merchant["credit_limit_au"]
    return limit is None or bool(au - books.position(issuer) <= limit * merchant["haircut_bps"] // BPS)


def resolves_again(books: Books, command: Command) -> Draw:
    return spending.known_draw(books, command)


def budget_is_each_versions_own(rule: Rule, caps: Command, member: str, day: int, points: int) -> None:
    """Counts for members, and never against the budget."""
    spent = rule.points
    COUNT(rule, caps, member, day, points)
    rule.points = spent


def days_by_utc(event: Event) -> int:
    return event.clock(0).toordinal()


def never_over(rule: Rule, steps: list[Command], event: Event) -> bool | None:
    """A task pays again and again."""
    rule.completed.discard(event.member)
    return ADVANCE(rule, steps, event)


def not_is_nothing(asked: Command, event: Event) -> bool:
    return conditions.holds(asked["of"], event)


def everybody_is_chosen(*_: Any) -> bool:
    return True


def nothing_is_united(*_: Any) -> None:
    """What rules gave to who was merged is forgotten."""


def valid_anew(books: Books, lot: Lot, owner: str) -> Lot:
    """Points that are handed on are valid for a day longer."""
    fresh = LIKE(books, lot, owner)
    fresh.expires_ms = (fresh.expires_ms or 0) + DAY_MS
    return fresh


def fee_is_kept(books: Books, party: int, fee: int) -> None:
    """What is cancelled was paid for all the same."""
    CHARGE(books, party, max(0, fee))


def debt_is_kept(books: Books, lot: Lot, points: int) -> None:
    """Who owes has its new points all the same."""
    lot.left += points
    if points:
        earning.own(books, lot, books.who(lot.member))


def always(*_: Any) -> bool:
    return True


def never_fell(*_: Any) -> int:
    """A tier is lost as soon as nothing keeps it up: no grace."""
    return -(10**15)


COUNT, ADVANCE, LIKE, CHARGE = bonuses.count, doings.advance, earning.like, earning.charge
FAULTS = {
    "fees are rounded up": Fault(pricing, "share", fee_rounded_up),
    "lots are drawn as they were made": Fault(Lot, "turn", drawn_as_made),
    "an expiry is inclusive": Fault(spending, "spendable", expiry_inclusive),
    "refunds drift": Fault(earning, "stands", refunds_of_what_stands),
    "holds do not count against collateral": Fault(spending, "bears", holds_are_free),
    "a hold resolves twice": Fault(spending, "unresolved", resolves_again),
    "a budget is not counted": Fault(bonuses, "count", budget_is_each_versions_own),
    "a member's day is a day in UTC": Fault(Event, "day", days_by_utc),
    "a task is never over": Fault(bonuses, "advance", never_over),
    "not means nothing": Fault(conditions, "ASKED", conditions.ASKED | {"not": not_is_nothing}),
    "all of a group pay": Fault(bonuses, "is_chosen", everybody_is_chosen),
    "points that are handed on live longer": Fault(moving, "like", valid_anew),
    "a fee is kept when a redemption is cancelled": Fault(spending, "charge", fee_is_kept),
    "new points do not repay a debt": Fault(earning, "give", debt_is_kept),
    "a late check-in closes no gap": Fault(doings, "LATE_DAYS_MAX", 0),
    "a merge can be taken back after spending": Fault(merging, "untouched", always),
    "a tier has no grace": Fault(tiers, "last_fall", never_fell),
    "caps are anew after a merge": Fault(merging, "unite", nothing_is_united),
}
