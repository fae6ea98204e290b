"""What still holds a ledger at its hub, and the end of that hub, before the ledger goes on at another one.

Invariants: everything is read at one final block, of both nodes where a second one is asked, since nobody looks at the
hub again; a ledger leaves after a batch that is final, with nothing on its way, and only a hub that takes no batch any
more. As long as the hub takes batches that batch has to settle; what log batches hold that came after it all the same
is settled at the next hub. What was sealed and can never be committed is sealed anew for the next hub. A reason has a
name. Called by `python -m settlement carry-over`. Source: docs/decisions/0228, 0241, 0253.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from time import sleep
from typing import Final

from proofs.accounts import GUARANTEE_ID, OPERATOR_ID
from proofs.json_form import hex_bytes, hex_text
from proofs.words import ZERO_WORD
from settlement import second_node, tables
from settlement.alliance import Alliance
from settlement.carrying import carry, under_way
from settlement.chain.client import Chain
from settlement.chain.contracts import Contract
from settlement.chain.outbox import Intent, NotMinedYet, Outbox
from settlement.chain.transactions import CALL_GAS
from settlement.deployment.plan import Recorded, Step
from settlement.deployment.record import DRAFT, FIRST_BATCH, SCOPE, OtherFounding
from settlement.founding import Founding
from settlement.handover import MerchantSeat
from settlement.mirrors import Mirror, MirrorError
from settlement.networks import read_told
from settlement.publish import published_header
from settlement.sealing import desk, ends
from settlement.sealing.lanes import Lane, Roster
from settlement.sealing.openings import parties
from settlement.steps import State
from settlement.tables import Conn
from settlement.tiers.place import registry_place
from settlement.watch import moved, recoveries, watcher

UNCOMMITTED: Final = frozenset({State.OPEN, State.SEALED, State.PUBLISHED, State.ATTESTED, State.SUBMITTED})
_OPEN_PURPOSES = """
SELECT purpose FROM settlement.chain_nonce
WHERE NOT done AND chain_id = %(chain_id)s AND right(purpose, length(%(scope)s)) <> %(scope)s AND purpose <> %(ending)s
ORDER BY purpose
"""
SHOWN_MAX = 8
FINAL_POLL_S: Final = 2.0


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


def going_on(conn: Conn, chain: Chain, founding: Founding, first: int, *, second: Chain | None = None) -> Founding:
    """The founding of a hub that takes over everything. Lanes that merchants sign themselves come along, and none that
    the registry before has revoked: whoever got hold of its key would have it back. Merchants that administered
    themselves get their place. Both nodes have to say the same of them. Raises `NodesDisagree`, `ChainError`.
    """
    left = tables.anchor(conn, batch_no=first - 1)
    assert left is not None, "asked for before"
    own = [Lane(*lane.id, lane.address, lane.kinds) for lane in desk.lanes(conn) if lane.to_batch is None]
    known = {lane.id for lane in founding.roster}
    lanes = [*founding.roster, *(lane for lane in own if lane.id not in known)]
    going = replace(founding, roster=Roster(lanes), carry=carry(conn, first))
    old = Alliance(anchor=left, chain=chain, second=second)
    if second_node.agreed(old, "the chain", lambda each: each.chain.chain_id()) != left.chain_id:
        return going  # told by name before anything is done
    first_block = left.deploy_block
    over = second_node.agreed(old, "revoked keys", lambda each: ends.read(each.registry, first_block=first_block).keys)
    seats = second_node.agreed(
        old, "who administers merchants", lambda each: _own_seats(each.registry, founding, first_block=first_block)
    )
    return replace(going, roster=Roster([lane for lane in lanes if lane.id not in over]), seats=seats)


def _own_seats(registry: Contract, founding: Founding, *, first_block: int) -> dict[int, MerchantSeat]:
    """Merchants whose administrator is another than the alliance's host, who administers the operator's own party."""
    held = {
        told["merchantId"]: MerchantSeat(*(hex_bytes(told[name]) for name in ("admin", "payoutAddress")))
        for told in (event.fields for event in registry.events("MerchantSet", first=first_block))
    }
    host = held[OPERATOR_ID].admin
    return {party: held[party] for party in founding.merchants if party in held and held[party].admin != host}


def has_left(conn: Conn, first: int) -> bool:
    """Whether the step was begun: then nothing can hold the ledger any more."""
    anchor = tables.anchor(conn)
    return under_way(conn) is not None or (anchor is not None and anchor.first_batch == first)


def require_free(conn: Conn, old: Alliance, outbox: Outbox, founding: Founding, mirrors: Sequence[Mirror]) -> bool:
    """Whether the block that was looked at has the hub's end. Raises `StillHeld` with everything that holds the ledger
    at its hub, and as `watch` does: the hub's events are read first, for nobody reads them later.
    """
    watcher.watch(conn, old)
    at, everybody = second_node.settled(old).number, parties(conn)
    seen = second_node.agreed(old, f"the hub at block {at}", lambda each: _seen(each, at, everybody))
    held = list(_held(conn, old, outbox, founding, mirrors, seen=seen))
    if held:
        raise StillHeld("\n".join(map(str, held)))
    return seen.ending


def leave(
    conn: Conn, old: Alliance, outbox: Outbox, founding: Founding, mirrors: Sequence[Mirror], *, seconds_max: float
) -> None:
    """The hub ends, and nothing holds the ledger there in a block that has its end, by both nodes: what was committed
    just before it would be missed in an earlier one, which a node that lags calls the last. Raises as `require_free`,
    `NotMinedYet`.
    """
    if not winds_down(old):
        wind_down(old, outbox)
    for _ in range(max(1, int(seconds_max / FINAL_POLL_S))):
        outbox.renew()
        if winds_down(old) and require_free(conn, old, outbox, founding, mirrors):
            return
        sleep(FINAL_POLL_S)
    raise NotMinedYet("the end of the hub that is left is in no block yet that every node calls final")


def old_alliance(conn: Conn, chain: Chain, *, second: Chain | None = None) -> Alliance:
    """The hub that the ledger is at. Raises `StillHeld` where the node serves another chain: the program goes from hub
    to hub on one chain; contracts and auditor know of no such limit.
    """
    anchor = tables.anchor(conn)
    assert anchor is not None, "asked for before"
    if chain.chain_id() != anchor.chain_id:
        words = f"the hub is on chain {anchor.chain_id}, {chain.place} serves {chain.chain_id()}: that is not built"
        raise StillHeld(str(Held("another-chain", words)))
    return Alliance(anchor=anchor, chain=chain, second=second)


def wind_down(old: Alliance, outbox: Outbox) -> None:
    """The end of the old hub: it takes no batch any more. Once and for all, wherever the ledger goes on."""
    intent = Intent(_ending(old), old.hub.address, old.hub.data("beginWindDown"), CALL_GAS)
    with outbox.leading(wait_s_max=outbox.takeover_s) as led:
        if not led.is_signed(intent.purpose):
            old.hub.try_out(intent.data, sender=led.sender, gas=intent.gas)
        led.complete(intent)


def ending_step(old: Alliance, outbox: Outbox) -> list[Step]:
    """That transaction for the plan, before every other; none where a block has the end already."""
    if old.hub.read("windDownAt"):
        return []
    held = outbox.nonce_of(_ending(old))
    recorded = None if held is None else Recorded(held, mined=False)
    nonce = outbox.next_nonce() if held is None else held
    return [Step(purpose="wind-down", nonce=nonce, gas=CALL_GAS, address=None, recorded=recorded)]


def _ending(old: Alliance) -> str:
    """Its purpose is the old hub's: a batch that still came in there changes nothing of it."""
    return f"wind-down{SCOPE}{old.anchor.first_batch}"


