"""Answers to questions about settlement and health. Data only. A field is added, never renamed."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class AttestationOut(Struct, frozen=True, kw_only=True):
    """One attester's signature over a header."""

    attester: str
    r: str
    vs: str


class TransactionOut(Struct, frozen=True, kw_only=True):
    """A transaction signed for the batch, and what became of it."""

    purpose: str
    hash: str
    status: str
    block_number: int | None
    gas_used: int | None


class NetOut(Struct, frozen=True, kw_only=True):
    """What one party receives (+) or pays (-), in base units of the settlement asset: 10,000 to an AU."""

    merchant_id: int
    base_units: str


class SettlementBatchOut(Struct, frozen=True, kw_only=True):
    """A batch as anybody may know it. The header is spelled as in the contract; words are hex, integers text."""

    batch_no: int
    state: str
    settling: bool
    header_hash: str
    header: dict[str, str]
    nets: list[NetOut]
    attestations: list[AttestationOut]
    transactions: list[TransactionOut]


class HealthOut(Struct, frozen=True, kw_only=True):
    """The process is alive."""

    status: Literal["ok"]


class ReadyOut(HealthOut, frozen=True, kw_only=True):
    """The database answers; this is its last journal position."""

    journal_seq: int
