"""Redemptions as commands, from authorisation to dispute. Called by `api.redemptions`."""

from __future__ import annotations

from api.commands import Asked
from api.parse import milliseconds
from api.problems import invalid
from api.shapes.spending import (
    CancelCaptured,
    CaptureHold,
    DisputeRedemption,
    Redemption,
    ResolveRedemption,
    VoidHold,
)
from ledger.commands import Authorize, CancelRedemption, Capture, Dispute, Redeem, ResolveDispute, Void

HOLD_MINUTES_USUAL = 15
_MINUTE_MS = 60_000


def redemption(body: Redemption, asked: Asked) -> Redeem | Authorize:
    """Redeem where it is captured at once or only tried, Authorize where it is held first."""
    if body.mode == "authorize":
        return _authorize(body, asked)
    if body.hold_until is not None:
        raise invalid("/hold_until", "goes with the mode authorize alone")
    return Redeem(
        key=asked.key,
        at_ms=asked.at_ms,
        merchant_id=asked.merchant_id,
        member=body.member,
        redemption=body.redemption,
        au=body.au,
        at_most=body.at_most,
        over_limit=body.over_limit,
    )


def _authorize(body: Redemption, asked: Asked) -> Authorize:
    until_ms = asked.at_ms + HOLD_MINUTES_USUAL * _MINUTE_MS
    if body.hold_until is not None:
        until_ms = milliseconds(body.hold_until, pointer="/hold_until")
    return Authorize(
        key=asked.key,
        at_ms=asked.at_ms,
        merchant_id=asked.merchant_id,
        member=body.member,
        redemption=body.redemption,
        au=body.au,
        hold_until_ms=until_ms,
        at_most=body.at_most,
        over_limit=body.over_limit,
    )


def capture(body: CaptureHold, asked: Asked) -> Capture:
    """Carry out what was authorised."""
    return Capture(
        key=asked.key,
        at_ms=asked.at_ms,
        merchant_id=asked.merchant_id,
        redemption=asked.named["redemption"],
        au=body.au,
    )


def void(_body: VoidHold, asked: Asked) -> Void:
    """Call off what was authorised."""
    return Void(key=asked.key, at_ms=asked.at_ms, merchant_id=asked.merchant_id, redemption=asked.named["redemption"])


def cancel(body: CancelCaptured, asked: Asked) -> CancelRedemption:
    """Give a captured redemption back, in whole or in part."""
    return CancelRedemption(
        key=asked.key,
        at_ms=asked.at_ms,
        merchant_id=asked.merchant_id,
        redemption=asked.named["redemption"],
        cancellation=body.cancellation,
        au=body.au,
    )


def dispute(body: DisputeRedemption, asked: Asked) -> Dispute:
    """The caller is the issuer that disputes; the acceptor is named, because redemptions are named by acceptors."""
    return Dispute(
        key=asked.key,
        at_ms=asked.at_ms,
        merchant_id=body.acceptor,
        redemption=asked.named["redemption"],
        by_merchant_id=asked.merchant_id,
    )


def resolve(body: ResolveRedemption, asked: Asked) -> ResolveDispute:
    """The alliance decides."""
    return ResolveDispute(
        key=asked.key,
        at_ms=asked.at_ms,
        merchant_id=body.acceptor,
        redemption=asked.named["redemption"],
        stands=body.stands,
    )
