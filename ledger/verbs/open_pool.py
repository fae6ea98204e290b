"""Open a family pool; its owner is its first member. The verb; called by the book."""

from __future__ import annotations

from ledger.commands import OpenPool
from ledger.entry import Entry
from ledger.points import pools
from ledger.records import Pool
from ledger.refusals import Refused
from ledger.wants import Wants


def wants(command: OpenPool, want: Wants) -> None:
    want.members.add(command.owner)
    want.records |= {pools.pool_name(command.pool), pools.member_name(command.owner)}


def open_pool(command: OpenPool, entry: Entry) -> dict[str, int | str]:
    """Refusals in order: pool-exists, member-unknown, member-closed, member-merged, in-a-pool."""
    if pools.pool_called(entry.slice, command.pool) is not None:
        raise Refused("pool-exists", "pool", pool=command.pool)
    pools.entrant(entry.slice, "owner", command.owner)
    record = Pool(owner=command.owner, day_points_max=command.day_points_max, members=(command.owner,))
    pools.enter(entry, command.pool, record, command.owner)
    return {"members": 1}
