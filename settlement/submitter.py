"""Drives every batch to its end: look at the chain, take the pure next step, act, look again.

Invariants: one process drives at a time, under a lease whose token is checked with every signature (R1);
`steps.next_step` decides and nothing here does; what is written down is written before or after the network is asked,
never while; every action may be repeated after a crash. What is seen of a batch is seen at one block. A batch that
cannot go on says why in its `Standing` and does not hold up the process; what a person must decide is never decided
here but becomes an alert. Called by the entry points and by periodic tasks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import structlog

from ledger.answers import Refusal
from ledger.commands import Net, SettleNets
from settlement import batches, forced, second_node, tables
from settlement.alliance import OtherChain
from settlement.attestations import wire_form
from settlement.batches import Settlement
from settlement.chain.client import ChainError, ChainUnclear
from settlement.chain.contracts import Refused
from settlement.chain.gas import commit_gas, finalise_gas
from settlement.chain.outbox import FeeCeiling, ForeignPending, Intent
from settlement.chain.refused import SignerRefused, SignerSilent
from settlement.finalising import finalise_intent
from settlement.observing import VERBS, decided, purpose
from settlement.publish import NotOnEveryMirror, PublicationError
from settlement.sealing.forced_intake import take_forced
from settlement.sealing.inspection import BatchFaulty
from settlement.sealing.leaves import MS_PER_SECOND
from settlement.sealing.signing import LanesUnsigned
from settlement.steps import Become, Do, Fate, State, Step, Wait
from settlement.tables import Batch
from settlement.watch import alerts, backing, moved, recoveries, watcher
from settlement.watch.alerts import Alert
from settlement.watch.recoveries import LedgerRefused

STEPS_PER_DRIVE_MAX = 32

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a batch stands: `until` in Unix seconds by the chain's clock, None when something outside must change."""

    batch_no: int
    state: State
    reason: str
    until: int | None
    alarm: str = ""


_ALARMS: dict[type[Exception], str] = {
    FeeCeiling: "fee-ceiling",
    ForeignPending: "sender-shared",
    LedgerRefused: "ledger-refused",
    NotOnEveryMirror: "mirror-behind",
    BatchFaulty: "batch-faulty",
    batches.NotReproducible: "not-reproducible",
    SignerRefused: "signer-refused",
    SignerSilent: "signer-refused",
    LanesUnsigned: "signer-refused",
    Refused: "commit-refused",
    forced.ForcedWaits: "forced-due",
    forced.GivenUp: "transaction-failed",
    moved.Unbalanced: "events-missing",
    watcher.FinalityBroken: "finality-broken",
}
_CANNOT_GO_ON = (
    *(Refused, FeeCeiling, ForeignPending, LedgerRefused, SignerRefused),
    *(batches.NotReproducible, BatchFaulty, PublicationError, forced.ForcedWaits, forced.GivenUp),
    *(ChainError, moved.Unbalanced, watcher.FinalityBroken),
)


def _alarm_of(error: Exception) -> str:
    if isinstance(error, ChainError):
        return second_node.alarm_of(error)
    return _ALARMS.get(type(error), "")


def drive(s: Settlement) -> list[Standing]:
    """Take every unfinished batch as far as it goes now, in order; where each of them stands afterwards.

    May be called twice, late, or by two workers: the second raises `LeaseHeld` and has done nothing. Raises
    `AllianceError` where the node serves another chain than ours.
    """
    with s.outbox.leading() as led:
        s = replace(s, outbox=led)
        s.alliance.require_same_chain()
        s.alliance.require_in_force(s.conn)
        if led.chain_id != s.alliance.anchor.chain_id:  # the node said another one when the outbox was made
            raise OtherChain(f"would sign for chain {led.chain_id}, not for {s.alliance.anchor.chain_id}")
        return _drive_all(s)


def _drive_all(s: Settlement) -> list[Standing]:
    standings: list[Standing] = []
    tended = _tend(s)
    for batch in tables.unfinished(s.conn):
        if tables.batch(s.conn, batch.batch_no) is None:
            break
        s.outbox.renew()
        standings.append(_drive_one(s, batch.batch_no))
    found = [_alert(standing) for standing in standings if standing.alarm]
    alerts.keep(s.conn, "submitter", [*tended, *found, *_discharge(s)])
    _tell_forced(s)
    batches.seal_planned(s)  # last: what keeps a batch from being sealed anew must not keep alerts from being told
    return standings


def rested(conn: tables.Conn) -> None:
    """There is nothing to drive and nothing forced: what was an alert for either is over."""
    alerts.keep(conn, "submitter", [])
    alerts.keep(conn, "forced", [])


def _tend(s: Settlement) -> list[Alert]:
    """First what is on its way already, batches' or not; a trouble of one of those is no reason to let batches wait.
    Another user of the account is told even where no batch asks for a signature.
    """
    obsolete = {f"{verb}:{no}.{incarnation}" for no, incarnation in tables.superseded(s.conn) for verb in VERBS}
    owned = {purpose(batch, verb) for batch in tables.unfinished(s.conn) for verb in VERBS}
    try:
        s.outbox.tend(obsolete=obsolete, owned=owned)
    except _CANNOT_GO_ON as error:
        log.warning("nonces not tended", reason=str(error))
        if isinstance(error, ForeignPending):
            expected = "the account is ours alone"
            return [Alert(code=_alarm_of(error), place="nonces", expected=expected, actual=str(error))]
    return []


