"""What to do next with one epoch: a pure, total function of its row and of what the contract holds.

Invariants: an epoch whose time is over and that the contract never took is given up, and one that was revoked is never
offered again; what the contract holds under our number comes before everything we remember; a later epoch is not signed
before it is known whether the one before it came to the chain, because its header names that one. No I/O, no clock:
`epochs` observes and acts.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, assert_never

from settlement.tiers.registry import NO_HASH
from settlement.tiers.rows import State

OVER: Final = "over"
REVOKED: Final = "revoked"
LATE: Final = "not anchored in its time"
EMPTY: Final = "nobody is in it"
OVERTAKEN: Final = "a later epoch is on the chain"
CONFLICT: Final = "tier-epoch-conflict"
GONE: Final = "tier-epoch-gone"


class Do(Enum):
    """An action; what it leads to is seen by looking again."""

    SNAPSHOT = "keep everybody's attributes"
    BUILD = "hash the tree"
    SIGN = "sign the header"
    PUBLISH = "send it to the contract"
    RECORD = "note that the contract holds it for good"
    REVOKE = "take it back in the contract"


@dataclass(frozen=True, slots=True)
class Retire:
    """Erase what the epoch was made from; `ended_as` says why."""

    ended_as: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do now; `alarm` is the code of an alert where a person has to look."""

    reason: str
    alarm: str = ""


Step = Do | Retire | Wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One epoch and what bears on it. Hashes are the headers' struct hashes, 32 zero bytes for none."""

    state: State
    now: int
    not_after: int
    grace_seconds: int
    revoked: bool
    epoch: int
    members: int
    header_hash: bytes
    held_hash: bytes
    held_revoked: bool
    last_on_chain: int
    earlier_undecided: bool


def next_step(seen: Observation) -> Step:
    """What to do, whatever the epoch's state."""
    match seen.state:
        case State.DRAWN | State.SNAPSHOTTED | State.BUILT:
            return _unsigned(seen)
        case State.SIGNED:
            return _signed(seen)
        case State.ANCHORED:
            return _anchored(seen)
        case State.RETIRED:
            return Wait("retired")
        case _:
            assert_never(seen.state)


def rests_on_finality(seen: Observation, step: Step) -> bool:
    """Whether a step that cannot be taken back follows from what the contract holds: witnesses are handed out, or the
    secret is erased before the epoch's time is over.
    """
    if step is Do.RECORD:
        return True
    if not isinstance(step, Retire) or seen.now > seen.not_after + seen.grace_seconds:
        return False
    return step.ended_as == OVERTAKEN or seen.state in {State.SIGNED, State.ANCHORED}


def _unsigned(seen: Observation) -> Step:
    if seen.revoked:
        return Retire(REVOKED)
    if seen.now > seen.not_after:
        return Retire(LATE)
    if seen.last_on_chain >= seen.epoch:
        return Retire(OVERTAKEN)
    if seen.state is State.DRAWN:
        return Do.SNAPSHOT
    if seen.state is State.SNAPSHOTTED:
        return Do.BUILD if seen.members else Retire(EMPTY)
    return Wait("the epoch before is not on the chain yet") if seen.earlier_undecided else Do.SIGN


def _signed(seen: Observation) -> Step:
    if seen.held_hash == seen.header_hash:
        return Do.RECORD
    if seen.held_hash != NO_HASH:
        return Wait("another header stands on the chain under this number", CONFLICT)
    if seen.now > seen.not_after:
        return Retire(REVOKED if seen.revoked else LATE)
    if seen.revoked:
        return Wait("revoked; whether it comes to the chain all the same is not known yet")
    return Retire(OVERTAKEN) if seen.last_on_chain > seen.epoch else Do.PUBLISH


def _anchored(seen: Observation) -> Step:
    if seen.held_revoked:
        return Retire(REVOKED)
    if seen.now > seen.not_after + seen.grace_seconds:  # whether a guardian has told the chain by now or not
        return Retire(REVOKED if seen.revoked else OVER)
    if seen.revoked:
        return Do.REVOKE
    if seen.held_hash != seen.header_hash:
        return Wait("the chain held its header for good and holds it no more", GONE)
    return Wait("in force")
