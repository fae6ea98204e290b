"""Resolve dispute: a disputed redemption stands and re-enters the net, or falls and its points are the member's again,
of a member who has left their issuers'. The verb; called by the book.
"""

from __future__ import annotations

from msgspec.structs import replace

from ledger.commands import ResolveDispute
from ledger.entry import Entry
from ledger.points import drawn, redemptions
from ledger.records import Redemption
from ledger.refusals import Refused
from ledger.wants import Wants


def wants(command: ResolveDispute, want: Wants) -> None:
    redemptions.wants_existing(command.merchant_id, command.redemption, want)


def resolve_dispute(command: ResolveDispute, entry: Entry) -> dict[str, int | str]:
    """Refusals in order: redemption-unknown, not-disputed."""
    record = redemptions.existing(entry.slice, command.merchant_id, command.redemption)
    if record.state != redemptions.DISPUTED:
        raise Refused("not-disputed", "redemption", redemption=command.redemption, state=record.state)
    if command.stands:
        return _stands(command, entry, record)
    return redemptions.release(entry, command.merchant_id, command.redemption, record)


def _stands(command: ResolveDispute, entry: Entry, record: Redemption) -> dict[str, int | str]:
    """New legs with the same figures, whatever became of the member meanwhile."""
    deal = drawn.of(entry.slice, command.merchant_id, record)
    for each in record.draws:
        drawn.unhold(entry, deal, each)
    captured = [drawn.capture(entry, deal, each) for each in record.draws]
    drawn.show(entry, captured)
    name = redemptions.name(command.merchant_id, command.redemption)
    entry.record(name, replace(record, state=redemptions.CAPTURED, draws=tuple(captured)))
    return {"au": drawn.total(captured), "fee_au": sum(each.fee_au for each in captured)}
