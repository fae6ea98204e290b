"""What the book decides on: the part of the ledger's state that a batch needs, in memory.

Two ways to fill it, one way to use it. `Slice.whole()` starts empty and knows everything, for tests and rebuilds:
what it does not hold does not exist. The store's slice (`ledger.storage.loading`) holds exactly what was loaded, and
asking it for anything else is our bug and raises KeyError. Lots and orders are shared, changing objects: one object
per row, however it is reached. Written to by the book alone, through `ledger.entry`.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Generic, NamedTuple, TypeVar

from msgspec import Struct

from ledger.accounts import AccountName, Family
from ledger.answers import LegRef, LotId
from ledger.records import AnyRecord, RecordName
from ledger.registry import Registry

K = TypeVar("K")
V = TypeVar("V")

_OF_MEMBERS = frozenset({Family.MEMBER, Family.PENDING, Family.HELD})
_UNTOUCHED = (0, 0)


class Used(IntEnum):
    """What a name was used for, once: the names that merchants and operators give, unique per merchant and purpose."""

    RESOLUTION = 1
    """The end of an authorised redemption, by its name, per acceptor: a hold resolves at most once."""
    REFUND = 2
    """A refund's name, per merchant."""
    CYCLE = 3
    """A cycle whose fees were charged."""
    SETTLED_BATCH = 4
    """A batch whose nets were recorded, by its number; or what was recovered of its losses, with the block."""
    CANCELLATION = 5
    """A cancellation of a redemption, by its name, per acceptor."""
    DISPUTE = 6
    """A dispute of a redemption, by who disputes it and its name, per acceptor."""
    TRANSFER = 20
    """A transfer's name, per issuer."""
    EXCHANGE = 21
    """An exchange's name, per issuer whose points are given for others."""
    OPENING = 22
    """An opening balance's source and member, per issuer."""


class Role(IntEnum):
    """Why a lot came to its member."""

    BASE = 0
    """The member bought, and earned by the merchant's rate."""
    LEVEL_1 = 1
    """Somebody the member referred bought."""
    LEVEL_2 = 2
    """Somebody referred by somebody the member referred bought."""
    BONUS = 3
    """A rule gave it on top of an order, or for an event that is no order."""
    TRANSFERRED = 4
    """It came from another member, or from an account of the same person."""
    EXCHANGED = 5
    """It was given for points of another issuer."""
    ADJUSTED = 6
    """A correction in the member's favour."""
    OPENING = 7
    """The member brought it from the issuer's old system."""


class Claim(NamedTuple):
    """A name taken once: `merchant_id` is 0 where the name is the alliance's."""

    used: int
    merchant_id: int
    name: str


class Lot(Struct, kw_only=True, eq=False, gc=False):
    """Points of one issuer, rate and expiry, earned by one order.

    `points` as earned; `standing` of them not clawed back; `remaining` of those not spent. A pending lot has no expiry
    yet. `role` says why this member got it (BASE: it paid). `earned_by` is the leg that confirmed
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
    campaign_id: int = 0
    confirm_from_ms: int
    refunded_minor: int = 0
    confirmed_at_ms: int | None = None
    lots: list[Lot] = []

    def add_lot(self, member: Member, *, role: Role, points: int) -> None:
        """A pending lot of the merchant's points, under the order's terms, for whoever earns by the order."""
        self.lots.append(
            Lot(
                id=LotId(self.seq, len(self.lots) + 1),
                issuer=self.merchant_id,
                member_no=member.no,
                member=member.name,
                terms_id=self.terms_id,
                role=int(role),
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


class Member(Struct, kw_only=True, eq=False, gc=False):
    """A member and what may change about it.

    `bonded` says that its referral is decided for good, by a bond or by a first purchase without one; `referrer` is the
    member above it. A member that was merged means `merged_into`. `tier` is the last one recorded, "" before the first.
    """

    no: int
    name: str
    bonded: bool = False
    referrer: int | None = None
    merged_into: int | None = None
    frozen: bool = False
    closed: bool = False
    tier: str = ""
    tier_since_ms: int = 0


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
    """The state at journal position `seq`, as far as it was loaded at `accounts.loaded_seq` (0: whole).

    `lots_of` are open lots by owner; `bought` lots of the role BASE by owner, for members whose tier is asked for;
    `merged` whom each number stands for beside itself.
    """

    def __init__(self, seq: int, registry: Registry) -> None:
        self.seq = seq
        self.registry = registry
        self.answers: dict[str, Remembered | None] = {}
        self.members: dict[str, int | None] = {}
        self.people: dict[int, Member] = {}
        self.accounts = Accounts(seq)
        self.orders: dict[tuple[int, str], Order | None] = {}
        self.claims: dict[Claim, int | None] = {}
        self.records: dict[RecordName, AnyRecord | None] = {}
        self.lots: dict[LotId, Lot] = {}
        self.lots_of: dict[int, list[Lot]] = {}
        self.bought: dict[int, list[Lot]] = {}
        self.merged: dict[int, set[int]] = {}

    @classmethod
    def whole(cls) -> Slice:
        """An empty ledger of which everything is known."""
        whole = cls(0, Registry())
        whole.answers = _Everything()
        whole.members = _Everything()
        whole.orders = _Everything()
        whole.claims = _Everything()
        whole.records = _Everything[RecordName, AnyRecord]()
        whole.lots_of = _EveryList()
        return whole

    @property
    def rows(self) -> int:
        """How much it holds, for the store's bound."""
        named = len(self.orders) + len(self.claims) + len(self.records) + len(self.members)
        return len(self.accounts) + len(self.lots) + named

    def member(self, name: str) -> Member | None:
        """Who the name means: itself, or the member it was merged into; None if nobody has it."""
        number = self.members[name]
        return None if number is None else self.person(number)

    def person(self, member_no: int) -> Member:
        """Who the number means today."""
        return self.people[self.identity(member_no)]

    def bought_by(self, member: Member) -> list[Lot]:
        """The lots that purchases of this person made, whichever of its accounts bought."""
        numbers = [member.no, *sorted(self.merged.get(member.no, ()))]
        return [lot for no in numbers for lot in self.bought.get(no, ())]

    def identity(self, member_no: int) -> int:
        """The number of whom the number means today, who need not be held."""
        merged_into = self.people[member_no].merged_into
        return member_no if merged_into is None else merged_into
