"""Purchases and what follows from them: earn, confirm, refund; and what several verbs do to lots.

Where the rule book leaves room, July decides:

- The issuance fee is floor(AU of the order · bps / 10000), AU of the order being what all its standing points together
  are worth, referral rewards included: E14 is 50 + 50 points of B, 500 AU and a fee of 5, not 2 + 2. E4 is 1400 points
  of C, 700 AU and 7.
- A fee falls with the points that stand: E13 takes all 200 points of E2 back, and all of its 10.
- A referral reward is what the campaign gives for the sale that is left, so that anybody can compute it: E6 leaves
  60,000 of 100,000, and 600 and 300 points.
- A refund before confirmation takes pending points of every level in proportion (E6), and no fee was due on them yet.
- Claw-back, order's lot first, then the issuer's other lots, then debt, is done member by member: m1 owes its 100.
"""

from __future__ import annotations

from tests.oracle.bonuses import granted
from tests.oracle.books import AMOUNT_MAX, BPS, DAY_MS, OPERATOR, Books, Command, Lot, No, Order, refuse_if
from tests.oracle.limits import may_issue
from tests.oracle.pricing import by_terms, first_of, in_turn, share, terms_at, worth
from tests.oracle.reserve import owed_shown, pay_in, pay_out, repaid_shown

LEVELS = ("L1", "L2")


def earn(books: Books, command: Command) -> None:
    """Points for the buyer and, if it gets any, for at most two referrers above; without a hold confirmed at once."""
    merchant_id = command["merchant_id"]
    merchant = known_merchant(books, merchant_id)
    refuse_if(merchant_id in books.leaving, "merchant-frozen")
    member = known_member(books, command["member"])
    refuse_if((merchant_id, command["order"]) in books.orders, "order-exists")
    terms = terms_at(books, merchant_id, command["at_ms"])
    if terms is None:
        raise No("terms-missing")
    base = base_points(merchant, command["amount_minor"])
    refuse_if(base > AMOUNT_MAX, "points-too-many")
    order = Order(
        merchant=merchant_id,
        member=member,
        amount=command["amount_minor"],
        terms_id=terms["terms_id"],
        fee_bps=merchant["issuance_fee_bps"],
        campaign=campaign_at(books, merchant_id, command["at_ms"]),
        confirm_from_ms=command["at_ms"] + merchant["hold_ms"],
        lots=[],
    )
    above = rewards(books, order) if base else []
    refuse_if(any(points > AMOUNT_MAX for _, _, points in above), "points-too-many")
    extra = [("bonus", member, points) for _, points in granted(books, command, member, "order.paid", base)]
    for role, who, points in [("base", member, base), *extra, *above]:
        if points:
            order.lots.append(pending_lot(books, order, role, who, points))
    books.orders[merchant_id, command["order"]] = order
    books.decided.add(member)
    if merchant["hold_ms"] == 0 and is_payable(books, order):
        make_spendable(books, order, command["at_ms"])


def rewards(books: Books, order: Order) -> list[tuple[str, str, int]]:
    """(level, who, points) of everybody above the buyer whom the seller's campaign rewards."""
    found = []
    above = books.referrer(order.member)
    for level in LEVELS:
        if above is None:
            break
        if above not in books.closed:
            found.append((level, above, reward(books, order, level, order.amount)))
        above = books.referrer(above)
    return found


