"""What still holds a ledger at its hub, and the end of that hub, before the ledger goes on at another one.

Invariants: everything is read at one final block; a ledger leaves after a settling batch that is final, with nothing on
its way, and only a hub that takes no batch any more. What was sealed and can never be committed there is sealed anew
for the next hub. A reason has a name. Called by `python -m settlement carry-over`. Source: docs/decisions/0228.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from proofs.accounts import GUARANTEE_ID
from proofs.json_form import hex_text
from proofs.words import ZERO_WORD
from settlement import tables
from settlement.alliance import Alliance
from settlement.carrying import carry, under_way
from settlement.chain.client import Chain
from settlement.chain.outbox import Outbox
from settlement.chain.transactions import call
from settlement.deployment.record import DRAFT, FIRST_BATCH, OtherFounding
from settlement.founding import Founding
from settlement.networks import read_told
from settlement.sealing import desk
from settlement.sealing.lanes import Lane, Roster
from settlement.sealing.openings import parties
from settlement.steps import State
from settlement.tables import Conn
from settlement.tiers.place import registry_place
from settlement.watch import moved, recoveries, watcher

UNCOMMITTED: Final = frozenset({State.OPEN, State.SEALED, State.PUBLISHED, State.ATTESTED, State.SUBMITTED})
_OPEN_PURPOSES = """
SELECT purpose FROM settlement.chain_nonce WHERE NOT done AND chain_id = %s AND right(purpose, length(%s)) <> %s
ORDER BY purpose
"""
SHOWN_MAX = 8


class StillHeld(RuntimeError):
    """The ledger cannot leave its hub yet; each line has the name of a reason."""


@dataclass(frozen=True, slots=True)
class Held:
    """A reason, and what there is of it."""

    name: str
    words: str

    def __str__(self) -> str:
        return f"{self.name}: {self.words}"


def first_batch(conn: Conn, out: Path) -> int:
    """The number of the new hub's first header: of the one that is being founded, or that `out` tells of, or the next.
    Raises `OtherFounding`, `NotAddresses`.
    """
    anchor, opening = tables.anchor(conn), under_way(conn)
    if anchor is None:
        raise OtherFounding("this database has no hub to leave; run deploy")
    told = read_told(out) if out.exists() else {}
    if opening is not None and opening > anchor.first_batch:
        return opening
    if anchor.first_batch and anchor.first_batch == told.get(DRAFT, {}).get(FIRST_BATCH):
        return anchor.first_batch
    if told.get("hub") == hex_text(anchor.hub):
        if anchor.first_batch:
            return anchor.first_batch
        raise OtherFounding(f"{out}: names the hub that the ledger is to leave; name another file")
    return tables.last_finalised(conn) + 1


def going_on(conn: Conn, founding: Founding, first: int) -> Founding:
    """The founding of a hub that takes over everything; lanes that merchants sign themselves come along."""
    own = [Lane(*lane.id, lane.address, lane.kinds) for lane in desk.lanes(conn) if lane.to_batch is None]
    known = {lane.id for lane in founding.roster}
    roster = Roster([*founding.roster, *(lane for lane in own if lane.id not in known)])
    return replace(founding, roster=roster, carry=carry(conn, first))


def has_left(conn: Conn, first: int) -> bool:
    """Whether the step was begun: then nothing can hold the ledger any more."""
    anchor = tables.anchor(conn)
    return under_way(conn) is not None or (anchor is not None and anchor.first_batch == first)


def require_free(conn: Conn, old: Alliance, outbox: Outbox, founding: Founding) -> None:
    """Raises `StillHeld` with everything that holds the ledger at its hub, and as `watch` does: the hub's events are
    read first, for nobody reads them later.
    """
    watcher.watch(conn, old)
    held = list(_held(conn, old, outbox, founding))
    if held:
        raise StillHeld("\n".join(map(str, held)))


def old_alliance(conn: Conn, chain: Chain) -> Alliance:
    """The hub that the ledger is at. Raises `StillHeld` where the node serves another chain: the program goes from hub
    to hub on one chain; contracts and auditor know of no such limit.
    """
    anchor = tables.anchor(conn)
    assert anchor is not None, "asked for before"
    if chain.chain_id() != anchor.chain_id:
        words = f"the hub is on chain {anchor.chain_id}, {chain.place} serves {chain.chain_id()}: that is not built"
        raise StillHeld(str(Held("another-chain", words)))
    return Alliance(anchor=anchor, chain=chain)


def wind_down(old: Alliance, outbox: Outbox) -> None:
    """The end of the old hub: it takes no batch any more. Once and for all."""
    with outbox.leading(wait_s_max=outbox.takeover_s) as led:
        call(led, "wind-down", old.hub, "beginWindDown")


def winds_down(old: Alliance) -> bool:
    """Whether that is final."""
    return bool(old.hub.read("windDownAt", tag=old.chain.head("finalized").number))


def _held(conn: Conn, old: Alliance, outbox: Outbox, founding: Founding) -> Iterator[Held]:
    at, hub = old.chain.head("finalized").number, old.hub
    following, final = hub.read("nextBatchNo", tag=at), hub.read("nextFinalNo", tag=at)
    ending = hub.read("windDownAt", tag=at) != 0
    if final < following:
        yield Held("batch-not-final", f"the hub has batches {final} to {following - 1} that are not final")
    yield from _batches(conn, old, last=following - 1, ending=ending)
    head, tail = old.queue.read("queue", tag=at)
    if head < tail and not ending:
        yield Held("forced-open", f"{tail - head} forced events wait for a batch of this hub")
    yield from _money(conn, old, at)
    outbox.reconcile()
    open_ones = conn.execute(_OPEN_PURPOSES, [outbox.chain_id, outbox.scope, outbox.scope]).fetchall()
    if open_ones:
        yield Held("outbox-open", f"in no final block: {_some([purpose for (purpose,) in open_ones])}")
    if founding.tiers is not None and registry_place(conn) is not None:
        yield Held("tiers-given", "the registry of tiers goes on where it is; leave [tiers] out of the file")
    if not ending and not hub.read("hasRole", ZERO_WORD, outbox.sender):
        who = f"0x{outbox.sender.hex()} may not end it; council propose SettlementHub.beginWindDown"
        yield Held("not-winding-down", who)


def _batches(conn: Conn, old: Alliance, *, last: int, ending: bool) -> Iterator[Held]:
    """The last batch has to be ours, final here too, and to settle; of a hub that takes none any more, what was sealed
    after it does not matter.
    """
    for batch in tables.unfinished(conn):
        if batch.batch_no <= last or not ending or batch.state not in UNCOMMITTED:
            yield Held("batch-unfinished", f"batch {batch.batch_no} is {batch.state.name} here")
    newest = tables.batch(conn, last)
    if newest is None or newest.sealed is None or newest.header_hash != old.hub.read("headerHash", last):
        yield Held("batch-conflict", f"batch {last} of the hub is not the one of this database")
    elif newest.done.header.nets_hash == ZERO_WORD:
        yield Held("last-batch-unsettled", f"batch {last} is the hub's last one, and settles nothing")


def _money(conn: Conn, old: Alliance, at: int) -> Iterator[Held]:
    owing = [party for party in parties(conn) if old.fund.read("owedBy", party, tag=at)]
    if owing:
        yield Held("claims-open", f"merchants {_some([str(party) for party in owing])} owe to claims of defaults")
    ended, until = tables.last_finalised(conn), recoveries.told_until(conn)
    steps = moved.steps(conn)
    kept = moved.summed(step.moved for step in steps).get(GUARANTEE_ID, 0)
    if kept > 0:
        yield Held("claims-uncollected", f"{kept} base units were repaid, and neither collected nor put back")
    untold = sum(step.recovered for step in steps if not recoveries.is_told(step, ended=ended, until=until))
    if untold:
        yield Held("recoveries-untold", f"{untold} recoveries of the chain are not in the ledger")


def _some(names: Sequence[str]) -> str:
    more = len(names) - SHOWN_MAX
    return ", ".join(names[:SHOWN_MAX]) + (f" and {more} more" if more > 0 else "")
