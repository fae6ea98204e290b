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


class RecordName(NamedTuple):
    """`party` is the merchant whose name it is, 0 where it is the alliance's."""

    kind: int
    party: int
    name: str


class Record(Struct, frozen=True, kw_only=True, gc=False, tag_field="record"):
    """What every record has: nothing but a way to say which lots it works on."""

    def lot_ids(self) -> Iterable[LotId]:
        """The lots that a verb given this record will read or change."""
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


AnyRecord = Redemption | RuleBudget | RuleTally | TaskProgress | CheckIns | Customer

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[AnyRecord] = msgspec.json.Decoder(AnyRecord)


def canonical(record: Record) -> bytes:
    """The record as JSON with its fields in declared order."""
    return _encoder.encode(record)


def parse(body: bytes) -> AnyRecord:
    """The record of canonical bytes."""
    return _decoder.decode(body)
