"""Set collateral: what a merchant has on the chain counts behind its debts, where that is less than its limit. The
verb; called by the book.

It moves nothing and refuses nothing that was taken before: who owes more already gets no further into debt.
"""

from __future__ import annotations

from ledger.commands import SetCollateral
from ledger.entry import Entry
from ledger.refusals import Refused
from ledger.wants import Wants


def wants(command: SetCollateral, want: Wants) -> None:
    want.merchants.add(command.merchant_id)


def set_collateral(command: SetCollateral, entry: Entry) -> dict[str, int | str]:
    """Refusals in order: merchant-unknown."""
    if command.merchant_id not in entry.slice.registry.merchants:
        raise Refused("merchant-unknown", "merchant_id", merchant_id=command.merchant_id)
    entry.configure(command)
    return {"merchant_id": command.merchant_id, "collateral_au": command.collateral_au}
