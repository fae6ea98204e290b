"""Points used: redeem; authorise, capture, void, lapse; cancel, whole or in part; dispute and resolve.

A redemption is a hold captured at once. Where the rule book leaves room, July decides:

- "Within the limit" is −position + what the issuer owes already under open holds + the leg ≤ floor(collateral ·
  haircut), position with accrued fees: in the variation, B owes 510 at E9, and 510 + 400 is over 800. An issuer that
  pays on issuance owes nothing more for a leg, but what it was to pay stands in its position until it is settled.
- A cancellation re-prices what remains: E15 leaves 222 of 333 AU, so 444 points and a fee of 4 instead of 666 and 6;
  the difference is posted. The last leg is given back first, and of a leg what was drawn last.
- Points given back repay their issuer's debts like earned ones: had they never been spent, the refund that made the
  debt would have taken them.
- A dispute takes a redemption's legs, with their fees, out of every position until it is resolved; the points are held
  meanwhile, and count against the issuer's collateral as those of an open hold do.
"""

from __future__ import annotations

from tests.oracle.books import DAY_MS, RESERVE, Books, Command, Draw, Lot, No, Part, refuse_if
from tests.oracle.earning import charge, known_merchant, known_spender, like, own, take
from tests.oracle.limits import bears, on_credit
from tests.oracle.pricing import (
    ask,
    balances,
    by_leg,
    by_terms,
    fee,
    given,
    in_turn,
    left_over,
    legs,
    points_for,
    spendable,
    without,
)
from tests.oracle.reserve import pay_in

HOLD_MS_MAX = 31 * DAY_MS


def redeem(books: Books, command: Command) -> None:
    """Pay up to `au` with points, at once."""
    draw = promise(books, command, hold_until_ms=command["at_ms"])
    draw.state = "captured"
    clear(books, draw, [])


def authorize(books: Books, command: Command) -> None:
    """Pay later: the points leave the lots, and wait."""
    refuse_if(command["hold_until_ms"] <= command["at_ms"], "hold-too-short")
    refuse_if(command["hold_until_ms"] > command["at_ms"] + HOLD_MS_MAX, "hold-too-long")
    promise(books, command, hold_until_ms=command["hold_until_ms"])


def promise(books: Books, command: Command, *, hold_until_ms: int) -> Draw:
    """What redeeming and authorising refuse and have in common: points out of lots."""
    merchant = known_merchant(books, command["merchant_id"])
    refuse_if(command["merchant_id"] in books.left, "merchant-closed")
    member = known_spender(books, command["member"])
    name = command["merchant_id"], command["redemption"]
    refuse_if(name in books.draws, "redemption-exists")
    parts = within_limits(books, member, command)
    au = sum(part.au for part in parts)
    refuse_if(command["at_most"] and not au, "nothing-to-redeem")
    refuse_if(not command["at_most"] and au < command["au"], "balance-too-low")
    draw = Draw(command["merchant_id"], member, merchant["redemption_fee_bps"], parts, hold_until_ms)
    for lot, points in given(books, parts).items():
        lot.left -= points
    books.draws[name] = draw
    return draw


def within_limits(books: Books, member: str, command: Command) -> list[Part]:
    """Draw; while an issuer cannot bear its leg, leave it out or decline."""
    left_out = list(books.left)
    while True:
        parts = ask(books, spendable(books, member, command["at_ms"]), command["au"], left_out)
        over = [
            issuer
            for issuer, au in on_credit(books, command["merchant_id"], parts).items()
            if not bears(books, issuer, au)
        ]
        if not over:
            return parts
        refuse_if(command["over_limit"] == "decline", "issuer-over-limit")
        left_out.append(over[0])


def clear(books: Books, draw: Draw, before: list[Part]) -> None:
    """Bring cash, fees and counts from what was captured `before` to what `draw` says now."""
    was = Draw(draw.merchant, draw.member, draw.fee_bps, before, 0)
    for sign, each in ((-1, was), (1, draw)):
        charge(books, draw.merchant, sign * sum(fee(books, each).values()))
        pay(books, draw.merchant, each.parts, sign)
        for lot, points in given(books, each.parts).items():
            books.redeemed[lot.issuer] += sign * points
        for terms_id, dust in left_over(books, each.parts).items():
            books.dust[terms_id] += sign * dust


