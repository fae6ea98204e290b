"""Where a leg of the journal is settled, the receipt that proves it, and a merchant's extract of a batch.

A few batches are kept open, because opening one recomputes its tree; the last used stay. Invariants:
what is handed out was recomputed from the published file, under the header that the tables hold; reading only. Any
thread may call: batches are opened one at a time. Called by the front door. Source: docs/protocol §6.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

from proofs.words import ZERO_WORD
from settlement import tables
from settlement.keys import batch_secret, data_key
from settlement.mirrors import Mirror
from settlement.publish import fetch
from settlement.sealing.extracts import SealedRows, head
from settlement.sealing.receipts import BatchReceipts
from settlement.status import leaf_of
from settlement.tables import Batch, Conn
from settlement.vault import Vault

BATCHES_OPEN_MAX = 4


@dataclass(frozen=True, slots=True)
class Place:
    """A leaf: in which batch, at which number, and the batch's state (docs/protocol §5)."""

    batch_no: int
    leaf_no: int
    state: str


def place_of(conn: Conn, *, journal_seq: int, leg_no: int) -> Place | None:
    """Where a leg is, None while it is not sealed."""
    found = leaf_of(conn, journal_seq=journal_seq, leg_no=leg_no)
    if found is None:
        return None
    leaf_no, batch_no = found
    batch = tables.batch(conn, batch_no)
    assert batch is not None, "a leaf stands in a live batch"
    return Place(batch_no, leaf_no, batch.state.name)


class Inclusions:
    """Receipts of sealed legs, from the published files on the mirrors, with the operator's own keys."""

    def __init__(self, *, vault: Vault, mirrors: Sequence[Mirror]) -> None:
        self._vault = vault
        self._mirrors = mirrors
        self._open: OrderedDict[bytes, BatchReceipts] = OrderedDict()
        self._turn = Lock()

    def receipt(self, conn: Conn, place: Place, *, slot: str) -> dict[str, Any]:
        """The receipt of the leaf at `place`, opening the posting in `slot`, ready for JSON (`proofs.receipt`).

        Raises PublicationError when the file is not there, VaultError when the key is another one, NoReceipt when the
        leaf has nothing in that slot.
        """
        batch = tables.batch(conn, place.batch_no)
        assert batch is not None, "a place is in a live batch"
        with self._turn:
            return self._opened(conn, batch).of(place.leaf_no, slot)

    def extract(self, conn: Conn, batch_no: int, *, merchant_id: int, after: int, limit: int) -> dict[str, Any]:
        """A page of the merchant's extract of a sealed batch (`proofs.extract`): its leaves numbered above `after`.

        Raises PublicationError when the file is not there, VaultError when the key is another one.
        """
        batch, previous = tables.batch(conn, batch_no), tables.batch(conn, batch_no - 1)
        assert batch is not None, "the caller has looked"
        header, anchor = batch.done.header, tables.anchor(conn, batch_no=batch_no)
        assert anchor is not None, "batches exist only on a chain"
        since = tables.batch(conn, header.nets_since_batch) if header.nets_hash != ZERO_WORD else None
        shared = head(
            merchant_id,
            chain_id=anchor.chain_id,
            hub=anchor.hub,
            rows=self._rows(batch),
            previous=self._rows(previous) if previous else None,
            settled=self._rows(since) if since else None,
        )
        with self._turn:
            leaves, more = self._opened(conn, batch).of_merchant(merchant_id, after=after, limit=limit)
        return {**shared, "after": str(after), "leaves": leaves, "more": more}

    def _rows(self, batch: Batch) -> SealedRows:
        return SealedRows(batch.done.header, batch.done.rows, batch_secret(self._vault, batch))

    def _opened(self, conn: Conn, batch: Batch) -> BatchReceipts:
        key = batch.header_hash
        if key not in self._open:
            anchor = tables.anchor(conn, batch_no=batch.batch_no)
            assert anchor is not None, "batches exist only on a chain"
            header = batch.done.header
            self._open[key] = BatchReceipts(
                fetch(self._mirrors, header, data_key=data_key(self._vault, batch)),
                header,
                batch_secret=batch_secret(self._vault, batch),
                chain_id=anchor.chain_id,
                hub=anchor.hub,
            )
        self._open.move_to_end(key)
        while len(self._open) > BATCHES_OPEN_MAX:
            self._open.popitem(last=False)
        return self._open[key]
