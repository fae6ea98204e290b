"""What the reserve holds behind points that are paid for when they are issued. Pure arithmetic and its postings.

Of every set of terms in the mode `on_issuance` the reserve holds exactly what its positive lots are worth and the dust:
reserve · den = points in lots and held · num + dust, in 1/au_den AU. The dust is `rounding:{issuer}`, belongs to the
issuer and is used before the issuer pays more. In the mode `on_redemption` nothing is held. Verbs and
`ledger.points.wallet` call it.
"""

from __future__ import annotations

from collections.abc import Iterable

from ledger import accounts
from ledger.commands import PublishTerms
from ledger.entry import Entry
from ledger.slice import Slice
from proofs.accounts import RESERVE_ID
from proofs.kinds import ON_ISSUANCE


def is_backed(terms: PublishTerms) -> bool:
    """Whether points of these terms are paid for on issuance."""
    return terms.mode == ON_ISSUANCE


def price_in(state: Slice, terms: PublishTerms, points: int) -> int:
    """AU the issuer pays for `points` that become lots: their worth less the dust that is there, as far as the rule of
    a leaf lets it be used. Dust that the issuer owes is not asked for where that would break the rule.
    """
    return _priced_in(terms, points, _dust(state, terms)) if is_backed(terms) else 0


def cost(state: Slice, terms: PublishTerms, gains: Iterable[tuple[int, int]]) -> int:
    """AU the issuer would pay for several gains one after the other: (points that become lots, points shown)."""
    total, dust = 0, _dust(state, terms)
    for kept, shown in gains:
        au = _priced_in(terms, shown, dust)
        total, dust = total + au, dust + au * terms.au_den - kept * terms.au_num
    return total


def _priced_in(terms: PublishTerms, points: int, dust: int) -> int:
    if not points:
        return 0
    fair = max(0, -((dust - points * terms.au_num) // terms.au_den))
    least, most = _by_rule(points, terms, dust)
    exact = most * terms.au_den == points * terms.au_num
    return _bounded(fair if least > most else max(least, min(fair, most) if exact else fair), points, terms)


def price_out(state: Slice, terms: PublishTerms, points: int) -> int:
    """AU that return to the issuer for `points` that leave its members' lots unused: their worth with whole AU of the
    dust, as far as the rule of a leaf lets them.
    """
    if not is_backed(terms) or not points:
        return 0
    dust = _dust(state, terms)
    fair = max(0, (dust + points * terms.au_num) // terms.au_den)
    least, most = _by_rule(points, terms, dust)
    return _bounded(fair if least > most else max(least, min(fair, most)), points, terms)


def _bounded(au: int, points: int, terms: PublishTerms) -> int:
    """The AU nearest to `au` that a leaf may show for `points`: they miss their worth by less than a point or an AU.
    More dust than that waits for later legs.
    """
    worth, miss = points * terms.au_num, max(terms.au_num, terms.au_den)
    least = max(0, (worth - miss) // terms.au_den + 1)
    return max(least, min(au, (worth + miss - 1) // terms.au_den))


def _by_rule(points: int, terms: PublishTerms, dust: int) -> tuple[int, int]:
    """The least and the most AU with points = ceil(AU · den / num), the rule of a leaf; the least is more where there
    are none.

    One alone that leaves dust waiting for ever counts as none: a debt brought such dust about, and debts cannot be told
    in leaves of such terms anyway.
    """
    least, most = (points - 1) * terms.au_num // terms.au_den + 1, points * terms.au_num // terms.au_den
    return (1, 0) if least == most and abs(dust) >= terms.au_den else (least, most)


def pay_in(entry: Entry, terms: PublishTerms, *, points: int, au: int, payer: int, leg: int) -> None:
    """`payer` pays `au` into the reserve for `points` that become lots."""
    if au:
        entry.move(au, debit=accounts.cash(RESERVE_ID), credit=accounts.cash(payer), leg=leg)
    move_dust(entry, terms, au * terms.au_den - points * terms.au_num)


def pay_out(entry: Entry, terms: PublishTerms, *, points: int, au: int, payee: int, leg: int) -> None:
    """The reserve pays `au` to `payee` for `points` that leave lots."""
    if au:
        entry.move(au, debit=accounts.cash(payee), credit=accounts.cash(RESERVE_ID), leg=leg)
    move_dust(entry, terms, points * terms.au_num - au * terms.au_den)


def move_dust(entry: Entry, terms: PublishTerms, change: int) -> None:
    """Dust of these terms grows or shrinks by `change`, in 1/au_den AU."""
    sides = (
        accounts.rounding(terms.issuer_id, terms.terms_id),
        accounts.rounded(terms.issuer_id, terms.terms_id),
    )
    if change > 0:
        entry.move(change, debit=sides[0], credit=sides[1])
    elif change < 0:
        entry.move(-change, debit=sides[1], credit=sides[0])


def _dust(state: Slice, terms: PublishTerms) -> int:
    return state.accounts[accounts.rounding(terms.issuer_id, terms.terms_id)][1]
