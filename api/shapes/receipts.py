"""Answers to writes: receipts with legs, lots and balances, results of batches, places of proof. Data only.

A field is added, never renamed. Made by `api.answers` and `api.posting`.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, Raw, Struct, UnsetType


class LegOut(Struct, frozen=True, kw_only=True):
    """One part of what happened, as it will stand in a settlement batch. `points` has no sign: the kind gives it."""

    no: int
    kind: str
    signer: int
    issuer: int
    member: str | None
    points: int
    terms_id: int
    au: int
    fee_au: int


class LotOut(Struct, frozen=True, kw_only=True):
    """What happened to one lot of the caller's own points: `points` signed, `remaining` afterwards."""

    lot: str
    points: int
    remaining: int
    au: int
    expires_at: str | None


class BalancesOut(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Balances after it, where it touched them: the member's with the caller, and the caller's own accounts in AU.
    `others`: points of further members with the caller, by name, where several earned, gave or got.
    """

    points: int | UnsetType = UNSET
    pending: int | UnsetType = UNSET
    held: int | UnsetType = UNSET
    cash_au: int | UnsetType = UNSET
    fees_au: int | UnsetType = UNSET
    others: dict[str, int] | UnsetType = UNSET


class ReceiptOut(Struct, frozen=True, kw_only=True):
    """It was done, at this position of the journal. `why` says how the figures came out so."""

    event_id: str
    verb: str
    journal_seq: int
    occurred_at: str
    legs: list[LegOut]
    lots: list[LotOut]
    balances: BalancesOut
    why: dict[str, int | str]


class InclusionOut(Struct, frozen=True, kw_only=True):
    """Where one leg is settled. `proof` needs nobody's word once the batch's header is on the chain; null where this
    server cannot open the batch's published file.
    """

    leg: int
    batch_no: int
    leaf_no: int
    state: str
    proof: dict[str, Any] | None


class SealedReceiptOut(ReceiptOut, frozen=True, kw_only=True):
    """A receipt, with the proof of each leg that is sealed already."""

    inclusions: list[InclusionOut]


class ExtractOut(Struct, frozen=True, kw_only=True):
    """A page of a merchant's extract of a batch, in the form that `proofs.extract` checks."""

    extract: dict[str, Any]
    next_cursor: str | None


class ItemOut(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event's result. Exactly one of `receipt` and `problem` is there."""

    index: int
    status: int
    replayed: bool | UnsetType = UNSET
    receipt: ReceiptOut | UnsetType = UNSET
    problem: Annotated[Raw | UnsetType, Meta(extra_json_schema={"$ref": "#/components/schemas/ProblemOut"})] = UNSET


class BatchOut(Struct, frozen=True, kw_only=True):
    """The results in the order of the events."""

    taken: int
    refused: int
    results: list[ItemOut]
