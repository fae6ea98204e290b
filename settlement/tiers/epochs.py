"""Takes epochs through their states: draw, snapshot, build, sign, anchor, retire; whoever calls again goes on.

Invariants: `steps.next_step` decides and nothing here does; each state is one SQL transaction that refuses when another
worker was there first; between two of them nothing is lost by a kill, because everything random is drawn with the
epoch and kept in the vault; no SQL transaction is open while the network is asked. The time is the caller's, so tests
and sandboxes bring their own. Called by the periodic task and the command.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import structlog

from ledger.queries import registry as registry_of
from ledger.registry import Registry as Promises
from proofs.tier.cohorts import Cohorts
from proofs.tier.epoch_tree import TreeBusy
from proofs.tier.grid import PolicyGrid
from proofs.tier.header import EpochHeader
from proofs.tier.policy import at_least
from proofs.tier.statement import DEPTH, alliance_id
from proofs.tier.trusted import DEVELOPMENT_KEY
from settlement import second_node
from settlement.chain.client import ChainError, ChainUnclear
from settlement.chain.contracts import Refused
from settlement.chain.outbox import Checkpoint, FeeCeiling, ForeignPending, unwatched
from settlement.chain.refused import SignerRefused
from settlement.chain.senders import KeyRefused
from settlement.tables import Conn
from settlement.tiers import epoch_secrets, rows, signing_keys, snapshot
from settlement.tiers.clock import EpochClock
from settlement.tiers.commitments import EnrolmentHangs
from settlement.tiers.registry import NO_HASH, GuardianNeeded, NoCircuit, Registry
from settlement.tiers.rows import Epoch, State
from settlement.tiers.signing_keys import EpochKeyMissing
from settlement.tiers.snapshot import EpochFull, NoTiers
from settlement.tiers.steps import LATE, Do, Observation, Retire, Step, Wait, next_step, rests_on_finality
from settlement.tiers.trees import TreeDiffers, Trees
from settlement.vault import Vault, VaultError
from settlement.watch import alerts
from settlement.watch.alerts import Alert

STEPS_PER_EPOCH_MAX: Final = 12
KEY_EPOCH_STEP: Final = 7
"""Campaigns begin with a week of keys: by one epoch it could be asked on which day a member enrolled."""
SOURCE: Final = "tiers"
UNREVOKED: Final = "tier-epoch-unrevoked"
log = structlog.get_logger(__name__)

_WANTED = """
SELECT EXISTS (
    SELECT 1 FROM settlement.tier_commitment k WHERE k.from_epoch <= %s AND NOT EXISTS (
        SELECT 1 FROM settlement.tier_ended e
        WHERE (e.shard, e.member_no, e.key_no) = (k.shard, k.member_no, k.key_no)))
"""
_FORGET_LEAVES = "DELETE FROM settlement.tier_leaf WHERE epoch = %s"


class DevelopmentCircuit(RuntimeError):
    """In production: whoever made this circuit's key can prove any tier; governance registers one of a ceremony."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What epochs are sealed with. `now` in Unix seconds; `grid` None: made from the ledger's tiers."""

    conn: Conn
    vault: Vault
    clock: EpochClock
    trees: Trees
    registry: Registry
    now: int
    grid: PolicyGrid | None = None
    production: bool = False
    checkpoint: Checkpoint = unwatched


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an epoch stands after a drive, and why it is not further."""

    epoch: int
    state: State
    reason: str
    alarm: str = ""


_CANNOT_GO_ON: Final = (
    *(Refused, FeeCeiling, ForeignPending, SignerRefused, KeyRefused, EpochKeyMissing, NoCircuit, DevelopmentCircuit),
    *(NoTiers, EpochFull, EnrolmentHangs, TreeDiffers, VaultError, epoch_secrets.Erased),
)


def drive(desk: Desk) -> list[Standing]:
    """Draw the epoch that has begun, take every one as far as it goes, and erase what is over; where each stands.

    May be called twice, late, or by two workers at once: who comes second raises `StateMoved` or finds nothing to do.
    """
    _draw(desk)
    standings = [_drive_one(desk, each.epoch) for each in rows.unfinished(desk.conn)]
    desk.trees.sweep({each.epoch for each in rows.unfinished(desk.conn)})
    alerts.keep(desk.conn, SOURCE, [_alert(standing) for standing in standings if standing.alarm])
    _settle(desk)
    return standings


