"""Two members turn out to be one person; and the mistake taken back.

Everything of the one passes to the other, and its name means the other from then on. A debt of either is paid by what
the other has, out of lots first and else as the payer's own debt. Taking it back is exact, and possible as long as
neither side has touched what it had; what came since stays with the account that it was merged into.
"""

from __future__ import annotations

from collections import Counter

from tests.oracle.books import Books, Command, Lot, Merged, Paid, Rule, refuse_if
from tests.oracle.doings import unite_doings, unite_task
from tests.oracle.earning import known_spender, own
from tests.oracle.people import above
from tests.oracle.pricing import by_terms, first_of, from_ms, held, in_turn
from tests.oracle.reserve import owed_shown, pay_in, pay_out, repaid_shown

MERGED_MEMBERS_MAX = 16


def merge(books: Books, command: Command) -> None:
    member, into = known_spender(books, command["member"]), known_spender(books, command["into"])
    refuse_if(member == into, "same-member")
    followers = sorted(name for name, means in books.means.items() if means == member)
    together = 1 + len(followers) + sum(means == into for means in books.means.values())
    refuse_if(together > MERGED_MEMBERS_MAX, "merged-too-many")
    refuse_if(member in above(books, into), "referral-cycle")
    refuse_if([pair for pair in held(books) if pair[0] == member], "member-holds")
    kept = in_turn(books.members[into])
    moved = in_turn(books.members[member]) + pending_lots(books, member)
    paid = [pay_debt(books, issuer, member, into) for issuer in sorted(books.merchants)]
    done = Merged(
        into=into,
        referrer=books.referrers.get(into),
        followers=followers,
        moved={lot: lot.left for lot in moved},
        kept={lot: lot.left for lot in kept},
        paid=[each for each in paid if each.points],
    )
    for lot in moved:
        if lot.left:
            hand_over(books, lot, into)
    take_bond(books, member, into)
    for rule in books.rules.values():
        unite(rule, member, into)
        unite_task(rule, member, into)
    unite_doings(books, member, into)
    books.means |= dict.fromkeys([member, *followers], into)
    books.merges[member] = done


def unite(rule: Rule, member: str, into: str) -> None:
    """What a rule gave to both counts against the one from now on, and stays counted if the merge is taken back."""
    rule.of_member[into] += rule.of_member[member]
    rule.times[into] += rule.times[member]
    for by_day in (rule.days, rule.day_times):
        if member in by_day:
            by_day.setdefault(into, Counter()).update(by_day[member])


def pending_lots(books: Books, member: str) -> list[Lot]:
    return [
        lot
        for order in books.orders.values()
        if order.confirmed_ms is None
        for lot in order.lots
        if lot.left and books.who(lot.member) == member
    ]


def hand_over(books: Books, lot: Lot, owner: str) -> None:
    """Another account of the same person has the lot; a pending one is on nobody's list."""
    books.touched.add((owner, lot.issuer))
    if lot.confirmed_ms is None:
        lot.member = owner
    else:
        own(books, lot, owner)


def pay_debt(books: Books, issuer: int, member: str, into: str) -> Paid:
    """What `member` owes becomes `into`'s to pay; what `into` owes is paid as far as `member` has."""
    debtor, payer = (member, into) if books.debts[member, issuer] else (into, member)
    owed = books.debts[debtor, issuer]
    parts = first_of([lot for lot in in_turn(books.members[payer]) if lot.issuer == issuer], owed)
    points = owed if debtor == member else sum(parts.values())
    for lot, part in parts.items():
        lot.left -= part
    for terms_id, each, out in shares(books, issuer, points, parts):
        pay_out(books, terms_id, out, out + owed_shown(books, payer, issuer, each - out))
        books.debts[payer, issuer] += each - out
        pay_in(books, terms_id, 0, repaid_shown(books, debtor, issuer, each))
        books.debts[debtor, issuer] -= each
    return Paid(issuer, points, debtor, payer, parts)


