"""Gas limits by formula and fees by rule: what a transaction may burn, what it offers, how a stuck one offers more.

Invariants: never `eth_estimateGas` (a check inside a contract that answers false instead of reverting makes it choose
too little, and it costs a node seconds); no limit above what any network takes; a replacement pays an eighth more on
both counts, at least what the market asks now, and never above the ceiling. Pure. Called by submitter, outbox and
deployment.
"""

from __future__ import annotations

from dataclasses import dataclass

TRANSACTION_GAS_MAX = 16_777_216
"""EIP-7825: no network takes a transaction above it, and we offer none."""
FEE_WEI_MAX = 10**12
"""No transaction offers more per gas; what needs more waits for a person."""


@dataclass(frozen=True, slots=True)
class Fees:
    """What an EIP-1559 transaction offers, in wei per gas."""

    max_fee_wei: int
    tip_wei: int


def offer(*, base_fee_wei: int, tip_wei: int) -> Fees:
    """What a new transaction offers: twice the base fee and the tip, none above the ceiling, whatever a node says."""
    return Fees(min(2 * base_fee_wei + tip_wei, FEE_WEI_MAX), min(tip_wei, FEE_WEI_MAX))


def bounded_gas(estimate: int) -> int:
    """A formula's figure plus a fifth, never above what a network takes."""
    return min(estimate + estimate // 5, TRANSACTION_GAS_MAX)


def commit_gas(*, nets: int, attestations: int, forced: int = 0) -> int:
    """Gas limit of commitBatch. Each net may open a fresh storage slot; each attestation costs a recovery; each
    forced event that is overdue is taken off the queue.
    """
    return bounded_gas(150_000 + (6_500 + 17_100) * nets + 12_000 * attestations + 40_000 * forced)


def finalise_gas(*, nets: int) -> int:
    """Gas limit of finaliseBatch. Dear are defaults: debt and burnt shares of a debtor, claim of a creditor."""
    return bounded_gas(250_000 + 100_000 * nets)


def finalise_through_gas(*, batches: int) -> int:
    """Gas limit of finaliseThrough: a record and an event for each log batch."""
    return bounded_gas(80_000 + 20_000 * batches)


def raised(old: Fees, market: Fees) -> Fees | None:
    """The offer of a replacement: an eighth more than `old` (nodes want a tenth), or the market's where that is
    higher, up to the ceiling. None when even an eighth more is above it.
    """
    fee, tip = _eighth_more(old.max_fee_wei), _eighth_more(old.tip_wei)
    if fee > FEE_WEI_MAX:
        return None
    return Fees(min(max(fee, market.max_fee_wei), FEE_WEI_MAX), min(max(tip, market.tip_wei), FEE_WEI_MAX))


def _eighth_more(wei: int) -> int:
    return -(-wei * 9 // 8)
