"""Let a frozen member spend again. The verb; called by the book."""

from __future__ import annotations

from ledger.commands import UnfreezeMember
from ledger.entry import Entry
from ledger.members import membership
from ledger.refusals import Refused
from ledger.wants import Wants


def wants(command: UnfreezeMember, want: Wants) -> None:
    want.members.add(command.member)


def unfreeze_member(command: UnfreezeMember, entry: Entry) -> dict[str, int | str]:
    """Refusals in order: member-unknown, member-closed, member-not-frozen."""
    member = membership.known(entry.slice, command.member)
    if not member.frozen:
        raise Refused("member-not-frozen", "member", member=command.member)
    member.frozen = False
    entry.change_member(member)
    return {}