def shares(books: Books, issuer: int, points: int, parts: dict[Lot, int]) -> list[tuple[int, int, int]]:
    """(terms, points, points out of lots) of each leg: what lots give under their terms, the rest under the issuer's
    newest.
    """
    legs = [(terms_id, each, each) for terms_id, each in by_terms(parts).items()]
    if points > sum(parts.values()):
        own_terms = [terms for terms in books.terms.values() if terms["issuer_id"] == issuer]
        newest = max(own_terms, key=lambda terms: (from_ms(terms), terms["terms_id"]))
        legs.append((newest["terms_id"], points - sum(parts.values()), 0))
    return legs


def take_bond(books: Books, member: str, into: str) -> None:
    """An open referral is decided as the other's was, but nobody comes to stand above itself."""
    if into in books.decided or member not in books.decided:
        return
    books.decided.add(into)
    if into not in above(books, member) and member in books.referrers:
        books.referrers[into] = books.referrers[member]


def unmerge(books: Books, command: Command) -> None:
    member: str = command["member"]
    into = known_spender(books, member)
    refuse_if(member not in books.means or member not in books.merges, "not-merged")
    done = books.merges[member]
    refuse_if(done.into != into, "merged-since")
    refuse_if(above_itself(books, member, done), "referral-cycle")
    refuse_if([pair for pair in held(books) if pair[0] == into], "member-holds")
    refuse_if(not untouched(books, done), "spent-since")
    moved = [lot for lot, points in done.moved.items() if points]
    confirmed = [lot for lot in moved if lot.confirmed_ms is not None]
    taken = [take_again(books, paid, member, confirmed) for paid in done.paid]
    del books.means[member]
    books.means |= dict.fromkeys(done.followers, member)
    for lot in moved:
        hand_over(books, lot, member)
    for paid, parts in zip(done.paid, taken, strict=True):
        for lot, part in parts.items():
            lot.left -= part
        for lot, part in paid.parts.items():
            lot.left += part
            own(books, lot, books.who(lot.member))
    books.referrers.pop(into, None)
    if done.referrer is not None:
        books.referrers[into] = done.referrer


def above_itself(books: Books, member: str, done: Merged) -> bool:
    """Whether bonds made since would close a circle with the member's own, asleep till now."""
    here, seen = {member, *done.followers}, set()
    higher = books.referrers.get(member)
    while higher is not None and higher not in here:
        higher = books.who(higher)
        if higher in seen:
            return False
        seen.add(higher)
        higher = done.referrer if higher == done.into else books.referrers.get(higher)
    return higher is not None


def untouched(books: Books, done: Merged) -> bool:
    """Whether every lot of both sides is as the merge left it, and what was taken over as a debt is owed still."""
    moved = all(lot.left == points and (not points or lot.member == done.into) for lot, points in done.moved.items())
    kept = all(lot.left == points for lot, points in done.kept.items() if lot.member == done.into)
    return moved and kept and all(still_owed(books, paid) for paid in done.paid)


def still_owed(books: Books, paid: Paid) -> bool:
    """Where lots paid too, nothing else may be owed beside what was taken over."""
    taken_over = paid.points - sum(paid.parts.values())
    owed = books.debts[paid.payer, paid.issuer]
    return owed == taken_over if paid.parts else owed >= taken_over


def take_again(books: Books, paid: Paid, member: str, moved: list[Lot]) -> dict[Lot, int]:
    """The debtor owes again, out of what it has had since where there is any; the payer gets its own back."""
    into = books.who(member)
    debtor, payer = (member, into) if paid.debtor == member else (into, member)
    had = moved if debtor == member else [lot for lot in books.members[into] if lot not in moved]
    parts = first_of(in_turn(lot for lot in had if lot.issuer == paid.issuer), paid.points)
    for terms_id, _, out in shares(books, paid.issuer, paid.points, parts):
        pay_out(books, terms_id, out, out)
    taken_over = paid.points - sum(paid.parts.values())
    for terms_id, _, back in reversed(shares(books, paid.issuer, paid.points, paid.parts)):
        pay_in(books, terms_id, back, back)
    books.debts[debtor, paid.issuer] += paid.points - sum(parts.values())
    books.debts[payer, paid.issuer] -= taken_over
    return parts
