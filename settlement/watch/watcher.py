"""Reads the contracts' events from finalised blocks into rows, each once, in chain order.

Invariants: each hub has a cursor (block and its hash) that says how far everything was read of it; it stands at final
blocks and moves forward only, in the SQL transaction that stores the events up to it, and only for the one who saw it
where it is, so that two watchers, or one that is late, or still at the hub before, store nothing twice and pass over
nothing. The hash of the cursor's block is looked at first: a final block that is gone is an alert and the end of
reading, never a rewind. A log whose block does not stand in the chain is not believed; where there is a second node,
nothing is stored but what both tell of a block that both call final. No SQL transaction is open while the network is
asked. Called by the entry points and by periodic tasks; the rows are read by `reconcile` and `overview`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Jsonb

from settlement import second_node
from settlement.alliance import Alliance
from settlement.chain.client import ChainError, ChainUnclear, Head, NodeRefused
from settlement.chain.contracts import Event
from settlement.tables import Conn
from settlement.watch import alerts
from settlement.watch.alerts import Alert

BLOCKS_PER_READ_MAX = 2_000
READS_PER_WATCH_MAX = 256
CURSOR = "contracts"
"""Its name for the first hub; for one that a ledger went on to, `contracts@` and the number of its first batch."""

_CURSOR = "SELECT block_number, block_hash FROM settlement.chain_cursor WHERE name = %s"
_START = """
INSERT INTO settlement.chain_cursor (name, block_number, block_hash) VALUES (%(name)s, %(number)s, %(hash)s)
ON CONFLICT DO NOTHING
"""
_MOVE = """
UPDATE settlement.chain_cursor SET block_number = %(number)s, block_hash = %(hash)s, moved_at = clock_timestamp()
WHERE name = %(name)s AND block_number = %(seen_number)s AND block_hash = %(seen_hash)s AND block_number < %(number)s
"""
STORE = """
INSERT INTO settlement.chain_event
    (block_number, log_index, block_hash, tx_hash, contract, name, batch_no, merchant_id, amount, fields)
VALUES (%(block_number)s, %(log_index)s, %(block_hash)s, %(tx_hash)s, %(contract)s, %(name)s, %(batch_no)s,
    %(merchant_id)s, %(amount)s, %(fields)s)
