"""What the ledger answers: a receipt or a refusal, and the bytes that are replayed for ever. No behaviour beyond
encoding.

A receipt is the journal entry as its caller sees it; a leg is one future leaf of settlement. `ledger.journal` reads the
same bytes back.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from msgspec import Struct

from ledger.accounts import AccountName


class LegRef(NamedTuple):
    """A leg by journal position: what a claw-back takes back, what a returned redemption returns."""

    seq: int
    no: int


class LotId(NamedTuple):
    """A lot by the journal entry that made it and its number there, from 1."""

    seq: int
    no: int


class Leg(Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One future settlement leaf: one posting on each public account it touches.

    `no` counts from 1 within the journal entry; `kind` is a proofs.kinds.Kind; `signer` the merchant whose lane signs;
    `issuer` whose points (for FEE: who receives); `points` never negative, the kind gives the sign; `terms_id` 0 where
    none; `au` what changes hands in AU, 0 on us; `fee_au` the fee accrued with it. `member` is None for FEE. A referral
    reward names its campaign, the level above the buyer and the basis in minor units.
    """

    no: int
    kind: int
    signer: int
    issuer: int
    member: str | None
    points: int = 0
    terms_id: int = 0
    au: int = 0
    ref: LegRef | None = None
    fee_au: int = 0
    campaign_id: int = 0
    level: int = 0
    basis: int = 0


class JournalPosting(NamedTuple):
    """One debit (+) or credit (-) of one account: its `n`-th, gapless from 1, with the running balance. `leg` is 0
    where it belongs to no leaf.
    """

    account: AccountName
    n: int
    leg: int
    amount: int
    balance: int


class LotMove(NamedTuple):
    """What one entry did to one lot: `points` signed, `remaining` afterwards. `au` is what a redemption applied of it,
    negative where one is taken back, else 0.
    """

    lot: LotId
    issuer: int
    member: str
    terms_id: int
    points: int
    remaining: int
    expires_at_ms: int | None
    au: int


class Receipt(Struct, frozen=True, kw_only=True, gc=False):
    """A command that was done: journal position, legs, postings with balances after, lots made and drawn, and why it
    came out so.

    `why` holds figures by name, all integers or words: asked and taken, points, debt repaid, fees, what each verb
    documents.
    """

    seq: int
    verb: str
    key: str
    at_ms: int
    legs: tuple[Leg, ...]
    postings: tuple[JournalPosting, ...]
    lots: tuple[LotMove, ...]
    why: dict[str, int | str]


class Refusal(Struct, frozen=True, kw_only=True, gc=False):
    """A command that was not done. `code` is in the verb's list, `field` names the input at fault, `data` carries both
    sides of a mismatch.
    """

    code: str
    message: str
    field: str | None = None
    data: dict[str, int | str] = {}


class Answer(NamedTuple):
    """The outcome, whether it is the first answer again, and its canonical JSON."""

    outcome: Receipt | Refusal
    replayed: bool
    body: bytes


_encoder = msgspec.json.Encoder()
_receipt: msgspec.json.Decoder[Receipt] = msgspec.json.Decoder(Receipt)
_refusal: msgspec.json.Decoder[Refusal] = msgspec.json.Decoder(Refusal)


def body(outcome: Receipt | Refusal) -> bytes:
    """The outcome as JSON with its fields in declared order."""
    return _encoder.encode(outcome)


def parse_receipt(body: bytes) -> Receipt:
    """The receipt of `body` bytes."""
    return _receipt.decode(body)


def parse_refusal(body: bytes) -> Refusal:
    """The refusal of `body` bytes."""
    return _refusal.decode(body)
