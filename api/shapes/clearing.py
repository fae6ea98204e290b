"""Answers about clearing: positions, cycles. Data only. A field is added, never renamed. Made by `api.clearing`."""

from __future__ import annotations

from msgspec import Struct


class PositionOut(Struct, frozen=True, kw_only=True):
    """What a party is owed (+) or owes (-) in AU: position = cash + fees - settled. `party` is a merchant's number, the
    operator's or the reserve's.
    """

    party: int
    cash_au: int
    fees_au: int
    settled_au: int
    position_au: int


class PositionsOut(Struct, frozen=True, kw_only=True):
    """As of a journal position: the caller's own, or everybody's if it is the operator, which sum to 0."""

    journal_seq: int
    positions: list[PositionOut]


class CycleOut(Struct, frozen=True, kw_only=True):
    """Journal entries first_seq to last_seq. `cycle` is null for the one that goes on."""

    cycle: str | None
    first_seq: int
    last_seq: int
    last_entry_at: str


class CyclesOut(Struct, frozen=True, kw_only=True):
    """Every cycle so far, oldest first."""

    cycles: list[CycleOut]
