"""A small alliance to play with: commands with the dull parts filled in, and a book that tells what changed.

Merchants A, B, C have numbers 1, 2, 3 and the rates of the July acceptance cycle. Only tests of the ledger use it.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ledger import accounts
from ledger.accounts import AccountName, Family
from ledger.answers import Answer, Receipt, Refusal
from ledger.book import Book
from ledger.commands import (
    BindReferral,
    ChargeFees,
    Command,
    Confirm,
    Earn,
    EarnRate,
    Enrol,
    ForDays,
    OpenMerchant,
    PublishCampaign,
    PublishTerms,
    Redeem,
    Refund,
)
from ledger.slice import Slice
from proofs.accounts import OPERATOR_ID

DAY = 86_400_000
A, B, C = 1, 2, 3
OP = OPERATOR_ID


def opening(merchant_id: int, **changes: Any) -> OpenMerchant:
    """A merchant: 1 point per 100, no hold, 365 days, 2 % and 1 %, debts allowed."""
    usual: dict[str, Any] = {
        "key": f"open-{merchant_id}",
        "at_ms": 0,
        "merchant_id": merchant_id,
        "code": f"m{merchant_id}",
        "name": f"Merchant {merchant_id}",
        "earn": EarnRate(1, 100),
        "hold_ms": 0,
        "validity": ForDays(365),
        "redemption_fee_bps": 200,
        "issuance_fee_bps": 100,
        "refund_policy": "debt",
    }
    return OpenMerchant(**usual | changes)


def rate(issuer_id: int, au_num: int = 1, au_den: int = 1, **changes: Any) -> PublishTerms:
    """Terms numbered like their issuer unless told otherwise."""
    usual: dict[str, Any] = {"key": f"terms-{issuer_id}", "at_ms": 0, "terms_id": issuer_id, "issuer_id": issuer_id}
    return PublishTerms(au_num=au_num, au_den=au_den, **usual | changes)


def campaign(merchant_id: int, *level_bps: int, **changes: Any) -> PublishCampaign:
    """A campaign numbered like its seller, for a year from the beginning."""
    usual: dict[str, Any] = {"key": f"campaign-{merchant_id}", "at_ms": 0, "campaign_id": merchant_id}
    return PublishCampaign(merchant_id=merchant_id, level_bps=level_bps, **usual | {"until_ms": 365 * DAY} | changes)


def bond(member: str, referrer: str, **changes: Any) -> BindReferral:
    """`member` came by `referrer`."""
    usual: dict[str, Any] = {"key": f"bond-{member}-{referrer}", "at_ms": 0}
    return BindReferral(member=member, referrer=referrer, **usual | changes)


def small_alliance(**changes: Any) -> list[Command]:
    """A at 1 AU a point, B at 5, C at 1/2; members m1 to m5."""
    rates = {A: (1, 1), B: (5, 1), C: (1, 2)}
    earns = {A: EarnRate(1, 100), B: EarnRate(1, 500), C: EarnRate(4, 100)}
    merchants: list[Command] = [opening(each, earn=earns[each], **changes) for each in rates]
    terms: list[Command] = [rate(each, *rates[each]) for each in rates]
    return [*merchants, *terms, *[Enrol(key=f"enrol-m{i}", at_ms=0, member=f"m{i}") for i in range(1, 6)]]


@dataclass
class Scene:
    """A pure book and short words for what is done to it. Keys and names count up by themselves."""

    book: Book = field(default_factory=lambda: Book(Slice.whole()))
    serial: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def play(self, *commands: Command) -> list[Answer]:
        return [self.book.apply(command) for command in commands]

    def done(self, command: Command) -> Receipt:
        outcome = self.book.apply(command).outcome
        assert isinstance(outcome, Receipt), outcome
        return outcome

    def refused(self, command: Command) -> Refusal:
        outcome = self.book.apply(command).outcome
        assert isinstance(outcome, Refusal), outcome
        return outcome

    def name(self) -> str:
        return f"n{next(self.serial)}"

    def earn(self, member: str, merchant: int, amount: int, at: int = 0, order: str | None = None) -> Earn:
        name = order or self.name()
        return Earn(
            key=f"earn-{merchant}-{name}",
            at_ms=at,
            merchant_id=merchant,
            member=member,
            order=name,
            amount_minor=amount,
        )

    def confirm(self, merchant: int, order: str, at: int = 0) -> Confirm:
        return Confirm(key=f"confirm-{self.name()}", at_ms=at, order_merchant_id=merchant, order=order)

    def redeem(self, member: str, merchant: int, au: int, at: int = 0, **changes: Any) -> Redeem:
        name = self.name()
        usual: dict[str, Any] = {"key": f"redeem-{name}", "at_ms": at, "redemption": name}
        return Redeem(merchant_id=merchant, member=member, au=au, **usual | changes)

    def refund(self, member: str, merchant: int, amount: int, order: str | None, at: int = 0) -> Refund:
        name = self.name()
        return Refund(
            key=f"refund-{name}",
            at_ms=at,
            merchant_id=merchant,
            member=member,
            refund=name,
            order=order,
            amount_minor=amount,
        )

    def enrol(self, member: str) -> Enrol:
        return Enrol(key=f"enrol-{member}", at_ms=0, member=member)

    def charge(self, cycle: str) -> ChargeFees:
        return ChargeFees(key=f"cycle-{cycle}", at_ms=0, cycle=cycle)

    def balance(self, account: AccountName) -> int:
        return self.book.slice.accounts[account][1]

    def points(self, member: str, issuer: int) -> int:
        return self.balance(accounts.member(issuer, self.number(member)))

    def pending(self, member: str, issuer: int) -> int:
        return self.balance(accounts.pending(issuer, self.number(member)))

    def number(self, member: str) -> int:
        number = self.book.slice.members[member]
        assert number is not None
        return number

    def positions(self) -> dict[int, int]:
        """Party -> cash + fees − settled, zeros left out."""
        return clearing_of((name, balance) for name, (_, balance) in self.book.slice.accounts.items())


def clearing_of(moves: Any) -> dict[int, int]:
    """Party -> sum of (account, amount) pairs that change its position, zeros left out."""
    total: Counter[int] = Counter()
    for account, amount in moves:
        if account.family in {Family.CASH, Family.FEES}:
            total[account.party] += amount
        elif account.family == Family.SETTLED and account.party != accounts.CHAIN:
            total[account.party] -= amount
    return {party: amount for party, amount in total.items() if amount}


def clearing(receipt: Receipt) -> dict[int, int]:
    """What one entry changed of each party's position."""
    return clearing_of((posting.account, posting.amount) for posting in receipt.postings)


def legs(receipt: Receipt) -> list[tuple[int, int, int]]:
    """(issuer, points, AU applied) of each leg of a redemption, AU also where nothing changes hands."""
    applied: Counter[int] = Counter()
    for move in receipt.lots:
        applied[move.terms_id] += move.au
    return [(leg.issuer, leg.points, applied[leg.terms_id]) for leg in receipt.legs]


def changed(command: Command, **changes: Any) -> Command:
    """The command with some fields replaced."""
    return msgspec.structs.replace(command, **changes)