def _settle(desk: Desk) -> None:
    """Bring what was sent to its end in the outbox too. No epoch waits for it; the next drive tries again."""
    try:
        desk.registry.settle()
    except ChainError as error:
        log.warning("what was sent is not looked at", reason=str(error))


def _draw(desk: Desk) -> None:
    """Number the epoch of this moment, with its secret, once it has begun; the missed ones before it stay missing."""
    number, newest = desk.clock.epoch_at(desk.now), rows.last(desk.conn)
    if number < 1 or (newest is not None and newest.epoch >= number):
        return
    promises = registry_of(desk.conn)
    if promises.tiers is None or not _wanted(desk.conn, number):
        return
    fields = {
        "epoch": number,
        "not_before": desk.clock.begins(number),
        "not_after": desk.clock.ends(number),
        "drawn_at": desk.now,
        "alliance_id": alliance_id(desk.registry.chain_id, desk.registry.address),
        "policy_grid": (desk.grid or grid_of(promises)).to_json(),
    }
    with desk.conn.transaction():
        if rows.draw(desk.conn, fields):
            epoch_secrets.draw(desk.conn, desk.vault, number)
    desk.checkpoint("drawn")


def _wanted(conn: Conn, number: int) -> bool:
    """Whether anybody has a commitment: an epoch of nobody is not sealed."""
    row = conn.execute(_WANTED, [number]).fetchone()
    return bool(row and row[0])


def grid_of(promises: Promises) -> PolicyGrid:
    """The grid when none is set: each tier, each tier and those above it, spend between the tiers' thresholds, keys by
    the week.
    """
    assert promises.tiers is not None, "whoever asks has seen that there are tiers"
    ranks = range(1, len(promises.tiers.tiers))
    edges = tuple(tier.qualifying_au for tier in promises.tiers.tiers[1:])
    masks = {at_least(rank) for rank in ranks} | {1 << rank for rank in range(len(promises.tiers.tiers))}
    return PolicyGrid(tier_masks=tuple(sorted(masks)), spend_edges=edges, key_epoch_step=KEY_EPOCH_STEP)


def _drive_one(desk: Desk, number: int) -> Standing:
    taken: object = None
    for _ in range(STEPS_PER_EPOCH_MAX):
        epoch = rows.epoch(desk.conn, number)
        assert epoch is not None, "epochs are never deleted"
        try:
            step = _decided(desk, epoch)
            if isinstance(step, Wait):
                return Standing(number, epoch.state, step.reason, step.alarm)
            if step is taken:
                return Standing(number, epoch.state, "sent, not final yet")
            taken = step
            _act(desk, epoch, step)
        except TreeBusy:
            return Standing(number, epoch.state, "another worker hashes it")
        except ChainUnclear as error:
            return Standing(number, epoch.state, str(error), second_node.alarm_of(error))
        except GuardianNeeded as error:
            return Standing(number, epoch.state, str(error), UNREVOKED)
        except _CANNOT_GO_ON as error:
            return Standing(number, epoch.state, f"{type(error).__name__}: {error}", "tier-epoch-stuck")
    return Standing(number, State.RETIRED, "goes on at the next drive")


def _decided(desk: Desk, epoch: Epoch) -> Step:
    """The next step, borne out by both nodes where it cannot be taken back. Raises `NodesDisagree`, `ChainUnclear`."""
    seen = observe(desk, epoch)
    step = next_step(seen)
    if not rests_on_finality(seen, step):
        return step
    final = desk.registry.borne_out(epoch.epoch)
    sure = replace(seen, held_hash=final.header_hash, held_revoked=final.revoked, last_on_chain=final.last)
    if next_step(sure) != step:
        raise ChainUnclear(f"epoch {epoch.epoch}: what the newest blocks say is not final yet by every node")
    return step


