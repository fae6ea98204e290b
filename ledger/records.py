"""Records: the state of things that are asked for by name alone, one struct per kind, replaced as a whole.

A redemption, a pool, a waiting adjustment, a counter: none of them is ever searched by what it holds on the hot path,
so all live in one table as canonical JSON under (kind, party, name). A record is frozen; `Entry.record` puts the next
one in its place, which also makes undoing trivial. What a record needs loaded beside itself it says in `lot_ids`.
Adding a kind: a member of `RecordKind`, a struct here or beside the pure module that decides on it, and its place in
`AnyRecord`.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import NamedTuple

import msgspec
from msgspec import Struct

from ledger.answers import LegRef, LotId
from ledger.rules.streak import Streak
from ledger.rules.tally import Tally
from ledger.rules.task import Progress


class RecordKind(IntEnum):
    """What a record is about."""

    REDEMPTION = 1
    """A redemption of an acceptor, from authorisation or capture to its last cancellation; party: the acceptor."""
    POOL = 20
    """A family pool."""
    POOL_MEMBER = 21
    """Which pool a member is in, by the member's name."""
    POOL_DAY = 22
    """What one member of a pool sent of one issuer's points on one day; party: the issuer."""
    ADJUSTMENT = 23
    """A correction, waiting or decided; party: the issuer."""
    ADJUST_DAY = 25
    """What one person corrected alone on one day; party: the issuer."""
    CLAIMS = 24
    """What an issuer left behind when it was closed; party: the issuer."""
    MERGE = 30
    """What a member's last merge moved, by the member's name; party: 0."""
    RULE_BUDGET = 40
    """What a rule has granted to all; name: its number."""
    RULE_TALLY = 41
    """What a rule has granted to one member; name: rule/member."""
    TASK = 42
    """How far a member is with a composite task; name: rule/member."""
    CHECK_INS = 43
    """On which days a member checked in at the party; name: the member's number."""
    CUSTOMER = 44
    """Whether a member ever ordered at the party, kept where a rule asks; name: the member's number."""


KINDS_WITH_PEOPLE = frozenset({RecordKind.ADJUSTMENT.value})
"""Records of these kinds name members that no command names: see `Record.people`."""


class RecordName(NamedTuple):
    """`party` is the merchant whose name it is, 0 where it is the alliance's."""

    kind: int
    party: int
    name: str


class Record(Struct, frozen=True, kw_only=True, gc=False, tag_field="record"):
    """What every record has: nothing but a way to say which lots and whose accounts it works on."""

    def lot_ids(self) -> Iterable[LotId]:
        """The lots that a verb given this record will read or change."""
        return ()

    def people(self) -> Iterable[tuple[int, str]]:
        """(issuer, member) whose account and open lots a verb given this record will read or change."""
        return ()


class DrawnLot(NamedTuple):
    """`points` of a lot that a redemption drew, `au` of them applied."""

    lot: LotId
    points: int
    au: int


class Drawn(Struct, frozen=True, kw_only=True, gc=False):
    """What a redemption draws of one issuer under one set of terms: one leg, its fee, its lots in drawing order.

    `au` is what was applied, on us or not; `fee_au` what accrued; `leg` the REDEEM leg once it is captured.
    """

    issuer: int
    terms_id: int
    points: int
    au: int
    fee_au: int
    lots: tuple[DrawnLot, ...]
    leg: LegRef | None = None


class Redemption(Record, frozen=True, kw_only=True, gc=False, tag="redemption"):
    """A redemption as it stands: `state` is held, captured, released or disputed; `draws` are what is held or captured
    and not given back; `fee_bps` is the acceptor's rate when it was made.
    """

    member_no: int
    member: str
    state: str
    fee_bps: int
    draws: tuple[Drawn, ...]
    hold_until_ms: int | None = None

    def lot_ids(self) -> Iterable[LotId]:
        return [drawn.lot for each in self.draws for drawn in each.lots]


