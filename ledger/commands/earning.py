"""Commands by which points come and are taken back. No behaviour."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from ledger.commands.command import Command
from ledger.commands.rewarding import Particulars
from ledger.units import AMOUNT_MAX, Id, Millis, Name, Positive

Reason = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[\x20-\x7e]+\Z")]
"""Why a correction was made, in printable ASCII."""


class Earn(Command, frozen=True, kw_only=True, gc=False, tag="earn"):
    """An order was paid. Its points are pending for the merchant's hold; with no hold they are confirmed in the same
    journal entry. `particulars` are for the merchant's rules; a merchant without rules leaves them out.
    """

    merchant_id: Id
    member: Name
    order: Name
    amount_minor: Positive
    particulars: Particulars | UnsetType = UNSET


class Confirm(Command, frozen=True, kw_only=True, gc=False, tag="confirm"):
    """The hold of an order is over: what still stands of its points becomes spendable."""

    order_merchant_id: Id
    order: Name


class CancelPending(Command, frozen=True, kw_only=True, gc=False, tag="cancel_pending"):
    """An order was called off before its hold was over: none of its points ever become spendable."""

    order_merchant_id: Id
    order: Name


class Refund(Command, frozen=True, kw_only=True, gc=False, tag="refund"):
    """Money was given back for `order` (None: its origin is unknown), so the points it earned go too."""

    merchant_id: Id
    member: Name
    refund: Name
    order: Name | None
    amount_minor: Positive


class OpenBalance(Command, frozen=True, kw_only=True, gc=False, tag="open_balance"):
    """Points a member brought from `source`, which names the issuer's old system or one run out of it: once per source
    and member. Valid until `expires_at_ms`, or as if confirmed now.
    """

    source: Name
    issuer_id: Id
    member: Name
    points: Positive
    expires_at_ms: Millis | None = None


class Adjust(Command, frozen=True, kw_only=True, gc=False, tag="adjust"):
    """A correction of `points`, up or down, with its reason, by `by`; where it brings what `by` corrected that day
    (UTC) over the issuer's threshold it waits for a second person.
    """

    adjustment: Name
    issuer_id: Id
    member: Name
    points: Annotated[int, Meta(ge=-AMOUNT_MAX, le=AMOUNT_MAX)]
    reason: Reason
    by: Name


class ApproveAdjustment(Command, frozen=True, kw_only=True, gc=False, tag="approve_adjustment"):
    """A second person lets a waiting adjustment happen."""

    adjustment: Name
    issuer_id: Id
    by: Name


class RejectAdjustment(Command, frozen=True, kw_only=True, gc=False, tag="reject_adjustment"):
    """A second person, or the first one, drops a waiting adjustment."""

    adjustment: Name
    issuer_id: Id
    by: Name
