"""What the chain says of one batch, read now, and the step that follows from it.

Invariants: everything seen of a batch is seen at one block; our own transactions are looked at first, what they did
after them; a step that says what is final is borne out by a second node where there is one. Nothing is decided here but
by `steps.next_step`, nothing done and nothing written but what the outbox finds of its own. Called by the submitter.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from settlement import forced, second_node, tables
from settlement.alliance import Alliance
from settlement.attestations import has_quorum
from settlement.batches import Settlement
from settlement.chain.client import ChainUnclear, Head
from settlement.chain.contracts import Event
from settlement.chain.nonces import NonceBook
from settlement.sealing import ends
from settlement.steps import ABSENT, Become, Do, Fate, Observation, State, Step, Submission, next_step
from settlement.tables import Batch

VERBS = ("commit", "finalise", "release")
_COMMITTING = frozenset({State.SEALED, State.PUBLISHED, State.ATTESTED, State.SUBMITTED})
_BORNE_OUT = frozenset(
    {State.CONFIRMED, State.FINALISED, State.FAILED_FRAUD, State.FAILED_CASCADE, State.FAILED_CONFLICT}
)
"""States that say what a final block holds: a second node has to say the same."""


def decided(s: Settlement, batch: Batch) -> Step:
    """The next step, borne out by a second node where there is one and the step rests on what is final. Raises
    `NodesDisagree`, `ChainUnclear`.
    """
    seen = observe(s, batch)
    step = next_step(_submission(batch), seen)
    if s.alliance.second is None or not _rests_on_finality(step, seen):
        return step
    at = second_node.settled(s.alliance)
    if next_step(_submission(batch), _by_both(s, batch, seen, at)) != step:
        raise ChainUnclear(f"waits for {s.alliance.second.place}, which calls block {at.number} final")
    if step is Do.RESEAL:
        _require_dead(s, batch, at)
    hashes = [each for verb in ("commit", "finalise") for each in s.outbox.mined(purpose(batch, verb))]
    second_node.require_receipts(s.alliance, hashes)
    return step


def _rests_on_finality(step: Step, seen: Observation) -> bool:
    """Whether it cannot be taken back: a state that says what a final block holds, or another header in the place of
    one that was signed into a transaction.
    """
    if isinstance(step, Become):
        return step.state in _BORNE_OUT
    return step is Do.RESEAL and (seen.commit is not Fate.NEVER or seen.attempts > 0)


def _by_both(s: Settlement, batch: Batch, seen: Observation, at: Head) -> Observation:
    """What both nodes show at a block that both call final, in the place of what the first one said of its own."""
    number = batch.batch_no
    final = second_node.agreed(s.alliance, f"batch {number} at block {at.number}", lambda each: _view(each, number, at))
    reverted = seen.reverted_final and final.reverted
    follows = reverted and second_node.agreed(
        s.alliance, f"why batch {number} was thrown out", lambda each: _follows_another(each, batch, at.number)
    )
    return replace(
        seen,
        now_final=at.timestamp,
        hash_final=final.header_hash,
        next_final_no_final=final.next_final_no,
        reverted_final=reverted,
        predecessor_reverted_final=follows,
    )


def _require_dead(s: Settlement, batch: Batch, at: Head) -> None:
    """No transaction that was ever signed for its commit can be mined any more: the account has used their nonces in
    blocks that both nodes call final, and there the hub has no header. Raises `ChainUnclear`.
    """
    sender = s.outbox.sender
    used = second_node.agreed(
        s.alliance, f"our transactions up to block {at.number}", lambda each: each.chain.nonce(sender, at.number)
    )
    book = NonceBook(s.conn, chain_id=s.outbox.chain_id, sender=sender)
    if any(nonce >= used for nonce in book.ever(purpose(batch, "commit"))):
        raise ChainUnclear(f"its commit may still be mined: {used} of our transactions are final by both nodes")


@dataclass(frozen=True, slots=True)
class _View:
    """What the hub holds of one batch at one block. A header that was thrown out is no header."""

    next_batch_no: int
    next_final_no: int
    header_hash: bytes
    final_after: int
    open_demands: int
    reverted: bool


def _view(alliance: Alliance, number: int, head: Head) -> _View:
    """Everything at one block, so that no two answers belong to different ones. Raises `ChainUnclear` when that block
    went away meanwhile, or when the node answered from two states all the same: a number has a header if the next one
    is beyond it.
    """
    hub, at = alliance.hub, head.number
    _, final_after, _, open_demands, batch_status, *_ = hub.read("record", number, tag=at)
    reverted = batch_status == tables.REVERTED_ON_CHAIN
    view = _View(
        hub.read("nextBatchNo", tag=at),
        hub.read("nextFinalNo", tag=at),
        ABSENT if reverted else hub.read("headerHash", number, tag=at),
        final_after,
        open_demands,
        reverted,
    )
    if alliance.chain.head(at).hash != head.hash:
        raise ChainUnclear(f"block {at} was replaced while it was read")
    if (view.header_hash != ABSENT) != (number < view.next_batch_no):
        raise ChainUnclear(f"the node tells of two states at block {at}: next batch {view.next_batch_no}")
    return view


def observe(s: Settlement, batch: Batch) -> Observation:
    """All that `next_step` wants to know, read now: our transactions first, what they did after them."""
    chain, policy, number = s.alliance.chain, s.alliance.policy, batch.batch_no
    s.alliance.require_same_chain()
    verb = _verb(batch.state)
    ours = s.outbox.observe(purpose(batch, verb))
    newest, settled = chain.head(), chain.head("finalized")
    latest = _view(s.alliance, number, newest)
    final = latest if newest == settled else _view(s.alliance, number, settled)
    failed = verb == "release"
    reverted = final.reverted and not failed and _threw_out(s.alliance, batch, settled.number)
    return Observation(
        now=chain.now(),
        now_final=settled.timestamp,
        next_batch_no=latest.next_batch_no,
        next_final_no=latest.next_final_no,
        next_final_no_final=final.next_final_no,
        hash_latest=latest.header_hash,
        hash_final=final.header_hash,
        final_after=latest.final_after,
        open_demands=latest.open_demands,
        reverted_final=reverted,
        predecessor_reverted_final=reverted and _follows_another(s.alliance, batch, settled.number),
        paused_until=policy.read("pausedUntil"),
        winding_down=s.alliance.hub.read("windDownAt") != 0,
        seal_lag_s_max=policy.read("params")[2],
        quorum=batch.state is State.PUBLISHED and has_quorum(s.conn, s.alliance, batch),
        attested=verb == "commit" and tables.attested_from(s.conn, batch.batch_no),
        commit=ours.fate if verb == "commit" else Fate.NEVER,
        finalise=ours.fate if verb == "finalise" else Fate.NEVER,
        release=ours.fate if failed else Fate.NEVER,
        released=failed and bool(_events(s.alliance, "LocksReleased", batch, settled.number)),
        forced=_is_next(batch, latest) and forced.in_the_way(s, batch, now=newest.timestamp),
        overtaken=verb == "commit" and latest.header_hash == ABSENT and _is_overtaken(s, batch, newest),
        age_s=ours.newest.age_s if ours.newest else 0,
        replacements=ours.replacements,
        attempts=s.outbox.attempts(purpose(batch, verb)),
    )


def _is_next(batch: Batch, latest: _View) -> bool:
    """Whether it may be committed now, as far as order and attesters are concerned."""
    ready = batch.state in {State.ATTESTED, State.SUBMITTED}
    return ready and latest.next_batch_no == batch.batch_no and latest.header_hash == ABSENT


def _events(alliance: Alliance, name: str, batch: Batch, last: int, *, by_header: bool = True) -> list[Event]:
    """The hub's events of this name about a batch, up to a block: about this very header, or about its number."""
    topics = [batch.batch_no.to_bytes(32, "big"), *([batch.header_hash] if by_header else [])]
    return alliance.hub.events(name, first=alliance.anchor.deploy_block, last=last, topics=topics)


