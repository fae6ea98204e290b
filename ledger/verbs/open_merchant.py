"""Open a merchant: its number, code, earning rate, fees and policy. The verb; called by the book."""

from __future__ import annotations

from ledger.commands import OpenMerchant
from ledger.entry import Entry
from ledger.refusals import Refused
from ledger.wants import Wants


def wants(command: OpenMerchant, want: Wants) -> None:
    want.merchants.add(command.merchant_id)


def open_merchant(command: OpenMerchant, entry: Entry) -> dict[str, int | str]:
    """Refusals in order: merchant-exists, code-taken."""
    registry = entry.slice.registry
    if command.merchant_id in registry.merchants:
        raise Refused("merchant-exists", "merchant_id", merchant_id=command.merchant_id)
    if command.code in registry.codes:
        raise Refused("code-taken", "code", code=command.code)
    entry.configure(command)
    return {"merchant_id": command.merchant_id}
