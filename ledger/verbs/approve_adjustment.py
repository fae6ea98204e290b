"""Approve an adjustment: a second person lets it happen, as things are now. The verb; called by the book."""

from __future__ import annotations

import msgspec

from ledger.commands import ApproveAdjustment
from ledger.entry import Entry
from ledger.members import membership
from ledger.points import corrections
from ledger.refusals import Refused
from ledger.wants import Wants


def wants(command: ApproveAdjustment, want: Wants) -> None:
    want.merchants.add(command.issuer_id)
    want.records.add(corrections.name(command.issuer_id, command.adjustment))


def approve_adjustment(command: ApproveAdjustment, entry: Entry) -> dict[str, int | str]:
    """Refusals in order: merchant-unknown, adjustment-unknown, adjustment-decided, same-person, member-closed,
    merchant-frozen, terms-missing, balance-too-low, issuer-over-limit.
    """
    record = corrections.waiting(entry.slice, command.issuer_id, command.adjustment)
    if record.by == command.by:
        raise Refused("same-person", "by", by=command.by)
    member = membership.known(entry.slice, record.member, "adjustment")
    merchant = entry.slice.registry.merchants[command.issuer_id]
    why = corrections.carry_out(entry, merchant, member, record.points)
    done = msgspec.structs.replace(record, state=corrections.DONE)
    entry.record(corrections.name(command.issuer_id, command.adjustment), done)
    return why | {"state": done.state, "reason": record.reason}
