"""Points that change hands or currency, or end: transfer, exchange, expire, adjust, opening balances, merge.

Where the rule book leaves room, July decides:

- A transferred lot keeps issuer, terms, expiry and the time it was confirmed: E16's 400 points of C expire with the
  rest of m5's at X.
- The operator's share of what expires is what the issuer's share leaves: of 1178 AU the issuer keeps floor(1178 · 80 %)
  = 942 and the operator gets 236. Only so the on-issuance finals come out (OP 317, C −294).
"""

from __future__ import annotations

from tests.oracle.books import BPS, Books, Command, Lot, refuse_if
from tests.oracle.earning import charge, give, known_member, known_merchant
from tests.oracle.pricing import in_turn, spendable, worth


def transfer(books: Books, command: Command) -> None:
    """Points of one issuer change hands; every lot keeps what it is."""
    issuer, giver, taker = command["issuer_id"], command["from_member"], command["to_member"]
    merchant = known_merchant(books, issuer)
    known_member(books, giver)
    known_member(books, taker)
    refuse_if(giver == taker, "same-member")
    refuse_if(("transfer", issuer, command["transfer"]) in books.names, "transfer-exists")
    refuse_if(merchant["transfers"] == "none", "transfers-off")
    if merchant["transfers"] == "pool":
        refuse_if(not [pool for pool in books.pools.values() if {giver, taker} <= pool.members], "not-in-pool")
    lots = [lot for lot in spendable(books, giver, command["at_ms"]) if lot.issuer == issuer]
    refuse_if(sum(lot.left for lot in lots) < command["points"], "balance-too-low")
    left = command["points"]
    for lot in lots:
        part = min(lot.left, left)
        left -= part
        if part:
            lot.left -= part
            give(books, new_lot(books, taker, like=lot), part)
    books.names.add(("transfer", issuer, command["transfer"]))


def new_lot(books: Books, member: str, *, like: Lot) -> Lot:
    """An empty lot of the same issuer, terms and times."""
    books.lots_made += 1
    return Lot(
        number=books.lots_made,
        member=member,
        issuer=like.issuer,
        terms_id=like.terms_id,
        left=0,
        role="moved",
        confirmed_ms=like.confirmed_ms,
        expires_ms=like.expires_ms,
    )


def expire(books: Books, command: Command) -> None:
    """A member's lots whose time is over end; an expiry is exclusive, so at that very instant they are over."""
    known_member(books, command["member"])
    over = [lot for lot in in_turn(books.members[command["member"]]) if (lot.expires_ms or 0) <= command["at_ms"]]
    refuse_if(not over, "nothing-expired")
    ended: dict[int, int] = {}
    for lot in over:
        ended[lot.terms_id] = ended.get(lot.terms_id, 0) + lot.left
        books.expired[lot.issuer] += lot.left
        lot.left = 0
        books.left_unused.add(lot.terms_id)
    for terms_id, points in ended.items():
        terms = books.terms[terms_id]
        if books.is_backed(terms_id):
            kept_bps = BPS - books.merchants[terms["issuer_id"]]["breakage_bps"]
            au = worth(points, terms)
            charge(books, terms["issuer_id"], au - au * kept_bps // BPS)
