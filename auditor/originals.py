"""Every leaf in short, by its event id, on the auditor's own disk: what later leaves point back to.

A refund names a redemption of any age, so all of them have to be at hand; memory must not grow with leaves, so they
stand in a file, in blocks of one lane and neighbouring nonces, and memory keeps where the blocks are. A record also
holds what has come back of its leaf so far. Written by `relations` alone, in leaf order; the packing is done by `scan`
in its own process. Source: protocol §2.5.
"""

from __future__ import annotations

import os
import struct
from bisect import bisect_right
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, Self

LANE_BYTES, EVENT_ID_BYTES = 8, 16
_RECORD = struct.Struct(">BBIIQQ16sQ16s32sIQ16sQ")
RECORD_BYTES = _RECORD.size
_UNTOUCHED = (0, 0, bytes(16), 0)


class Run(NamedTuple):
    """Leaves of one lane with nonces `first`, `first` + 1, …, packed."""

    lane: bytes
    first: int
    records: bytes


@dataclass(frozen=True, slots=True)
class Original:
    """One leaf in short. `marks` has bit n set where level n of `campaign_id` was rewarded, and PAIRED.

    `back_points` and `back_settle` are what refunds took back so far, `rewarded` the points given to others for it.
    """

    kind: int
    marks: int
    issuer_id: int
    terms_id: int
    leaf_no: int
    points: int
    settle_amount: int
    occurred_at: int
    ref: bytes
    event_hash: bytes
    campaign_id: int = 0
    back_points: int = 0
    back_settle: int = 0
    rewarded: int = 0
    at: int = -1
    """Where its record stands in the file."""


PAIRED = 0x80
"""The leaf that takes in what this one gave was seen."""


def packed(leaf: tuple[int, int, int, int, int, int, int, bytes, bytes]) -> bytes:
    """The record of a leaf that nothing has pointed back to: kind, issuer, terms, leafNo, points, settleAmount,
    occurredAt, refEventId, hashStruct of the event.
    """
    kind, issuer, terms, leaf_no, points, settle, at, ref, event_hash = leaf
    wide = settle.to_bytes(16, "big")
    return _RECORD.pack(kind, 0, issuer, terms, leaf_no, points, wide, at, ref, event_hash, *_UNTOUCHED)


class Originals:
    """The file and where its blocks are. Used as a context; the file goes with it."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        self._end = 0
        self._blocks: dict[bytes, tuple[list[int], list[int], list[int]]] = {}
        """First nonces, ends and offsets of a lane's blocks, in order."""

    def append(self, runs: list[Run]) -> None:
        """Take in the leaves of a shard. Runs that do not continue their lane are another check's finding; they are
        left out.
        """
        data = []
        for run in runs:
            firsts, ends, offsets = self._blocks.setdefault(run.lane, ([], [], []))
            if not ends or run.first >= ends[-1]:
                firsts.append(run.first)
                ends.append(run.first + len(run.records) // RECORD_BYTES)
                offsets.append(self._end)
                data.append(run.records)
                self._end += len(run.records)
        self._write(b"".join(data), self._end - sum(map(len, data)))

    def find(self, event_id: bytes) -> Original | None:
        """The leaf with this event id (its first 16 bytes count), None if none was taken in."""
        lane, nonce = event_id[:LANE_BYTES], int.from_bytes(event_id[LANE_BYTES:EVENT_ID_BYTES], "big")
        firsts, ends, offsets = self._blocks.get(lane, ([], [], []))
        block = bisect_right(firsts, nonce) - 1
        if block < 0 or nonce >= ends[block]:
            return None
        at = offsets[block] + (nonce - firsts[block]) * RECORD_BYTES
        kind, marks, issuer, terms, leaf, points, settle, when, ref, hashed, campaign, back, back_settle, rewarded = (
            _RECORD.unpack(os.pread(self._file, RECORD_BYTES, at))
        )
        return Original(
            kind,
            marks,
            issuer,
            terms,
            leaf,
            points,
            int.from_bytes(settle, "big"),
            when,
            ref,
            hashed,
            campaign,
            back,
            int.from_bytes(back_settle, "big"),
            rewarded,
            at,
        )

    def change(self, original: Original, **fields: int) -> Original:
        """Keep new figures of a leaf; points stop at what the record can hold, which no honest sum reaches."""
        new = replace(original, **fields)  # type: ignore[arg-type] # all that may change are whole numbers
        record = _RECORD.pack(
            new.kind,
            new.marks,
            new.issuer_id,
            new.terms_id,
            new.leaf_no,
            new.points,
            new.settle_amount.to_bytes(16, "big"),
            new.occurred_at,
            new.ref,
            new.event_hash,
            new.campaign_id,
            min(new.back_points, 2**64 - 1),
            min(new.back_settle, 2**128 - 1).to_bytes(16, "big"),
            min(new.rewarded, 2**64 - 1),
        )
        self._write(record, new.at)
        return new

    def _write(self, data: bytes, at: int) -> None:
        while data:
            done = os.pwrite(self._file, data, at)
            data, at = data[done:], at + done

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)
