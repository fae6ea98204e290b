"""Answers about settlement for those who run it: where everything stands, and what a person has to look at. Data only.

A field is added, never renamed. Amounts that may pass 53 bits are text. Made by `api.settling`.
"""

from __future__ import annotations

from msgspec import Struct

from api.shapes.values import Name


class BatchesInStateOut(Struct, frozen=True, kw_only=True):
    """Batches that are in one state now: how many, the lowest number, and when the oldest was sealed."""

    state: str
    count: int
    first_no: int
    oldest_at: str


class CostOut(Struct, frozen=True, kw_only=True):
    """What transactions of one kind (deploy, commit, finalise, ...) cost so far, failed ones included."""

    kind: str
    count: int
    gas: str
    wei: str


class OnTheWayOut(Struct, frozen=True, kw_only=True):
    """A nonce no finalised block has used: what for, how often it was signed, the highest fee, the first sending.
    `asked_at` is since when a signature is asked for and not there: with no offer the first one, else a replacement's.
    """

    nonce: int
    purpose: str
    batch_no: int | None
    offers: int
    max_fee_wei: str
    sent_at: str | None
    asked_at: str | None


class CollateralOut(Struct, frozen=True, kw_only=True):
    """A party's money in the contract, in base units: free, locked for pending nets, floor, owed to old claims, and
    what it has announced to take out, from `leaving_at` (Unix seconds) on.
    """

    merchant_id: int
    free: str
    locked: str
    floor: str
    owed: str
    leaving: str
    leaving_at: int | None


class ClaimOut(Struct, frozen=True, kw_only=True):
    """What a creditor lost in the batch `default_id`, its part of what was recovered since, and what it has collected,
    in base units.
    """

    default_id: int
    creditor_id: int
    cut: str
    recovered: str
    collected: str


class DebtOut(Struct, frozen=True, kw_only=True):
    """What a merchant lacked in the batch `default_id`, and what it has repaid since, in base units."""

    default_id: int
    merchant_id: int
    missing: str
    repaid: str


class MirrorOut(Struct, frozen=True, kw_only=True):
    """A mirror of published batches: the numbers it lacks, and why it did not answer, which is empty where it did."""

    place: str
    behind: list[int]
    down: str


class ChainOut(Struct, frozen=True, kw_only=True):
    """The chain as it was last looked at. `lag_s` is how far the finalised block was behind the newest one."""

    head_block: int
    final_block: int
    lag_s: int
    next_batch_no: int
    next_final_no: int
    hub_held: str
    hub_owed: str
    operator_bond: str
    gas_money_wei: str
    nonce_latest: int
    nonce_pending: int


class SettlementOut(Struct, frozen=True, kw_only=True):
    """Settlement at a glance. `chain` and what follows is null or empty before the first reconciliation."""

    batches: list[BatchesInStateOut]
    costs: list[CostOut]
    on_the_way: list[OnTheWayOut]
    alerts_open: dict[str, int]
    claims: list[ClaimOut]
    debts: list[DebtOut]
    watched_block: int | None
    looked_at: str | None
    chain: ChainOut | None
    collateral: list[CollateralOut]
    mirrors: list[MirrorOut]


class AcknowledgeAlert(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`by` is the person who looks after it."""

    by: Name


class AlertOut(Struct, frozen=True, kw_only=True):
    """Something a person should look at. Open while `resolved_at` is null. `severity` is warning or urgent."""

    id: int
    code: str
    meaning: str
    severity: str
    place: str
    expected: str
    actual: str
    first_seen: str
    last_seen: str
    resolved_at: str | None
    acknowledged_at: str | None
    acknowledged_by: str | None


class AlertsOut(Struct, frozen=True, kw_only=True):
    """Newest first."""

    data: list[AlertOut]
    next_cursor: str | None