"""


class FinalityBroken(RuntimeError):
    """A block that was read as final is no longer in the chain. Nothing is read on; a person decides."""


@dataclass(frozen=True, slots=True)
class Place:
    """A block by number and hash."""

    number: int
    hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """How far everything is read, how far it could be, and how many events this call stored."""

    upto: int
    final: int
    stored: int


def watch(conn: Conn, alliance: Alliance) -> Watched:
    """Store the events of every block that has become final. May be called twice, late, or by two workers. Raises
    `FinalityBroken`, `ChainUnclear`, `AllianceError`.
    """
    try:
        return _watch(conn, alliance)
    except ChainError as error:
        alerts.report(conn, "watcher", second_node.alert(alliance, error))
        raise


def _watch(conn: Conn, alliance: Alliance) -> Watched:
    alliance.require_same_chain()
    final, stored, span = second_node.settled(alliance), 0, BLOCKS_PER_READ_MAX
    seen = cursor(conn, alliance) or _start(conn, alliance, final)
    for _ in range(READS_PER_WATCH_MAX):
        if seen.number >= final.number:
            break
        _require_standing(conn, alliance, seen)
        upto = min(final.number, seen.number + span)
        last = final if upto == final.number else second_node.block(alliance, upto)
        try:
            found = events(alliance, seen.number + 1, last)
        except NodeRefused:
            if span == 1:
                raise
            span = max(1, span // 2)  # nodes bound what one question may answer, each in its own way
            continue
        if not _store(conn, alliance, seen, last, found):
            break
        seen, stored = Place(last.number, last.hash or b""), stored + len(found)
    alerts.keep(conn, "watcher", [])
    return Watched(upto=seen.number, final=final.number, stored=stored)


def cursor(conn: Conn, alliance: Alliance) -> Place | None:
    """How far everything was read of this hub, None before the first time."""
    row = conn.execute(_CURSOR, [_name(alliance)]).fetchone()
    return None if row is None else Place(row[0], bytes(row[1]))


def _name(alliance: Alliance) -> str:
    first = alliance.anchor.first_batch
    return f"{CURSOR}@{first}" if first else CURSOR


def _start(conn: Conn, alliance: Alliance, final: Head) -> Place:
    """Before the first contract there is nothing to read."""
    before = second_node.block(alliance, max(0, min(alliance.anchor.deploy_block - 1, final.number)))
    conn.execute(_START, {"name": _name(alliance), "number": before.number, "hash": before.hash})
    found = cursor(conn, alliance)
    assert found is not None
    return found


def _require_standing(conn: Conn, alliance: Alliance, seen: Place) -> None:
    standing = second_node.block(alliance, seen.number).hash
    if standing == seen.hash:
        return
    actual = f"block {seen.number} is {(standing or b'').hex()}"
    expected = f"block {seen.number} is {seen.hash.hex()}, which was final"
    found = Alert(code="finality-broken", place=alliance.chain.place, expected=expected, actual=actual)
    alerts.keep(conn, "watcher", [found])
    raise FinalityBroken(f"{actual}, but it was final as {seen.hash.hex()}")


def events(alliance: Alliance, first: int, last: Head) -> list[Event]:
    """The events of all our contracts in these blocks, in chain order, by both nodes where there are two. Raises
    `ChainUnclear` when a block went away, `NodesDisagree`.
    """
    where = f"events of blocks {first} to {last.number}"
    return second_node.agreed(alliance, where, lambda each: _events(each, first, last))


def _events(alliance: Alliance, first: int, last: Head) -> list[Event]:
    found = [
        contract.decode(log)
        for contract in alliance.contracts
        for log in alliance.chain.logs(contract.address, first=first, last=last.number)
    ]
    blocks = {event.log.block_number: event.log.block_hash for event in found}
    for number, block_hash in {**blocks, last.number: last.hash}.items():
        if not first <= number <= last.number or alliance.chain.head(number).hash != block_hash:
            raise ChainUnclear(f"events of a block {number} that is not in the chain")
    return sorted(found, key=lambda event: (event.log.block_number, event.log.log_index))


def _store(conn: Conn, alliance: Alliance, seen: Place, last: Head, found: Iterable[Event]) -> bool:
    """Events and cursor together; False when another watcher was faster."""
    places = {"seen_number": seen.number, "seen_hash": seen.hash, "number": last.number, "hash": last.hash}
    with conn.transaction():
        if conn.execute(_MOVE, {"name": _name(alliance), **places}).rowcount != 1:
            return False
        with conn.cursor() as many:
            many.executemany(STORE, [as_stored(row_of(event)) for event in found])
    return True


def row_of(event: Event) -> dict[str, Any]:
    """The event as its row has it, by column."""
    fields, log = event.fields, event.log
    return {
        "block_number": log.block_number,
        "log_index": log.log_index,
        "block_hash": log.block_hash,
        "tx_hash": log.tx_hash,
        "contract": event.contract,
        "name": event.name,
        "batch_no": _first(fields, ("batchNo", "defaultId")),
        "merchant_id": _first(fields, ("merchantId", "creditorId")),
        "amount": _first(fields, ("amount", "net", "missing", "cut", "floor", "slashed")),
        "fields": {name: _json(value) for name, value in fields.items()},
    }


def as_stored(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as `STORE` takes it."""
    return {**row, "fields": Jsonb(row["fields"])}


def _first(fields: dict[str, Any], names: tuple[str, ...]) -> int | None:
    return next((fields[name] for name in names if name in fields), None)


def _json(value: Any) -> Any:
    """Integers as text, because readers of JSON cut them to 53 bits; bytes as hex, all the way down."""
    match value:
        case bool() | None:
            return value
        case int():
            return str(value)
        case bytes():
            return "0x" + value.hex()
        case list() | tuple():
            return [_json(one) for one in value]
        case dict():
            return {name: _json(one) for name, one in value.items()}
        case _ if hasattr(value, "items"):
            return {name: _json(one) for name, one in value.items()}
        case _:
            return str(value)
