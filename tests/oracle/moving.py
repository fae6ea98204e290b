"""Points that change hands or currency, or end: transfer, exchange, expire, adjust, opening balances, merge.

Where the rule book leaves room, July decides:

- A transferred lot keeps issuer, terms, expiry and the time it was confirmed: E16's 400 points of C expire with the
  rest of m5's at X.
- The operator's share of what expires is what the issuer's share leaves: of 1178 AU the issuer keeps floor(1178 · 80 %)
  = 942 and the operator gets 236. Only so the on-issuance finals come out (OP 317, C −294).
"""

from __future__ import annotations

from tests.oracle.books import AMOUNT_MAX, BPS, DAY_MS, RESERVE, Books, Command, Lot, No, Pool, refuse_if
from tests.oracle.earning import charge, expiry, give, issue, known_member, known_merchant, known_spender, like
from tests.oracle.limits import bears, may_issue
from tests.oracle.pricing import by_terms, first_of, in_turn, points_for, spendable, terms_at, worth
from tests.oracle.reserve import pay_out, repaid_shown


def transfer(books: Books, command: Command) -> None:
    """Points of one issuer change hands; every lot keeps what it is."""
    issuer = command["issuer_id"]
    known_merchant(books, issuer)
    giver = known_spender(books, command["from_member"])
    taker = known_member(books, command["to_member"])
    refuse_if(giver == taker, "self-transfer")
    refuse_if(("transfer", issuer, command["transfer"]) in books.names, "transfer-exists")
    refuse_if_forbidden(books, command)
    mine = [lot for lot in spendable(books, giver, command["at_ms"]) if lot.issuer == issuer]
    refuse_if(sum(lot.left for lot in mine) < command["points"], "balance-too-low")
    gives = first_of(mine, command["points"])
    for lot, points in gives.items():
        lot.left -= points
    for terms_id, points in by_terms(gives).items():
        repaid = min(points, books.debts[taker, issuer])
        pay_out(books, terms_id, repaid, repaid - repaid_shown(books, taker, issuer, repaid))
        for lot, part in gives.items():
            if lot.terms_id == terms_id:
                give(books, like(books, lot, taker), part)
    books.names.add(("transfer", issuer, command["transfer"]))
    if books.merchants[issuer]["transfers"] == "pool":
        books.sent[command["from_member"], issuer, command["at_ms"] // DAY_MS] += command["points"]


def refuse_if_forbidden(books: Books, command: Command) -> None:
    """Off by default; inside a family, so much of one issuer's points a day (UTC) and member."""
    issuer, giver = command["issuer_id"], command["from_member"]
    policy = books.merchants[issuer]["transfers"]
    refuse_if(policy == "none", "transfers-off")
    if policy == "pool":
        pool = pool_of(books, giver)
        if pool is None or pool is not pool_of(books, command["to_member"]):
            raise No("not-in-one-pool")
        sent = books.sent[giver, issuer, command["at_ms"] // DAY_MS]
        refuse_if(sent + command["points"] > pool.day_points_max, "pool-cap")


def pool_of(books: Books, member: str) -> Pool | None:
    """The family the member belongs to; a name that means somebody else is in none."""
    if books.who(member) != member:
        return None
    return next((pool for pool in books.pools.values() if member in pool.members), None)


def exchange(books: Books, command: Command) -> None:
    """Points of one issuer become another's: q = floor(p · num / den), and the smallest p that gives as many. The old
    points' issuer owes the new one what they are worth.
    """
    old, new = command["from_issuer_id"], command["to_issuer_id"]
    member, rate, terms = possible_exchange(books, command)
    lots = [lot for lot in spendable(books, member, command["at_ms"]) if lot.issuer == old]
    refuse_if(sum(lot.left for lot in lots) < command["points"], "balance-too-low")
    gives, gets = fewest(books, first_of(lots, command["points"]), rate)
    refuse_if(not gets, "exchange-too-small")
    refuse_if(gets > AMOUNT_MAX, "points-too-many")
    gone = by_terms(gives)
    on_credit = sum(worth(points, books.terms[each]) for each, points in gone.items() if not books.is_backed(each))
    is_asked = on_credit or any(books.is_backed(each) for each in gone)
    refuse_if(is_asked and not bears(books, old, on_credit), "issuer-over-limit")
    received = sum(worth(points, books.terms[each]) for each, points in gone.items())
    payable = may_issue(books, terms["terms_id"], [(member, gets)], received=received)
    refuse_if(not payable, "issuer-over-limit")
    for lot, points in gives.items():
        lot.left -= points
    for terms_id, points in gone.items():
        owes(books, terms_id, new, points)
    books.exchanged[old] -= sum(gives.values())
    books.exchanged[new] += gets
    issue(books, {fresh_lot(books, member, terms, command["at_ms"], None): gets})
    books.names.add(("exchange", old, command["exchange"]))


def possible_exchange(books: Books, command: Command) -> tuple[str, Command, Command]:
    """Who exchanges, the rate, and the terms of what is given for the old points."""
    old, new = command["from_issuer_id"], command["to_issuer_id"]
    known_merchant(books, old)
    known_merchant(books, new)
    refuse_if(old == new, "same-issuer")
    member = known_spender(books, command["member"])
    refuse_if(("exchange", old, command["exchange"]) in books.names, "exchange-exists")
    refuse_if(old in books.left, "merchant-closed")
    refuse_if(new in books.leaving, "merchant-frozen")
    rate, terms = exchange_at(books, command), terms_at(books, new, command["at_ms"])
    if rate is None:
        raise No("rate-missing")
    if terms is None:
        raise No("terms-missing")
    return member, rate, terms


def fewest(books: Books, offered: dict[Lot, int], rate: Command) -> tuple[dict[Lot, int], int]:
    """(what each lot gives, points given for them): a leg's points are the ceiling of its AU, so where a point is worth
    less than an AU what counts of an offer is the largest such number, and what is taken the smallest that suffices.
    """
    counts = {
        each: points_for(worth(points, books.terms[each]), books.terms[each])
        for each, points in by_terms(offered).items()
    }
    gets = sum(counts.values()) * rate["num"] // rate["den"]
    if not gets:
        return {}, 0
    needed = by_terms(within(offered, counts, -(-gets * rate["den"] // rate["num"])))
    for each, points in needed.items():
        while points_for(worth(needed[each], books.terms[each]), books.terms[each]) < points:
            needed[each] += 1
    return within(offered, needed, sum(offered.values())), gets


def within(offered: dict[Lot, int], bounds: dict[int, int], points: int) -> dict[Lot, int]:
    """Up to `points` of the offer in its order, of each terms no more than its bound."""
    left, gives = dict(bounds), {}
    for lot, there in offered.items():
        gives[lot] = min(there, left.get(lot.terms_id, 0), points)
        left[lot.terms_id] = left.get(lot.terms_id, 0) - gives[lot]
        points -= gives[lot]
    return {lot: part for lot, part in gives.items() if part}


def owes(books: Books, terms_id: int, merchant: int, points: int) -> None:
    """Whoever stands behind points of these terms pays `merchant` what they are worth."""
    terms = books.terms[terms_id]
    au = worth(points, terms)
    backed = books.is_backed(terms_id)
    books.cash[RESERVE if backed else terms["issuer_id"]] -= au
    books.cash[merchant] += au
    books.reserve[terms_id] -= au if backed else 0
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
    member = known_member(books, command["member"])
    over = [lot for lot in in_turn(books.members[member]) if (lot.expires_ms or 0) <= command["at_ms"]]
    refuse_if(not over, "nothing-to-expire")
    ended = by_terms({lot: lot.left for lot in over})
    for lot in over:
        books.expired[lot.issuer] += lot.left
        lot.left = 0
    for terms_id, points in ended.items():
        issuer = books.terms[terms_id]["issuer_id"]
        au = pay_out(books, terms_id, points, points)
        kept = au * (BPS - books.merchants[issuer]["breakage_bps"]) // BPS
        charge(books, issuer, au - kept)
