"""Unfreeze a merchant: an issuer that was to leave stays, and issues again. The verb; called by the book.

Possible until it is closed: what its closing recorded as claims is for good.
"""

from __future__ import annotations

from ledger.commands import UnfreezeMerchant
from ledger.entry import Entry
from ledger.refusals import Refused
from ledger.wants import Wants


def wants(command: UnfreezeMerchant, want: Wants) -> None:
    want.merchants.add(command.merchant_id)


def unfreeze_merchant(command: UnfreezeMerchant, entry: Entry) -> dict[str, int | str]:
    """Refusals in order: merchant-unknown, merchant-not-frozen, merchant-closed."""
    registry = entry.slice.registry
    if command.merchant_id not in registry.merchants:
        raise Refused("merchant-unknown", "merchant_id", merchant_id=command.merchant_id)
    if not registry.is_frozen(command.merchant_id):
        raise Refused("merchant-not-frozen", "merchant_id", merchant_id=command.merchant_id)
    if registry.is_closed(command.merchant_id):
        raise Refused("merchant-closed", "merchant_id", merchant_id=command.merchant_id)
    entry.configure(command)
    return {"merchant_id": command.merchant_id}
