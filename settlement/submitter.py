"""Drives every batch to its end: look at the chain, take the pure next step, act, look again.

Invariants: `steps.next_step` decides and nothing here does; what is written down is written before or after the network
is asked, never while; every action may be repeated after a crash. A batch that cannot go on says why in its `Standing`
and does not hold up the process; what a person must decide is never decided here. Called by the entry points, and later
by periodic tasks.
"""

from __future__ import annotations

from dataclasses import dataclass

from ledger.answers import Refusal
from ledger.commands import Net, SettleNets
from proofs.kinds import BASE_UNITS_PER_AU
from settlement import batches, tables
from settlement.attestations import has_quorum, wire_form
from settlement.batches import Settlement
from settlement.chain import Tag, commit_gas, finalise_gas
from settlement.contracts import Refused
from settlement.leaves import MS_PER_SECOND
from settlement.outbox import FeeCeiling, Intent
from settlement.steps import Become, Do, Fate, Observation, State, Step, Submission, Wait, next_step
from settlement.tables import Batch

STEPS_PER_DRIVE_MAX = 32
REVERTED_STATUS = 3


class LedgerRefused(RuntimeError):
    """The ledger does not take what the chain has moved; a person decides."""


class NotWholeAu(RuntimeError):
    """A default left an amount that is no whole AU; the ledger cannot say it."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a batch stands: `until` in Unix seconds by the chain's clock, None when something outside must change."""

    batch_no: int
    state: State
    reason: str
    until: int | None


def drive(s: Settlement) -> list[Standing]:
    """Take every unfinished batch as far as it goes now, in order; where each of them stands afterwards."""
    standings: list[Standing] = []
    for batch in tables.unfinished(s.conn):
        if tables.batch(s.conn, batch.batch_no) is None:
            break
        standings.append(_drive_one(s, batch.batch_no))
    batches.seal_planned(s)
    return standings


def _drive_one(s: Settlement, batch_no: int) -> Standing:
    taken: Step | None = None
    for _ in range(STEPS_PER_DRIVE_MAX):
        batch = tables.batch(s.conn, batch_no)
        if batch is None:
            break
        step = next_step(_submission(batch), observe(s, batch)) if batch.sealed else Wait(State.OPEN.value)
        if isinstance(step, Wait):
            return Standing(batch_no, batch.state, step.reason, step.until)
        if step is taken:
            return Standing(batch_no, batch.state, "sent, in no block yet", None)
        taken = step
        try:
            _act(s, batch, step)
        except (Refused, FeeCeiling, NotWholeAu, LedgerRefused) as error:
            return Standing(batch_no, batch.state, str(error), None)
    return Standing(batch_no, State.OPEN, "goes on at the next drive", None)


@dataclass(frozen=True, slots=True)
class _View:
    """What the hub holds of one batch at one block."""

    next_batch_no: int
    next_final_no: int
    header_hash: bytes
    final_after: int
    open_demands: int
    reverted: bool


def _view(s: Settlement, number: int, tag: Tag) -> _View:
    hub = s.alliance.hub
    _, final_after, _, open_demands, batch_status, *_ = hub.read("record", number, tag=tag)
    return _View(
        hub.read("nextBatchNo", tag=tag),
        hub.read("nextFinalNo", tag=tag),
        hub.read("headerHash", number, tag=tag),
        final_after,
        open_demands,
        batch_status == REVERTED_STATUS,
    )


def observe(s: Settlement, batch: Batch) -> Observation:
    """All that `next_step` wants to know, read now."""
    chain, policy, number = s.alliance.chain, s.alliance.policy, batch.batch_no
    latest = _view(s, number, "latest")
    final = latest if chain.head("finalized") == chain.head() else _view(s, number, "finalized")
    verb = "commit" if batch.state in _COMMITTING else "finalise"
    ours = s.outbox.observe(purpose(batch, verb))
    return Observation(
        now=chain.now(),
        next_batch_no=latest.next_batch_no,
        next_final_no=latest.next_final_no,
        next_final_no_final=final.next_final_no,
        hash_latest=latest.header_hash,
        hash_final=final.header_hash,
        final_after=latest.final_after,
        open_demands=latest.open_demands,
        reverted_final=final.reverted,
        predecessor_reverted_final=final.reverted and _view(s, number - 1, "finalized").reverted,
        paused_until=policy.read("pausedUntil"),
        seal_lag_s_max=policy.read("params")[2],
        quorum=batch.state is State.PUBLISHED and has_quorum(s.conn, s.alliance, batch),
        commit=ours.fate if verb == "commit" else Fate.NEVER,
        finalise=ours.fate if verb == "finalise" else Fate.NEVER,
        age_s=ours.newest.age_s if ours.newest else 0,
        replacements=ours.replacements,
        attempts=s.outbox.attempts(purpose(batch, verb)),
    )


