"""Paying with points, giving back, arguing about it: the bodies of redemptions and refunds. Data only.

Decoded and documented by `api.redemptions`.
"""

from __future__ import annotations

from typing import Literal

from api.shapes.values import Au, Body, MerchantNo, Moment, Money, Name, Taken


class Redemption(Taken, frozen=True, kw_only=True):
    """A member pays `au` with points of any issuers. `at_most`: use what is there, up to `au`.

    `mode` says how far it goes: `dry_run` only answers, `authorize` holds the points until `hold_until` (15 minutes
    when left out), `capture` takes them. `over_limit`: when an issuer's collateral cannot bear its part, leave that
    issuer's points out or decline.
    """

    redemption: Name
    au: Au
    at_most: bool = False
    mode: Literal["dry_run", "authorize", "capture"] = "capture"
    hold_until: Moment | None = None
    over_limit: Literal["skip", "decline"] = "skip"


class CaptureHold(Body, frozen=True, kw_only=True):
    """Carry out what was authorised, whole (null) or for `au` of it; the rest is free again."""

    au: Au | None = None


class VoidHold(Body, frozen=True, kw_only=True):
    """Call off what was authorised: everything held is free again."""


class CancelCaptured(Body, frozen=True, kw_only=True):
    """Give back `au` of a captured redemption, all that is left of it when null. `cancellation` is its own name."""

    cancellation: Name
    au: Au | None = None


class DisputeRedemption(Body, frozen=True, kw_only=True):
    """An issuer disputes a redemption of its points at `acceptor`: its legs leave the net until it is resolved."""

    acceptor: MerchantNo


class ResolveRedemption(Body, frozen=True, kw_only=True):
    """A dispute ends: the redemption stands and re-enters the net, or the points are the member's again."""

    acceptor: MerchantNo
    stands: bool


class RefundOrder(Taken, frozen=True, kw_only=True):
    """As the event order.refunded, for callers that think in requests."""

    refund: Name
    order: Name | None
    amount_minor: Money
