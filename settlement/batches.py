"""From journal to published batch: pick a range, seal it, keep it, publish it; or do the same again for one that is
due.

Invariants: a batch's secrets are stored before they are used, and its range, header, rows, nets and leaves in one SQL
transaction; after that it can be recomputed bit for bit from the database, so a crash before or during publication is
repaired by `publish_again`. Ranges are whole journal entries and follow each other without a gap. Times are the
chain's, because the contract judges them by its own clock. Called by `submitter` and the entry points.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Protocol

from ledger import queries
from ledger.answers import Answer, LegRef
from ledger.commands import Command
from ledger.journal import JournalEntry
from proofs.messages import domain_separator, signed_digest
from settlement import keys, readers, tables
from settlement.alliance import Alliance
from settlement.chain.outbox import Checkpoint, Outbox, unwatched
from settlement.founding import Publication
from settlement.numbers import require_free
from settlement.publish import NotOnEveryMirror, Package, Recipient, Wrapped, pack, publish
from settlement.sealing import desk, ends, openings, unsigned
from settlement.sealing.choosing import NOTHING_BARRED, Barred, Chosen, choose
from settlement.sealing.closing import BATCH_LEAVES_MAX
from settlement.sealing.ends import NO_ENDS, Ends, Use
from settlement.sealing.inspection import UNINSPECTED, BatchFaulty, Inspector
from settlement.sealing.lanes import Lane, LaneId, LaneSigner, Roster, Signature
from settlement.sealing.leaves import (
    LeafMaker,
    UnsealedLeaf,
    journal_head,
    needs,
    nonces_of,
    registered_accounts,
    void_leaves,
)
from settlement.sealing.seal import Rules, Sealed, seal
from settlement.sealing.self_signed import Inbox
from settlement.sealing.signing import LanesUnsigned, Presigned
from settlement.sealing.sweeps import unswept
from settlement.sealing.tariffs import tariff_of
from settlement.sealing.turn import Turn
from settlement.steps import State
from settlement.tables import Batch, Conn, SealedFields


class NotReproducible(RuntimeError):
    """A stored batch does not come out the same again: keys, journal or code have changed under it."""


class LaneKeys(LaneSigner, Protocol):
    """Whatever holds the lanes' keys, with the list of them."""

    @property
    def roster(self) -> Roster: ...


