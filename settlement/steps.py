"""What to do next with one batch: a pure, total function of what we stored and what the chain says.

The states are the protocol's (§5) and live in `settlement.batch.state`. Rules that decide here: R2 (what the contract
holds under our number comes before everything we remember), R7 (a confirmed batch that vanished goes back and its
bytes are sent again), R8 (a signed header is never replaced while it could still be mined, an attested one never while
any hub might take it), R9 (a batch too old for the contract is sealed anew only when its transaction is proven dead).
No I/O, no clock: `submitter` observes and acts.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import assert_never

from proofs.headers import SEAL_LAG_SECONDS_BOUND

ATTESTATION_WAIT_S = 30 * 60
STUCK_S = 120
BUMPS_MAX = 10
ATTEMPTS_MAX = 5
ABSENT = bytes(32)


class State(Enum):
    """How far a batch has come."""

    OPEN = "has its secrets, not yet its range"
    SEALED = "range, header and times are fixed"
    PUBLISHED = "its file is on every mirror, read back and checked"
    ATTESTED = "has its quorum, or has waited long enough for one"
    SUBMITTED = "its commit is signed and stored, perhaps sent"
    CONFIRMED = "the contract holds its header in a finalised block"
    CHALLENGED = "somebody has demanded data of it"
    FINALISING = "its finalisation is signed and stored, perhaps sent"
    FINALISED = "its nets have moved, in a finalised block"
    FAILED_FRAUD = "thrown out by a fraud proof; a person decides"
    FAILED_CASCADE = "thrown out because one before it was"
    FAILED_CONFLICT = "another header stands under its number; a person decides"


class Fate(Enum):
    """What has become of a purpose."""

    NEVER = "nothing was decided for it"
    ASKED = "it has its nonce and is to be signed; no signature is kept yet"
    WAITING = "signed, perhaps sent, in no block that counts yet"
    MINED = "in a block, and it did what it should"
    REVERTED = "in a finalised block, refused by the contract"
    ENDING = "in a block without its effect, refused or replaced by nothing; that block is not final yet"
    DROPPED = "its nonce was finally used by another transaction"


TERMINAL = frozenset({State.FINALISED, State.FAILED_FRAUD, State.FAILED_CASCADE, State.FAILED_CONFLICT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What we stored about one batch. Times are Unix seconds."""

    batch_no: int
    state: State
    header_hash: bytes
    sealed_at: int
    has_locks: bool = False
    """Whether its commit locked collateral that has to be released if it is thrown out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What the chain says about it: `*_final` at the finalised block, the rest at the newest.

    Hashes are ABSENT where the contract holds none; `commit`, `finalise` and `release` are the fates of our
    transactions, with the seconds since the first send, replacements and attempts of the one that is on its way;
    `released` whether the locks of this header, thrown out, are free again, by whomever; `attested` whether any
    attester has signed this header, or one that was sealed on top of it; `overtaken` whether something that the batch
    takes for granted of the registry has come to an end before it.
    """

    now: int
    now_final: int
    """Unix seconds of the finalised block; `now` is what the next block would say."""
    next_batch_no: int
    next_final_no: int
    next_final_no_final: int
    hash_latest: bytes
    hash_final: bytes
    final_after: int
    open_demands: int
    reverted_final: bool
    predecessor_reverted_final: bool
    paused_until: int
    winding_down: bool
    """The hub takes no batch any more, and what is pending becomes final paused or not."""
    seal_lag_s_max: int
    quorum: bool
    attested: bool
    commit: Fate
    finalise: Fate
    release: Fate = Fate.NEVER
    released: bool = False
    overtaken: bool = False
    forced: bool = False
    """Whether forced events are overdue that the hub was not yet shown to be in this batch."""
    age_s: float
    replacements: int
    attempts: int


