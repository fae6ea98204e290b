"""Whether an event may be in a batch: everything about it that needs no history, and that the ledger posted what
follows from it.

An event's form (kind, parties, terms, which of its fields are zero) decides nearly all of it, so each form is judged
once, by the rules themselves, and the events of that form are then only compared with what it says. What does not fit
is judged again, slowly and in words, and refused. Called by `seal`. Source: docs/protocol §2.4, §3.7.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NoReturn

from proofs.kinds import (
    CLOCK_SKEW_SECONDS_MAX,
    ON_REDEMPTION,
    Terms,
    broken_rules,
    effects,
    points_sign,
    rate_holds,
    reserve_follows,
    settles_cash,
)
from proofs.messages import PointsEvent
from proofs.words import ZERO_WORD
from settlement.sealing.lanes import Roster
from settlement.sealing.leaves import Move, UnsealedLeaf
from settlement.sealing.refusals import Reason, SealRefused

FORMS_MAX = 2**16
"""Forms remembered before all are forgotten: the number of merchants, terms and campaigns has no other bound."""
FormKey = tuple[int | bool, ...]
Account = bytes | None


@dataclass(frozen=True, slots=True)
class _Form:
    """What all events of one form share: the sign of their points, the accounts of issuer, debtor and creditor, whether
    there is a member, and the terms where cash must follow from points.
    """

    sign: int
    accounts: tuple[Account, Account, Account]
    has_member: bool
    priced_by: Terms | None


class Admission:
    """The rules of one batch. `sealed_at` is in Unix seconds."""

    def __init__(self, *, roster: Roster, terms: Mapping[int, Terms], batch_no: int, sealed_at: int) -> None:
        self._roster = roster
        self._terms = terms
        self._batch_no = batch_no
        self._latest = sealed_at + CLOCK_SKEW_SECONDS_MAX
        self._forms: dict[FormKey, _Form] = {}

    def check(self, leaf: UnsealedLeaf) -> None:
        """Nothing, or `SealRefused`: RULE, LANE_UNKNOWN, CLOCK, POSTINGS."""
        key = _form_key(leaf.event)
        form = self._forms.get(key)
        if form is None:
            form = self._learn(key, leaf)
        if not (leaf.event.nonce and leaf.event.occurred_at <= self._latest and _fits(form, leaf)):
            self._refuse(leaf)

    def _learn(self, key: FormKey, leaf: UnsealedLeaf) -> _Form:
        event = replace(leaf.event, nonce=1)
        terms = self._terms.get(event.terms_id)
        lane = self._roster.get((event.merchant_id, event.key_id))
        broken = set(broken_rules(event, terms, self._batch_no)) - {"rate"}
        if broken or lane is None or event.kind not in lane.kinds:
            self._refuse(leaf)
        if len(self._forms) >= FORMS_MAX:
            self._forms.clear()
        mode = terms.mode if terms else ON_REDEMPTION
        due = effects(event, mode)
        form = self._forms[key] = _Form(
            sign=points_sign(event.kind),
            accounts=(_account(due.issuer), _account(due.debtor), _account(due.creditor)),
            has_member=due.member is not None,
            priced_by=terms if terms is not None and settles_cash(event, mode) else None,
        )
        return form

    def _refuse(self, leaf: UnsealedLeaf) -> NoReturn:
        """Say what is wrong, in the order in which docs/sealing.md lists it."""
        event = leaf.event
        self._refuse_rule(leaf)
        lane = self._roster.get((event.merchant_id, event.key_id))
        if lane is None or event.kind not in lane.kinds:
            who = event.merchant_id, event.key_id
            raise SealRefused(Reason.LANE_UNKNOWN, leaf.source, expected=f"a lane for kind {event.kind}", actual=who)
        if event.occurred_at > self._latest:
            due = f"{self._latest} or earlier"
            raise SealRefused(Reason.CLOCK, leaf.source, expected=due, actual=event.occurred_at)
        terms = self._terms.get(event.terms_id)
        follows = effects(event, terms.mode if terms else ON_REDEMPTION)
        posted = tuple((move.account, move.delta) if move else None for move in leaf[2:5])
        expected = follows.issuer, follows.debtor, follows.creditor
        if posted != expected:
            raise SealRefused(Reason.POSTINGS, leaf.source, expected=expected, actual=posted)
        assert (leaf.member.delta if leaf.member else None) != follows.member, "the rules admit what its form does not"
        raise SealRefused(Reason.POSTINGS, leaf.source, expected=follows.member, actual=leaf.member)

    def _refuse_rule(self, leaf: UnsealedLeaf) -> None:
        event, terms = leaf.event, self._terms.get(leaf.event.terms_id)
        broken = list(broken_rules(event, terms, self._batch_no))
        if terms is not None and leaf.member is not None and not reserve_follows(event, terms, leaf.member.balance):
            broken.append("reserve")
        if broken:
            raise SealRefused(Reason.RULE, leaf.source, expected="no broken rule", actual=", ".join(broken))


def _form_key(event: PointsEvent) -> FormKey:
    return (
        event.kind,
        event.merchant_id,
        event.key_id,
        event.issuer_id,
        event.terms_id,
        event.campaign_id,
        event.level,
        event.points == 0,
        event.settle_amount == 0,
        event.member_ref == ZERO_WORD,
        event.ref_event_id == ZERO_WORD,
        event.basis == 0,
    )


def _fits(form: _Form, leaf: UnsealedLeaf) -> bool:
    _, event, issuer, debtor, creditor, member = leaf
    due_issuer, due_debtor, due_creditor = form.accounts
    delta, cash = form.sign * event.points, event.settle_amount
    return (
        _is(issuer, due_issuer, delta)
        and _is(debtor, due_debtor, -cash)
        and _is(creditor, due_creditor, cash)
        and ((member is not None and member.delta == delta) if form.has_member else member is None)
        and (form.priced_by is None or _priced(event, form.priced_by, member))
    )


def _priced(event: PointsEvent, terms: Terms, member: Move | None) -> bool:
    return rate_holds(event, terms) and (member is None or reserve_follows(event, terms, member.balance))


def _is(move: Move | None, account: Account, delta: int) -> bool:
    if move is None:
        return account is None
    return move.account == account and move.delta == delta


def _account(leg: tuple[bytes, int] | None) -> Account:
    return None if leg is None else leg[0]
