"""Bind a member to who referred it, once and for good. The verb; called by the book.

First touch wins; the first purchase decides too. No purchase, fee or deposit changes anybody's place: this verb does.
"""

from __future__ import annotations

from ledger.commands import BindReferral
from ledger.entry import Entry
from ledger.members import membership, referral
from ledger.refusals import Refused
from ledger.slice import Member
from ledger.units import UPLINE_MEMBERS_MAX
from ledger.wants import Wants


def wants(command: BindReferral, want: Wants) -> None:
    want.members.update((command.member, command.referrer))
    want.bonds.append((command.member, command.referrer))


def bind_referral(command: BindReferral, entry: Entry) -> dict[str, int | str]:
    """Refusals in order: member-unknown, member-closed, referrer-unknown, self-referral, already-bound, bought-before,
    referral-cycle, chain-too-deep; member-closed of the referrer right after referrer-unknown.
    """
    member = membership.known(entry.slice, command.member)
    referrer = membership.known(entry.slice, command.referrer, "referrer")
    if referrer is member:
        raise Refused("self-referral", "referrer", member=command.member)
    if member.referrer is not None:
        raise Refused("already-bound", "member", referrer=entry.slice.person(member.referrer).name)
    if member.bonded:
        raise Refused("bought-before", "member", member=command.member)
    depth = _depth_below(entry, referrer, member)
    member.bonded = True
    member.referrer = referrer.no
    entry.rewire(member)
    return {"depth": depth}


def _depth_below(entry: Entry, referrer: Member, member: Member) -> int:
    """How many stand above `member` from now on."""
    chain = [referrer, *referral.above(entry.slice, referrer)]
    if member in chain:
        raise Refused("referral-cycle", "referrer", member=member.name, below=chain[chain.index(member) - 1].name)
    if len(chain) > UPLINE_MEMBERS_MAX:
        raise Refused("chain-too-deep", "referrer", members=len(chain), members_max=UPLINE_MEMBERS_MAX)
    return len(chain)
