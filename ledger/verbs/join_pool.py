"""Join a family pool. The verb; called by the book."""

from __future__ import annotations

import msgspec

from ledger.commands import JoinPool
from ledger.entry import Entry
from ledger.points import pools
from ledger.refusals import Refused
from ledger.units import POOL_MEMBERS_MAX
from ledger.wants import Wants


def wants(command: JoinPool, want: Wants) -> None:
    want.members.add(command.member)
    want.records |= {pools.pool_name(command.pool), pools.member_name(command.member)}


def join_pool(command: JoinPool, entry: Entry) -> dict[str, int | str]:
    """Refusals in order: pool-unknown, member-unknown, member-closed, member-merged, in-a-pool, pool-full."""
    record = pools.pool_called(entry.slice, command.pool)
    if record is None:
        raise Refused("pool-unknown", "pool", pool=command.pool)
    pools.entrant(entry.slice, "member", command.member)
    if len(record.members) >= POOL_MEMBERS_MAX:
        raise Refused("pool-full", "pool", members_max=POOL_MEMBERS_MAX)
    joined = msgspec.structs.replace(record, members=(*record.members, command.member))
    pools.enter(entry, command.pool, joined, command.member)
    return {"members": len(joined.members)}
