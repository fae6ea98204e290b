"""Derive balances, orders and lots from the journal alone, and compare them with what is stored.

The journal's commands are played through the pure book, one by one, whatever batches they came in: every receipt must
come out byte for byte, and the state at the end must be the stored one. Reading only; tests and `python -m ledger
rebuild`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
from msgspec.structs import astuple

from ledger import commands
from ledger.book import Book
from ledger.records import canonical
from ledger.slice import Lot, Order, Slice

ROWS_PER_FETCH = 5_000
DIFFERENCES_MAX = 100

Connection = psycopg.Connection[Any]
Row = tuple[Any, ...]

_JOURNAL = "SELECT seq, command, receipt FROM ledger.journal WHERE shard = 0 ORDER BY seq"
_ACCOUNTS = """
SELECT DISTINCT ON (family, unit, party) family, unit, party, n, balance
FROM ledger.posting WHERE shard = 0 ORDER BY family, unit, party, n DESC
"""
_ORDERS = """
SELECT merchant_id, name, seq, at_ms, member_no, amount_minor, terms_id, fee_bps, campaign_id, confirm_from_ms,
       refunded_minor, confirmed_at_ms
FROM ledger.orders WHERE shard = 0
"""
_LOTS = """
SELECT seq, no, issuer, member_no, terms_id, role, points, standing, remaining, confirmed_at_ms, expires_at_ms,
       earned_seq, earned_leg
FROM ledger.lot WHERE shard = 0
"""
_RECORDS = "SELECT kind, party, name, body FROM ledger.record WHERE shard = 0"
_MEMBERS = """
SELECT member_no, name, bonded, referrer_no, merged_into, frozen, closed, tier, tier_since_ms FROM ledger.person
WHERE shard = 0
"""
_NAMES = """
SELECT used, merchant_id, name, seq FROM ledger.claim WHERE shard = 0
"""


def differences(conn: Connection, progress: Callable[[int], None] = lambda _: None) -> list[str]:
    """What a rebuild does not reproduce, at most DIFFERENCES_MAX lines; empty when the ledger is what its journal says.

    `progress` hears the journal position. The connection must be idle.
    """
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        book = Book(Slice.whole())
        found: list[str] = []
        for fault in _all(conn, book, progress):
            found.append(fault)
            if len(found) == DIFFERENCES_MAX:
                break
        return found


def _all(conn: Connection, book: Book, progress: Callable[[int], None]) -> Iterator[str]:
    yield from _play(conn, book, progress)
    state = book.slice
    yield from _compare("account", conn, _ACCOUNTS, {(*name, *last) for name, last in state.accounts.items()})
    yield from _compare("order", conn, _ORDERS, {_order(order) for order in state.orders.values() if order})
    yield from _compare("lot", conn, _LOTS, {_lot(lot) for lot in state.lots.values()})
    yield from _compare("name", conn, _NAMES, {(*claim, seq) for claim, seq in state.claims.items()})
    yield from _compare("member", conn, _MEMBERS, {astuple(member) for member in state.people.values()})
    kept = {(*name, canonical(record).decode()) for name, record in state.records.items() if record}
    yield from _compare("record", conn, _RECORDS, kept)


def _play(conn: Connection, book: Book, progress: Callable[[int], None]) -> Iterator[str]:
    with conn.cursor(name="rebuild") as cursor:
        cursor.itersize = ROWS_PER_FETCH
        for seq, command, receipt in cursor.execute(_JOURNAL):
            answer = book.apply(commands.parse(command.encode()))
            book.slice.answers.clear()
            book.take_effects()
            if answer.body != receipt.encode():
                yield f"entry {seq}: the journal says {receipt}, the book {answer.body.decode()}"
            if seq % ROWS_PER_FETCH == 0:
                progress(seq)


def _compare(what: str, conn: Connection, statement: str, rebuilt: set[Row]) -> Iterator[str]:
    """Rows of one kind that only one side has; a row that differs shows once on each."""
    with conn.cursor(name="compare") as cursor:
        cursor.itersize = ROWS_PER_FETCH
        for row in cursor.execute(statement):
            if row in rebuilt:
                rebuilt.remove(row)
            else:
                yield f"stored {what} {row} does not follow from the journal"
    for row in sorted(rebuilt, key=str):
        yield f"{what} {row} follows from the journal and is not stored"


def _order(order: Order) -> Row:
    return (
        order.merchant_id,
        order.name,
        order.seq,
        order.at_ms,
        order.member_no,
        order.amount_minor,
        order.terms_id,
        order.fee_bps,
        order.campaign_id,
        order.confirm_from_ms,
        order.refunded_minor,
        order.confirmed_at_ms,
    )


def _lot(lot: Lot) -> Row:
    return (
        *lot.id,
        lot.issuer,
        lot.member_no,
        lot.terms_id,
        lot.role,
        lot.points,
        lot.standing,
        lot.remaining,
        lot.confirmed_at_ms,
        lot.expires_at_ms,
        *(lot.earned_by or (None, None)),
    )
