"""Members as writes: joining, merging, freezing, leaving, family pools. Mounted by `api.app`.

What concerns a member's points with everybody (merging, freezing, closing) takes a key that was issued for it: the
operator's have that right, a merchant's only on purpose.
"""

from __future__ import annotations

from fastapi import APIRouter

from api import examples
from api.auth import Caller
from api.commands import people
from api.door import Door
from api.problems import Problem
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
from api.writes import Write, mount
from ledger.commands import JoinPool, LeavePool, OpenPool
from ledger.queries import has_dealt, member_exists

router = APIRouter()
MEMBER, POOL = {"member": "m-1001"}, {"pool": "family-wang"}


def customer(door: Door, caller: Caller, command: OpenPool | JoinPool | LeavePool) -> None:
    """A family is the member's to decide. Until members say so themselves it takes a merchant's word, but of a merchant
    that they have dealt with.
    """
    member = command.owner if isinstance(command, OpenPool) else command.member
    with door.reading() as connection:
        if member_exists(connection, member) and not has_dealt(connection, member, caller.merchant_id):
            raise Problem("member-not-yours", f"{member} never had points of yours.")


mount(
    router,
    Write(
        path="/v1/members",
        name="post_member",
        scope="members:write",
        takes=NewMember,
        makes=people.enrol,
        verbs=("enrol",),
        summary="A member joins",
        text="The same as the event member.joined whose id is this Idempotency-Key.",
        example=examples.NEW_MEMBER,
    ),
    Write(
        path="/v1/pools",
        name="post_pool",
        scope="pools:write",
        takes=NewPool,
        makes=people.open_pool,
        verbs=("open_pool",),
        check=customer,
        check_codes=("member-not-yours",),
        summary="Open a family pool",
        text="Its members may give each other points of issuers that allow it, up to the pool's cap. The key has to be"
        " one that was issued for it, and the owner a customer of yours.",
        example=examples.NEW_POOL,
    ),
    Write(
        path="/v1/pools/{pool}/join",
        name="post_pool_join",
        scope="pools:write",
        takes=PoolMember,
        makes=people.join_pool,
        verbs=("join_pool",),
        check=customer,
        check_codes=("member-not-yours",),
        named=POOL,
        summary="A member joins a pool",
        text="A member is in at most one.",
        example=examples.POOL_MEMBER,
    ),
    Write(
        path="/v1/pools/{pool}/leave",
        name="post_pool_leave",
        scope="pools:write",
        takes=PoolMember,
        makes=people.leave_pool,
        verbs=("leave_pool",),
        check=customer,
        check_codes=("member-not-yours",),
        named=POOL,
        summary="A member leaves a pool",
        text="Points stay with whom they are.",
        example=examples.POOL_MEMBER,
    ),
    Write(
        path="/v1/members/{member}/merge",
        name="post_merge",
        scope="members:govern",
        takes=MergeMember,
        makes=people.merge,
        verbs=("merge",),
        named=MEMBER,
        summary="Two members are one person",
        text="Every lot, debt and bond moves to `into`, and the member of the address means `into` from then on.",
        example=examples.MERGE,
    ),
    Write(
        path="/v1/members/{member}/unmerge",
        name="post_unmerge",
        scope="members:govern",
        takes=UnmergeMember,
        makes=people.unmerge,
        verbs=("unmerge",),
        named=MEMBER,
        summary="A merge was a mistake",
        text="Possible until either side has spent.",
        example=examples.MOMENT,
    ),
    Write(
        path="/v1/members/{member}/freeze",
        name="post_freeze",
        scope="members:govern",
        takes=FreezeAccount,
        makes=people.freeze,
        verbs=("freeze_member",),
        named=MEMBER,
        summary="Freeze a member",
        text="It may earn and may not spend, transfer or exchange.",
        example=examples.FREEZE,
    ),
    Write(
        path="/v1/members/{member}/unfreeze",
        name="post_unfreeze",
        scope="members:govern",
        takes=UnfreezeAccount,
        makes=people.unfreeze,
        verbs=("unfreeze_member",),
        named=MEMBER,
        summary="Unfreeze a member",
        text="It may spend again.",
        example=examples.MOMENT,
    ),
    Write(
        path="/v1/members/{member}/close",
        name="post_close",
        scope="members:govern",
        takes=CloseAccount,
        makes=people.close,
        verbs=("close_member",),
        named=MEMBER,
        summary="A member leaves for good",
        text="With nothing left, nothing pending and nothing owed.",
        example=examples.MOMENT,
    ),
)
