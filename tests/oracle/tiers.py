"""Tiers: what a member's own purchases are worth, and which tier follows.

Qualifying AU are base points of confirmed orders as they stand, each order's floored under its own terms, from the
confirmation until a window later; rewards, transfers, exchanges and corrections do not count, and spending lowers
nothing. A tier is reached at once. One that is no longer reached is kept for the grace period, counted from when the AU
last fell below it, or from when it was recorded if that was later.
"""

from __future__ import annotations

from tests.oracle.books import Books, Command, Lot, No, refuse_if
from tests.oracle.earning import known_member
from tests.oracle.pricing import worth


def set_tiers(books: Books, command: Command) -> None:
    """Ascending, the first from nothing."""
    needs = [tier["qualifying_au"] for tier in command["tiers"]]
    codes = {tier["code"] for tier in command["tiers"]}
    refuse_if(needs[0] or needs != sorted(set(needs)) or len(codes) < len(needs), "tiers-unordered")
    books.tiers = command


def evaluate_tier(books: Books, command: Command) -> None:
    """Record the tier that follows at this instant."""
    member, at_ms = known_member(books, command["member"]), command["at_ms"]
    settings = books.tiers
    if settings is None:
        raise No("tiers-missing")
    codes = [tier["code"] for tier in settings["tiers"]]
    reached = max(
        rank for rank, tier in enumerate(settings["tiers"]) if tier["qualifying_au"] <= au_at(books, member, at_ms)
    )
    tier, since_ms = books.tier.get(member, ("", 0))
    rank = codes.index(tier) if tier in codes else -1
    if reached < rank:
        lost_ms = last_fall(books, member, settings["tiers"][rank]["qualifying_au"], at_ms)
        if at_ms < max(lost_ms, since_ms) + settings["grace_ms"] or at_ms <= since_ms:
            return
        reached = max(rank - 1, reached) if settings["downgrade"] == "one" else reached
    if codes[reached] != tier:
        books.tier[member] = codes[reached], at_ms


def bought(books: Books, member: str) -> list[Lot]:
    """Base lots of the member's confirmed orders."""
    return [
        lot
        for order in books.orders.values()
        for lot in order.lots
        if lot.role == "base" and lot.confirmed_ms is not None and books.who(lot.member) == member
    ]


def au_at(books: Books, member: str, at_ms: int) -> int:
    """Qualifying AU at an instant, as the purchases stand now."""
    assert books.tiers is not None
    return sum(
        worth(lot.standing, books.terms[lot.terms_id])
        for lot in bought(books, member)
        if lot.confirmed_ms is not None and lot.confirmed_ms <= at_ms < lot.confirmed_ms + books.tiers["window_ms"]
    )


def last_fall(books: Books, member: str, need: int, at_ms: int) -> int:
    """When the AU last fell below `need`, 0 if they never had reached it."""
    assert books.tiers is not None
    window_ms = books.tiers["window_ms"]
    instants = {lot.confirmed_ms or 0 for lot in bought(books, member)}
    instants |= {instant + window_ms for instant in instants}
    before, fall = 0, 0
    for instant in sorted(instants):
        now = au_at(books, member, instant)
        if before >= need > now and instant <= at_ms:
            fall = instant
        before = now
    return fall
