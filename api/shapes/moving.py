"""Points that change hands or currency, and corrections: the bodies. Data only.

Decoded and documented by `api.movements` and `api.adjustments`.
"""

from __future__ import annotations

from api.shapes.values import Body, Correction, MerchantNo, Moment, Name, Points, Reason, Taken


class MemberTransfer(Body, frozen=True, kw_only=True):
    """The caller's points go from one member to another; each lot keeps its rate and expiry."""

    transfer: Name
    from_member: Name
    to_member: Name
    points: Points


class PointsExchange(Taken, frozen=True, kw_only=True):
    """Up to `points` of one issuer become points of another at the published rate, the fewest that give as many. The
    caller is one of the two.
    """

    exchange: Name
    from_issuer: MerchantNo
    to_issuer: MerchantNo
    points: Points


class Adjustment(Taken, frozen=True, kw_only=True):
    """A correction of the caller's points, with its reason, by the person `by`. What brings this person's
    corrections of the day (UTC) above the caller's threshold waits for a second person.
    """

    adjustment: Name
    points: Correction
    reason: Reason
    by: Name


class AdjustmentDecision(Body, frozen=True, kw_only=True):
    """A person decides on an adjustment that waits; to approve it takes another one than who made it."""

    by: Name


class OpeningBalance(Taken, frozen=True, kw_only=True):
    """Points that a member brings from the caller's old system, once for each `source`, which names the system or one
    run out of it; `expires_at` null: as if they were confirmed now.
    """

    source: Name
    points: Points
    expires_at: Moment | None = None