def _threw_out(alliance: Alliance, batch: Batch, last: int) -> bool:
    """Whether the record that says reverted is about this incarnation: the hub's events name the header."""
    return bool(_events(alliance, "BatchCommitted", batch, last))


def _follows_another(alliance: Alliance, batch: Batch, last: int) -> bool:
    """Whether a proof was about a batch before this one: the hub names the first that it throws out."""
    committed = [event.log.block_number for event in _events(alliance, "BatchCommitted", batch, last)]
    if not committed:
        raise ChainUnclear(f"{alliance.chain.place} knows of no commit of batch {batch.batch_no} any more")
    reverted = _events(alliance, "BatchReverted", batch, last, by_header=False)
    return all(event.log.block_number < max(committed) for event in reverted)


def _is_overtaken(s: Settlement, batch: Batch, at: Head) -> bool:
    """Whether the registry has ended something that this batch uses. At the block in which it is the hub's next one
    this is final: what is ended later begins with a batch after it.
    """
    over = ends.read(s.alliance.registry, first_block=s.alliance.anchor.deploy_block, last=at.number)
    return over.overtake(batch.done.uses, batch_no=batch.batch_no)


def _verb(state: State) -> str:
    """Which of a batch's transactions is on its way in this state."""
    if state in _COMMITTING:
        return "commit"
    return "release" if state in {State.FAILED_FRAUD, State.FAILED_CASCADE} else "finalise"


def purpose(batch: Batch, verb: str) -> str:
    """What a batch's transaction is for, in the outbox."""
    return f"{verb}:{batch.batch_no}.{batch.incarnation}"


def _submission(batch: Batch) -> Submission:
    return Submission(
        batch_no=batch.batch_no,
        state=batch.state,
        header_hash=batch.header_hash,
        sealed_at=batch.done.sealed_at,
        has_locks=bool(batch.done.nets),
    )
