"""Where settlement stands, for the report, the API and dashboards: batches, their transactions, gas. Reading only.

Everybody above may call it on a connection that may read the schema `settlement`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg.rows import dict_row

from proofs.json_form import from_json
from proofs.messages import BatchHeader
from settlement.tables import Conn, Nets

_BATCHES = """
SELECT batch.batch_no, batch.incarnation, batch.state, batch.settling, batch.first_leaf, batch.last_leaf,
    batch.first_seq, batch.last_seq, batch.opened_at, batch.sealed_at, batch.header, batch.header_hash, batch.nets,
    (SELECT coalesce(array_agg(attester ORDER BY attester), '{}')
     FROM settlement.attestation WHERE header_hash = batch.header_hash) AS attesters
FROM settlement.batch AS batch WHERE superseded_by IS NULL AND header IS NOT NULL
    AND batch_no BETWEEN %(first)s AND %(last)s
ORDER BY batch_no
"""
_TRANSACTIONS = """
SELECT nonce.batch_no, nonce.purpose, tx.tx_hash, tx.status, tx.block_number, tx.gas_used
FROM settlement.chain_nonce AS nonce JOIN settlement.chain_tx AS tx USING (chain_id, sender, nonce)
"""
_OF_BATCHES = "WHERE nonce.batch_no BETWEEN %(first)s AND %(last)s"
_IN_ORDER = " ORDER BY nonce.nonce, tx.max_fee"
_LEAF = "SELECT leaf_no, batch_no FROM settlement.batch_leaf WHERE journal_seq = %s AND leg_no = %s"
_LEAF_OF_EVENT = "SELECT leaf_no, batch_no FROM settlement.batch_leaf WHERE event_id = %s"
_NUMBER_MAX = 2**62


@dataclass(frozen=True, slots=True)
class TransactionStatus:
    """One signed transaction: what for, and what became of it (SIGNED, SENT, MINED, REVERTED or DROPPED)."""

    batch_no: int | None
    purpose: str
    tx_hash: bytes
    status: str
    block_number: int | None
    gas_used: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchStatus:
    """One live, sealed batch. Times are Unix seconds, nets base units by merchant id, addresses 20 bytes."""

    batch_no: int
    incarnation: int
    state: str
    settling: bool
    first_leaf: int
    last_leaf: int
    first_seq: int
    last_seq: int
    opened_at: int
    sealed_at: int
    header: BatchHeader
    header_hash: bytes
    nets: Nets
    attesters: list[bytes]
    transactions: list[TransactionStatus]

    @property
    def leaf_count(self) -> int:
        return self.header.leaf_count

    @property
    def gas_used(self) -> int:
        """Gas of everything mined for this batch."""
        return sum(tx.gas_used or 0 for tx in self.transactions)


def status(conn: Conn, *, first: int = 0, last: int = _NUMBER_MAX) -> list[BatchStatus]:
    """The live batches with these numbers, ascending; genesis is batch 0."""
    of_batch: dict[int | None, list[TransactionStatus]] = {}
    wanted = {"first": first, "last": last}
    for row in conn.execute(_TRANSACTIONS + _OF_BATCHES + _IN_ORDER, wanted).fetchall():
        tx = TransactionStatus(*row)
        of_batch.setdefault(tx.batch_no, []).append(tx)
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_BATCHES, wanted).fetchall()
    return [_status(each, of_batch.get(each["batch_no"], [])) for each in rows]


def transactions(conn: Conn) -> list[TransactionStatus]:
    """Every transaction ever signed, in nonce order; those of deployment have no batch."""
    return [TransactionStatus(*row) for row in conn.execute(_TRANSACTIONS + _IN_ORDER).fetchall()]


def leaf_of(conn: Conn, *, journal_seq: int, leg_no: int) -> tuple[int, int] | None:
    """(leaf number, batch number) of a leg of the journal, None while it is not sealed."""
    row = conn.execute(_LEAF, [journal_seq, leg_no]).fetchone()
    return None if row is None else (row[0], row[1])


def leaf_of_event(conn: Conn, event_id: bytes) -> tuple[int, int] | None:
    """(leaf number, batch number) of an event id, None when no live batch holds it."""
    row = conn.execute(_LEAF_OF_EVENT, [event_id]).fetchone()
    return None if row is None else (row[0], row[1])


def _status(row: dict[str, Any], of_batch: list[TransactionStatus]) -> BatchStatus:
    header = from_json(BatchHeader, row.pop("header"))
    nets = [(merchant, int(amount)) for merchant, amount in row.pop("nets")]
    return BatchStatus(**row, header=header, nets=nets, transactions=of_batch)