def reward(books: Books, order: Order, level: str, sale: int) -> int:
    """floor(bps of the sale in AU · den / num) points of the seller, as its campaign bounds it."""
    campaign, terms = books.campaigns.get(order.campaign), books.terms[order.terms_id]
    if campaign is None or LEVELS.index(level) >= len(campaign["level_bps"]):
        return 0
    basis = sale // campaign["basis_bucket_minor"] * campaign["basis_bucket_minor"]
    if basis < campaign["min_basis_minor"]:
        return 0
    points = basis * campaign["level_bps"][LEVELS.index(level)] * terms["au_den"] // (BPS * terms["au_num"])
    if campaign["reward_au_max"] is not None:
        points = min(points, campaign["reward_au_max"] * terms["au_den"] // terms["au_num"])
    return int(points)


def campaign_at(books: Books, merchant_id: int, at_ms: int) -> int:
    """The seller's last published campaign that runs, 0 if none; a stopped one does not run from that instant on."""
    running = [
        number
        for number, campaign in books.campaigns.items()
        if campaign["merchant_id"] == merchant_id
        and campaign["at_ms"] <= at_ms < min(campaign["until_ms"], books.stopped.get(number, campaign["until_ms"]))
    ]
    return running[-1] if running else 0


def base_points(merchant: Command, amount: int) -> int:
    """What an amount earns its buyer."""
    return amount * int(merchant["earn"]["points"]) // int(merchant["earn"]["per_minor"])


def pending_lot(books: Books, order: Order, role: str, member: str, points: int) -> Lot:
    books.lots_made += 1
    books.touched.add((member, order.merchant))
    return Lot(
        number=books.lots_made,
        member=member,
        issuer=order.merchant,
        terms_id=order.terms_id,
        left=points,
        role=role,
        points=points,
        standing=points,
    )


def confirm(books: Books, command: Command) -> None:
    """The return window is over: the points become spendable, debts first, and clear."""
    known_merchant(books, command["order_merchant_id"])
    order = known_order(books, command["order_merchant_id"], command["order"])
    refuse_if(order.confirmed_ms is not None, "already-confirmed")
    refuse_if(not order.is_pending(), "order-cancelled")
    refuse_if(command["at_ms"] < order.confirm_from_ms, "hold-not-over")
    refuse_if(not is_payable(books, order), "issuer-over-limit")
    make_spendable(books, order, command["at_ms"])


def cancel_pending(books: Books, command: Command) -> None:
    """The order was called off in time: all of it counts as given back, nothing of it ever becomes spendable."""
    known_merchant(books, command["order_merchant_id"])
    order = known_order(books, command["order_merchant_id"], command["order"])
    refuse_if(order.confirmed_ms is not None, "already-confirmed")
    refuse_if(not order.is_pending(), "order-cancelled")
    order.refunded = order.amount
    for lot in order.lots:
        lot.left = lot.standing = 0


def is_payable(books: Books, order: Order) -> bool:
    """Whether the issuer bears to pay now for what stands; if not, the order waits."""
    buyer = books.who(order.member)
    standing = [
        (books.who(lot.member), lot.standing, lot.role)
        for lot in order.lots
        if lot.role not in LEVELS or books.who(lot.member) != buyer
    ]
    gains = [(buyer, sum(points for _, points, role in standing if role not in LEVELS))]
    gains += [(who, points) for who, points, role in standing if role in LEVELS]
    fee = share(worth(sum(points for _, points, _ in standing), books.terms[order.terms_id]), order.fee_bps)
    return may_issue(books, order.terms_id, gains, fee=fee)


def make_spendable(books: Books, order: Order, at_ms: int) -> None:
    """All that stands, but no reward for who was merged with the buyer: nobody is rewarded for an order of its own."""
    for lot in order.lots:
        if lot.role in LEVELS and books.who(lot.member) == books.who(order.member):
            lot.standing = 0
    charge(books, order.merchant, issuance_fee(books, order))
    order.confirmed_ms = at_ms
    for lot in order.lots:
        books.issued[order.merchant] += lot.standing
        lot.left = 0
        lot.confirmed_ms = at_ms
        lot.expires_ms = expiry(books.merchants[order.merchant], at_ms)
    own = [lot for lot in order.lots if lot.role in {"base", "bonus"}]
    for leg in (own, *[[lot] for lot in order.lots if lot not in own]):
        issue(books, {lot: lot.standing for lot in leg})


def expiry(merchant: Command, at_ms: int) -> int:
    """A number of days after the confirmation, or one date for all."""
    validity = merchant["validity"]
    if "days" in validity:
        return at_ms + int(validity["days"]) * DAY_MS
    return int(validity["until_ms"])


def issue(books: Books, leg: dict[Lot, int]) -> None:
    """Points of one terms from their issuer, which pays now for those that become lots, where it pays on issuance."""
    for first in list(leg)[:1]:
        points = sum(leg.values())
        member = books.who(first.member)
        repaid = min(points, books.debts[member, first.issuer])
        shown = points - repaid + repaid_shown(books, member, first.issuer, repaid)
        pay_in(books, first.terms_id, points - repaid, shown)
    for lot, points in leg.items():
        give(books, lot, points)


def give(books: Books, lot: Lot, points: int) -> None:
    """Points for the lot's owner: what the owner owes this issuer is repaid first, the rest is in the lot."""
    debtor = (books.who(lot.member), lot.issuer)
    repaid = min(points, books.debts[debtor])
    books.debts[debtor] -= repaid
    lot.left += points - repaid
    if points > repaid:
        books.touched.add(debtor)
        own(books, lot, books.who(lot.member))


def own(books: Books, lot: Lot, owner: str) -> None:
    """The lot is among the owner's, and nobody else's."""
    for who in (lot.member, owner):
        if lot in books.members[who]:
            books.members[who].remove(lot)
    lot.member = owner
    books.members[owner].append(lot)


def like(books: Books, lot: Lot, owner: str) -> Lot:
    """An empty lot of the same issuer, terms and times, somebody's."""
    books.lots_made += 1
    return Lot(
        number=books.lots_made,
        member=owner,
        issuer=lot.issuer,
        terms_id=lot.terms_id,
        left=0,
        role="moved",
        confirmed_ms=lot.confirmed_ms,
        expires_ms=lot.expires_ms,
    )


def take(books: Books, member: str, lots: list[Lot], points: int, on_debt: int | None) -> int:
    """Take up to `points` out of `lots` in the order given, unused; answers how many there were. What is missing is
    owed, under the terms `on_debt`.
    """
    gives = first_of(lots, points)
    for lot, part in gives.items():
        lot.left -= part
    there, legs = sum(gives.values()), by_terms(gives)
    missing = points - there if on_debt is not None else 0
    if missing and on_debt is not None:
        legs.setdefault(on_debt, 0)
    for terms_id, part in legs.items():
        issuer = books.terms[terms_id]["issuer_id"]
        owed = owed_shown(books, member, issuer, missing) if terms_id == on_debt else 0
        pay_out(books, terms_id, part, part + owed)
    if on_debt is not None:
        books.debts[member, books.terms[on_debt]["issuer_id"]] += missing
    return there


def issuance_fee(books: Books, order: Order) -> int:
    """The fee on what stands of all levels together."""
    standing = sum(lot.standing for lot in order.lots)
    return share(worth(standing, books.terms[order.terms_id]), order.fee_bps)


def charge(books: Books, party: int, fee: int) -> None:
    """A fee accrues to the operator; negative gives it back."""
    books.fees[party] -= fee
    books.fees[OPERATOR] += fee


def refund(books: Books, command: Command) -> None:
    """Money went back, so the points it earned do, in proportion to the whole amount so far refunded."""
    merchant_id = command["merchant_id"]
    merchant = known_merchant(books, merchant_id)
    member = known_member(books, command["member"])
    refuse_if(("refund", merchant_id, command["refund"]) in books.names, "refund-exists")
    if command["order"] is None:
        refund_of_unknown_origin(books, merchant, member, command)
    else:
        order = known_order(books, merchant_id, command["order"])
        refuse_if(books.who(order.member) != member, "order-of-another-member")
        refuse_if(order.refunded + command["amount_minor"] > order.amount, "refund-exceeds-order")
        refund_of_order(books, order, command["amount_minor"])
    books.names.add(("refund", merchant_id, command["refund"]))


def refund_of_order(books: Books, order: Order, amount: int) -> None:
    left = order.amount - order.refunded
    asked = {}
    for lot in order.lots:
        less = stands(books, order, lot, left) - stands(books, order, lot, left - amount)
        asked[lot] = min(less, lot.standing)
    order.refunded += amount
    if order.confirmed_ms is None:
        for lot, points in asked.items():
            lot.left -= points
            lot.standing -= points
        return
    fee_before = issuance_fee(books, order)
    asked = {lot: points for lot, points in asked.items() if points}
    for owner in dict.fromkeys(books.who(lot.member) for lot in asked):
        mine = {lot: points for lot, points in asked.items() if books.who(lot.member) == owner}
        claw_back(books, owner, mine)
    charge(books, order.merchant, issuance_fee(books, order) - fee_before)


def stands(books: Books, order: Order, lot: Lot, left: int) -> int:
    """Points of a lot that `left` of the order's amount justifies: in proportion, a reward as of a sale of that much,
    and none once the buyer has none.
    """
    if lot.role in {"base", "bonus"}:
        return lot.points * left // order.amount
    base = next(each for each in order.lots if each.role == "base")
    return reward(books, order, lot.role, left) if stands(books, order, base, left) else 0


def claw_back(books: Books, owner: str, asked: dict[Lot, int]) -> None:
    """Of one member: the order's own lots first, whatever they were given for; and purchase and rewards one by one."""
    bought = [lot for lot in asked if lot.role not in LEVELS]
    for leg in filter(None, (bought, *[[lot] for lot in asked if lot.role in LEVELS])):
        own_lots, under = [lot for lot in asked if lot.left], next(lot.terms_id for lot in asked)
        taken = from_member(books, owner, own_lots, sum(asked[lot] for lot in leg), under)
        for lot in leg:
            lot.standing -= min(asked[lot], taken)
            taken -= min(asked[lot], taken)


def from_member(books: Books, member: str, own: list[Lot], points: int, under: int) -> int:
    """Take `points` as far as the merchant's policy goes: `own` lots, the issuer's other lots, debt `under` these
    terms. Answers the points taken.
    """
    issuer = books.terms[under]["issuer_id"]
    policy = books.merchants[issuer]["refund_policy"]
    if policy == "only_pending":
        return 0
    others = [lot for lot in in_turn(books.members[member]) if lot.issuer == issuer and lot not in own]
    taken = take(books, member, own + others, points, under if policy == "debt" else None)
    if policy == "debt":
        taken = points
    books.clawed_back[issuer] += taken
    return taken


def refund_of_unknown_origin(books: Books, merchant: Command, member: str, command: Command) -> None:
    """What the amount would earn today is taken, and the fee on it given back."""
    terms = terms_at(books, command["merchant_id"], command["at_ms"])
    if terms is None:
        raise No("terms-missing")
    points = base_points(merchant, command["amount_minor"])
    refuse_if(points > AMOUNT_MAX, "points-too-many")
    taken = from_member(books, member, [], points, terms["terms_id"])
    charge(books, command["merchant_id"], -share(worth(taken, terms), merchant["issuance_fee_bps"]))


def known_merchant(books: Books, merchant_id: int) -> Command:
    refuse_if(merchant_id not in books.merchants, "merchant-unknown")
    return books.merchants[merchant_id]


def known_member(books: Books, name: str) -> str:
    """Whom the name means; who has left is refused, whatever is asked."""
    refuse_if(name not in books.members, "member-unknown")
    refuse_if(books.who(name) in books.closed, "member-closed")
    return books.who(name)


def known_spender(books: Books, name: str) -> str:
    """Whom the name means; who is frozen may earn and be refunded, and not spend, transfer or exchange."""
    member = known_member(books, name)
    refuse_if(member in books.frozen, "member-frozen")
    return member


def known_order(books: Books, merchant_id: int, name: str) -> Order:
    refuse_if((merchant_id, name) not in books.orders, "order-unknown")
    return books.orders[merchant_id, name]
