"""What points are worth, what a redemption draws, what each lot of a draw gives. No state is changed here.

Lots of one issuer and terms are one leg. Together they offer floor(points · num / den) AU, and for `au` they give
ceil(au · den / num) points, lot by lot in drawing order, so that only the last lot keeps a rest: the rule book's
"take ceil(points); dust below one point stays with the issuer" applied to the leg, which is what clears.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import replace

from tests.oracle.books import BPS, Books, Command, Draw, Lot, Part


def worth(points: int, terms: Command) -> int:
    """AU, floored."""
    return points * int(terms["au_num"]) // int(terms["au_den"])


def points_for(au: int, terms: Command) -> int:
    """The fewest points worth `au`."""
    return -(-au * int(terms["au_den"]) // int(terms["au_num"]))


def points_in_lots(books: Books) -> dict[int, int]:
    """Terms -> their points in lots and held."""
    points: dict[int, int] = dict.fromkeys(books.terms, 0)
    for lot in books.all_lots():
        points[lot.terms_id] += lot.left
    for draw in books.draws.values():
        for lot, held in given(books, draw.parts).items() if draw.is_held() else ():
            points[lot.terms_id] += held
    return points


def share(au: int, bps: int) -> int:
    """floor(au · bps / 10000)."""
    return au * bps // BPS


def terms_at(books: Books, issuer: int, at_ms: int) -> Command | None:
    """The newest terms of `issuer` in force."""
    in_force = [terms for terms in books.terms.values() if terms["issuer_id"] == issuer and from_ms(terms) <= at_ms]
    return max(in_force, key=lambda terms: (from_ms(terms), terms["terms_id"]), default=None)


def from_ms(terms: Command) -> int:
    """When terms take effect: as they say, else when they were published."""
    return int(terms["at_ms"] if terms["from_ms"] is None else terms["from_ms"])


def in_turn(lots: Iterable[Lot]) -> list[Lot]:
    """Confirmed lots that hold something, as they are drawn; expired ones too."""
    return sorted((lot for lot in lots if lot.left), key=Lot.turn)


def spendable(books: Books, member: str, at_ms: int) -> list[Lot]:
    """As `in_turn`, of what has not expired: an expiry is exclusive."""
    return [lot for lot in in_turn(books.members[member]) if lot.expires_ms is not None and at_ms < lot.expires_ms]


def ask(books: Books, lots: Iterable[Lot], au: int, left_out: Collection[int] = ()) -> list[Part]:
    """What each of `lots`, in that order, bears of up to `au`."""
    seen: Counter[int] = Counter()
    borne: Counter[int] = Counter()
    parts = []
    for lot in lots:
        if au == 0:
            break
        if lot.issuer in left_out:
            continue
        seen[lot.terms_id] += lot.left
        more = min(au, worth(seen[lot.terms_id], books.terms[lot.terms_id]) - borne[lot.terms_id])
        borne[lot.terms_id] += more
        au -= more
        parts.append(Part(lot, lot.left, more))
    return [part for part in parts if borne[part.lot.terms_id]]


def legs(parts: Iterable[Part]) -> dict[int, int]:
    """Terms -> AU, in the order they were drawn."""
    total: dict[int, int] = {}
    for part in parts:
        total[part.lot.terms_id] = total.get(part.lot.terms_id, 0) + part.au
    return total


def owed(acceptor: int, parts: Iterable[Part]) -> dict[int, int]:
    """Issuer -> AU it owes the acceptor; nothing on us."""
    total: dict[int, int] = {}
    for part in parts:
        if part.lot.issuer != acceptor:
            total[part.lot.issuer] = total.get(part.lot.issuer, 0) + part.au
    return total


def given(books: Books, parts: Iterable[Part]) -> dict[Lot, int]:
    """Lot -> points it gives."""
    asked = {terms_id: points_for(au, books.terms[terms_id]) for terms_id, au in legs(parts).items()}
    gives = {}
    for part in parts:
        gives[part.lot] = min(part.had, asked[part.lot.terms_id])
        asked[part.lot.terms_id] -= gives[part.lot]
    return gives


def left_over(books: Books, parts: Iterable[Part]) -> dict[int, int]:
    """Terms -> what the points given are worth above the AU, in 1/au_den AU: the issuer's."""
    dust = {}
    for terms_id, au in legs(parts).items():
        terms = books.terms[terms_id]
        dust[terms_id] = points_for(au, terms) * int(terms["au_num"]) - au * int(terms["au_den"])
    return dust


def fee(books: Books, draw: Draw) -> dict[int, int]:
    """Terms -> the redemption fee of that leg; free on us."""
    return {
        terms_id: share(au, draw.fee_bps)
        for terms_id, au in legs(draw.parts).items()
        if books.terms[terms_id]["issuer_id"] != draw.merchant
    }


def by_leg(lots: Iterable[Lot]) -> list[Lot]:
    """The same lots, those of one leg together, legs in the order in which their first lots come."""
    lots = list(lots)
    first = {lot.terms_id: number for number, lot in reversed(list(enumerate(lots)))}
    return sorted(lots, key=lambda lot: first[lot.terms_id])


def without(parts: Iterable[Part], au: int) -> list[Part]:
    """The same draw for `au` less: the last leg is left out first, and of a leg what was drawn last."""
    parts = list(parts)
    order = by_leg(part.lot for part in parts)
    kept = {}
    for part in sorted(parts, key=lambda part: order.index(part.lot), reverse=True):
        less = min(part.au, au)
        au -= less
        kept[part.lot] = replace(part, au=part.au - less)
    return [kept[part.lot] for part in parts]


def first_of(lots: Iterable[Lot], points: int) -> dict[Lot, int]:
    """Lot -> what it gives of `points`, in the order given; who gives nothing is left out."""
    gives = {}
    for lot in lots:
        gives[lot] = min(lot.left, points)
        points -= gives[lot]
    return {lot: part for lot, part in gives.items() if part}


def by_terms(gives: dict[Lot, int]) -> dict[int, int]:
    """Terms -> points, in the order given."""
    total: dict[int, int] = {}
    for lot, points in gives.items():
        total[lot.terms_id] = total.get(lot.terms_id, 0) + points
    return total


def held(books: Books) -> dict[tuple[str, int], int]:
    """(member, issuer) -> points promised or in dispute; zeros left out."""
    total: Counter[tuple[str, int]] = Counter()
    for draw in books.draws.values():
        for lot, points in given(books, draw.parts).items() if draw.is_held() else ():
            total[books.who(lot.member), lot.issuer] += points
    return {pair: points for pair, points in total.items() if points}


def balances(books: Books) -> dict[tuple[str, int], int]:
    """(member, issuer) -> points in lots and held, less debts; zeros left out."""
    total: Counter[tuple[str, int]] = Counter(held(books))
    for lot in books.all_lots():
        total[books.who(lot.member), lot.issuer] += lot.left
    total.subtract(books.debts)
    return {pair: points for pair, points in total.items() if points}
