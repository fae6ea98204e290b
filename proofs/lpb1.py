"""LPB1: the published file of one batch, in the clear, as the sealer writes it before it is compressed and encrypted
and as an auditor reads it after.

Layout, all in 32-byte words:

    prelude  b"LPB1" ‖ version uint32 ‖ rows uint32 ‖ nets uint32 ‖ leaves uint32 ‖ 12 zero bytes          1 word
    header   the BatchHeader's fields with dataHash zero (the file's own hash cannot stand inside it)     17 words
    rows     account, seq, lastLeafNo, balance; strictly ascending                                        4 words each
    nets     merchantId, amount                                                                           2 words each
    leaves   event ‖ r ‖ vs ‖ 4 x (account, seq, prevLeafNo, delta, balance)
             ‖ totalPointsAfter ‖ leafNo ‖ lanePrevLeafNo                                                40 words each

The posting slots are issuer, debtor, creditor, member; an unused slot is five zero words. Salts are not in the file:
they follow from the batch secret. A reader checks form only (lengths, canonical words); what the figures must satisfy
is the auditor's business. Source: docs/protocol §3.6.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import overload

from proofs.accounts import ROW_SALT_SEQ, salt
from proofs.keccak import keccak256
from proofs.messages import AccountRow, BatchHeader, PointsEvent, Posting, SettlementLeaf
from proofs.words import WORD_BYTES, ZERO_WORD, WordError, int_of, int_word, padding_of, uint_word

MAGIC = b"LPB1"
VERSION = 1
RECORD_BYTES = 40 * WORD_BYTES
ROW_BYTES = 4 * WORD_BYTES
NET_BYTES = 2 * WORD_BYTES
HEADER_BYTES = BatchHeader.WORDS * WORD_BYTES
ROWS_MAX = 2**20
NETS_MAX = 512
LEAVES_MAX = 2**20

_PRELUDE = struct.Struct(">4sIIII12s")
_PRELUDE_END = bytes(12)
EVENT_BYTES = PointsEvent.WORDS * WORD_BYTES
_SLOT_BYTES = 5 * WORD_BYTES
_SLOTS_AT = EVENT_BYTES + 2 * WORD_BYTES
_TAIL_AT = _SLOTS_AT + 4 * _SLOT_BYTES
_SLOT_LAYOUT = "32s24xQ24xQ32s32s"
_SLOT = struct.Struct(">" + _SLOT_LAYOUT)
_SLOT_PADDING = padding_of(_SLOT_LAYOUT)
EMPTY_SLOT = bytes(_SLOT_BYTES)


class FileError(ValueError):
    """The bytes are not an LPB1 file: wrong magic, version, counts, length or a word that is not canonical."""


@dataclass(frozen=True, slots=True)
class Step:
    """A posting without its salt: one step of one account."""

    account: bytes
    seq: int
    prev_leaf_no: int
    delta: int
    balance: int

    def posting_hash(self, batch_secret: bytes) -> bytes:
        """HashStruct of the posting, salted with the batch's secret."""
        return slot_hash(_pack_step(self), batch_secret)


@dataclass(frozen=True, slots=True)
class Row:
    """The closing state of an account without its salt."""

    account: bytes
    seq: int
    last_leaf_no: int
    balance: int

    def row_hash(self, batch_secret: bytes) -> bytes:
        """HashStruct of the account row, salted with the batch's secret."""
        return AccountRow(
            self.account, self.seq, self.last_leaf_no, self.balance, salt(batch_secret, self.account, ROW_SALT_SEQ)
        ).hash_struct()


