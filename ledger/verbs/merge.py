"""Merge: two members turn out to be one person; everything of the one passes to the other, and its name means the other
from now on. The verb; called by the book.

`into` keeps its place in the referral graph; if its referral is open, it takes the other's. Whoever was merged into
`member` before means `into` too. What moved is recorded, so that `unmerge` can take it back.
"""

from __future__ import annotations

from ledger import accounts
from ledger.commands import Merge
from ledger.entry import Entry
from ledger.members import membership, referral, uniting
from ledger.points import handover
from ledger.points.lots import draw_order, is_open
from ledger.records import MergeRecord, merge_name
from ledger.refusals import Refused
from ledger.slice import Member, Slice
from ledger.units import MERGED_MEMBERS_MAX
from ledger.wants import Wants


def wants(command: Merge, want: Wants) -> None:
    both = (command.member, command.into)
    want.members.update(both)
    want.spenders.update(both)
    want.everywhere.update(both)
    want.merging.append(both)


def merge(command: Merge, entry: Entry) -> dict[str, int | str]:
    """Refusals in order: member-unknown, member-closed, member-frozen, of `member` and then of `into`; same-member,
    merged-too-many, referral-cycle (`into` stands below `member`: merge the other way round), member-holds.
    """
    state = entry.slice
    member, into = membership.spender(state, command.member), membership.spender(state, command.into, "into")
    _check(state, member, into)
    own = sorted(filter(is_open, state.lots_of[into.no]), key=draw_order)
    planned = handover.plan(state, member, into)
    for debt in planned.debts:
        handover.post_debt(entry, debt)
    handover.post_lots(entry, planned.lots, member, into)
    handover.post_pending(entry, planned.pending, member, into)
    for debt in planned.debts:
        handover.change_lots(entry, debt.parts, -1)
    moved = [lot for lot, _ in planned.lots] + planned.pending
    record = MergeRecord(
        into=into.no,
        referrer=into.referrer,
        repointed=tuple(sorted(state.merged.get(member.no, ()))),
        moved=handover.kept(moved),
        kept=handover.kept(own),
        debts=handover.paid(planned.debts),
    )
    for lot in moved:
        if lot.remaining:
            entry.rehome(lot, into)
    _take_bond(entry, member, into)
    for no in (member.no, *record.repointed):
        entry.mean(state.people[no], into.no)
    entry.record(merge_name(member.name), record)
    for name, united in uniting.united(state, member.no, into.no).items():
        entry.record(name, united)
    return {
        "points": sum(points for _, points in planned.lots),
        "pending": sum(lot.remaining for lot in planned.pending),
        "debts": sum(debt.points for debt in planned.debts),
    }


def _check(state: Slice, member: Member, into: Member) -> None:
    if member is into:
        raise Refused("same-member", "into", member=member.name)
    merged = 1 + sum(len(state.merged.get(each.no, ())) for each in (member, into))
    if merged > MERGED_MEMBERS_MAX:
        raise Refused("merged-too-many", "into", members=merged, members_max=MERGED_MEMBERS_MAX)
    if member in referral.above(state, into):
        raise Refused("referral-cycle", "into", above=member.name)
    for issuer in sorted(state.registry.merchants):
        held = state.accounts[accounts.held(issuer, member.no)][1]
        if held:
            raise Refused("member-holds", "member", issuer=issuer, held=held)


def _take_bond(entry: Entry, member: Member, into: Member) -> None:
    """First touch wins: an open referral is decided as `member`'s was, unless `into` stands above `member` itself."""
    if into.bonded or not member.bonded:
        return
    into.bonded = True
    if into not in referral.above(entry.slice, member):
        into.referrer = member.referrer
    entry.rewire(into)
