"""Points that change hands or currency, or end: transfer, exchange, expire, adjust, opening balances, merge.

Where the rule book leaves room, July decides:

- A transferred lot keeps issuer, terms, expiry and the time it was confirmed: E16's 400 points of C expire with the
  rest of m5's at X.
- The operator's share of what expires is what the issuer's share leaves: of 1178 AU the issuer keeps floor(1178 · 80 %)
  = 942 and the operator gets 236. Only so the on-issuance finals come out (OP 317, C −294).
"""

from __future__ import annotations

from collections import Counter

from tests.oracle.books import BPS, DAY_MS, RESERVE, Books, Command, Lot, No, Pool, refuse_if
from tests.oracle.earning import charge, expiry, give, issue, known_member, known_merchant
from tests.oracle.pricing import by_leg, in_turn, slack, spendable, terms_at, worth


def transfer(books: Books, command: Command) -> None:
    """Points of one issuer change hands; every lot keeps what it is."""
    issuer, giver, taker = command["issuer_id"], command["from_member"], command["to_member"]
    known_merchant(books, issuer)
    known_member(books, giver)
    known_member(books, taker)
    refuse_if(giver == taker, "self-transfer")
    refuse_if(("transfer", issuer, command["transfer"]) in books.names, "transfer-exists")
    refuse_if_forbidden(books, command)
    mine = [lot for lot in spendable(books, giver, command["at_ms"]) if lot.issuer == issuer]
    refuse_if(sum(lot.left for lot in mine) < command["points"], "balance-too-low")
    for lot, points in by_leg_of(first_of(mine, command["points"])).items():
        lot.left -= points
        if books.debts[taker, issuer]:
            books.left_unused.add(lot.terms_id)
        give(books, new_lot(books, taker, like=lot), points)
    books.names.add(("transfer", issuer, command["transfer"]))
    books.sent[giver, issuer, command["at_ms"] // DAY_MS] += command["points"]


def refuse_if_forbidden(books: Books, command: Command) -> None:
    """Off by default; inside a family, so much of one issuer's points a day (UTC) and member."""
    issuer, giver = command["issuer_id"], command["from_member"]
    policy = books.merchants[issuer]["transfers"]
    refuse_if(policy == "none", "transfers-off")
    if policy == "pool":
        pool = pool_of(books, giver)
        if pool is None or command["to_member"] not in pool.members:
            raise No("not-in-one-pool")
        sent = books.sent[giver, issuer, command["at_ms"] // DAY_MS]
        refuse_if(sent + command["points"] > pool.day_points_max, "pool-cap")


def pool_of(books: Books, member: str) -> Pool | None:
    """The family the member belongs to."""
    return next((pool for pool in books.pools.values() if member in pool.members), None)


def first_of(lots: list[Lot], points: int) -> dict[Lot, int]:
    """Lot -> what it gives of `points`, in the order given."""
    gives = {}
    for lot in lots:
        gives[lot] = min(lot.left, points)
        points -= gives[lot]
    return {lot: part for lot, part in gives.items() if part}


def by_leg_of(gives: dict[Lot, int]) -> dict[Lot, int]:
    """The same, those of one leg together."""
    return {lot: gives[lot] for lot in by_leg(gives)}


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


def exchange(books: Books, command: Command) -> None:
    """Points of one issuer become another's: q = floor(p · num / den), and the smallest p that gives as many. The old
    points' issuer owes the new one what they are worth.
    """
    old, new = command["from_issuer_id"], command["to_issuer_id"]
    known_merchant(books, old)
    known_merchant(books, new)
    known_member(books, command["member"])
    refuse_if(command["member"] in books.frozen, "member-frozen")
    refuse_if(("exchange", new, command["exchange"]) in books.names, "exchange-exists")
    rate = exchange_at(books, command)
    if rate is None:
        raise No("exchange-missing")
    terms = terms_at(books, new, command["at_ms"])
    if terms is None:
        raise No("terms-missing")
    gets = command["points"] * rate["num"] // rate["den"]
    refuse_if(not gets, "nothing-to-exchange")
    left = -(-gets * rate["den"] // rate["num"])
    lots = [lot for lot in spendable(books, command["member"], command["at_ms"]) if lot.issuer == old]
    refuse_if(sum(lot.left for lot in lots) < left, "balance-too-low")
    books.exchanged[old] -= left
    books.exchanged[new] += gets
    gave: Counter[int] = Counter()
    for lot, points in first_of(lots, left).items():
        lot.left -= points
        gave[lot.terms_id] += points
    for terms_id, points in gave.items():
        owes(books, terms_id, new, points)
    issue(books, fresh_lot(books, command["member"], terms, command["at_ms"], None), gets)
    books.names.add(("exchange", new, command["exchange"]))


def owes(books: Books, terms_id: int, merchant: int, points: int) -> None:
    """Whoever stands behind points of these terms pays `merchant` what they are worth."""
    terms = books.terms[terms_id]
    au = worth(points, terms)
    backed = books.is_backed(terms_id)
    books.cash[RESERVE if backed else terms["issuer_id"]] -= au
    books.cash[merchant] += au
    if backed:
        books.reserve[terms_id] -= au
    else:
        books.dust[terms_id] += points * terms["au_num"] - au * terms["au_den"]


def exchange_at(books: Books, command: Command) -> Command | None:
    """The newest rate of the pair in force."""
    in_force = [
        rate
        for rate in books.exchanges
        if (rate["from_issuer_id"], rate["to_issuer_id"]) == (command["from_issuer_id"], command["to_issuer_id"])
        and rate["at_ms"] <= command["at_ms"]
    ]
    return max(reversed(in_force), key=lambda rate: int(rate["at_ms"]), default=None)


def fresh_lot(books: Books, member: str, terms: Command, at_ms: int, expires_ms: int | None) -> Lot:
    """An empty lot as if confirmed now."""
    books.lots_made += 1
    issuer = terms["issuer_id"]
    return Lot(
        number=books.lots_made,
        member=member,
        issuer=issuer,
        terms_id=terms["terms_id"],
        left=0,
        role="brought",
        confirmed_ms=at_ms,
        expires_ms=expiry(books.merchants[issuer], at_ms) if expires_ms is None else expires_ms,
    )


def expire(books: Books, command: Command) -> None:
    """A member's lots whose time is over end; an expiry is exclusive, so at that very instant they are over."""
    known_member(books, command["member"])
    over = [lot for lot in in_turn(books.members[command["member"]]) if (lot.expires_ms or 0) <= command["at_ms"]]
    refuse_if(not over, "nothing-to-expire")
    for lot in over:
        books.expired[lot.issuer] += lot.left
        lot.left = 0
        books.left_unused.add(lot.terms_id)
    for terms_id, rest in slack(books).items():
        if terms_id in books.left_unused:
            issuer, returned = books.terms[terms_id]["issuer_id"], rest // books.terms[terms_id]["au_den"]
            kept = returned * (BPS - books.merchants[issuer]["breakage_bps"]) // BPS
            charge(books, issuer, returned - kept)