def _discharge(s: Settlement) -> list[Alert]:
    """Trouble with the forced queue holds no batch up; what the contract refuses today it may take tomorrow."""
    try:
        forced.discharge(s)
    except _CANNOT_GO_ON as error:
        code = _alarm_of(error)
        return [Alert(code=code, place="forced queue", expected="its head is taken off", actual=str(error))]
    return []


def _tell_forced(s: Settlement) -> None:
    """Alerts of what is queued, which only another look at the queue resolves."""
    try:
        alerts.keep(s.conn, "forced", forced.still_queued(s))
    except ChainError as error:
        log.warning("forced queue not read", reason=str(error))


def _alert(standing: Standing) -> Alert:
    return Alert(
        code=standing.alarm,
        place=f"batch {standing.batch_no}",
        expected="the batch goes on by itself",
        actual=f"{standing.state.name}: {standing.reason}",
    )


def _drive_one(s: Settlement, batch_no: int) -> Standing:
    taken: Step | None = None
    for _ in range(STEPS_PER_DRIVE_MAX):
        batch = tables.batch(s.conn, batch_no)
        if batch is None:
            break
        try:
            step = decided(s, batch) if batch.sealed else Wait(State.OPEN.value)
            if isinstance(step, Wait):
                return Standing(batch_no, batch.state, step.reason, step.until, step.alarm)
            if step is taken:
                return Standing(batch_no, batch.state, "sent, in no block yet", None)
            taken = step
            _act(s, batch, step)
        except _CANNOT_GO_ON as error:
            return Standing(batch_no, batch.state, str(error), None, _alarm_of(error))
    return Standing(batch_no, State.OPEN, "goes on at the next drive", None)


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
            _submit(s, batch, finalise_intent(s, batch, purpose(batch, "finalise")), State.FINALISING)
        case Do.BUMP_COMMIT:
            s.outbox.bump(purpose(batch, "commit"))
        case Do.BUMP_FINALISE:
            s.outbox.bump(purpose(batch, "finalise"))
        case Do.RELEASE:
            _submit(s, batch, _release_intent(s, batch), batch.state)
        case Do.BUMP_RELEASE:
            s.outbox.bump(purpose(batch, "release"))
        case Do.RETRY_RELEASE:
            s.outbox.retire(purpose(batch, "release"))
        case Do.RETRY_COMMIT:
            s.outbox.retire(purpose(batch, "commit"))
        case Do.RETRY_FINALISE:
            s.outbox.retire(purpose(batch, "finalise"))
        case Do.CONTINUE_FINALISE:
            s.outbox.follow(purpose(batch, "finalise"))
        case Do.MAKE_WAY:
            forced.make_way(s, batch, now=s.alliance.chain.now())
        case Do.VOID_COMMIT:
            s.outbox.void(purpose(batch, "commit"))
        case Do.RESEAL:
            # What was forced meanwhile may have to be in it: the hub may take no batch without.
            take_forced(s, now=s.alliance.chain.now())
            batches.put_aside(s, batch)


def _submit(s: Settlement, batch: Batch, intent: Intent, then: State) -> None:
    """Ask the contract first: what it refuses is never signed. Then sign, store, send, and write the state down."""
    if not s.outbox.is_signed(intent.purpose):
        s.alliance.hub.try_out(intent.data, sender=s.outbox.sender, gas=intent.gas, tag="pending")
    outcome = s.outbox.submit(intent)
    if batch.state is not then and outcome.fate not in {Fate.NEVER, Fate.ASKED}:
        tables.advance(s.conn, batch, then)


def _commit_intent(s: Settlement, batch: Batch) -> Intent:
    signatures = [wire_form(sig) for _, sig in tables.attestations(s.conn, batch.header_hash)]
    done = batch.done
    data = s.alliance.hub.data("commitBatch", done.header, list(done.nets), signatures)
    cleared = len(forced.overdue(s, now=s.alliance.chain.now()))
    gas = commit_gas(nets=len(done.nets), attestations=len(signatures), forced=cleared)
    return Intent(purpose(batch, "commit"), s.alliance.anchor.hub, data, gas, batch.batch_no)


def _release_intent(s: Settlement, batch: Batch) -> Intent:
    done = batch.done
    data = s.alliance.hub.data("releaseReverted", done.header, list(done.nets))
    return Intent(
        purpose(batch, "release"), s.alliance.anchor.hub, data, finalise_gas(nets=len(done.nets)), batch.batch_no
    )


def _record_nets(s: Settlement, batch: Batch) -> None:
    """Tell the ledger what the chain moved, as the hub's own events say it; once, however often this runs."""
    if not batch.done.nets:
        return
    watcher.watch(s.conn, s.alliance)
    recoveries.tell(s)
    known = moved.steps(s.conn)
    at = next((at for at, step in enumerate(known) if not step.recovered and step.batch_no == batch.batch_no), None)
    if at is None or not {party for party, _ in batch.done.nets} <= known[at].moved.keys():
        raise ChainUnclear(f"batch {batch.batch_no} is final, but not all of its nets are read from the chain yet")
    nets = moved.newly_settled([step.moved for step in known], at)
    command = SettleNets(
        key=f"settle-nets:{batch.batch_no}",
        at_ms=second_node.block(s.alliance, known[at].block_number).timestamp * MS_PER_SECOND,
        batch_no=batch.batch_no,
        nets=tuple(Net(merchant_id=party, au=au) for party, au in nets.items()),
    )
    backing.tell_paid(s, [party for party, au in nets.items() if au < 0])
    (answer,) = s.ledger.post([command])
    if isinstance(answer.outcome, Refusal):
        raise LedgerRefused(f"batch {batch.batch_no}: {answer.outcome.code}: {answer.outcome.message}")
