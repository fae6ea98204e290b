"""Transfers, exchanges, adjustments and opening balances as commands. Called by `api.movements` and
`api.adjustments`.
"""

from __future__ import annotations

from api.commands import Asked
from api.parse import milliseconds
from api.problems import invalid
from api.shapes.moving import Adjustment, AdjustmentDecision, MemberTransfer, OpeningBalance, PointsExchange
from ledger.commands import Adjust, ApproveAdjustment, Exchange, OpenBalance, RejectAdjustment, Transfer


def transfer(body: MemberTransfer, asked: Asked) -> Transfer:
    """Of the caller's own points."""
    return Transfer(
        key=asked.key,
        at_ms=asked.at_ms,
        transfer=body.transfer,
        issuer_id=asked.merchant_id,
        from_member=body.from_member,
        to_member=body.to_member,
        points=body.points,
    )


def exchange(body: PointsExchange, asked: Asked) -> Exchange:
    """Into or out of the caller's own points: nobody else has a say in what these two promised."""
    if asked.merchant_id not in {body.from_issuer, body.to_issuer}:
        raise invalid("/to_issuer", "neither of the two issuers is the caller")
    return Exchange(
        key=asked.key,
        at_ms=asked.at_ms,
        exchange=body.exchange,
        member=body.member,
        from_issuer_id=body.from_issuer,
        to_issuer_id=body.to_issuer,
        points=body.points,
    )


def adjust(body: Adjustment, asked: Asked) -> Adjust:
    """A correction of the caller's own points."""
    return Adjust(
        key=asked.key,
        at_ms=asked.at_ms,
        adjustment=body.adjustment,
        issuer_id=asked.merchant_id,
        member=body.member,
        points=body.points,
        reason=body.reason,
        by=body.by,
    )


def approve(body: AdjustmentDecision, asked: Asked) -> ApproveAdjustment:
    """A second person lets it happen."""
    return ApproveAdjustment(
        key=asked.key,
        at_ms=asked.at_ms,
        adjustment=asked.named["adjustment"],
        issuer_id=asked.merchant_id,
        by=body.by,
    )


def reject(body: AdjustmentDecision, asked: Asked) -> RejectAdjustment:
    """It is dropped."""
    return RejectAdjustment(
        key=asked.key,
        at_ms=asked.at_ms,
        adjustment=asked.named["adjustment"],
        issuer_id=asked.merchant_id,
        by=body.by,
    )


def opening_balance(body: OpeningBalance, asked: Asked) -> OpenBalance:
    """Points from the caller's old system."""
    expires_at = body.expires_at
    return OpenBalance(
        key=asked.key,
        at_ms=asked.at_ms,
        source=body.source,
        issuer_id=asked.merchant_id,
        member=body.member,
        points=body.points,
        expires_at_ms=None if expires_at is None else milliseconds(expires_at, pointer="/expires_at"),
    )
