"""Close a merchant: the run-off of a frozen issuer ends. The verb; called by the book.

What its points were still worth is recorded as claims: points in members' hands and pending, their worth at the newest
terms, its position, what the reserve holds for all issuers. Afterwards it accepts nothing, and redemptions and
exchanges leave its lots out. Nothing is taken from members or paid to anybody: positions go on summing to zero, lots
end by expiry, and who pays the claims is decided outside, by the default waterfall.
"""

from __future__ import annotations

from ledger import accounts
from ledger.commands import CloseMerchant
from ledger.entry import Entry
from ledger.points.limits import position
from ledger.points.lots import value_au
from ledger.records import Claims, RecordKind, RecordName
from ledger.refusals import Refused
from ledger.wants import Wants
from proofs.accounts import RESERVE_ID

_NAME = "closing"


def wants(command: CloseMerchant, want: Wants) -> None:
    want.merchants.add(command.merchant_id)


def close_merchant(command: CloseMerchant, entry: Entry) -> dict[str, int | str]:
    """Refusals in order: merchant-unknown, merchant-not-frozen, merchant-closed."""
    state, issuer = entry.slice, command.merchant_id
    if issuer not in state.registry.merchants:
        raise Refused("merchant-unknown", "merchant_id", merchant_id=issuer)
    if not state.registry.is_frozen(issuer):
        raise Refused("merchant-not-frozen", "merchant_id", merchant_id=issuer)
    if state.registry.is_closed(issuer):
        raise Refused("merchant-closed", "merchant_id", merchant_id=issuer)
    points = -state.accounts[accounts.outstanding(issuer)][1]
    terms = state.registry.terms_at(issuer, command.at_ms)
    claims = Claims(
        at_ms=command.at_ms,
        points=points,
        pending=-state.accounts[accounts.pendings(issuer)][1],
        au=value_au(max(0, points), terms) if terms else 0,
        position_au=position(state, issuer),
        reserve_au=state.accounts[accounts.cash(RESERVE_ID)][1],
    )
    entry.configure(command)
    entry.record(RecordName(RecordKind.CLAIMS.value, issuer, _NAME), claims)
    return {
        "points": claims.points,
        "pending": claims.pending,
        "au": claims.au,
        "position_au": claims.position_au,
        "reserve_au": claims.reserve_au,
    }
