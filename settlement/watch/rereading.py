"""Reading again what was read before, by a node that is believed: which events the rows lack, which they have that
never were, and what the ledger was told too little for it.

Invariants: looking changes nothing; rows are put right in one SQL transaction, up to the watcher's cursor and not
beyond, while no watcher moves it; a node that does not know the first event any more is not believed about the others.
The ledger is told the difference between what moved and what it knows, whole AU that sum to zero; what it was told
counts as told by its own word, also where whoever told it died before writing that down. Safe to repeat after a crash:
what is right already is left alone. Called by `python -m settlement reread`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.rows import dict_row

from ledger import queries
from ledger.answers import Answer, Refusal
from ledger.commands import Command, Net, SettleNets
from settlement import second_node, tables
from settlement.alliance import Alliance
from settlement.chain.client import ChainUnclear, NodeRefused
from settlement.sealing.leaves import MS_PER_SECOND
from settlement.tables import Conn
from settlement.watch import moved, recoveries, watcher
from settlement.watch.moved import Step
from settlement.watch.recoveries import LedgerRefused
from settlement.watch.watcher import BLOCKS_PER_READ_MAX, STORE, FinalityBroken, Place

_READ = """
SELECT block_number, log_index, block_hash, tx_hash, contract, name, batch_no, merchant_id, amount, fields
FROM settlement.chain_event WHERE block_number BETWEEN %s AND %s ORDER BY block_number, log_index
"""
_HOLD = "SELECT block_number FROM settlement.chain_cursor WHERE starts_with(name, %s) FOR UPDATE"
_SET_RIGHT = """
UPDATE settlement.chain_cursor SET block_hash = %(true)s
WHERE starts_with(name, %(name)s) AND block_number = %(number)s AND block_hash = %(gone)s
"""
_ONE_MOMENT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"
_FORGET = "DELETE FROM settlement.chain_event WHERE block_number = %(block_number)s AND log_index = %(log_index)s"

Row = dict[str, Any]


class NothingRead(RuntimeError):
    """No event was ever read so far, or none that the ledger was told of: there is nothing to put right."""


@dataclass(frozen=True, slots=True)
class Reread:
    """What a second reading of these blocks found, rows by column."""

    first: int
    last: int
    missing: Sequence[Row]
    untrue: Sequence[Row]
    """What the rows say and the chain does not, or says otherwise: then the right one is missing."""
    gone: bytes = b""
    true: bytes = b""
    """Hashes of the last block: the one that was read, and the one that stands there now, where that is another."""

    @property
    def differs(self) -> bool:
        return bool(self.missing or self.untrue or self.gone)


def reread(conn: Conn, alliance: Alliance, *, first: int | None = None, reorganised: bool = False) -> Reread:
    """Read from block `first` (the first of the contracts when left out) to the watcher's cursor. `reorganised`: also
    where the block of the cursor has given way to another one. Raises `NothingRead`, `FinalityBroken`, `ChainError`.
    """
    alliance.require_same_chain()
    seen, begin = _cursor(conn, alliance), max(first or 0, alliance.anchor.deploy_block)
    if begin > seen.number:
        raise NothingRead(f"nothing was read beyond block {seen.number} yet")
    standing = second_node.block(alliance, seen.number)
    if standing.hash != seen.hash and not reorganised:
        raise FinalityBroken(
            f"block {seen.number} is another one at {alliance.chain.place} than the one that was read; if that one is "
            "gone for good, say --reorganised"
        )
    if second_node.settled(alliance).number < seen.number:
        raise ChainUnclear(f"block {seen.number} is not final at {alliance.chain.place}")
    _require_history(alliance, seen.number)
    true = {_place(row): row for row in _true(alliance, begin, seen.number)}
    held = {_place(row): row for row in _held(conn, begin, seen.number)}
    return Reread(
        begin,
        seen.number,
        [row for place, row in true.items() if held.get(place) != row],
        [row for place, row in held.items() if true.get(place) != row],
        *((seen.hash, standing.hash or b"") if standing.hash != seen.hash else ()),
    )


def _require_history(alliance: Alliance, last: int) -> None:
    """The hub's first event is its first header. Raises `ChainUnclear` for a node that keeps no events so old: all that
    it does not know any more would be taken for made up.
    """
    anchor = alliance.anchor
    first = [anchor.first_batch.to_bytes(32, "big")]
    if not alliance.hub.events("BatchCommitted", first=anchor.deploy_block, last=last, topics=first):
        raise ChainUnclear(f"{alliance.chain.place} does not know the hub's first event: it keeps no old ones")


def put_right(conn: Conn, found: Reread) -> None:
    """Make the rows say what the second reading found."""
    with conn.transaction():
        conn.execute(_HOLD, [watcher.CURSOR])
        for row in found.untrue:
            conn.execute(_FORGET, row)
        for row in found.missing:
            conn.execute(STORE, watcher.as_stored(row))
        if found.gone:
            place = {"name": watcher.CURSOR, "number": found.last}
            conn.execute(_SET_RIGHT, {**place, "gone": found.gone, "true": found.true})


def untold(conn: Conn) -> dict[int, int]:
    """AU by party that moved beyond what the ledger was told, without zeros. Raises `Unbalanced`."""
    with conn.transaction():
        conn.execute(_ONE_MOMENT)
        whole = moved.in_whole_au(moved.summed(step.moved for step in _told(conn)))
        known = {party: position.settled for party, position in queries.positions(conn).items()}
    rest = {party: whole.get(party, 0) - known.get(party, 0) for party in sorted({*whole, *known})}
    return {party: au for party, au in rest.items() if au}


def _told(conn: Conn) -> list[Step]:
    """What the ledger was told of, by our own notes or by its."""
    ended, until, taken = tables.last_finalised(conn), recoveries.told_until(conn), queries.settlements(conn)
    return [
        step
        for step in moved.steps(conn)
        if recoveries.is_told(step, ended=ended, until=until)
        or (step.batch_no, step.block_number if step.recovered else 0) in taken
    ]


def tell_rest(conn: Conn, alliance: Alliance, post: Callable[[Sequence[Command]], Sequence[Answer]]) -> None:
    """Tell the ledger what it was told too little. Raises `LedgerRefused`, `NothingRead`, `ChainUnclear`."""
    seen, rest = _cursor(conn, alliance), untold(conn)
    if not rest:
        return
    last = max((step.batch_no for step in _told(conn)), default=None)
    if last is None:
        raise NothingRead("nothing that moved is known of which the ledger was told")
    # The ledger takes one telling for a batch and a block: another reading may have had one, recoveries have theirs.
    taken = {block for batch_no, block in queries.settlements(conn) if batch_no == last}
    taken |= {step.block_number for step in moved.steps(conn) if step.recovered and step.batch_no == last}
    block = next(number for number in range(seen.number, 0, -1) if number not in taken)
    command = SettleNets(
        key=f"reread:{last}:{block}",
        at_ms=second_node.block(alliance, seen.number).timestamp * MS_PER_SECOND,
        batch_no=last,
        recovered_in=block,
        nets=tuple(Net(merchant_id=party, au=au) for party, au in rest.items()),
    )
    (answer,) = post([command])
    if isinstance(answer.outcome, Refusal):
        raise LedgerRefused(f"{answer.outcome.code}: {answer.outcome.message}")


def _cursor(conn: Conn, alliance: Alliance) -> Place:
    seen = watcher.cursor(conn, alliance)
    if seen is None:
        raise NothingRead("no event was read yet")
    return seen


def _true(alliance: Alliance, first: int, last: int) -> list[Row]:
    """By the chain, as far at once as the node answers for."""
    found: list[Row] = []
    span = BLOCKS_PER_READ_MAX
    while first <= last:
        end = min(last, first + span - 1)
        try:
            events = watcher.events(alliance, first, alliance.chain.head(end))
        except NodeRefused:
            if span == 1:
                raise
            span //= 2
            continue
        found += [watcher.row_of(event) for event in events]
        first = end + 1
    return found


def _held(conn: Conn, first: int, last: int) -> list[Row]:
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_READ, [first, last]).fetchall()
    return [{**row, "amount": None if row["amount"] is None else int(row["amount"])} for row in rows]


def _place(row: Row) -> tuple[int, int]:
    return row["block_number"], row["log_index"]
