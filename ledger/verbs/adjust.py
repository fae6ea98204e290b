"""Adjust: a correction with its reason. The verb; called by the book.

Over the issuer's threshold nothing is posted: the correction waits for a second person. The threshold counts what one
person does alone on a day, or a large correction would be several small ones. Its name is used either way.
"""

from __future__ import annotations

from ledger.commands import Adjust
from ledger.entry import Entry
from ledger.members import membership
from ledger.points import corrections
from ledger.records import AdjustDay, Adjustment
from ledger.refusals import Refused
from ledger.wants import Wants


def wants(command: Adjust, want: Wants) -> None:
    want.member_with(command.member, command.issuer_id)
    want.spenders.add(command.member)
    want.records |= {corrections.name(command.issuer_id, command.adjustment), corrections.day_name(command)}


def adjust(command: Adjust, entry: Entry) -> dict[str, int | str]:
    """Refusals in order: merchant-unknown, member-unknown, member-closed, adjustment-exists, adjustment-zero,
    merchant-frozen; unless it waits: terms-missing, balance-too-low, issuer-over-limit.
    """
    merchant = entry.slice.registry.merchants.get(command.issuer_id)
    if merchant is None:
        raise Refused("merchant-unknown", "issuer_id", issuer_id=command.issuer_id)
    member = membership.known(entry.slice, command.member)
    if corrections.called(entry.slice, command.issuer_id, command.adjustment) is not None:
        raise Refused("adjustment-exists", "adjustment", adjustment=command.adjustment)
    if not command.points:
        raise Refused("adjustment-zero", "points")
    if command.points > 0 and entry.slice.registry.is_frozen(command.issuer_id):
        raise Refused("merchant-frozen", "issuer_id", issuer_id=command.issuer_id)
    alone_max = merchant.adjust_alone_max
    alone = corrections.alone_after(entry.slice, command)
    waits = alone_max is not None and alone > alone_max
    why: dict[str, int | str] = {"points": command.points}
    if not waits:
        why = corrections.carry_out(entry, merchant, member, command.points)
    record = Adjustment(
        issuer=command.issuer_id,
        member=command.member,
        points=command.points,
        reason=command.reason,
        by=command.by,
        state=corrections.WAITING if waits else corrections.DONE,
    )
    entry.record(corrections.name(command.issuer_id, command.adjustment), record)
    if alone_max is not None and not waits:
        entry.record(corrections.day_name(command), AdjustDay(points=alone))
    return why | {"state": record.state, "reason": command.reason}
