"""Freeze a merchant: an issuer that leaves stops issuing. The verb; called by the book.

From this journal position on nothing of its points comes about any more, whatever the time of the event says; orders it
took before are confirmed and refunded as promised. Its points stay redeemable everywhere, and it goes on accepting.
"""

from __future__ import annotations

from ledger.commands import FreezeMerchant
from ledger.entry import Entry
from ledger.refusals import Refused
from ledger.wants import Wants


def wants(command: FreezeMerchant, want: Wants) -> None:
    want.merchants.add(command.merchant_id)


def freeze_merchant(command: FreezeMerchant, entry: Entry) -> dict[str, int | str]:
    """Refusals in order: merchant-unknown, merchant-frozen."""
    registry = entry.slice.registry
    if command.merchant_id not in registry.merchants:
        raise Refused("merchant-unknown", "merchant_id", merchant_id=command.merchant_id)
    if registry.is_frozen(command.merchant_id):
        raise Refused("merchant-frozen", "merchant_id", merchant_id=command.merchant_id)
    entry.configure(command)
    return {"merchant_id": command.merchant_id, "reason": command.reason}
