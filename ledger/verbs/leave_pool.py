"""Leave a family pool. The verb; called by the book.

A pool goes on without its owner, and keeps its name when empty.
"""

from __future__ import annotations

import msgspec

from ledger.commands import LeavePool
from ledger.entry import Entry
from ledger.members.membership import known
from ledger.points import pools
from ledger.records import PoolMember
from ledger.refusals import Refused
from ledger.wants import Wants


def wants(command: LeavePool, want: Wants) -> None:
    want.members.add(command.member)
    want.records |= {pools.pool_name(command.pool), pools.member_name(command.member)}


def leave_pool(command: LeavePool, entry: Entry) -> dict[str, int | str]:
    """Refusals in order: pool-unknown, member-unknown, member-closed, not-in-pool."""
    record = pools.pool_called(entry.slice, command.pool)
    if record is None:
        raise Refused("pool-unknown", "pool", pool=command.pool)
    known(entry.slice, command.member)
    if command.member not in record.members:
        raise Refused("not-in-pool", "member", member=command.member)
    left = tuple(member for member in record.members if member != command.member)
    entry.record(pools.pool_name(command.pool), msgspec.structs.replace(record, members=left))
    entry.record(pools.member_name(command.member), PoolMember(pool="", day_points_max=0))
    return {"members": len(left)}
