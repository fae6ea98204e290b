"""Reject an adjustment: it never happens, and its name stays used. The verb; called by the book."""

from __future__ import annotations

import msgspec

from ledger.commands import RejectAdjustment
from ledger.entry import Entry
from ledger.points import corrections
from ledger.wants import Wants


def wants(command: RejectAdjustment, want: Wants) -> None:
    want.merchants.add(command.issuer_id)
    want.records.add(corrections.name(command.issuer_id, command.adjustment))


def reject_adjustment(command: RejectAdjustment, entry: Entry) -> dict[str, int | str]:
    """Refusals in order: merchant-unknown, adjustment-unknown, adjustment-decided. Who asked may drop it alone."""
    record = corrections.waiting(entry.slice, command.issuer_id, command.adjustment)
    rejected = msgspec.structs.replace(record, state=corrections.REJECTED)
    entry.record(corrections.name(command.issuer_id, command.adjustment), rejected)
    return {"points": record.points, "state": rejected.state, "reason": record.reason}
