"""Commands by which points are used, promised, given back and argued about. No behaviour.

A redemption is named by its acceptor; authorised, it is a hold that resolves once: captured, voided or lapsed.
"""

from __future__ import annotations

from typing import Literal

from ledger.commands.command import Command
from ledger.units import Id, Millis, Name, Positive

OverLimit = Literal["skip", "decline"]


class Redeem(Command, frozen=True, kw_only=True, gc=False, tag="redeem"):
    """A member pays `au` at a merchant with points of any issuers, captured at once.

    `at_most`: draw what is there, up to `au`. `over_limit`: when an issuer's collateral cannot bear its leg, skip that
    issuer's lots or decline.
    """

    merchant_id: Id
    member: Name
    redemption: Name
    au: Positive
    at_most: bool = False
    over_limit: OverLimit = "skip"


class Authorize(Command, frozen=True, kw_only=True, gc=False, tag="authorize"):
    """As Redeem, but the points are only held, until `hold_until_ms`, exclusive."""

    merchant_id: Id
    member: Name
    redemption: Name
    au: Positive
    hold_until_ms: Millis
    at_most: bool = False
    over_limit: OverLimit = "skip"


class Capture(Command, frozen=True, kw_only=True, gc=False, tag="capture"):
    """An authorised redemption is carried out, whole or for `au` of it; what is not captured is free again."""

    merchant_id: Id
    redemption: Name
    au: Positive | None = None


class Void(Command, frozen=True, kw_only=True, gc=False, tag="void"):
    """An authorised redemption is called off by its acceptor: everything held is free again."""

    merchant_id: Id
    redemption: Name


class LapseHold(Command, frozen=True, kw_only=True, gc=False, tag="lapse_hold"):
    """The time of an authorised redemption is over: everything held is free again."""

    merchant_id: Id
    redemption: Name


class CancelRedemption(Command, frozen=True, kw_only=True, gc=False, tag="cancel_redemption"):
    """`au` of a captured redemption (None: all that is left of it) are given back: same lots, original expiry."""

    merchant_id: Id
    redemption: Name
    cancellation: Name
    au: Positive | None = None


class Dispute(Command, frozen=True, kw_only=True, gc=False, tag="dispute"):
    """`by_merchant_id`, an issuer drawn on, disputes a captured redemption: its legs leave the net until resolved."""

    merchant_id: Id
    redemption: Name
    by_merchant_id: Id


class ResolveDispute(Command, frozen=True, kw_only=True, gc=False, tag="resolve_dispute"):
    """The dispute ends: the redemption stands and its legs re-enter the net, or the points are the member's again."""

    merchant_id: Id
    redemption: Name
    stands: bool
