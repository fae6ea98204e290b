"""Close a member for good, with nothing left, nothing pending, nothing held and nothing owed. The verb; called by the
book.

Whatever names the member afterwards is refused. What it stood for stays: bonds below it, orders, the journal.
"""

from __future__ import annotations

from ledger import accounts
from ledger.commands import CloseMember
from ledger.entry import Entry
from ledger.members import membership
from ledger.refusals import Refused
from ledger.slice import Member
from ledger.wants import Wants


def wants(command: CloseMember, want: Wants) -> None:
    want.members.add(command.member)
    want.everywhere.add(command.member)


def close_member(command: CloseMember, entry: Entry) -> dict[str, int | str]:
    """Refusals in order: member-unknown, member-closed, member-not-empty (naming the first issuer with anything)."""
    member = membership.known(entry.slice, command.member)
    for issuer in sorted(entry.slice.registry.merchants):
        _nothing_left(entry, issuer, member)
    member.closed = True
    entry.change_member(member)
    return {}


def _nothing_left(entry: Entry, issuer: int, member: Member) -> None:
    balances = entry.slice.accounts
    confirmed, pending, held = (
        balances[name(issuer, member.no)][1] for name in (accounts.member, accounts.pending, accounts.held)
    )
    if confirmed or pending or held:
        raise Refused("member-not-empty", "member", issuer=issuer, confirmed=confirmed, pending=pending, held=held)
