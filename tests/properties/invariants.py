"""The invariants of the rule book, asked of a whole slice of the ledger. No oracle here: they hold by themselves.

Each function is one sentence of the rule book and fails with the figures that break it. Tests and the long run call
`check`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ledger import accounts
from ledger.accounts import AccountName, Family
from ledger.points.redemptions import DISPUTED, HELD
from ledger.records import Drawn, Redemption
from ledger.slice import Slice
from proofs.accounts import RESERVE_ID
from proofs.kinds import ON_ISSUANCE


def check(state: Slice) -> None:
    """All of them."""
    debits_equal_credits(state)
    positions_sum_to_zero(state)
    lots_explain_balances(state)
    lots_are_in_their_owners_hands(state)
    nothing_is_below_zero(state)
    refunds_stay_within_orders(state)
    issuers_roll_forward(state)
    reserve_is_what_lots_are_worth(state)


def debits_equal_credits(state: Slice) -> None:
    """Σ debits = Σ credits per currency, for what is outstanding, pending and held apart."""
    sums: Counter[tuple[int, int]] = Counter()
    pairs = {Family.PENDING: Family.PENDINGS, Family.HELD: Family.HOLDS, Family.MEMBER: Family.OUTSTANDING}
    for account, (_, balance) in state.accounts.items():
        family = Family(account.family)
        sums[account.unit, pairs.get(family, family)] += balance
        if account.unit:
            sums[account.unit, 0] += balance
    apart = {*pairs.values(), 0}
    assert not any(total for (_, family), total in sums.items() if family in apart)


def positions_sum_to_zero(state: Slice) -> None:
    """Σ positions (merchants + operator + reserve) = 0 after every entry."""
    total = 0
    for account, (_, balance) in state.accounts.items():
        if account.family in {Family.CASH, Family.FEES}:
            total += balance
        elif account.family == Family.SETTLED and account.party != accounts.CHAIN:
            total -= balance
    assert total == 0


def lots_explain_balances(state: Slice) -> None:
    """Σ lots remaining = balance, what is held apart; a member owes only an issuer of whom no lot holds anything."""
    confirmed: Counter[tuple[int, int]] = Counter()
    pending: Counter[tuple[int, int]] = Counter()
    for lot in state.lots.values():
        kind = pending if lot.confirmed_at_ms is None else confirmed
        kind[lot.issuer, state.person(lot.member_no).no] += lot.remaining
    for account, (_, balance) in state.accounts.items():
        name = account.unit, account.party
        if account.family == Family.MEMBER:
            held = _balance(state, accounts.held(*name))
            assert confirmed[name] == max(0, balance - held), (name, confirmed[name], balance, held)
        if account.family == Family.PENDING:
            assert pending[name] == balance, (name, pending[name], balance)


def lots_are_in_their_owners_hands(state: Slice) -> None:
    """What is drawn for a member are that member's lots, each once, and all of them that hold anything."""
    listed = Counter((no, lot.id) for no, mine in state.lots_of.items() for lot in mine)
    for no, mine in state.lots_of.items():
        assert all(lot.member_no == no for lot in mine), (no, mine)
    assert set(listed.values()) <= {1}
    assert all(listed[lot.member_no, lot.id] for lot in state.lots.values() if lot.remaining)


def nothing_is_below_zero(state: Slice) -> None:
    """No available lot below zero, nothing pending or held either; nor dust, but where a reserve waits for what a
    cancellation took back of dust that its issuer had already had.
    """
    for lot in state.lots.values():
        assert 0 <= lot.remaining <= lot.points
        assert 0 <= lot.standing <= lot.points
    for account, (_, balance) in state.accounts.items():
        if account.family in {Family.PENDING, Family.HELD}:
            assert balance >= 0, (account.label(), balance)
        if account.family == Family.ROUNDING and state.registry.terms[-account.unit].mode != ON_ISSUANCE:
            assert balance >= 0, (account.label(), balance)


def refunds_stay_within_orders(state: Slice) -> None:
    """Σ refunds ≤ original."""
    for order in state.orders.values():
        assert order is None or 0 <= order.refunded_minor <= order.amount_minor


def issuers_roll_forward(state: Slice) -> None:
    """What an issuer has outstanding is what its members' accounts hold."""
    members: Counter[int] = Counter()
    for account, (_, balance) in state.accounts.items():
        if account.family == Family.MEMBER:
            members[account.unit] += balance
    for issuer, points in members.items():
        assert _balance(state, accounts.outstanding(issuer)) == -points


def reserve_is_what_lots_are_worth(state: Slice) -> None:
    """Reserve = outstanding positive lots and the dust that belongs to their issuers, always; of terms of which nothing
    is left the dust alone.
    """
    worth: Counter[int] = Counter()
    for lot in state.lots.values():
        if lot.confirmed_at_ms is not None:
            worth[lot.terms_id] += lot.remaining
    for drawn in held_draws(state):
        worth[drawn.terms_id] += drawn.points
    reserve = 0
    for terms_id, terms in state.registry.terms.items():
        if terms.mode == ON_ISSUANCE:
            dust = _balance(state, accounts.rounding(terms.issuer_id, terms_id))
            backing = worth[terms_id] * terms.au_num + dust
            assert backing % terms.au_den == 0, (terms_id, worth[terms_id], dust)
            reserve += backing // terms.au_den
    assert _balance(state, accounts.cash(RESERVE_ID)) == reserve, (_balance(state, accounts.cash(RESERVE_ID)), reserve)


def held_draws(state: Slice) -> Iterator[Drawn]:
    """What open authorisations and disputes hold: points with a reserve behind them like those in lots."""
    for record in state.records.values():
        if isinstance(record, Redemption) and record.state in {HELD, DISPUTED}:
            yield from record.draws


def _balance(state: Slice, account: AccountName) -> int:
    return state.accounts[account][1] if account in state.accounts else 0
