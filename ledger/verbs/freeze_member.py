"""Freeze a member: it may earn, and not spend, transfer or exchange until unfrozen. The verb; called by the book."""

from __future__ import annotations

from ledger.commands import FreezeMember
from ledger.entry import Entry
from ledger.members import membership
from ledger.wants import Wants


def wants(command: FreezeMember, want: Wants) -> None:
    want.members.add(command.member)


def freeze_member(command: FreezeMember, entry: Entry) -> dict[str, int | str]:
    """Refusals in order: member-unknown, member-closed, member-frozen."""
    member = membership.spender(entry.slice, command.member)
    member.frozen = True
    entry.change_member(member)
    return {"reason": command.reason}
