"""How much an issuer may come to owe: its collateral after the haircut bears what it owes, what it has promised, and
what is asked now. An issuer that pays on issuance is asked when it issues, or it could fill the reserve with promises.
"""

from __future__ import annotations

from tests.oracle.books import BPS, Books, Part
from tests.oracle.pricing import owed
from tests.oracle.reserve import cost


def bears(books: Books, issuer: int, au: int) -> bool:
    room = headroom(books, issuer)
    return room is None or au <= room


def headroom(books: Books, issuer: int) -> int | None:
    """What an issuer's collateral bears beside what it owes and what is held of it; None where it has no limit."""
    merchant = books.merchants[issuer]
    if merchant["credit_limit_au"] is None:
        return None
    secured = merchant["credit_limit_au"] * merchant["haircut_bps"] // BPS
    return int(secured + books.position(issuer) - promised(books, issuer))


def promised(books: Books, issuer: int) -> int:
    """AU that the issuer will owe when what is held of its points is captured."""
    held = [draw for draw in books.draws.values() if draw.is_held()]
    return sum(on_credit(books, draw.merchant, draw.parts).get(issuer, 0) for draw in held)


def on_credit(books: Books, acceptor: int, parts: list[Part]) -> dict[int, int]:
    """Issuer -> AU that its collateral must bear beside what it owes already: 0 where a reserve pays."""
    unpaid = owed(acceptor, [part for part in parts if not books.is_backed(part.lot.terms_id)])
    return dict.fromkeys(owed(acceptor, parts), 0) | unpaid


def may_issue(books: Books, terms_id: int, gains: list[tuple[str, int]], *, fee: int = 0, received: int = 0) -> bool:
    """Whether the issuer bears what (member, points) cost it now; what costs nothing it always does."""
    au = cost(books, terms_id, gains)
    return not au or bears(books, books.terms[terms_id]["issuer_id"], au + fee - received)
