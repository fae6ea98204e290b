"""Members and pools as commands. Called by `api.people`."""

from __future__ import annotations

from api.commands import Asked
from api.shapes.people import (
    CloseAccount,
    FreezeAccount,
    MergeMember,
    NewMember,
    NewPool,
    PoolMember,
    UnfreezeAccount,
    UnmergeMember,
)
from ledger.commands import (
    CloseMember,
    Enrol,
    FreezeMember,
    JoinPool,
    LeavePool,
    Merge,
    OpenPool,
    UnfreezeMember,
    Unmerge,
)


def enrol(body: NewMember, asked: Asked) -> Enrol:
    """The same as a member.joined event with this key as its id."""
    return Enrol(key=asked.key, at_ms=asked.at_ms, member=body.member)


def merge(body: MergeMember, asked: Asked) -> Merge:
    """Two names, one person."""
    return Merge(key=asked.key, at_ms=asked.at_ms, member=asked.named["member"], into=body.into)


def unmerge(_body: UnmergeMember, asked: Asked) -> Unmerge:
    """Two persons after all."""
    return Unmerge(key=asked.key, at_ms=asked.at_ms, member=asked.named["member"])


def freeze(body: FreezeAccount, asked: Asked) -> FreezeMember:
    """Nothing goes out of the account."""
    return FreezeMember(key=asked.key, at_ms=asked.at_ms, member=asked.named["member"], reason=body.reason)


def unfreeze(_body: UnfreezeAccount, asked: Asked) -> UnfreezeMember:
    """As before."""
    return UnfreezeMember(key=asked.key, at_ms=asked.at_ms, member=asked.named["member"])


def close(_body: CloseAccount, asked: Asked) -> CloseMember:
    """The member is gone."""
    return CloseMember(key=asked.key, at_ms=asked.at_ms, member=asked.named["member"])


def open_pool(body: NewPool, asked: Asked) -> OpenPool:
    """A family."""
    return OpenPool(
        key=asked.key, at_ms=asked.at_ms, pool=body.pool, owner=body.owner, day_points_max=body.day_points_max
    )


def join_pool(body: PoolMember, asked: Asked) -> JoinPool:
    """One more of the family."""
    return JoinPool(key=asked.key, at_ms=asked.at_ms, pool=asked.named["pool"], member=body.member)


def leave_pool(body: PoolMember, asked: Asked) -> LeavePool:
    """One less."""
    return LeavePool(key=asked.key, at_ms=asked.at_ms, pool=asked.named["pool"], member=body.member)