def winds_down(old: Alliance) -> bool:
    """Whether that is final. Raises `NodesDisagree`, `ChainError`."""
    at = second_node.settled(old).number
    return bool(
        second_node.agreed(old, f"the hub's end at block {at}", lambda each: each.hub.read("windDownAt", tag=at))
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """The hub that is left, at one block, as a node shows it."""

    following: int
    final: int
    ending: bool
    last_hash: bytes
    forced: int
    owing: tuple[int, ...]


def _seen(old: Alliance, at: int, everybody: Sequence[int]) -> _Seen:
    following, (head, tail) = old.hub.read("nextBatchNo", tag=at), old.queue.read("queue", tag=at)
    return _Seen(
        following=following,
        final=old.hub.read("nextFinalNo", tag=at),
        ending=old.hub.read("windDownAt", tag=at) != 0,
        last_hash=old.hub.read("headerHash", following - 1, tag=at),
        forced=tail - head,
        owing=tuple(party for party in everybody if old.fund.read("owedBy", party, tag=at)),
    )


def _held(
    conn: Conn, old: Alliance, outbox: Outbox, founding: Founding, mirrors: Sequence[Mirror], *, seen: _Seen
) -> Iterator[Held]:
    if seen.final < seen.following:
        yield Held("batch-not-final", f"the hub has batches {seen.final} to {seen.following - 1} that are not final")
    yield from _batches(conn, seen, founding)
    if (taken := _taken(conn, founding, mirrors)) is not None:
        yield Held("number-taken", taken)
    if seen.forced and not seen.ending:
        yield Held("forced-open", f"{seen.forced} forced events wait for a batch of this hub")
    yield from _money(conn, seen)
    outbox.reconcile()
    named = {"chain_id": outbox.chain_id, "scope": outbox.scope, "ending": _ending(old)}
    open_ones = conn.execute(_OPEN_PURPOSES, named).fetchall()
    if open_ones:
        yield Held("outbox-open", f"in no final block: {_some([purpose for (purpose,) in open_ones])}")
    if founding.tiers is not None and registry_place(conn) is not None:
        yield Held("tiers-given", "the registry of tiers goes on where it is; leave [tiers] out of the file")
    if not seen.ending and not old.hub.read("hasRole", ZERO_WORD, outbox.sender):
        who = f"0x{outbox.sender.hex()} may not end it; council propose SettlementHub.beginWindDown"
        yield Held("not-winding-down", who)


def _batches(conn: Conn, seen: _Seen, founding: Founding) -> Iterator[Held]:
    """The last batch has to be ours, final here too, and to settle; of a hub that takes none any more it is as it is,
    and what was sealed after it does not matter.
    """
    last, ending = seen.following - 1, seen.ending
    for batch in tables.unfinished(conn):
        if batch.batch_no <= last or not ending or batch.state not in UNCOMMITTED:
            yield Held("batch-unfinished", f"batch {batch.batch_no} is {batch.state.name} here")
    if last + 1 != founding.first_batch:
        yield Held("batch-unfinished", f"batch {last} came in meanwhile: run it again when it is final")
    newest = tables.batch(conn, last)
    if newest is None or newest.sealed is None or newest.header_hash != seen.last_hash:
        yield Held("batch-conflict", f"batch {last} of the hub is not the one of this database")
    elif newest.done.header.nets_hash == ZERO_WORD and not ending:
        yield Held("last-batch-unsettled", f"batch {last} is the hub's last one, and settles nothing")


def _taken(conn: Conn, founding: Founding, mirrors: Sequence[Mirror]) -> str | None:
    """Who holds a header under the number of the next hub's first one that this database does not know: then it came
    back from an older backup, and the ledger has left already.
    """
    number = founding.first_batch
    ours = tables.known_hashes(conn, number)
    for mirror in mirrors:
        with suppress(MirrorError):
            standing = published_header(mirror, number)
            if standing is not None and standing.hash_struct() not in ours:
                return f"{mirror.name} has batch {number} as 0x{standing.hash_struct().hex()}, which is not ours"
    return None


def _money(conn: Conn, seen: _Seen) -> Iterator[Held]:
    if seen.owing:
        yield Held("claims-open", f"merchants {_some([str(party) for party in seen.owing])} owe to claims of defaults")
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