@dataclass(frozen=True, slots=True)
class Record:
    """One leaf with everything its hashes stand for.

    `issuer`, `debtor`, `creditor`, `member` are None where the slot is unused.
    """

    event: PointsEvent
    sig_r: bytes
    sig_vs: bytes
    issuer: Step | None
    debtor: Step | None
    creditor: Step | None
    member: Step | None
    total_points_after: int
    leaf_no: int
    lane_prev_leaf_no: int

    @property
    def steps(self) -> tuple[Step | None, Step | None, Step | None, Step | None]:
        """The four slots in file order."""
        return self.issuer, self.debtor, self.creditor, self.member

    def leaf(self, batch_secret: bytes) -> SettlementLeaf:
        """The leaf as it stands in the batch's tree."""
        issuer, debtor, creditor, member = (
            step.posting_hash(batch_secret) if step else ZERO_WORD for step in self.steps
        )
        return SettlementLeaf(
            leaf_no=self.leaf_no,
            lane_prev_leaf_no=self.lane_prev_leaf_no,
            event_hash=self.event.hash_struct(),
            sig_r=self.sig_r,
            sig_vs=self.sig_vs,
            issuer_posting=issuer,
            debtor_posting=debtor,
            creditor_posting=creditor,
            member_posting=member,
            total_points_after=self.total_points_after,
        )

    def to_bytes(self) -> bytes:
        """The record's 40 words."""
        slots = b"".join(EMPTY_SLOT if step is None else _pack_step(step) for step in self.steps)
        tail = int_word(self.total_points_after) + uint_word(self.leaf_no) + uint_word(self.lane_prev_leaf_no)
        return self.event.words() + self.sig_r + self.sig_vs + slots + tail


@dataclass(frozen=True, slots=True)
class BatchFile:
    """One batch in the clear.

    `header.data_hash` is always zero here; the chain's header has the manifest's hash in that field.
    """

    header: BatchHeader
    rows: Sequence[Row]
    nets: Sequence[tuple[int, int]]
    records: Sequence[Record]

    def to_bytes(self) -> bytes:
        """The whole file."""
        front = file_front(self.header, self.rows, self.nets, len(self.records))
        return front + b"".join(record.to_bytes() for record in self.records)


def file_front(header: BatchHeader, rows: Sequence[Row], nets: Sequence[tuple[int, int]], leaf_count: int) -> bytes:
    """Everything in a file that stands before its records."""
    parts = [_PRELUDE.pack(MAGIC, VERSION, len(rows), len(nets), leaf_count, _PRELUDE_END)]
    parts.append(replace(header, data_hash=ZERO_WORD).words())
    parts.extend(row.account + uint_word(row.seq) + uint_word(row.last_leaf_no) + int_word(row.balance) for row in rows)
    parts.extend(uint_word(merchant) + int_word(amount) for merchant, amount in nets)
    return b"".join(parts)


class Records(Sequence[Record]):
    """Records read where they stand in `words`, RECORD_BYTES each; one is made whenever it is asked for."""

    def __init__(self, words: bytes | bytearray) -> None:
        self._words = words

    def __len__(self) -> int:
        return len(self._words) // RECORD_BYTES

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> list[Record]: ...
    def __getitem__(self, index: int | slice) -> Record | list[Record]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        at = range(len(self))[index] * RECORD_BYTES
        return parse_record(bytes(self._words[at : at + RECORD_BYTES]))


@dataclass(frozen=True, slots=True)
class Reader:
    """A file opened for reading.

    The small parts parsed, the records left where they are (a `memoryview` of an mmap will do).
    """

    data: bytes | memoryview
    header: BatchHeader
    rows: list[Row]
    nets: list[tuple[int, int]]
    leaf_count: int
    records_at: int

    def record(self, index: int) -> Record:
        """Record `index`, 0-based. Raises `FileError` when a word is not canonical."""
        start = self.records_at + index * RECORD_BYTES
        return parse_record(bytes(self.data[start : start + RECORD_BYTES]))

    def records(self, start: int = 0, stop: int | None = None) -> Iterator[Record]:
        """Records start … stop-1 in file order."""
        for index in range(start, self.leaf_count if stop is None else stop):
            yield self.record(index)