def pay(books: Books, acceptor: int, parts: list[Part], sign: int) -> None:
    """The issuer pays the acceptor, nothing on us; or the reserve does, on us too: the issuer paid when it issued."""
    for terms_id, au in legs(parts).items():
        issuer = books.terms[terms_id]["issuer_id"]
        payer = RESERVE if books.is_backed(terms_id) else issuer
        books.cash[payer] -= sign * au
        books.cash[acceptor] += sign * au
        if books.is_backed(terms_id):
            books.reserve[terms_id] -= sign * au
        if issuer != acceptor:
            books.interchange += sign * au


def capture(books: Books, command: Command) -> None:
    """Carry a hold out, whole or for less; the rest of the points is free again."""
    draw = unresolved(books, command)
    refuse_if(command["at_ms"] >= draw.hold_until_ms, "hold-over")
    au = draw.au() if command["au"] is None else command["au"]
    refuse_if(au > draw.au(), "capture-exceeds-hold")
    lend(books, without(draw.parts, draw.au() - au))
    reprice(books, draw, draw.au() - au)
    draw.state = "captured"
    clear(books, draw, [])


def lend(books: Books, parts: list[Part]) -> None:
    """Points that were taken back while they were held are paid all the same: what the balance lacks to them is lent
    for the leg, and who pays on issuance pays for what of it is above zero.
    """
    public = balances(books)
    for terms_id, points in by_terms(given(books, parts)).items():
        owners = [books.who(part.lot.member) for part in parts if part.lot.terms_id == terms_id]
        account = owners[0], books.terms[terms_id]["issuer_id"]
        there = public.get(account, 0)
        public[account] = there - points
        if there < points:
            pay_in(books, terms_id, 0, points - max(0, there))


def void(books: Books, command: Command) -> None:
    """Call a hold off."""
    release(books, unresolved(books, command))


def lapse_hold(books: Books, command: Command) -> None:
    """The time of a hold is over; its end is exclusive."""
    draw = unresolved(books, command)
    refuse_if(command["at_ms"] < draw.hold_until_ms, "hold-not-over")
    release(books, draw)


def release(books: Books, draw: Draw) -> None:
    owner = owner_of(books, draw)
    reprice(books, draw, draw.au())
    draw.state = "released"
    if owner in books.closed:
        forfeit(books, owner)


def forfeit(books: Books, owner: str) -> None:
    """Who has left had nothing, so that all its lots hold is what just came back: its issuers correct that away."""
    for issuer in sorted({lot.issuer for lot in books.members[owner]}):
        mine = [lot for lot in in_turn(books.members[owner]) if lot.issuer == issuer]
        books.adjusted[issuer] -= take(books, owner, mine, sum(lot.left for lot in mine), None)


def owner_of(books: Books, draw: Draw) -> str:
    """Whose the drawn points are by now: accounts may have been merged, and parted."""
    gave = given(books, draw.parts)
    return next((books.who(lot.member) for lot in by_leg(gave) if gave[lot]), draw.member)


def reprice(books: Books, draw: Draw, au: int) -> None:
    """The same draw for `au` less: what its lots no longer give is back in them, leg by leg."""
    gave, bore = given(books, draw.parts), {part.lot: part.au for part in draw.parts}
    owner = owner_of(books, draw)
    draw.parts = without(draw.parts, au)
    gives, bears_now = given(books, draw.parts), {part.lot: part.au for part in draw.parts}
    order = by_leg(gave)
    for lot in order:
        if gave[lot] > gives[lot] or bore[lot] > bears_now[lot]:
            give_back(books, lot, owner, gave[lot] - gives[lot])


