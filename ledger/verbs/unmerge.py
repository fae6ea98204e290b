"""Unmerge: a merge was a mistake and is taken back exactly, as long as neither side has spent any of what it had. The
verb; called by the book.

What came to the person since stays with the account that it was merged into, bonds and later purchases included; a
referral that the merge decided stays decided.
"""

from __future__ import annotations

from ledger import accounts
from ledger.commands import Unmerge
from ledger.entry import Entry
from ledger.members import membership
from ledger.points import handover, wallet
from ledger.points.handover import Debt
from ledger.points.lots import draw_order, is_open, take
from ledger.records import MergeRecord, merge_name
from ledger.refusals import Refused
from ledger.slice import Lot, Member, Slice
from ledger.wants import Wants


def wants(command: Unmerge, want: Wants) -> None:
    want.members.add(command.member)
    want.spenders.add(command.member)
    want.everywhere.add(command.member)
    want.merging.append((command.member, command.member))
    want.records.add(merge_name(command.member))


def unmerge(command: Unmerge, entry: Entry) -> dict[str, int | str]:
    """Refusals in order: member-unknown, member-closed, member-frozen, not-merged, merged-since, referral-cycle,
    member-holds, spent-since.
    """
    state = entry.slice
    into = membership.spender(state, command.member)
    member = state.people[state.members[command.member] or 0]
    record = state.records[merge_name(command.member)]
    if member.merged_into is None or not isinstance(record, MergeRecord):
        raise Refused("not-merged", "member", member=command.member)
    if record.into != into.no:
        raise Refused("merged-since", "member", merged_into=state.people[record.into].name, means=into.name)
    if _would_be_above_itself(state, member, record):
        raise Refused("referral-cycle", "member", member=command.member)
    _holds_nothing(state, into)
    debts = _unchanged(state, record, member, into)
    moved = [state.lots[each.lot] for each in record.moved if each.points]
    pending = [lot for lot in moved if not is_open(lot)]
    lots = [(lot, lot.remaining) for lot in moved if is_open(lot)]
    handover.post_lots(entry, lots, into, member)
    handover.post_pending(entry, pending, into, member)
    taken = [_post_debt(entry, debt, member, moved) for debt in debts]
    for no in (member.no, *record.repointed):
        entry.mean(state.people[no], None if no == member.no else member.no)
    state.lots_of.setdefault(member.no, [])
    for lot in moved:
        entry.rehome(lot, member)
    for debt, parts in zip(debts, taken, strict=True):
        handover.change_lots(entry, parts, -1)
        handover.change_lots(entry, debt.parts, +1)
    if into.referrer != record.referrer:
        into.referrer = record.referrer
        entry.rewire(into)
    return {
        "points": sum(points for _, points in lots),
        "pending": sum(lot.remaining for lot in pending),
        "debts": sum(debt.points for debt in debts),
    }


def _would_be_above_itself(state: Slice, member: Member, record: MergeRecord) -> bool:
    """Whether the member's own bond, asleep while it meant another, would close a circle with bonds made since."""
    here = {member.no, *record.repointed}
    no, seen = member.referrer, set[int]()
    while no is not None and no not in here:
        no = state.identity(no)
        if no in seen:
            return False
        seen.add(no)
        no = record.referrer if no == record.into else state.people[no].referrer
    return no is not None


def _holds_nothing(state: Slice, into: Member) -> None:
    """What is held is held for the person; a dispute over what either side paid before must end before they part."""
    for issuer in sorted(state.registry.merchants):
        held = state.accounts[accounts.held(issuer, into.no)][1]
        if held:
            raise Refused("member-holds", "member", issuer=issuer, held=held)


def _unchanged(state: Slice, record: MergeRecord, member: Member, into: Member) -> list[Debt]:
    """The debts that the merge let somebody pay, if every lot of both sides is as the merge left it, or spent-since."""
    for each in record.moved:
        lot = state.lots[each.lot]
        if lot.remaining != each.points or (each.points and lot.member_no != into.no):
            raise Refused("spent-since", "member", issuer=lot.issuer, had=each.points, has=lot.remaining)
    for each in record.kept:
        lot = state.lots[each.lot]
        if lot.member_no == into.no and lot.remaining != each.points:
            raise Refused("spent-since", "member", issuer=lot.issuer, had=each.points, has=lot.remaining)
    debts = []
    for paid in record.debts:
        parts = [(state.lots[each.lot], each.points) for each in paid.lots]
        debtor, payer = (member, into) if paid.debtor == member.no else (into, member)
        debts.append(Debt(paid.issuer, paid.points, debtor, payer, parts))
        _still_owed(state, debts[-1])
    return debts


def _still_owed(state: Slice, debt: Debt) -> None:
    """What the payer took over as a debt must be owed still, and nothing beside it where its lots paid too."""
    taken_over = debt.points - sum(points for _, points in debt.parts)
    owed = wallet.owed(state, debt.issuer, debt.payer.no)
    if owed < taken_over or (debt.parts and owed != taken_over):
        raise Refused("spent-since", "member", issuer=debt.issuer, had=-taken_over, has=-owed)


def _post_debt(entry: Entry, debt: Debt, member: Member, moved: list[Lot]) -> list[tuple[Lot, int]]:
    """Answers what the debtor pays out of lots that it has had since."""
    had = moved if debt.debtor is member else [lot for lot in entry.slice.lots_of[debt.debtor.no] if lot not in moved]
    mine = sorted((lot for lot in had if lot.issuer == debt.issuer and is_open(lot)), key=draw_order)
    taken = take(mine, debt.points)
    handover.post_debt_again(entry, debt, taken)
    return taken