def open_file(data: bytes | memoryview) -> Reader:
    """Parse the prelude, header, rows and nets of a file. Raises `FileError` naming what is wrong."""
    if len(data) < _PRELUDE.size + HEADER_BYTES:
        raise FileError(f"a file of {len(data)} bytes is shorter than its header")
    magic, version, row_count, net_count, leaf_count, end = _PRELUDE.unpack(bytes(data[: _PRELUDE.size]))
    if magic != MAGIC or version != VERSION or end != _PRELUDE_END:
        raise FileError(f"magic {magic!r} version {version} is not LPB1 version {VERSION}, or bits follow its counts")
    if row_count > ROWS_MAX or net_count > NETS_MAX or leaf_count > LEAVES_MAX:
        raise FileError(f"counts out of bounds: {row_count} rows, {net_count} nets, {leaf_count} leaves")
    rows_at = _PRELUDE.size + HEADER_BYTES
    nets_at = rows_at + row_count * ROW_BYTES
    records_at = nets_at + net_count * NET_BYTES
    expected = records_at + leaf_count * RECORD_BYTES
    if len(data) != expected:
        raise FileError(f"{len(data)} bytes, but the counts ask for {expected}")
    try:
        header = BatchHeader.from_words(bytes(data[_PRELUDE.size : rows_at]))
        rows = [_parse_row(bytes(data[at : at + ROW_BYTES])) for at in range(rows_at, nets_at, ROW_BYTES)]
        nets = [_parse_net(bytes(data[at : at + NET_BYTES])) for at in range(nets_at, records_at, NET_BYTES)]
    except WordError as error:
        raise FileError(str(error)) from error
    return Reader(data, header, rows, nets, leaf_count, records_at)


def parse_record(words: bytes) -> Record:
    """The record whose `to_bytes()` are exactly `words`. Raises `FileError` when they are not canonical."""
    try:
        event = PointsEvent.from_words(words[:EVENT_BYTES])
        issuer, debtor, creditor, member = (
            _parse_step(words[at : at + _SLOT_BYTES]) for at in range(_SLOTS_AT, _TAIL_AT, _SLOT_BYTES)
        )
        total = int_of(words[_TAIL_AT : _TAIL_AT + 32])
    except WordError as error:
        raise FileError(str(error)) from error
    return Record(
        event=event,
        sig_r=words[EVENT_BYTES : EVENT_BYTES + 32],
        sig_vs=words[EVENT_BYTES + 32 : _SLOTS_AT],
        issuer=issuer,
        debtor=debtor,
        creditor=creditor,
        member=member,
        total_points_after=total,
        leaf_no=_uint64(words[_TAIL_AT + 32 : _TAIL_AT + 64]),
        lane_prev_leaf_no=_uint64(words[_TAIL_AT + 64 : _TAIL_AT + 96]),
    )


def slot_words(account: bytes, seq: int, prev_leaf_no: int, delta: int, balance: int) -> bytes:
    """A used slot as it stands in the file."""
    return _SLOT.pack(account, seq, prev_leaf_no, int_word(delta), int_word(balance))


def slot_hash(words: bytes, batch_secret: bytes) -> bytes:
    """HashStruct of the posting in a used slot. The slot is the struct but for its salt, and begins with the two words
    that the salt is made of, so the same words serve all three.
    """
    return keccak256(Posting.TYPEHASH + words + keccak256(batch_secret + words[: 2 * WORD_BYTES]))


def _pack_step(step: Step) -> bytes:
    return slot_words(step.account, step.seq, step.prev_leaf_no, step.delta, step.balance)


def _parse_step(words: bytes) -> Step | None:
    if words == EMPTY_SLOT:
        return None
    account, seq, prev_leaf_no, delta, balance = _SLOT.unpack(words)
    if int.from_bytes(words, "big") & _SLOT_PADDING:
        raise WordError("a posting has bits outside its types")
    return Step(account, seq, prev_leaf_no, int_of(delta), int_of(balance))


def _parse_row(words: bytes) -> Row:
    return Row(words[:32], _uint64(words[32:64]), _uint64(words[64:96]), int_of(words[96:]))


def _parse_net(words: bytes) -> tuple[int, int]:
    merchant = _uint64(words[:32])
    if merchant >= 2**32:
        raise WordError(f"merchantId {merchant} does not fit uint32")
    return merchant, int_of(words[32:])


def _uint64(word: bytes) -> int:
    value = int.from_bytes(word, "big")
    if value >= 2**64:
        raise FileError(f"{value} does not fit uint64")
    return value
