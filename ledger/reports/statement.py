"""The statement of one merchant over one cycle, as the rule book's "Clearing" 7 lists it. Pure; the data of a page.

Amounts are points of the merchant's own currency, or AU. `net` is the position at the cycle's end: what the next
settlement moves. Batches of settlement are passed in, because the ledger knows none. `digest` is SHA-256 of the
canonical JSON of everything before it (`ledger.reports.forms`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from ledger.accounts import Family
from ledger.reports import liability
from ledger.reports.cycles import Cycle
from ledger.reports.liability import NOTHING, Pending, RollForward, Standing
from ledger.reports.tally import REDEEMING, Tally
from ledger.units import BPS
from proofs.accounts import OPERATOR_ID, RESERVE_ID
from proofs.kinds import ON_ISSUANCE, Kind

VERSION = 1


class Accepted(Struct, frozen=True, kw_only=True):
    """Points of another issuer that were redeemed here, less what was cancelled."""

    issuer: int
    code: str
    points: int
    au: int


class Interchange(Struct, frozen=True, kw_only=True):
    """AU between the merchant and one counterparty: `au` positive is owed to the merchant."""

    counterparty: int
    code: str
    au: int


class Fees(Struct, frozen=True, kw_only=True):
    """AU of fees that accrued in the cycle, positive what the merchant pays; reversals are negative. `breakage` is the
    operator's share of what expired, `total` all of it, `other` what no leg explains; `charged` is what the cycle's
    end moved into cash.
    """

    redemption: int
    issuance: int
    breakage: int
    other: int
    total: int
    charged: int


class DisputeHeld(Struct, frozen=True, kw_only=True):
    """A redemption in dispute at the cycle's end: `au` would come back to the merchant's position if it stands."""

    acceptor: int
    redemption: str
    au: int


class Net(Struct, frozen=True, kw_only=True):
    """opening + interchange − fees − settled = position, in AU; `settled` is what the chain moved to the merchant.
    `lowest` is the lowest position after any entry of the cycle, its opening included.
    """

    opening: int
    interchange: int
    fees: int
    settled: int
    position: int
    lowest: int


class Collateral(Struct, frozen=True, kw_only=True):
    """What stands behind the merchant's debts in AU; None: unlimited. `counted` is after the haircut, `promised` what
    open authorisations would make it owe, `headroom` what it may still come to owe.
    """

    posted: int | None
    haircut_bps: int
    counted: int | None
    promised: int
    headroom: int | None


class Transaction(Struct, frozen=True, kw_only=True):
    """A transaction of a batch on the chain."""

    purpose: str
    tx_hash: str
    status: str


class Batch(Struct, frozen=True, kw_only=True):
    """A settlement batch that holds entries of the cycle; roots and hashes as 0x-hex."""

    batch_no: int
    first_seq: int
    last_seq: int
    leaves_root: str
    header_hash: str
    transactions: tuple[Transaction, ...] = ()


class Statement(Struct, frozen=True, kw_only=True):
    """One merchant, one cycle. `mode` is that of the terms in force at the cycle's end, None without any."""

    version: int
    merchant_id: int
    code: str
    name: str
    mode: Literal["on_redemption", "on_issuance"] | None
    cycle: Cycle
    opening: Standing
    points: RollForward
    pending: Pending
    closing: Standing
    accepted: tuple[Accepted, ...]
    interchange: tuple[Interchange, ...]
    fees: Fees
    disputes: tuple[DisputeHeld, ...]
    net: Net
    collateral: Collateral
    batches: tuple[Batch, ...]


