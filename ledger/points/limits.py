"""What stands behind a merchant's debts, and whether it bears one more. Pure; verbs and `ledger.points` call it.

Two things make an issuer owe: its points used elsewhere, and points that it pays for when they are issued. Both have to
stay within collateral · haircut, together with what it owes already and what open authorisations promise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ledger import accounts
from ledger.commands import PublishTerms
from ledger.points import reserve, wallet
from ledger.refusals import Refused
from ledger.slice import Slice
from ledger.units import BPS


def position(state: Slice, merchant_id: int) -> int:
    """What a merchant is owed (+) or owes (-): cash + fees − settled."""
    owed = state.accounts[accounts.cash(merchant_id)][1] + state.accounts[accounts.fees(merchant_id)][1]
    return owed - state.accounts[accounts.settled(merchant_id)][1]


def bears(state: Slice, issuer: int, au: int) -> bool:
    """Whether −position + `au` stays within collateral · haircut; what open authorisations promise counts too."""
    merchant = state.registry.merchants[issuer]
    if merchant.credit_limit_au is None:
        return True
    promised = state.accounts[accounts.promised(issuer)][1]
    return au - position(state, issuer) - promised <= merchant.credit_limit_au * merchant.haircut_bps // BPS


def over_by_issuing(
    state: Slice, terms: PublishTerms, given: Iterable[tuple[int, int]], *, fee_au: int = 0, received_au: int = 0
) -> int:
    """What the issuer could not bear to pay for `given`, (member, points) one after the other; 0 if it can. A fee is
    due with it, and something may come in for it. Points that repay a debt cost nothing and are never too many.
    """
    issuer = terms.issuer_id
    if not reserve.is_backed(terms) or state.registry.merchants[issuer].credit_limit_au is None:
        return 0
    cost = reserve.cost(state, terms, _gains(state, issuer, given))
    return cost if cost and not bears(state, issuer, cost + fee_au - received_au) else 0


def _gains(state: Slice, issuer: int, given: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """(points that become lots, points shown) of each, after those before it: a debt is repaid once."""
    so_far: dict[int, int] = {}
    for member_no, points in given:
        before = so_far.get(member_no, 0)
        so_far[member_no] = before + points
        had = wallet.kept_and_shown(state, issuer, member_no, before)
        has = wallet.kept_and_shown(state, issuer, member_no, before + points)
        yield has[0] - had[0], has[1] - had[1]


def check_issuing(state: Slice, terms: PublishTerms, member_no: int, points: int, *, received_au: int = 0) -> None:
    """Refusals: issuer-over-limit."""
    au = over_by_issuing(state, terms, [(member_no, points)], received_au=received_au)
    if au:
        raise Refused("issuer-over-limit", "points", issuer=terms.issuer_id, leg_au=au)
