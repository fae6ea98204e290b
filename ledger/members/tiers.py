"""Which tier a member has, from when, and what would change it. Pure; the verb `evaluate_tier` and queries call it.

Qualifying AU are what the member's own purchases that were confirmed within the window are worth as they stand: lots of
the role BASE, refunds deducted, each floored under its own terms. Referral, transfers, exchanges and corrections do not
count, and spending lowers nothing. A tier is reached at once; one no longer reached is kept for
the grace period, counted from when what was bought left the window, or from the recording if that was later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple, Protocol

from ledger.commands import PublishTerms, SetTiers
from ledger.points.lots import value_au
from ledger.registry import Registry


class Bought(Protocol):
    """What of a lot counts here: a `Lot`, or a row that says as much."""

    @property
    def terms_id(self) -> int: ...
    @property
    def standing(self) -> int: ...
    @property
    def confirmed_at_ms(self) -> int | None: ...


class Recorded(Protocol):
    """The tier that was recorded last: a `Member`, or a row that says as much."""

    @property
    def tier(self) -> str: ...
    @property
    def tier_since_ms(self) -> int: ...


class Sum(NamedTuple):
    """Qualifying AU from an instant on, until the next one of its list."""

    from_ms: int
    au: int


class Judged(NamedTuple):
    """The tier that follows at an instant, since when, what is reached by `qualifying_au`, and until when a tier that
    is no longer reached is kept (None: it is reached).
    """

    tier: str
    since_ms: int
    reached: str
    qualifying_au: int
    kept_until_ms: int | None


class Explanation(NamedTuple):
    """What a member may be told about its tier at an instant.

    `next_tier` lacks `missing_au` ("" and 0 at the top); at `lost_from_ms` the window no longer holds enough for the
    tier, from `kept_until_ms` on an evaluation gives `falls_to` (None and "" when nothing is at risk). `raise_by` are
    (issuer, least amount to pay there) that would each reach the next tier once confirmed.
    """

    judged: Judged
    next_tier: str
    missing_au: int
    lost_from_ms: int | None
    kept_until_ms: int | None
    falls_to: str
    raise_by: tuple[tuple[int, int], ...]


def span_ms(settings: SetTiers) -> int:
    """How far back a purchase can matter to an evaluation."""
    return settings.window_ms + settings.grace_ms


def sums(settings: SetTiers, lots: Iterable[Bought], terms: Mapping[int, PublishTerms]) -> list[Sum]:
    """Qualifying AU over time, past and to come, as the lots stand: up at a confirmation, down a window later."""
    confirmed = [(lot.confirmed_at_ms, lot) for lot in lots if lot.confirmed_at_ms is not None]
    return over_time(settings, [(at, value_au(lot.standing, terms[lot.terms_id])) for at, lot in confirmed])


def over_time(settings: SetTiers, bought: Iterable[tuple[int, int]]) -> list[Sum]:
    """`sums` of what is known already: when each was confirmed, and the AU it is worth."""
    changes: dict[int, int] = {}
    for begin, au in bought:
        end = begin + settings.window_ms
        changes[begin] = changes.get(begin, 0) + au
        changes[end] = changes.get(end, 0) - au
    instants = sorted(changes)
    return list(map(Sum, instants, accumulate([changes[at] for at in instants])))


def au_at(over_time: Sequence[Sum], at_ms: int) -> int:
    """Qualifying AU at an instant."""
    for each in reversed(over_time):
        if each.from_ms <= at_ms:
            return each.au
    return 0


def judge(settings: SetTiers, member: Recorded, over_time: Sequence[Sum], at_ms: int) -> Judged:
    """The member's tier at `at_ms`, from the one that was recorded last."""
    au = au_at(over_time, at_ms)
    codes = [tier.code for tier in settings.tiers]
    reached = _reached(settings, au)
    current = codes.index(member.tier) if member.tier in codes else -1
    if current < 0 or reached > current:
        return Judged(codes[reached], at_ms, codes[reached], au, None)
    if reached == current:
        return Judged(member.tier, member.tier_since_ms, member.tier, au, None)
    lost = _lost(settings, current, over_time, at_ms) or 0
    kept_until = max(lost, member.tier_since_ms) + settings.grace_ms
    if at_ms < kept_until or at_ms <= member.tier_since_ms:
        return Judged(member.tier, member.tier_since_ms, codes[reached], au, kept_until)
    return Judged(codes[_fall(settings, current, reached)], at_ms, codes[reached], au, None)


