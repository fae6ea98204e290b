"""Exhibits: single leaves and account rows of a batch with all that their hashes stand for and the path to the batch's
header, so that anybody who holds the header's hash can judge them alone.

    leaf  {batchNo, index, leaf, event, postings: {issuer, debtor, creditor, member}, path}   an unused slot is null
    row   {batchNo, index, row, path}

Structs are in their JSON form (`proofs.json_form`) with their salts in them. Who makes them has the batch's file and
secret; who checks them needs neither. An exhibit says what stands at a place, not that it is right: the contradiction
is for the reader, a court for instance, to see. Used by the auditor for its findings and by settlement for answers to
demands. Source: docs/protocol §4.4, §4.5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proofs.accounts import ROW_SALT_SEQ, salt
from proofs.json_form import JsonFormError, from_json, hex_text, integer, raw, to_json
from proofs.lpb1 import Reader, Record, Row, Step
from proofs.messages import AccountRow, BatchHeader, PointsEvent, Posting, SettlementLeaf
from proofs.receipt import PATH_HASHES_MAX, SLOTS
from proofs.tree import Tree, verify
from proofs.words import ZERO_WORD


class ExhibitError(ValueError):
    """The exhibit proves nothing: it is malformed, or does not lead to the header. The message says which."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf that stands at `index` of its batch, opened; `postings` by slot, only those that are used."""

    index: int
    leaf: SettlementLeaf
    event: PointsEvent
    postings: Mapping[str, Posting]


class OpenBatch:
    """One batch, opened to take exhibits from. Raises `ExhibitError` where the file is not the header's, and FileError
    where a record is none.
    """

    def __init__(self, reader: Reader, header: BatchHeader, batch_secret: bytes) -> None:
        self.header = header
        self._reader = reader
        self._secret = batch_secret
        self._leaves = Tree([record.leaf(batch_secret).hash_struct() for record in reader.records()])
        self._rows = Tree([row.row_hash(batch_secret) for row in reader.rows])
        self._row_at = {row.account: index for index, row in enumerate(reader.rows)}
        if self._leaves.root != header.leaves_root or self._rows.root != header.accounts_root:
            raise ExhibitError(f"batch {header.batch_no}: the file is not the header's")

    def record(self, leaf_no: int) -> Record | None:
        """The record that stands at the place of this number; None outside the batch."""
        index = leaf_no - self.header.first_leaf_no
        return self._reader.record(index) if 0 <= index < self._reader.leaf_count else None

    def leaf(self, leaf_no: int) -> dict[str, Any] | None:
        """The leaf at the place of this number, by position whatever it calls itself."""
        record, index = self.record(leaf_no), leaf_no - self.header.first_leaf_no
        if record is None:
            return None
        postings = dict(zip(SLOTS, record.steps, strict=True))
        return {
            "batchNo": str(self.header.batch_no),
            "index": str(index),
            "leaf": to_json(record.leaf(self._secret)),
            "event": to_json(record.event),
            "postings": {
                slot: None if step is None else to_json(self._posting(step)) for slot, step in postings.items()
            },
            "path": [hex_text(sibling) for sibling in self._leaves.path(index)],
        }

    def row(self, account: bytes) -> dict[str, Any] | None:
        """The row of an account, None where it has none."""
        index = self._row_at.get(account)
        return None if index is None else self.row_at(index)

    def row_at(self, index: int) -> dict[str, Any]:
        """The row at a place."""
        row = self._reader.rows[index]
        return {
            "batchNo": str(self.header.batch_no),
            "index": str(index),
            "row": to_json(self._opened(row)),
            "path": [hex_text(sibling) for sibling in self._rows.path(index)],
        }

    def around(self, account: bytes) -> list[dict[str, Any]]:
        """The rows between which an account that has none would stand: with them anybody sees that it is not there."""
        at = sum(row.account < account for row in self._reader.rows)
        return [self.row_at(index) for index in (at - 1, at) if 0 <= index < len(self._reader.rows)]

    def place_of(self, account: bytes) -> int | None:
        """Where the row of an account stands."""
        return self._row_at.get(account)

    def _posting(self, step: Step) -> Posting:
        return Posting(
            account=step.account,
            seq=step.seq,
            prev_leaf_no=step.prev_leaf_no,
            delta=step.delta,
            balance=step.balance,
            salt=salt(self._secret, step.account, step.seq),
        )

    def _opened(self, row: Row) -> AccountRow:
        return AccountRow(
            row.account, row.seq, row.last_leaf_no, row.balance, salt(self._secret, row.account, ROW_SALT_SEQ)
        )


def check_leaf(exhibit: Mapping[str, Any], header: BatchHeader) -> Leaf:
    """The leaf, if everything in the exhibit is what stands at its place under this header. Raises `ExhibitError`."""
    try:
        leaf, event = from_json(SettlementLeaf, exhibit["leaf"]), from_json(PointsEvent, exhibit["event"])
        told = exhibit["postings"]
        postings = {slot: from_json(Posting, told[slot]) for slot in SLOTS if told[slot] is not None}
        index = _placed(exhibit, header, leaf.hash_struct(), root=header.leaves_root, size=header.leaf_count)
    except (JsonFormError, KeyError, TypeError) as error:
        raise ExhibitError(f"not a leaf's exhibit: {error!r}") from error
    hashes = {slot: getattr(leaf, f"{slot}_posting") for slot in SLOTS}
    opened = {slot: postings[slot].hash_struct() if slot in postings else ZERO_WORD for slot in SLOTS}
    if leaf.event_hash != event.hash_struct() or hashes != opened:
        raise ExhibitError("event or postings are not those of the leaf")
    return Leaf(index, leaf, event, postings)


def check_row(exhibit: Mapping[str, Any], header: BatchHeader) -> tuple[int, AccountRow]:
    """The row and its place, if it stands there under this header. Raises `ExhibitError`."""
    try:
        row = from_json(AccountRow, exhibit["row"])
        index = _placed(exhibit, header, row.hash_struct(), root=header.accounts_root, size=header.accounts_count)
    except (JsonFormError, KeyError, TypeError) as error:
        raise ExhibitError(f"not a row's exhibit: {error!r}") from error
    return index, row


def _placed(exhibit: Mapping[str, Any], header: BatchHeader, item: bytes, *, root: bytes, size: int) -> int:
    if integer(exhibit, "batchNo") != header.batch_no:
        raise ExhibitError("the exhibit is of another batch")
    texts: Sequence[Any] = exhibit["path"]
    if not isinstance(texts, list) or len(texts) > PATH_HASHES_MAX:
        raise ExhibitError(f"a path has at most {PATH_HASHES_MAX} hashes")
    index = integer(exhibit, "index")
    if not verify(root, item, index, size, [raw({"path": text}, "path") for text in texts]):
        raise ExhibitError("the path does not lead to the header")
    return index