class KeptLot(NamedTuple):
    """A lot and points of it."""

    lot: LotId
    points: int


class PaidDebt(NamedTuple):
    """`points` that `debtor` owed the issuer and the other side of a merge paid, `lots` giving their part of it."""

    issuer: int
    points: int
    debtor: int
    lots: tuple[KeptLot, ...]


class MergeRecord(Record, frozen=True, kw_only=True, gc=False, tag="merge"):
    """What a merge did, for taking it back: `moved` are the member's lots with what passed of them, `kept` those of
    `into` with what the merge left; `referrer` is what `into` had, `repointed` are members that meant the merged one.
    """

    into: int
    referrer: int | None
    repointed: tuple[int, ...]
    moved: tuple[KeptLot, ...]
    kept: tuple[KeptLot, ...]
    debts: tuple[PaidDebt, ...]

    def lot_ids(self) -> Iterable[LotId]:
        paid = [each.lot for debt in self.debts for each in debt.lots]
        return [each.lot for each in (*self.moved, *self.kept)] + paid


def merge_name(member: str) -> RecordName:
    """Where the record of a member's last merge stands."""
    return RecordName(RecordKind.MERGE.value, 0, member)


class Pool(Record, frozen=True, kw_only=True, gc=False, tag="pool"):
    """Members by name, in the order they joined; each may send `day_points_max` of each issuer's points a day."""

    owner: str
    day_points_max: int
    members: tuple[str, ...]


class PoolMember(Record, frozen=True, kw_only=True, gc=False, tag="pool_member"):
    """The pool a member is in and its cap; "" when it left."""

    pool: str
    day_points_max: int


class PoolDay(Record, frozen=True, kw_only=True, gc=False, tag="pool_day"):
    """Points sent on the day so far."""

    points: int


class Adjustment(Record, frozen=True, kw_only=True, gc=False, tag="adjustment"):
    """A correction as it was asked for; `state` is waiting, done or rejected."""

    issuer: int
    member: str
    points: int
    reason: str
    by: str
    state: str

    def people(self) -> Iterable[tuple[int, str]]:
        return [(self.issuer, self.member)]


class AdjustDay(Record, frozen=True, kw_only=True, gc=False, tag="adjust_day"):
    """Points corrected alone on the day so far, up and down together."""

    points: int


class Claims(Record, frozen=True, kw_only=True, gc=False, tag="claims"):
    """What stood at an issuer's closing: see `ledger.verbs.close_merchant`."""

    at_ms: int
    points: int
    pending: int
    au: int
    position_au: int
    reserve_au: int


class RuleBudget(Record, frozen=True, kw_only=True, gc=False, tag="rule_budget"):
    """Points granted so far; a claw-back does not give them back."""

    points: int


class RuleTally(Record, frozen=True, kw_only=True, gc=False, tag="rule_tally"):
    """Points and grants of one member so far, and on each of the last local days."""

    tally: Tally


class TaskProgress(Record, frozen=True, kw_only=True, gc=False, tag="task"):
    """What of a task's steps is done."""

    progress: Progress


class CheckIns(Record, frozen=True, kw_only=True, gc=False, tag="check_ins"):
    """A member's days at one merchant."""

    streak: Streak


class Customer(Record, frozen=True, kw_only=True, gc=False, tag="customer"):
    """Whether an order was paid by this member."""

    ordered: bool


AnyRecord = (
    Redemption
    | Pool
    | PoolMember
    | PoolDay
    | Adjustment
    | AdjustDay
    | Claims
    | MergeRecord
    | RuleBudget
    | RuleTally
    | TaskProgress
    | CheckIns
    | Customer
)

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[AnyRecord] = msgspec.json.Decoder(AnyRecord)


def canonical(record: Record) -> bytes:
    """The record as JSON with its fields in declared order."""
    return _encoder.encode(record)


def parse(body: bytes) -> AnyRecord:
    """The record of canonical bytes."""
    return _decoder.decode(body)