@dataclass(frozen=True, slots=True)
class Become:
    """Write down the next state."""

    state: State


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do before `until` (Unix seconds by the chain's clock), or until something outside changes (None).

    `alarm` is the code of an alert where a person has to look (settlement.alerts).
    """

    reason: str
    until: int | None = None
    alarm: str = ""


class Do(Enum):
    """One thing to do; doing it twice does no harm."""

    PUBLISH = "write the file to every mirror"
    COMMIT = "sign and store the commit if there is none, and send it"
    FINALISE = "the same for the finalisation"
    BUMP_COMMIT = "replace the commit that is stuck"
    BUMP_FINALISE = "replace the finalisation that is stuck"
    RETRY_COMMIT = "give the commit a new nonce"
    RETRY_FINALISE = "give the finalisation a new nonce"
    CONTINUE_FINALISE = "call once more: a settlement with many defaults takes several calls"
    RELEASE = "the same for freeing what a batch that was thrown out had locked"
    BUMP_RELEASE = "replace the release that is stuck"
    RETRY_RELEASE = "give the release a new nonce"
    MAKE_WAY = "show the hub that the batch holds the forced events that are overdue, or take them off its queue"
    VOID_COMMIT = "use up the nonce of a commit that came too late"
    RESEAL = "seal the same range anew"


Step = Become | Wait | Do


def next_step(batch: Submission, seen: Observation) -> Step:
    """The next step of one batch. Total: every state and every observation has one."""
    match batch.state:
        case State.OPEN:
            return Wait("not sealed yet")
        case State.SEALED | State.PUBLISHED | State.ATTESTED | State.SUBMITTED:
            return _towards_confirmed(batch, seen)
        case State.CONFIRMED | State.CHALLENGED | State.FINALISING:
            return _towards_finalised(batch, seen)
        case State.FINALISED:
            return Wait(batch.state.value)
        case State.FAILED_FRAUD | State.FAILED_CASCADE:
            if batch.has_locks and not seen.released and seen.release is not Fate.MINED:
                return _push(seen.release, seen, Do.RELEASE, Do.BUMP_RELEASE, Do.RETRY_RELEASE)
            return Wait(batch.state.value, alarm="batch-failed")
        case State.FAILED_CONFLICT:
            return Wait(batch.state.value, alarm="batch-failed")
        case _:
            assert_never(batch.state)


def _towards_confirmed(batch: Submission, seen: Observation) -> Step:
    """R2 first: whatever we remember, an equal hash is our batch and another one is a conflict."""
    if seen.hash_final == batch.header_hash:
        return Become(State.CONFIRMED)
    if seen.reverted_final:
        return _thrown_out(seen)
    if seen.hash_latest == batch.header_hash:
        return Wait("waits for the block of its commit to be finalised")
    if seen.hash_final != ABSENT:
        return Become(State.FAILED_CONFLICT)
    if seen.hash_latest != ABSENT or seen.next_batch_no > batch.batch_no:
        return Wait("another header stands under its number, in no finalised block yet", alarm="batch-conflict")
    if seen.overtaken or seen.now > batch.sealed_at + seen.seal_lag_s_max:
        return _too_late(batch, seen)
    match batch.state:
        case State.SEALED:
            return Do.PUBLISH
        case State.PUBLISHED:
            return _attested(batch, seen)
        case _:
            return _commit(batch, seen)


def _too_late(batch: Submission, seen: Observation) -> Step:
    """R9: the contract would refuse it, or a court throw it out (decision 0183). Only a transaction that can never be
    mined makes room for another header.
    """
    match seen.commit:
        case Fate.NEVER | Fate.DROPPED | Fate.REVERTED:
            return _reseal(batch, seen)
        case Fate.WAITING | Fate.ASKED:  # what nobody kept may be signed all the same
            return Do.VOID_COMMIT
        case Fate.ENDING:
            return Wait("waits for the block that used its nonce to be finalised")
        case Fate.MINED:
            return Wait("its commit is mined but its header not seen yet", alarm="effect-missing")
        case _:
            assert_never(seen.commit)


def _reseal(batch: Submission, seen: Observation) -> Step:
    """R8: attesters sign a second header only when the first has lapsed, whatever the hub's parameters may become.
    During a pause nothing is gained by another incarnation, which would grow as old as this one.
    """
    if seen.now < seen.paused_until:
        return Wait("the hub is paused", until=seen.paused_until)
    lapses_at = batch.sealed_at + SEAL_LAG_SECONDS_BOUND
    if seen.attested and seen.now_final <= lapses_at:
        return Wait("cannot be committed, but is attested: sealed anew when it has lapsed", lapses_at + 1, "batch-late")
    return Do.RESEAL


def _attested(batch: Submission, seen: Observation) -> Step:
    deadline = batch.sealed_at + ATTESTATION_WAIT_S
    if seen.quorum or seen.now >= deadline:
        return Become(State.ATTESTED)
    return Wait("waits for a quorum of attesters", until=deadline)


def _commit(batch: Submission, seen: Observation) -> Step:
    if seen.now < seen.paused_until:
        return Wait("the hub is paused", until=seen.paused_until)
    if seen.next_batch_no < batch.batch_no:
        return Wait("waits for the batch before it")
    if batch.state is State.ATTESTED and seen.commit not in {Fate.NEVER, Fate.ASKED}:
        return Become(State.SUBMITTED)
    if seen.forced and seen.commit in {Fate.NEVER, Fate.REVERTED, Fate.DROPPED}:
        return Do.MAKE_WAY
    return _push(seen.commit, seen, Do.COMMIT, Do.BUMP_COMMIT, Do.RETRY_COMMIT)


def _push(fate: Fate, seen: Observation, send: Do, bump: Do, retry: Do) -> Step:
    """Bring one transaction into a block: send it, send it again, pay more, or begin anew on another nonce."""
    match fate:
        case Fate.NEVER | Fate.ASKED:
            return send
        case Fate.WAITING:
            return bump if stuck(age_s=seen.age_s, replacements=seen.replacements) else send
        case Fate.ENDING:
            return Wait("in a block without its effect; waits for that block to be finalised")
        case Fate.REVERTED | Fate.DROPPED:
            if seen.attempts < ATTEMPTS_MAX:
                return retry
            return Wait(f"failed {seen.attempts} times; a person decides", alarm="transaction-failed")
        case Fate.MINED:
            return Wait("mined, its effect not seen yet", alarm="effect-missing")
        case _:
            assert_never(fate)


def stuck(*, age_s: float, replacements: int) -> bool:
    """Whether what was sent this long ago, after so many replacements, has to pay more. Patience grows with each."""
    return age_s > STUCK_S * (replacements + 1)


def _thrown_out(seen: Observation) -> Step:
    return Become(State.FAILED_CASCADE if seen.predecessor_reverted_final else State.FAILED_FRAUD)


def _towards_finalised(batch: Submission, seen: Observation) -> Step:
    if seen.reverted_final:
        return _thrown_out(seen)
    if seen.hash_final not in {batch.header_hash, ABSENT}:
        return Become(State.FAILED_CONFLICT)
    if seen.hash_final == ABSENT:
        return Become(State.SUBMITTED)
    if seen.next_final_no_final > batch.batch_no:
        return Become(State.FINALISED)
    if seen.next_final_no > batch.batch_no:
        return Wait("waits for the block of its finalisation to be finalised")
    if seen.open_demands:
        if batch.state is not State.CHALLENGED:
            return Become(State.CHALLENGED)
        return Wait(f"{seen.open_demands} demands for its data are open", seen.final_after, "batch-demanded")
    if batch.state is State.CHALLENGED:
        return Become(State.CONFIRMED)
    return _finalise(batch, seen)


def _finalise(batch: Submission, seen: Observation) -> Step:
    if seen.now < seen.final_after:
        return Wait("in its challenge window", until=seen.final_after)
    if seen.now < seen.paused_until and not seen.winding_down:
        return Wait("the hub is paused", until=seen.paused_until)
    if seen.next_final_no < batch.batch_no:
        return Wait("waits for the batch before it to become final")
    if batch.state is State.CONFIRMED and seen.finalise not in {Fate.NEVER, Fate.ASKED}:
        return Become(State.FINALISING)
    if seen.finalise is Fate.MINED:
        return Do.CONTINUE_FINALISE
    return _push(seen.finalise, seen, Do.FINALISE, Do.BUMP_FINALISE, Do.RETRY_FINALISE)
