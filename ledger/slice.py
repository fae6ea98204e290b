"""What the book decides on: the part of the ledger's state that a batch needs, in memory.

Two ways to fill it, one way to use it. `Slice.whole()` starts empty and knows everything, for tests and rebuilds: what
it does not hold does not exist. The store's slice (`ledger.loading`) holds exactly what was loaded, and asking it for
anything else is our bug and raises KeyError. Lots and orders are shared, changing objects: one object per row, however
it is reached. Written to by the book alone, through `ledger.entry`.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Generic, NamedTuple, TypeVar

from msgspec import Struct

from ledger.accounts import AccountName, Family
from ledger.answers import LegRef, LotId
from ledger.commands import OpenMerchant, PublishTerms

K = TypeVar("K")
V = TypeVar("V")

_OF_MEMBERS = frozenset({Family.MEMBER, Family.PENDING, Family.HELD})
_UNTOUCHED = (0, 0)


class Used(IntEnum):
    """What a name was used for, once: the names that merchants and operators give, unique per merchant and purpose."""

    REDEMPTION = 1
    """A redemption's name, per acceptor."""
    REFUND = 2
    """A refund's name, per merchant."""
    CYCLE = 3
    """A cycle whose fees were charged."""
    SETTLED_BATCH = 4
    """A batch whose nets were recorded, by its number."""


class Claim(NamedTuple):
    """A name taken once: `merchant_id` is 0 where the name is the alliance's."""

    used: int
    merchant_id: int
    name: str


class Lot(Struct, kw_only=True, eq=False, gc=False):
    """Points of one issuer, rate and expiry, earned by one order.

    `points` as earned; `standing` of them not clawed back; `remaining` of those not spent. A pending lot has no expiry
    yet. `role` says why this member got it (0: it paid; referral levels follow). `earned_by` is the leg that confirmed
    it.
    """

    id: LotId
    issuer: int
    member_no: int
    member: str
    terms_id: int
    role: int
    points: int
    standing: int
    remaining: int
    confirmed_at_ms: int | None = None
    expires_at_ms: int | None = None
    earned_by: LegRef | None = None


class Order(Struct, kw_only=True, eq=False, gc=False):
    """A purchase, the lots it made for whoever earns by it, and how much of it was given back."""

    merchant_id: int
    name: str
    seq: int
    at_ms: int
    member_no: int
    member: str
    amount_minor: int
    terms_id: int
    fee_bps: int
    confirm_from_ms: int
    refunded_minor: int = 0
    confirmed_at_ms: int | None = None
    lots: list[Lot] = []

    def add_lot(self, *, member_no: int, member: str, role: int, points: int) -> None:
        """A pending lot of the merchant's points, under the order's terms, for whoever earns by the order."""
        self.lots.append(
            Lot(
                id=LotId(self.seq, len(self.lots) + 1),
                issuer=self.merchant_id,
                member_no=member_no,
                member=member,
                terms_id=self.terms_id,
                role=role,
                points=points,
                standing=points,
                remaining=points,
            )
        )


class Remembered(NamedTuple):
    """The first command under a key and what it was answered; `done` tells a receipt from a refusal."""

    command: bytes
    body: bytes
    done: bool


class Registry:
    """Merchants and terms: few, read by every verb, changed rarely; held whole."""

    __slots__ = ("codes", "merchants", "terms", "terms_of")

    def __init__(self) -> None:
        self.merchants: dict[int, OpenMerchant] = {}
        self.codes: set[str] = set()
        self.terms: dict[int, PublishTerms] = {}
        self.terms_of: dict[int, list[PublishTerms]] = {}

    def add_merchant(self, merchant: OpenMerchant) -> None:
        self.merchants[merchant.merchant_id] = merchant
        self.codes.add(merchant.code)

    def add_terms(self, terms: PublishTerms) -> None:
        """Keeps the issuer's terms by (in force from, number)."""
        self.terms[terms.terms_id] = terms
        of_issuer = self.terms_of.setdefault(terms.issuer_id, [])
        of_issuer.append(terms)
        of_issuer.sort(key=lambda each: (each.at_ms, each.terms_id))

    def terms_at(self, issuer: int, at_ms: int) -> PublishTerms | None:
        """The newest terms of `issuer` in force at `at_ms`."""
        for each in reversed(self.terms_of.get(issuer, ())):
            if each.at_ms <= at_ms:
                return each
        return None


class _Everything(dict[K, V | None], Generic[K, V]):
    """Of a book that knows everything: what is not here does not exist."""

    def __missing__(self, key: K) -> None:
        return None


class _EveryList(dict[int, list[Lot]]):
    """As _Everything, for lots by member."""

    def __missing__(self, member_no: int) -> list[Lot]:
        return self.setdefault(member_no, [])


class Accounts(dict[AccountName, tuple[int, int]]):
    """Account -> (n of its last posting, balance). What is missing is new only if it is younger than the load."""

    def __init__(self, loaded_seq: int) -> None:
        super().__init__()
        self.loaded_seq = loaded_seq

    def __missing__(self, account: AccountName) -> tuple[int, int]:
        if self.loaded_seq and not (account.family in _OF_MEMBERS and account.party > self.loaded_seq):
            raise KeyError(account)
        return _UNTOUCHED


class Slice:
    """The state at journal position `seq`, as far as it was loaded at `accounts.loaded_seq` (0: whole)."""

    def __init__(self, seq: int, registry: Registry) -> None:
        self.seq = seq
        self.registry = registry
        self.answers: dict[str, Remembered | None] = {}
        self.members: dict[str, int | None] = {}
        self.accounts = Accounts(seq)
        self.orders: dict[tuple[int, str], Order | None] = {}
        self.claims: dict[Claim, int | None] = {}
        self.lots: dict[LotId, Lot] = {}
        self.lots_of: dict[int, list[Lot]] = {}

    @classmethod
    def whole(cls) -> Slice:
        """An empty ledger of which everything is known."""
        whole = cls(0, Registry())
        whole.answers = _Everything()
        whole.members = _Everything()
        whole.orders = _Everything()
        whole.claims = _Everything()
        whole.lots_of = _EveryList()
        return whole

    @property
    def rows(self) -> int:
        """How much it holds, for the store's bound."""
        return len(self.accounts) + len(self.orders) + len(self.claims) + len(self.lots) + len(self.members)