_COMMITTING = frozenset({State.SEALED, State.PUBLISHED, State.ATTESTED, State.SUBMITTED})


def purpose(batch: Batch, verb: str) -> str:
    """What a batch's transaction is for, in the outbox."""
    return f"{verb}:{batch.batch_no}.{batch.incarnation}"


def _submission(batch: Batch) -> Submission:
    return Submission(
        batch_no=batch.batch_no, state=batch.state, header_hash=batch.header_hash, sealed_at=batch.done.sealed_at
    )


def _act(s: Settlement, batch: Batch, step: Become | Do) -> None:
    match step:
        case Become(State.FINALISED):
            _record_nets(s, batch)
            tables.advance(s.conn, batch, State.FINALISED)
        case Become(state):
            tables.advance(s.conn, batch, state)
        case Do.PUBLISH:
            batches.publish_again(s, batch)
        case Do.COMMIT:
            _submit(s, batch, _commit_intent(s, batch), State.SUBMITTED)
        case Do.FINALISE:
            _submit(s, batch, _finalise_intent(s, batch), State.FINALISING)
        case Do.BUMP_COMMIT:
            s.outbox.bump(_commit_intent(s, batch))
        case Do.BUMP_FINALISE:
            s.outbox.bump(_finalise_intent(s, batch))
        case Do.RETRY_COMMIT:
            s.outbox.retire(purpose(batch, "commit"))
        case Do.RETRY_FINALISE | Do.CONTINUE_FINALISE:
            s.outbox.retire(purpose(batch, "finalise"))
        case Do.VOID_COMMIT:
            s.outbox.void(purpose(batch, "commit"))
        case Do.RESEAL:
            batches.put_aside(s, batch)


def _submit(s: Settlement, batch: Batch, intent: Intent, then: State) -> None:
    """Ask the contract first: what it refuses is never signed. Then sign, store, send, and write the state down."""
    if s.outbox.nonce_of(intent.purpose) is None:
        s.alliance.hub.try_out(intent.data, sender=s.outbox.sender, gas=intent.gas, tag="pending")
    outcome = s.outbox.submit(intent)
    if batch.state is not then and outcome.fate is not Fate.NEVER:
        tables.advance(s.conn, batch, then)


def _commit_intent(s: Settlement, batch: Batch) -> Intent:
    signatures = [wire_form(sig) for _, sig in tables.attestations(s.conn, batch.header_hash)]
    done = batch.done
    data = s.alliance.hub.data("commitBatch", done.header, list(done.nets), signatures)
    gas = commit_gas(nets=len(done.nets), attestations=len(signatures))
    return Intent(purpose(batch, "commit"), s.alliance.anchor.hub, data, gas, batch.batch_no)


def _finalise_intent(s: Settlement, batch: Batch) -> Intent:
    done = batch.done
    data = s.alliance.hub.data("finaliseBatch", done.header, list(done.nets))
    gas = finalise_gas(nets=len(done.nets))
    return Intent(purpose(batch, "finalise"), s.alliance.anchor.hub, data, gas, batch.batch_no)


def _record_nets(s: Settlement, batch: Batch) -> None:
    """Tell the ledger what the chain moved, as the hub's own events say it; once, however often this runs."""
    if not batch.done.nets:
        return
    first = s.alliance.anchor.deploy_block
    topic = batch.batch_no.to_bytes(32, "big")
    events = s.alliance.hub.events("NetSettled", first=first, last="finalized", topics=[topic])
    moved = [(event.fields["merchantId"], _moved(event.fields["net"], event.fields["shortfall"])) for event in events]
    at_ms = s.alliance.chain.head(events[0].log.block_number).timestamp * MS_PER_SECOND
    nets = tuple(Net(merchant_id=merchant, au=_au(batch, amount)) for merchant, amount in sorted(moved) if amount)
    command = SettleNets(key=f"settle-nets:{batch.batch_no}", at_ms=at_ms, batch_no=batch.batch_no, nets=nets)
    (answer,) = s.ledger.post([command])
    if isinstance(answer.outcome, Refusal):
        raise LedgerRefused(f"batch {batch.batch_no}: {answer.outcome.code}: {answer.outcome.message}")


def _moved(net: int, shortfall: int) -> int:
    """Base units that really moved: a debtor pays less by what it lacked, a creditor gets less by what was cut."""
    return net - shortfall if net > 0 else net + shortfall


def _au(batch: Batch, amount: int) -> int:
    au, rest = divmod(amount, BASE_UNITS_PER_AU)
    if rest:
        raise NotWholeAu(f"batch {batch.batch_no} moved {amount} base units, which is no whole AU")
    return au