def observe(desk: Desk, epoch: Epoch) -> Observation:
    """All that `next_step` wants to know."""
    held = desk.registry.held(epoch.epoch)
    before = [each for each in rows.unfinished(desk.conn) if each.epoch < epoch.epoch]
    return Observation(
        state=epoch.state,
        now=desk.now,
        not_after=epoch.not_after,
        grace_seconds=desk.registry.grace_seconds(),
        revoked=epoch.revoked_at is not None,
        epoch=epoch.epoch,
        members=epoch.members or 0,
        header_hash=bytes(epoch.header_hash) if epoch.header_hash else NO_HASH,
        held_hash=held.header_hash,
        held_revoked=held.revoked,
        last_on_chain=desk.registry.last()[0],
        earlier_undecided=any(each.state is not State.ANCHORED for each in before),
    )


def _act(desk: Desk, epoch: Epoch, step: Do | Retire) -> None:
    match step:
        case Do.SNAPSHOT:
            secret = epoch_secrets.opened(desk.conn, desk.vault, epoch.epoch)
            snapshot.take(desk.conn, epoch, secret, checkpoint=desk.checkpoint)
            desk.checkpoint("snapshotted")
        case Do.BUILD:
            _build(desk, epoch)
        case Do.SIGN:
            _sign(desk, epoch)
        case Do.PUBLISH:
            assert epoch.signed is not None, "steps offers only signed epochs"
            desk.registry.publish(epoch.signed)
            desk.checkpoint("published")
        case Do.RECORD:
            rows.advance(desk.conn, epoch, State.ANCHORED, anchored_at=desk.now)
            desk.checkpoint("anchored")
        case Do.REVOKE:
            desk.registry.revoke(epoch.epoch)
        case Retire(ended_as):
            _retire(desk, epoch, ended_as)


def _build(desk: Desk, epoch: Epoch) -> None:
    def seen(done: int) -> None:
        rows.progress(desk.conn, epoch.epoch, done)
        desk.checkpoint("hashing")

    root = desk.trees.build(desk.conn, desk.vault, epoch, seen=seen)
    desk.checkpoint("hashed")
    rows.advance(desk.conn, epoch, State.BUILT, root=root.to_bytes(32, "big"))
    desk.checkpoint("built")


def _sign(desk: Desk, epoch: Epoch) -> None:
    circuit, (_, previous) = desk.registry.circuit(), desk.registry.last()
    if desk.production and (circuit.development or circuit.vk_hash == DEVELOPMENT_KEY):
        raise DevelopmentCircuit("the contract's circuit was set up for development")
    assert epoch.cohorts is not None, "built epochs have a snapshot"
    header = EpochHeader(
        alliance_id=epoch.alliance_id,
        epoch=epoch.epoch,
        root=epoch.root_element,
        depth=DEPTH,
        cohorts=Cohorts.from_json(epoch.cohorts).hash(),
        policy_grid=PolicyGrid.from_json(epoch.policy_grid).hash(),
        circuit_id=circuit.circuit_id,
        vk_hash=circuit.vk_hash,
        not_before=epoch.not_before,
        not_after=epoch.not_after,
        previous=previous,
    )
    key = signing_keys.signer(desk.conn, desk.vault, desk.registry.signer(), production=desk.production)
    signed = header.sign(key, desk.registry.chain_id, desk.registry.address)
    form, hashed = header.to_json(), header.struct_hash()
    rows.advance(desk.conn, epoch, State.SIGNED, header=form, header_hash=hashed, signature=signed.signature)
    desk.checkpoint("signed")


def _retire(desk: Desk, epoch: Epoch, ended_as: str) -> None:
    """Erase the secret and everybody's attributes; the header and the root stay."""
    with desk.conn.transaction():
        rows.advance(desk.conn, epoch, State.RETIRED, retired_at=desk.now, ended_as=ended_as)
        epoch_secrets.erase(desk.conn, epoch.epoch)
        desk.conn.execute(_FORGET_LEAVES, [epoch.epoch])
        desk.checkpoint("erasing")
    desk.checkpoint("retired")
    if ended_as == LATE:
        log.warning("epoch given up", epoch=epoch.epoch, state=epoch.state.name)


def _alert(standing: Standing) -> Alert:
    return Alert(
        code=standing.alarm,
        place=f"tier epoch {standing.epoch}",
        expected="the epoch goes on by itself",
        actual=f"{standing.state.name}: {standing.reason}",
    )
