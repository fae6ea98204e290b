"""Enrol a member. The verb; called by the book. A member's number is the journal position that enrolled it."""

from __future__ import annotations

from ledger.commands import Enrol
from ledger.entry import Entry
from ledger.refusals import Refused
from ledger.wants import Wants


def wants(command: Enrol, want: Wants) -> None:
    want.members.add(command.member)


def enrol(command: Enrol, entry: Entry) -> dict[str, int | str]:
    """Refusals: member-exists."""
    if entry.slice.members[command.member] is not None:
        raise Refused("member-exists", "member", member=command.member)
    entry.enrol(command.member)
    return {"member_no": entry.seq}