def statement(
    tally: Tally,
    cycle: Cycle,
    merchant_id: int,
    *,
    opening: Standing = NOTHING,
    opening_position: int = 0,
    batches: Sequence[Batch] = (),
) -> Statement:
    """Draw it from a tally that stands at the cycle's end; the openings are those of the cycle's begin."""
    merchant = tally.registry.merchants[merchant_id]
    terms = tally.registry.terms_at(merchant_id, tally.at_ms)
    return Statement(
        version=VERSION,
        merchant_id=merchant_id,
        code=merchant.code,
        name=merchant.name,
        mode=None if terms is None else "on_issuance" if terms.mode == ON_ISSUANCE else "on_redemption",
        cycle=cycle,
        opening=opening,
        points=liability.roll_forward(tally, merchant_id, opening),
        pending=liability.pending(tally, merchant_id, opening),
        closing=liability.standing(tally, merchant_id),
        accepted=_accepted(tally, merchant_id),
        interchange=_interchange(tally, merchant_id),
        fees=_fees(tally, merchant_id),
        disputes=_disputes(tally, merchant_id),
        net=_net(tally, merchant_id, opening_position),
        collateral=_collateral(tally, merchant_id),
        batches=tuple(
            each for each in batches if each.first_seq <= cycle.last_seq and cycle.first_seq <= each.last_seq
        ),
    )


def _overlaps(batch: Batch, cycle: Cycle) -> bool:
    return batch.first_seq <= cycle.last_seq and cycle.first_seq <= batch.last_seq


def code_of(tally: Tally, party: int) -> str:
    """What documents call a party."""
    if party in {OPERATOR_ID, RESERVE_ID}:
        return "operator" if party == OPERATOR_ID else "reserve"
    return tally.registry.merchants[party].code


def _accepted(tally: Tally, merchant_id: int) -> tuple[Accepted, ...]:
    points, au = tally.flows.accepted_points[merchant_id], tally.flows.accepted_au[merchant_id]
    return tuple(
        Accepted(
            issuer=issuer,
            code=code_of(tally, issuer),
            points=points[issuer],
            au=au[issuer],
        )
        for issuer in sorted(points)
    )


def _interchange(tally: Tally, merchant_id: int) -> tuple[Interchange, ...]:
    mine = tally.flows.interchange[merchant_id]
    return tuple(Interchange(counterparty=each, code=code_of(tally, each), au=mine[each]) for each in sorted(mine))


def _fees(tally: Tally, merchant_id: int) -> Fees:
    mine = tally.flows.fees[merchant_id]
    redemption = -sum(au for kind, au in mine.items() if kind in REDEEMING)
    issuance = -sum(au for kind, au in mine.items() if kind not in REDEEMING and kind != Kind.EXPIRE)
    breakage = -mine[Kind.EXPIRE]
    total = -tally.flows.accrued[merchant_id]
    return Fees(
        redemption=redemption,
        issuance=issuance,
        breakage=breakage,
        other=total - redemption - issuance - breakage,
        total=total,
        charged=tally.flows.charged[merchant_id],
    )


def _disputes(tally: Tally, merchant_id: int) -> tuple[DisputeHeld, ...]:
    return tuple(
        DisputeHeld(acceptor=acceptor, redemption=redemption, au=-changed[merchant_id])
        for (acceptor, redemption), changed in sorted(tally.disputes.items())
        if changed[merchant_id]
    )


def _net(tally: Tally, merchant_id: int, opening: int) -> Net:
    position = tally.position(merchant_id)
    return Net(
        opening=opening,
        interchange=tally.flows.interchange[merchant_id].total(),
        fees=-tally.flows.accrued[merchant_id],
        settled=tally.flows.settled[merchant_id],
        position=position,
        lowest=tally.flows.peaks.lowest.get(merchant_id, opening),
    )


def _collateral(tally: Tally, merchant_id: int) -> Collateral:
    merchant = tally.registry.merchants[merchant_id]
    promised = -tally.money[Family.PROMISED, merchant_id]
    posted = merchant.credit_limit_au
    counted = None if posted is None else posted * merchant.haircut_bps // BPS
    return Collateral(
        posted=posted,
        haircut_bps=merchant.haircut_bps,
        counted=counted,
        promised=promised,
        headroom=None if counted is None else counted + tally.position(merchant_id) - promised,
    )