class Ledger(Protocol):
    """The poster, as far as settlement needs it."""

    def post(self, commands: Sequence[Command]) -> Sequence[Answer]:
        """One answer for each command, in order."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """Everything that settlement works with. `conn` is in autocommit mode and used by one thread; `padding` are the
    sizes up to which batches are padded, none by default; `inspector` looks at each before it is published.
    """

    conn: Conn
    alliance: Alliance
    outbox: Outbox
    publication: Publication
    lanes: LaneKeys
    ledger: Ledger
    checkpoint: Checkpoint = unwatched
    inspector: Inspector = UNINSPECTED
    padding: Sequence[int] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Terms:
    """What a batch is sealed with besides its journal entries. Where it is made again, `held` and `leaves` are which
    legs and how many leaves it was sealed with; `signed` is what hosted lanes have signed for it already, by digest.
    """

    sealed_at: int
    settling: bool
    config_hash: bytes
    registered: Sequence[bytes]
    inbox: Inbox
    ends: Ends = NO_ENDS
    barred: Barred = NOTHING_BARRED
    signed: Mapping[bytes, Signature] = field(default_factory=dict)
    held: Mapping[LegRef, LaneId] | None = None
    recipients: Sequence[Recipient] = ()
    wrapped: Sequence[Wrapped] = ()
    leaves: int | None = None

    def without(self, error: LanesUnsigned) -> _Terms:
        """The same without what was not signed."""
        barred = unsigned.barred_with(self.barred, error.refused)
        return replace(self, barred=barred, signed={**self.signed, **error.given})

    def can_do_without(self, error: LanesUnsigned, roster: Roster) -> bool:
        """Not where all that is refused are VOIDs, and the batch has no more of them than it needs."""
        return not unsigned.voids_barred(self.barred, roster) or any(source.no for source, _, _ in error.refused)


def seal_next(s: Settlement, *, settling: bool = False, leaves_max: int = BATCH_LEAVES_MAX) -> Batch | None:
    """Seal and publish the next batch: up to `leaves_max` legs of whole journal entries, or the range of a batch that
    was put aside. None when there is nothing to seal; a settling batch with nothing in it holds one VOID. While a
    mirror is down, or the inspector finds fault, the batch stays SEALED, and `publish_again` brings it on.

    Raises `SealRefused` and leaves nothing but the batch's secrets behind; `NumberTaken`, `BetweenHubs` before
    anything.
    """
    last = tables.last_batch(s.conn)
    assert last is not None, "founding stores batch 0"
    s.alliance.require_in_force(s.conn)  # `last` may be another hub's opening
    previous = _predecessor(s.conn, last)
    batch_no = previous.batch_no + 1
    plan = tables.plan(s.conn, batch_no)
    planned = plan if plan is not None and plan.last_seq is not None else None
    settling = settling if planned is None or planned.settling is None else planned.settling
    entries = openings.entries(
        s.conn, previous.done.last_seq, leaves_max=leaves_max, last_seq=planned.last_seq if planned else None
    )
    anchor = s.alliance.anchor
    over = ends.read(s.alliance.registry, first_block=anchor.deploy_block)
    desk.adopt_lanes(s.conn, s.alliance.registry, s.lanes.roster, first_block=anchor.deploy_block)
    desk.restrict_lanes(s.conn, over, batch_no=batch_no + 1)  # what is taken in from now on can be in the next at best
    desk.prepare(s.conn, s.publication.vault, s.lanes.roster, batch_no=batch_no)
    inbox = desk.inbox(s.conn, after=nonces_of(previous.done.rows))
    turn = Turn(batch_no, s.lanes.roster, inbox, over)
    if planned is None and not settling and not turn.holds_anything(s.conn, entries, leaves_max):
        return None
    require_free(s.conn, s.alliance, s.publication.mirrors, batch_no)
    now = s.alliance.chain.now()
    opened = last if last.state is State.OPEN else _open(s, batch_no, plan.incarnation + 1 if plan else 0, now)
    s.checkpoint("opened")
    merchants = openings.issuers(s.conn)
    terms = _Terms(
        sealed_at=max(now, previous.done.sealed_at, opened.opened_at),
        settling=settling,
        config_hash=s.alliance.policy.read("configHash"),
        registered=registered_accounts(_roster(s, inbox), issuers=merchants, parties=openings.parties(s.conn)),
        recipients=readers.of_batch(s.conn, batch_no),
        inbox=inbox,
        ends=over,
    )
    built = _build_signed(s, opened, previous, entries, terms)
    if built is None:
        return None
    sealed, package, chosen = built
    last_seq = entries[-1].seq if entries else previous.done.last_seq
    seqs = previous.done.last_seq + 1, last_seq
    batch = _store(s, opened, terms, sealed, package, seqs=seqs, chosen=chosen)
    s.checkpoint("sealed")
    with suppress(NotOnEveryMirror, BatchFaulty):
        _publish(s, batch, package)
    return tables.batch(s.conn, batch_no)


def _build_signed(
    s: Settlement, opened: Batch, previous: Batch, entries: Sequence[JournalEntry], terms: _Terms
) -> tuple[Sealed, Package, Chosen] | None:
    """The batch without what hosted lanes' signers do not sign, which waits for a later one; None where nothing is left
    of it. What was signed is not asked for again. Raises `LanesUnsigned` where it cannot do without.
    """
    refused: list[unsigned.Refusal] = []
    try:
        for _ in range(unsigned.ROUNDS_MAX):
            try:
                return _build(s, opened, previous, entries, terms)
            except LanesUnsigned as error:
                refused += error.refused
                if not terms.can_do_without(error, s.lanes.roster):
                    raise
                terms = terms.without(error)
    except unsigned.NothingSigned:
        pass  # none of it can go now
    finally:
        unsigned.tell(s.conn, refused)
    return None


def publish_again(s: Settlement, batch: Batch) -> None:
    """Recompute a SEALED batch and publish it. Raises `NotReproducible`, `BatchFaulty`, `PublicationError`."""
    previous, done = tables.batch(s.conn, batch.batch_no - 1), batch.done
    assert previous is not None
    terms = _Terms(
        sealed_at=done.sealed_at,
        settling=done.settling,
        config_hash=done.header.config_hash,
        registered=[row.account for row in done.rows],
        wrapped=done.wrapped,
        inbox=desk.inbox_of(s.conn, batch.batch_no),
        held=tables.legs_of(s.conn, batch.batch_no),
        leaves=done.header.leaf_count,
    )
    entries = openings.entries(s.conn, previous.done.last_seq, leaves_max=0, last_seq=done.last_seq)
    sealed, package, _ = _build(s, batch, previous, entries, terms)
    if sealed.finish(package.data_hash) != done.header:
        raise NotReproducible(f"batch {batch.batch_no}: recomputed header differs from the stored one")
    _publish(s, batch, package)


def put_aside(s: Settlement, batch: Batch) -> None:
    """Make room for another incarnation of this batch and of all that were sealed on top of it."""
    with s.conn.transaction():
        tables.supersede_from(s.conn, batch.batch_no)


def seal_planned(s: Settlement) -> list[int]:
    """Seal anew what was put aside, in order; the numbers."""
    done: list[int] = []
    while (last := tables.last_batch(s.conn)) is not None:
        following = last.batch_no if last.state is State.OPEN else last.batch_no + 1
        if tables.plan(s.conn, following) is None or seal_next(s) is None:
            break
        done.append(following)
    return done


def _predecessor(conn: Conn, last: Batch) -> Batch:
    """The newest sealed batch: `last`, or the one before it when `last` was only opened."""
    if last.state is not State.OPEN:
        return last
    found = tables.batch(conn, last.batch_no - 1)
    assert found is not None
    return found


def _open(s: Settlement, batch_no: int, incarnation: int, now: int) -> Batch:
    opened = keys.opened(s.publication.vault, batch_no=batch_no, incarnation=incarnation, opened_at=now)
    tables.open_batch(s.conn, opened)
    return opened


@unswept()
def _build(
    s: Settlement, batch: Batch, previous: Batch, entries: Sequence[JournalEntry], terms: _Terms
) -> tuple[Sealed, Package, Chosen]:
    """The pure part, with its inputs read from the database and the registry."""
    late = openings.late(s.conn, desk.late_legs(s.conn, batch_no=batch.batch_no))
    wanted = needs(entries, late)
    secrets = s.publication.vault.members(s.conn, wanted.members)
    batch_secret = keys.batch_secret(s.publication.vault, batch)
    nonces = nonces_of(previous.done.rows)
    maker = LeafMaker(
        roster=s.lanes.roster,
        secrets=secrets,
        references=openings.references(s.conn, wanted, batch_no=batch.batch_no),
        batch_secret=batch_secret,
    )
    last_seq = entries[-1].seq if entries else previous.done.last_seq
    chosen = choose(
        late,
        entries,
        maker=maker,
        inbox=terms.inbox,
        rows=previous.done.rows,
        batch_no=batch.batch_no,
        last_seq=last_seq,
        ends=terms.ends,
        barred=terms.barred,
        held=terms.held,
    )
    leaves = chosen.leaves
    if not leaves and terms.barred != NOTHING_BARRED and not terms.settling:
        raise unsigned.NothingSigned
    shown = terms.leaves or unsigned.leaves_shown(len(leaves), s.padding, s.lanes.roster, terms.barred)
    leaves += void_leaves(
        shown - len(leaves),
        after=leaves,
        source=LegRef(last_seq, 0),
        roster=s.lanes.roster,
        nonces=nonces,
        occurred_at=terms.sealed_at,
    )
    anchor = s.alliance.anchor
    rules = Rules(
        chain_id=anchor.chain_id,
        hub=anchor.hub,
        roster=_roster(s, terms.inbox),
        terms=openings.registered_terms(s.alliance.registry, first_block=anchor.deploy_block),
        config_hash=terms.config_hash,
    )
    sealed = seal(
        openings.opening(s.conn, previous),
        leaves,
        rules=rules,
        signer=_signer(s, chosen, terms.signed),
        member_tips=openings.tips(s.conn, wanted, secrets, last_seq=previous.done.last_seq, batch_no=batch.batch_no),
        registered=terms.registered,
        batch_secret=batch_secret,
        journal_head=journal_head(previous.done.header.journal_head, entries),
        opened_at=batch.opened_at,
        sealed_at=terms.sealed_at,
        settling=terms.settling,
    )
    data_key = keys.data_key(s.publication.vault, batch)
    package = pack(
        sealed,
        data_key=data_key,
        recipients=terms.recipients,
        wrapped=terms.wrapped,
        tariff=tariff_of(queries.registry_at(s.conn, last_seq)),
    )
    return sealed, package, chosen


def _roster(s: Settlement, inbox: Inbox) -> Roster:
    """Every lane: those whose keys are kept here, and those that merchants sign themselves."""
    return Roster([*s.lanes.roster, *(Lane(*lane.id, lane.address, lane.kinds) for lane in inbox.lanes)])


def _signer(s: Settlement, chosen: Chosen, signed: Mapping[bytes, Signature]) -> LaneSigner:
    if not chosen.given and not signed:
        return s.lanes
    separator = domain_separator(chain_id=s.alliance.anchor.chain_id, hub=s.alliance.anchor.hub)
    given = {signed_digest(separator, event_hash): signature for event_hash, signature in chosen.given.items()}
    return Presigned(s.lanes, {**signed, **given})


def _store(
    s: Settlement,
    opened: Batch,
    terms: _Terms,
    sealed: Sealed,
    package: Package,
    *,
    seqs: tuple[int, int],
    chosen: Chosen,
) -> Batch:
    """OPEN becomes SEALED with everything that belongs to it. `seqs`: first and last journal entry of the range."""
    header = sealed.finish(package.data_hash)
    fields = SealedFields(
        first_leaf=header.first_leaf_no,
        last_leaf=header.first_leaf_no + header.leaf_count - 1,
        first_seq=seqs[0],
        last_seq=seqs[1],
        settling=terms.settling,
        sealed_at=terms.sealed_at,
        header=header,
        rows=sealed.rows,
        nets=sealed.nets,
        wrapped=package.wrapped,
        uses=_uses(chosen.leaves),
    )
    with s.conn.transaction():
        tables.seal_batch(s.conn, opened, fields)
        late = desk.late_legs(s.conn, batch_no=opened.batch_no)
        tables.add_leaves(s.conn, opened, list(_leaf_rows(sealed)))
        desk.keep_parked(s.conn, batch_no=opened.batch_no, late=late, parked=chosen.parked)
    stored = tables.batch(s.conn, opened.batch_no)
    assert stored is not None
    return stored


def _uses(leaves: Iterable[UnsealedLeaf]) -> list[Use]:
    """What the batch takes for granted of the registry, each once."""
    events = (leaf.event for leaf in leaves)
    return sorted({Use(each.merchant_id, each.key_id, each.kind, each.terms_id) for each in events})


def _leaf_rows(sealed: Sealed) -> Iterable[tuple[int, bytes, int, int]]:
    for number, (event_id, source) in enumerate(zip(sealed.event_ids, sealed.sources, strict=True)):
        yield sealed.header.first_leaf_no + number, event_id, source.seq, source.no


def _publish(s: Settlement, batch: Batch, package: Package) -> None:
    s.inspector.inspect(package, batch.done.header)
    publish(package, batch.done.header, s.publication.mirrors, supersedes=tables.known_hashes(s.conn, batch.batch_no))
    s.checkpoint("published")
    tables.advance(s.conn, batch, State.PUBLISHED)
