"""What the reserve holds behind points that their issuer pays for when it issues them; and whose the dust is.

reserve · den = points in lots and held · num + dust, in 1/au_den AU, for each terms paid on issuance: `slack` says what
is missing to that, and is nothing after every command. The dust is the issuer's, stays in the reserve, makes it pay
less and get back more. Two things bound what whole AU can do. A public leg's points are the ceiling of its AU, so the
fair payment is moved to one that keeps this, where there is one; but not where there is a single one and a whole AU of
dust would wait for ever. And a cancellation takes back the dust of its redemption; what was used of it meanwhile is
missing in the reserve, less than a point for each such leg, until the issuer pays or is paid again.

A leaf shows a member's balance, in which what is held makes up for a debt. What an issuer pays or gets is priced by how
far the balance above zero moves, `shown` points; it differs from what lots win or lose only where there is a debt
beside a hold, and that difference is dust as well. A payment misses the worth of its points by less than a point or an
AU, so that a leaf can be checked; dust beyond that waits.
"""

from __future__ import annotations

from tests.oracle.books import RESERVE, Books, Command
from tests.oracle.pricing import held, points_in_lots, worth


def pay_in(books: Books, terms_id: int, points: int, shown: int) -> None:
    """The issuer pays for `points` that become a lot, `shown` in the balance, with what dust there is."""
    if books.is_backed(terms_id):
        au = price_in(books, terms_id, shown)
        move(books, terms_id, au)
        books.dust[terms_id] += au * books.terms[terms_id]["au_den"] - points * books.terms[terms_id]["au_num"]


def price_in(books: Books, terms_id: int, shown: int) -> int:
    """What `shown` points more in a balance cost their issuer."""
    terms = books.terms[terms_id]
    wanted = shown * terms["au_num"] - books.dust[terms_id]
    au = max(0, -(-wanted // terms["au_den"]))
    possible = whole_au(books, terms_id, shown)
    if possible:
        divides = possible[-1] * terms["au_den"] == shown * terms["au_num"]
        au = max(possible[0], min(au, possible[-1]) if divides else au)
    return near(terms, shown, au)


def cost(books: Books, terms_id: int, gains: list[tuple[str, int]]) -> int:
    """What (member, points) one after the other would cost their issuer, debts repaid out of them first."""
    if not books.is_backed(terms_id):
        return 0
    terms, dust, total = books.terms[terms_id], books.dust[terms_id], 0
    owed = {member: books.debts[member, terms["issuer_id"]] for member, _ in gains}
    for member, points in gains:
        repaid = min(points, books.debts[member, terms["issuer_id"]])
        shown = points - repaid + repaid_shown(books, member, terms["issuer_id"], repaid)
        au = price_in(books, terms_id, shown)
        total += au
        books.dust[terms_id] += au * terms["au_den"] - (points - repaid) * terms["au_num"]
        books.debts[member, terms["issuer_id"]] -= repaid
    books.dust[terms_id] = dust
    for member, points in owed.items():
        books.debts[member, terms["issuer_id"]] = points
    return total


def pay_out(books: Books, terms_id: int, points: int, shown: int) -> int:
    """The issuer gets back what `points` are worth that leave lots unused, `shown` in the balance; answers the AU."""
    if not books.is_backed(terms_id):
        return 0
    terms = books.terms[terms_id]
    au = max(0, (shown * terms["au_num"] + books.dust[terms_id]) // terms["au_den"])
    possible = whole_au(books, terms_id, shown)
    if possible:
        au = max(possible[0], min(au, possible[-1]))
    au = near(terms, shown, au)
    move(books, terms_id, -au)
    books.dust[terms_id] += points * terms["au_num"] - au * terms["au_den"]
    return int(au)


def near(terms: Command, points: int, au: int) -> int:
    """The AU nearest to `au` of those less than a point, or an AU, off the worth of the points; none for no points."""
    if not points:
        return 0
    num, den = terms["au_num"], terms["au_den"]
    fits = [
        each
        for each in range(max(0, points * num // den - num - 1), points * num // den + num + 3)
        if abs(each * den - points * num) < max(num, den)
    ]
    return int(max(fits[0], min(au, fits[-1])))


def repaid_shown(books: Books, member: str, issuer: int, repaid: int) -> int:
    """How many of `repaid` points of a debt lift the balance above zero: where more is held than is owed then."""
    if not repaid:
        return 0
    return max(0, repaid - max(0, books.debts[member, issuer] - held(books).get((member, issuer), 0)))


def owed_shown(books: Books, member: str, issuer: int, debt: int) -> int:
    """How many points of a new debt the balance still has above zero, being held."""
    return min(debt, max(0, held(books).get((member, issuer), 0) - books.debts[member, issuer])) if debt else 0


def whole_au(books: Books, terms_id: int, points: int) -> range:
    """The AU of which `points` are the ceiling, ascending; none where a point is worth too little, or where the only
    one would leave a whole AU of dust where it is.
    """
    terms = books.terms[terms_id]
    found = range((points - 1) * terms["au_num"] // terms["au_den"] + 1, worth(points, terms) + 1)
    return range(0) if len(found) == 1 and abs(books.dust[terms_id]) >= terms["au_den"] else found


def move(books: Books, terms_id: int, au: int) -> None:
    """From the issuer's cash into the reserve; negative the other way."""
    books.reserve[terms_id] += au
    books.cash[RESERVE] += au
    books.cash[books.terms[terms_id]["issuer_id"]] -= au


def slack(books: Books) -> dict[int, int]:
    """Terms paid on issuance -> what the reserve holds above points and dust, in 1/au_den AU; zeros left out."""
    found = {}
    backed = [terms_id for terms_id in books.terms if books.is_backed(terms_id)]
    points = points_in_lots(books) if backed else {}  # adding up every lot for nothing would be most of a long history
    for terms_id in backed:
        terms = books.terms[terms_id]
        owed = points[terms_id] * terms["au_num"] + books.dust[terms_id]
        found[terms_id] = books.reserve[terms_id] * terms["au_den"] - owed
    return {terms_id: int(rest) for terms_id, rest in found.items() if rest}
