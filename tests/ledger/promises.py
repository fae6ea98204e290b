"""Redemptions after they were named: commands that hold, capture, return and dispute them, and the sums that must hold
between their records and the accounts. Only tests of the ledger use it.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from ledger import accounts
from ledger.accounts import Family
from ledger.commands import (
    Authorize,
    CancelRedemption,
    Capture,
    Dispute,
    LapseHold,
    ResolveDispute,
    Void,
)
from ledger.records import Redemption
from ledger.slice import Slice
from proofs.accounts import RESERVE_ID
from tests.ledger.scene import DAY

HOLDING = {"held", "disputed"}


def authorize(member: str, merchant: int, au: int, name: str, at: int = 0, **changes: Any) -> Authorize:
    """Held for a day."""
    usual: dict[str, Any] = {"key": f"authorize {name}", "at_ms": at, "hold_until_ms": at + DAY}
    return Authorize(merchant_id=merchant, member=member, redemption=name, au=au, **usual | changes)


def capture(merchant: int, name: str, au: int | None = None, at: int = 0, key: str = "") -> Capture:
    return Capture(key=key or f"capture {name}", at_ms=at, merchant_id=merchant, redemption=name, au=au)


def void(merchant: int, name: str, at: int = 0, key: str = "") -> Void:
    return Void(key=key or f"void {name}", at_ms=at, merchant_id=merchant, redemption=name)


def lapse(merchant: int, name: str, at: int = DAY, key: str = "") -> LapseHold:
    return LapseHold(key=key or f"lapse {name}", at_ms=at, merchant_id=merchant, redemption=name)


def cancel(merchant: int, name: str, cancellation: str, au: int | None = None, at: int = 0) -> CancelRedemption:
    return CancelRedemption(
        key=f"cancel {cancellation}",
        at_ms=at,
        merchant_id=merchant,
        redemption=name,
        cancellation=cancellation,
        au=au,
    )


def dispute(merchant: int, name: str, by: int, at: int = 0, key: str = "") -> Dispute:
    return Dispute(key=key or f"dispute {name}", at_ms=at, merchant_id=merchant, redemption=name, by_merchant_id=by)


def resolve(merchant: int, name: str, at: int = 0, key: str = "", *, stands: bool) -> ResolveDispute:
    return ResolveDispute(key=key or f"resolve {name}", at_ms=at, merchant_id=merchant, redemption=name, stands=stands)


def expect_promises_kept(state: Slice) -> None:
    """HELD, HOLDS and PROMISED are what the records say; lots explain what of a balance is not held; the reserve has
    what is in lots, what is held and the dust.
    """
    held: Counter[tuple[int, int]] = Counter()
    promised: Counter[int] = Counter()
    backing: Counter[int] = Counter()
    for name, record in state.records.items():
        if isinstance(record, Redemption) and record.state in HOLDING:
            for each in record.draws:
                terms = state.registry.terms[each.terms_id]
                held[each.issuer, state.identity(record.member_no)] += each.points
                backing[each.terms_id] += each.points
                if each.issuer != name.party and not terms.mode:
                    promised[each.issuer] += each.au
    lots: Counter[tuple[int, int]] = Counter()
    for lot in state.lots.values():
        assert 0 <= lot.remaining <= lot.points
        if lot.confirmed_at_ms is not None:
            lots[lot.issuer, lot.member_no] += lot.remaining
            backing[lot.terms_id] += lot.remaining
    for account, (_, balance) in state.accounts.items():
        owner = account.unit, account.party
        if account.family == Family.HELD:
            assert balance == held[owner]
        if account.family == Family.HOLDS:
            assert -balance == sum(points for (issuer, _), points in held.items() if issuer == account.unit)
        if account.family == Family.MEMBER:
            assert lots[owner] == max(0, balance - held[owner])
        if account.family == Family.PROMISED and account.party != accounts.ALLIANCE:
            assert -balance == promised[account.party]
    assert state.accounts[accounts.promised(accounts.ALLIANCE)][1] == promised.total()
    expect_reserve(state, backing)


def expect_reserve(state: Slice, backing: Counter[int]) -> None:
    """The reserve is Σ (points · num + dust) / den over the terms paid for on issuance."""
    common = 1
    backed = [terms for terms in state.registry.terms.values() if terms.mode]
    for terms in backed:
        common *= terms.au_den
    due = sum(
        (backing[terms.terms_id] * terms.au_num + state.accounts[accounts.rounding(terms.issuer_id, terms.terms_id)][1])
        * (common // terms.au_den)
        for terms in backed
    )
    assert state.accounts[accounts.cash(RESERVE_ID)][1] * common == due