def give_back(books: Books, lot: Lot, owner: str, points: int) -> None:
    """Into the same lot, which is its owner's again; if somebody it was parted from has points in it by now, into one
    like it. Points that repay a debt are in no lot: what stood behind them in the reserve is the issuer's dust.
    """
    repaid = min(points, books.debts[owner, lot.issuer])
    books.debts[owner, lot.issuer] -= repaid
    if books.is_backed(lot.terms_id):
        books.dust[lot.terms_id] += repaid * books.terms[lot.terms_id]["au_num"]
    if lot.member != owner and lot.left:
        lot = like(books, lot, owner)
    own(books, lot, owner)
    lot.left += points - repaid
    if points:
        books.touched.add((owner, lot.issuer))


def cancel_redemption(books: Books, command: Command) -> None:
    """Give `au` of a captured redemption back."""
    draw = known_draw(books, command)
    refuse_if(draw.state != "captured", "not-captured")
    refuse_if(draw.au() > 0 and owner_of(books, draw) in books.closed, "member-closed")
    name = ("cancellation", command["merchant_id"], command["cancellation"])
    refuse_if(name in books.names, "cancellation-exists")
    au = draw.au() if command["au"] is None else command["au"]
    refuse_if(au > draw.au() or not au, "cancel-exceeds-redemption")
    refuse_if(below_a_point(books, draw, au), "cancel-below-a-point")
    less = Draw(draw.merchant, draw.member, draw.fee_bps, without(draw.parts, au), 0)
    lost = credited(books, draw) - credited(books, less)
    refuse_if(lost > 0 and not bears(books, draw.merchant, lost), "issuer-over-limit")
    before = draw.parts
    reprice(books, draw, au)
    clear(books, draw, before)
    books.names.add(name)


def credited(books: Books, draw: Draw) -> int:
    """What a redemption brings its acceptor, less the fees."""
    paid = [
        au
        for terms_id, au in legs(draw.parts).items()
        if books.is_backed(terms_id) or books.terms[terms_id]["issuer_id"] != draw.merchant
    ]
    return sum(paid) - sum(fee(books, draw).values())


def below_a_point(books: Books, draw: Draw, au: int) -> bool:
    """Whether a leg would lose AU and no point: nothing could be given back for them."""
    less, more = legs(without(draw.parts, au)), legs(draw.parts)
    return any(
        less[terms_id] < more[terms_id]
        and points_for(less[terms_id], books.terms[terms_id]) == points_for(more[terms_id], books.terms[terms_id])
        for terms_id in more
    )


def dispute(books: Books, command: Command) -> None:
    """An issuer drawn on objects: the redemption's legs leave the net, its points are nobody's to spend."""
    draw = known_draw(books, command)
    refuse_if(draw.state != "captured", "not-captured")
    refuse_if(command["by_merchant_id"] not in {part.lot.issuer for part in draw.parts if part.au}, "not-drawn-on")
    name = ("dispute", command["merchant_id"], f"{command['redemption']} by {command['by_merchant_id']}")
    refuse_if(name in books.names, "disputed-before")
    books.names.add(name)
    owner = owner_of(books, draw)
    books.touched |= {(owner, part.lot.issuer) for part in draw.parts if part.au}
    parts, draw.parts = draw.parts, []
    clear(books, draw, parts)
    draw.state, draw.parts = "disputed", parts


def resolve_dispute(books: Books, command: Command) -> None:
    """The legs re-enter the net, or the redemption is cancelled."""
    draw = known_draw(books, command)
    refuse_if(draw.state != "disputed", "not-disputed")
    if command["stands"]:
        lend(books, draw.parts)
        draw.state = "captured"
        clear(books, draw, [])
    else:
        release(books, draw)


def known_draw(books: Books, command: Command) -> Draw:
    draw = books.draws.get((command["merchant_id"], command["redemption"]))
    if draw is None:
        raise No("redemption-unknown")
    return draw


def unresolved(books: Books, command: Command) -> Draw:
    draw = known_draw(books, command)
    refuse_if(draw.state != "held", "already-resolved")
    return draw
