"""Puts the report together from the journal, the settlement's records and the auditor's answer.

Invariants: merchants appear by code; nets are what the chain has finalised, in AU, and a net that is not a whole number
of AU would be an error of ours; a second run over the same ledger tells the same figures but for the seconds. Who may
call: the demo's run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from api.demo import report
from api.demo.figures import Figures, gather
from api.demo.purchases import Rejects, Survey
from api.demo.replay import Tally
from ledger import queries
from ledger.commands import OpenMerchant
from ledger.queries import Position
from ledger.verify import Invariant
from proofs.accounts import OPERATOR_ID
from proofs.kinds import BASE_UNITS_PER_AU
from settlement.status import BatchStatus, status
from settlement.steps import State

OPERATOR = "operator"
FINALISED = State.FINALISED.name
NOTHING_OWED = Position(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Played:
    """One file's way through the ledger."""

    source: str
    survey: Survey
    tally: Tally
    rejects: Rejects


def summarise(
    conn: psycopg.Connection[Any],
    played: Played,
    invariants: Sequence[Invariant],
    audited: report.Audit,
    seconds: Mapping[str, float],
    *,
    tiers: report.Tiers,
) -> report.Report:
    """The whole report as of now."""
    gathered, batches, merchants = gather(conn), status(conn), queries.merchants(conn)
    codes = {merchant.merchant_id: merchant.code for merchant in merchants} | {OPERATOR_ID: OPERATOR}
    nets, positions = _nets(batches), queries.positions(conn)
    return report.Report(
        alliance=report.Alliance(played.survey.currency, len(merchants), gathered.members),
        events=_events(played),
        points={merchant.code: _merchant(merchant, gathered, nets, positions) for merchant in merchants},
        payments=gathered.payments,
        operator_au=nets[OPERATOR_ID],
        nets={code: nets[party] for party, code in codes.items()},
        moved=moved([_settled(batch) for batch in batches]),
        flows_au=_flows(gathered, codes),
        months=_months(gathered),
        batches=[_batch(batch) for batch in batches],
        gas=_gas(batches),
        invariants={each.name: report.Invariant(each.held, each.detail) for each in invariants},
        audit=audited,
        seconds={name: int(spent * 1_000) / 1_000 for name, spent in seconds.items()},
        events_per_second=int(played.tally.taken / seconds["replay"]),
        tiers=tiers,
    )


def _events(played: Played) -> report.Events:
    tally, rejects = played.tally, played.rejects
    return report.Events(
        source=played.source,
        taken=tally.taken,
        added=tally.taken - tally.replayed,
        refused=rejects.total,
        purchases=tally.purchases,
        refunds=tally.refunds,
        refunds_without_origin=tally.without_origin,
        redemptions=tally.redemptions,
        nothing_to_redeem=tally.nothing_to_redeem,
        refused_by_code=dict(rejects.by_code),
        rejects=str(rejects.path),
    )


def _merchant(
    opened: OpenMerchant, gathered: Figures, nets: Mapping[int, int], positions: Mapping[int, Position]
) -> report.Merchant:
    number = opened.merchant_id
    points = gathered.points[number]
    foreign = {pair: au for pair, au in gathered.flows.items() if pair[0] != pair[1]}
    return report.Merchant(
        id=number,
        name=opened.name,
        issued=points.issued,
        used=points.used,
        used_at_home=points.used_at_home,
        taken_back=points.taken_back,
        outstanding=points.outstanding,
        accepted_au=sum(au for (_issuer, acceptor), au in foreign.items() if acceptor == number),
        redeemed_elsewhere_au=sum(au for (issuer, _acceptor), au in foreign.items() if issuer == number),
        fees_au=gathered.fees[number],
        position_au=positions.get(number, NOTHING_OWED).total,
        net_au=nets[number],
    )


def _nets(batches: Sequence[BatchStatus]) -> Counter[int]:
    """What settling batches have moved, by party, in AU."""
    nets: Counter[int] = Counter()
    for settled in map(_settled, batches):
        nets.update(settled)
    return nets


def moved(settled: Sequence[Mapping[int, int]]) -> report.Moved:
    """What changed hands, batch by batch, from the nets of each in AU: a receiver of one may be a payer of the next."""
    return report.Moved(
        settlements=sum(bool(nets) for nets in settled),
        au=sum(au for nets in settled for au in nets.values() if au > 0),
        to_operator_au=sum(max(0, nets.get(OPERATOR_ID, 0)) for nets in settled),
    )


def _settled(batch: BatchStatus) -> dict[int, int]:
    """What one batch has moved, by party, in AU; nothing before it is final."""
    settled: dict[int, int] = {}
    for party, amount in batch.nets if batch.state == FINALISED else []:
        settled[party], rest = divmod(amount, BASE_UNITS_PER_AU)
        assert rest == 0, (batch.batch_no, party)
    return settled


def _flows(gathered: Figures, codes: Mapping[int, str]) -> dict[str, dict[str, int]]:
    flows: dict[str, dict[str, int]] = {}
    for (issuer, acceptor), au in sorted(gathered.flows.items()):
        flows.setdefault(codes[issuer], {})[codes[acceptor]] = au
    return flows


def _months(gathered: Figures) -> list[report.Month]:
    """Months in which something was bought or brought back; the founding is none."""
    return [
        report.Month(name, month.purchases, month.refunds, month.redeemed_au)
        for name, month in sorted(gathered.months.items())
        if month.purchases or month.refunds
    ]


def _batch(batch: BatchStatus) -> report.Batch:
    return report.Batch(
        number=batch.batch_no,
        leaves=batch.leaf_count,
        settling=batch.settling,
        state=batch.state,
        gas=batch.gas_used,
        header_hash=f"0x{batch.header_hash.hex()}",
    )


def _gas(batches: Sequence[BatchStatus]) -> report.Gas:
    """Of the batches' transactions; founding the alliance is paid once and not an event's cost."""
    by_purpose: Counter[str] = Counter()
    for batch in batches:
        for transaction in batch.transactions:
            by_purpose[transaction.purpose.split(":")[0]] += transaction.gas_used or 0
    leaves = sum(batch.leaf_count for batch in batches)
    return report.Gas(by_purpose.total(), dict(by_purpose), by_purpose.total() // max(1, leaves))