def explain(registry: Registry, member: Recorded, lots: Sequence[Bought], at_ms: int) -> Explanation | None:
    """The member's tier at `at_ms`, what it lacks, what is at risk; None while no tiers are set. `lots` as in
    `sums`.
    """
    settings = registry.tiers
    if settings is None:
        return None
    over_time = sums(settings, lots, registry.terms)
    judged = judge(settings, member, over_time, at_ms)
    codes = [tier.code for tier in settings.tiers]
    rank = codes.index(judged.tier)
    above = settings.tiers[rank + 1 : rank + 2]
    missing = above[0].qualifying_au - judged.qualifying_au if above else 0
    lost, kept_until = kept(settings, judged, rank, over_time, at_ms)
    falls_to = ""
    if kept_until is not None:
        falls_to = codes[_fall(settings, rank, _reached(settings, au_at(over_time, max(at_ms, kept_until))))]
    return Explanation(
        judged,
        above[0].code if above else "",
        missing,
        lost,
        kept_until,
        falls_to,
        _raise_by(registry, missing, at_ms),
    )


def kept(
    settings: SetTiers, judged: Judged, rank: int, over_time: Sequence[Sum], at_ms: int
) -> tuple[int | None, int | None]:
    """From when on the window holds too little for the tier of that rank, and until when, grace included, the member
    has it if nothing more is bought; both None when nothing is at risk.
    """
    if judged.kept_until_ms is not None:
        return _lost(settings, rank, over_time, at_ms), judged.kept_until_ms
    lost = _next_loss(settings, rank, over_time, at_ms)
    return lost, None if lost is None else max(lost, judged.since_ms) + settings.grace_ms


def _reached(settings: SetTiers, au: int) -> int:
    """The rank of the highest tier that `au` reach; the first is reached by none."""
    rank = len(settings.tiers) - 1
    while settings.tiers[rank].qualifying_au > au:
        rank -= 1
    return rank


def _fall(settings: SetTiers, current: int, reached: int) -> int:
    """Where a tier that is no longer kept falls."""
    return max(current - 1, reached) if settings.downgrade == "one" else reached


def _lost(settings: SetTiers, rank: int, over_time: Sequence[Sum], at_ms: int) -> int | None:
    """When the qualifying AU last fell below the tier's, up to `at_ms`; None if by what stands they never reached it
    within the span.
    """
    enough = settings.tiers[rank].qualifying_au
    falls = [now.from_ms for before, now in pairwise(over_time) if before.au >= enough > now.au]
    return max((at for at in falls if at <= at_ms), default=None)


def _next_loss(settings: SetTiers, rank: int, over_time: Sequence[Sum], at_ms: int) -> int | None:
    """When the qualifying AU will fall below the tier's if nothing more is bought."""
    enough = settings.tiers[rank].qualifying_au
    return next((each.from_ms for each in over_time if each.from_ms > at_ms and each.au < enough), None)


def _raise_by(registry: Registry, missing_au: int, at_ms: int) -> tuple[tuple[int, int], ...]:
    """(issuer, least amount) whose points are worth `missing_au`, at today's rates."""
    found = []
    for issuer, merchant in sorted(registry.merchants.items()) if missing_au > 0 else ():
        terms = registry.terms_at(issuer, at_ms)
        if terms is not None and merchant.earn.points:
            points = -(-missing_au * terms.au_den // terms.au_num)
            found.append((issuer, -(-points * merchant.earn.per_minor // merchant.earn.points)))
    return tuple(found)
