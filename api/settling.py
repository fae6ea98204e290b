"""Settlement for those who run it: where batches, transactions, collateral and mirrors stand, and the alerts. Mounted
by `api.app`.

Invariant: the operator's alone; everything is read from rows, no chain is asked here, and nothing is written but who
looks after an alert.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import anyio.to_thread
import msgspec
from fastapi import APIRouter, Depends, Request, Response

from api.auth import Caller, allowed
from api.door import Door, door_of
from api.openapi import CURSOR, LIMIT, NUMBER_SCHEMA, PathText, documented, in_path
from api.paging import Below, below_of, one_page
from api.parse import BODY_BYTES_MAX, body_of, decode, moment, no_parameters, number_in
from api.problems import Problem
from api.shapes.settling import (
    AcknowledgeAlert,
    AlertOut,
    AlertsOut,
    BatchesInStateOut,
    ChainOut,
    ClaimOut,
    CollateralOut,
    CostOut,
    DebtOut,
    MirrorOut,
    OnTheWayOut,
    SettlementOut,
)
from settlement.watch.alerts import CODES, AlertRow, acknowledge, alerts
from settlement.watch.claims import Claim, Debt
from settlement.watch.overview import Overview, overview

router = APIRouter()
OPERATOR = Annotated[Caller, Depends(allowed("settlement:read"))]
WATCHER = Annotated[Caller, Depends(allowed("alerts:acknowledge"))]
_decoder = msgspec.json.Decoder(AcknowledgeAlert)
_encode = msgspec.json.Encoder().encode


@router.get(
    "/v1/settlement",
    **documented(
        "Settlement at a glance",
        "Batches by state and age, what transactions cost, what is on its way, what defaults left open, and the chain,"
        " collateral and mirrors as the last reconciliation saw them.",
        gives=(200, "As it stands now", "SettlementOut"),
        codes=("field-invalid",),
    ),
)
def get_settlement(request: Request, _caller: OPERATOR) -> Response:
    no_parameters(request)
    with door_of(request).reading() as connection:
        seen = overview(connection)
    return Response(_encode(_shown(seen)), media_type="application/json")


@router.get(
    "/v1/alerts",
    **documented(
        "Alerts of settlement",
        "What does not agree between ledger, batches and chain, or goes on no longer by itself; resolved ones included,"
        " newest first.",
        gives=(200, "A page", "AlertsOut"),
        parameters=(CURSOR, LIMIT),
        codes=("field-invalid",),
    ),
)
def get_alerts(request: Request, _caller: OPERATOR) -> Response:
    below, limit = below_of(request)
    with door_of(request).reading() as connection:
        rows = alerts(connection, resolved=True, limit=limit + 1, before=below)
    page, more = one_page(rows, limit, lambda each: Below(each.id))
    return Response(
        _encode(AlertsOut(data=[_alert(row) for row in page], next_cursor=more)), media_type="application/json"
    )


@router.post(
    "/v1/alerts/{alert}/acknowledge",
    name="post_acknowledge",
    **documented(
        "Look after an alert",
        "Who looks after it is written down, the first who says so. It stays open until what it tells is no longer"
        " found.",
        gives=(200, "As it stands now", "AlertOut"),
        parameters=(in_path("alert", NUMBER_SCHEMA, "7"),),
        takes="AcknowledgeAlert",
        example={"by": "lin"},
        codes=("field-invalid", "alert-unknown"),
    ),
)
async def post_acknowledge(request: Request, alert: PathText, _caller: WATCHER) -> Response:
    no_parameters(request)
    number = number_in(alert, pointer="#path/alert")
    body = decode(_decoder, await body_of(request, bytes_max=BODY_BYTES_MAX))
    found = await anyio.to_thread.run_sync(_acknowledged, door_of(request), number, body.by)
    return Response(_encode(_alert(found)), media_type="application/json")


def _acknowledged(door: Door, number: int, by: str) -> AlertRow:
    with door.pool.connection() as connection:
        found = acknowledge(connection, number, by=by)
    if found is None:
        raise Problem("alert-unknown", f"There is no alert {number}.")
    return found


def _shown(seen: Overview) -> SettlementOut:
    look: dict[str, Any] = seen.look or {}
    return SettlementOut(
        batches=[
            BatchesInStateOut(
                state=each.state.lower(), count=each.count, first_no=each.first_no, oldest_at=_second(each.oldest_at)
            )
            for each in seen.states
        ],
        costs=[CostOut(kind=each.kind, count=each.count, gas=str(each.gas), wei=str(each.wei)) for each in seen.costs],
        on_the_way=[
            OnTheWayOut(
                nonce=each.nonce,
                purpose=each.purpose,
                batch_no=each.batch_no,
                offers=each.offers,
                max_fee_wei=str(each.max_fee_wei),
                sent_at=_moment(each.sent_at),
                asked_at=_moment(each.asked_at),
            )
            for each in seen.on_the_way
        ],
        alerts_open=seen.alerts_open,
        claims=[_claim(each) for each in seen.claims],
        debts=[_debt(each) for each in seen.debts],
        watched_block=seen.watched_block,
        looked_at=_moment(seen.looked_at),
        chain=_chain(look) if look else None,
        collateral=[_collateral(each) for each in look.get("collateral", [])],
        mirrors=[
            MirrorOut(place=each["place"], behind=each["behind"], down=each["down"]) for each in look.get("mirrors", [])
        ],
    )


def _claim(each: Claim) -> ClaimOut:
    return ClaimOut(
        default_id=each.default_id,
        creditor_id=each.creditor_id,
        cut=str(each.cut),
        recovered=str(each.recovered),
        collected=str(each.collected),
    )


def _debt(each: Debt) -> DebtOut:
    return DebtOut(
        default_id=each.default_id,
        merchant_id=each.merchant_id,
        missing=str(each.missing),
        repaid=str(each.repaid),
    )


def _chain(look: dict[str, Any]) -> ChainOut:
    head, final = look["head"], look["final"]
    return ChainOut(
        head_block=head["number"],
        final_block=final["number"],
        lag_s=head["timestamp"] - final["timestamp"],
        next_batch_no=look["next_batch_no"],
        next_final_no=look["next_final_no"],
        hub_held=str(look["held"]),
        hub_owed=str(look["owed"]),
        operator_bond=str(look["operator_bond"]),
        gas_money_wei=str(look["gas_money_wei"]),
        nonce_latest=look["nonce_latest"],
        nonce_pending=look["nonce_pending"],
    )


def _collateral(each: dict[str, Any]) -> CollateralOut:
    return CollateralOut(
        merchant_id=each["merchant_id"],
        free=str(each["free"]),
        locked=str(each["locked"]),
        floor=str(each["floor"]),
        owed=str(each["owed"]),
        leaving=str(each.get("leaving", 0)),  # looks that were kept before it was looked for have none
        leaving_at=each.get("leaving_at") or None,
    )


def _alert(row: AlertRow) -> AlertOut:
    return AlertOut(
        id=row.id,
        code=row.code,
        meaning=CODES[row.code][1] if row.code in CODES else "",
        severity=row.severity,
        place=row.place,
        expected=row.expected,
        actual=row.actual,
        first_seen=row.first_seen.isoformat(),
        last_seen=row.last_seen.isoformat(),
        resolved_at=_moment(row.resolved_at),
        acknowledged_at=_moment(row.acknowledged_at),
        acknowledged_by=row.acknowledged_by,
    )


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _second(at: int) -> str:
    return moment(at * 1_000)
