"""Members: who they are, who referred them, who may not spend, which families share.

No purchase, fee or deposit changes anybody's place in the referral graph: `bind_referral` alone does.
"""

from __future__ import annotations

from tests.oracle.books import Books, Command, No, Pool, refuse_if
from tests.oracle.earning import known_member, known_spender
from tests.oracle.moving import pool_of
from tests.oracle.pricing import balances, held

POOL_MEMBERS_MAX = 32
UPLINE_MEMBERS_MAX = 64


def enrol(books: Books, command: Command) -> None:
    refuse_if(command["member"] in books.members, "member-exists")
    books.members[command["member"]] = []


def bind_referral(books: Books, command: Command) -> None:
    """First touch wins; the graph stays a forest; a purchase decides it too."""
    member = known_member(books, command["member"])
    refuse_if(command["referrer"] not in books.members, "referrer-unknown")
    referrer = known_member(books, command["referrer"])
    refuse_if(member == referrer, "self-referral")
    refuse_if(member in books.referrers, "already-bound")
    refuse_if(member in books.decided, "bought-before")
    chain = [referrer, *above(books, referrer)]
    refuse_if(member in chain, "referral-cycle")
    refuse_if(len(chain) > UPLINE_MEMBERS_MAX, "chain-too-deep")
    books.referrers[member] = referrer
    books.decided.add(member)


def above(books: Books, member: str) -> list[str]:
    """Everybody above a member, nearest first."""
    chain = []
    higher = books.referrer(member)
    while higher is not None:
        chain.append(higher)
        higher = books.referrer(higher)
    return chain


def freeze_member(books: Books, command: Command) -> None:
    """The member may earn, and not spend."""
    books.frozen.add(known_spender(books, command["member"]))


def unfreeze_member(books: Books, command: Command) -> None:
    member = known_member(books, command["member"])
    refuse_if(member not in books.frozen, "member-not-frozen")
    books.frozen.remove(member)


def close_member(books: Books, command: Command) -> None:
    """The member leaves for good, with nothing left, pending, held or owed."""
    member = known_member(books, command["member"])
    anything = balances(books) | books.pending() | held(books)
    refuse_if([pair for pair in anything if pair[0] == member], "member-not-empty")
    books.closed.add(member)


def open_pool(books: Books, command: Command) -> None:
    """A family, of its owner at first."""
    refuse_if(command["pool"] in books.pools, "pool-exists")
    may_enter(books, command["owner"])
    books.pools[command["pool"]] = Pool(command["day_points_max"], {command["owner"]})


def join_pool(books: Books, command: Command) -> None:
    pool = known_pool(books, command)
    may_enter(books, command["member"])
    refuse_if(len(pool.members) >= POOL_MEMBERS_MAX, "pool-full")
    pool.members.add(command["member"])


def may_enter(books: Books, member: str) -> None:
    """It is the name that is in a family, and in one only."""
    refuse_if(known_member(books, member) != member, "member-merged")
    refuse_if(pool_of(books, member), "in-a-pool")


def leave_pool(books: Books, command: Command) -> None:
    """Who has left the alliance may leave the family too."""
    pool = known_pool(books, command)
    refuse_if(command["member"] not in books.members, "member-unknown")
    refuse_if(command["member"] not in pool.members, "not-in-pool")
    pool.members.remove(command["member"])


def known_pool(books: Books, command: Command) -> Pool:
    if command["pool"] not in books.pools:
        raise No("pool-unknown")
    return books.pools[command["pool"]]
