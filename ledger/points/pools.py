"""Family pools: whose points may move to whom, and how many a day. Pure; verbs call it.

A pool has at most POOL_MEMBERS_MAX members, a member at most one pool. Where an issuer allows transfers inside pools
only, one member sends at most the pool's `day_points_max` of that issuer's points in a day (UTC, by valid time). The
count is a record per member, issuer and day, so that leaving and joining again, or a clock that jumps back, forgets
nothing. Membership belongs to the name that joined: a name that was merged into another is in no pool.
"""

from __future__ import annotations

from ledger.commands import Transfer
from ledger.entry import Entry
from ledger.members.membership import known
from ledger.points.orders import DAY_MS
from ledger.records import Pool, PoolDay, PoolMember, RecordKind, RecordName
from ledger.refusals import Refused
from ledger.slice import Slice


def pool_name(pool: str) -> RecordName:
    """Where a pool's record stands."""
    return RecordName(RecordKind.POOL.value, 0, pool)


def member_name(member: str) -> RecordName:
    """Where it stands which pool a member is in."""
    return RecordName(RecordKind.POOL_MEMBER.value, 0, member)


def _day_name(command: Transfer) -> RecordName:
    return RecordName(RecordKind.POOL_DAY.value, command.issuer_id, f"{command.from_member}/{command.at_ms // DAY_MS}")


def wanted(command: Transfer) -> set[RecordName]:
    """The records that decide on a transfer."""
    return {member_name(command.from_member), member_name(command.to_member), _day_name(command)}


def pool_called(state: Slice, pool: str) -> Pool | None:
    """The pool of this name."""
    record = state.records[pool_name(pool)]
    assert record is None or isinstance(record, Pool)
    return record


def membership(state: Slice, member: str) -> PoolMember | None:
    """The pool that the member of this name is in."""
    record = state.records[member_name(member)]
    person = state.member(member)
    if record is None or person is None or person.name != member:
        return None
    assert isinstance(record, PoolMember)
    return record if record.pool else None


def entrant(state: Slice, field: str, member: str) -> None:
    """Whether `member` may enter a pool. Refusals in order: member-unknown, member-closed, member-merged, in-a-pool."""
    person = known(state, member, field)
    if person.name != member:
        raise Refused("member-merged", field, member=member, into=person.name)
    present = membership(state, member)
    if present is not None:
        raise Refused("in-a-pool", field, pool=present.pool)


def check(command: Transfer, state: Slice) -> None:
    """Refusals in order: not-in-one-pool, pool-cap."""
    ours, theirs = membership(state, command.from_member), membership(state, command.to_member)
    if ours is None or theirs is None or ours.pool != theirs.pool:
        raise Refused("not-in-one-pool", "to_member", issuer_id=command.issuer_id)
    sent = _sent(command, state)
    if sent + command.points > ours.day_points_max:
        left = max(0, ours.day_points_max - sent)
        raise Refused("pool-cap", "points", asked=command.points, left_today=left)


def count(entry: Entry, command: Transfer) -> None:
    """Note what was sent; called when everything is posted."""
    entry.record(_day_name(command), PoolDay(points=_sent(command, entry.slice) + command.points))


def _sent(command: Transfer, state: Slice) -> int:
    record = state.records[_day_name(command)]
    assert record is None or isinstance(record, PoolDay)
    return record.points if record else 0


def enter(entry: Entry, pool: str, record: Pool, member: str) -> None:
    """Put `member` into the pool; called when nothing can be refused any more."""
    entry.record(pool_name(pool), record)
    entry.record(member_name(member), PoolMember(pool=pool, day_points_max=record.day_points_max))
