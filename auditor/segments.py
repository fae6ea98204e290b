"""Segments: what a run of leaves did to one account, small enough to send home and joined in any grouping.

A segment remembers how its account stood before its first posting and stands after its last. Inside a run each
posting is compared with the one before; joining compares the end of one run with the beginning of the next. So shards
of a batch, batches of a history and the history itself are the same operation, and the verdict does not depend on how
the leaves were divided. A standing is packed bytes: there is one for every account of an alliance, and all that is
ever done with it is to compare it. Used by `scan` (within a shard), `batch` (shards) and `books` (batches). Source:
protocol §2.6, checks 10 and 14.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple, NewType

ACCOUNT_BYTES = 32
_SEQ_BYTES, _LEAF_BYTES, _BALANCE_BYTES, _ISSUER_BYTES = 9, 8, 17, 4
"""A number or balance that a false posting implies may lie one step outside its type; so there is a byte to spare."""
TIME_BYTES = 8
STANDING_BYTES = _SEQ_BYTES + _LEAF_BYTES + _BALANCE_BYTES
_OPENING_AT = ACCOUNT_BYTES
_FIRST_AT = _OPENING_AT + STANDING_BYTES
_CLOSING_AT = _FIRST_AT + _LEAF_BYTES
_ISSUER_AT = _CLOSING_AT + STANDING_BYTES
_OPENED_AT = _ISSUER_AT + _ISSUER_BYTES
_PACKED_BYTES = _OPENED_AT + TIME_BYTES

Standing = NewType("Standing", bytes)
"""How one account stands after one posting: its number, the leaf that holds it, and the balance; see `standing`."""


def standing(seq: int, leaf_no: int, balance: int) -> Standing:
    """The standing of an account whose posting `seq`, in leaf `leaf_no`, left `balance`."""
    return Standing(
        seq.to_bytes(_SEQ_BYTES, "big", signed=True)
        + leaf_no.to_bytes(_LEAF_BYTES, "big")
        + balance.to_bytes(_BALANCE_BYTES, "big", signed=True)
    )


def balance_of(there: Standing) -> int:
    """The balance of a standing."""
    return int.from_bytes(there[-_BALANCE_BYTES:], "big", signed=True)


def leaf_of(there: Standing) -> int:
    """The leaf that holds a standing's posting."""
    return int.from_bytes(there[_SEQ_BYTES : _SEQ_BYTES + _LEAF_BYTES], "big")


def told(there: Standing) -> str:
    """A standing as a reader can compare it."""
    seq = int.from_bytes(there[:_SEQ_BYTES], "big", signed=True)
    return f"number {seq} in leaf {leaf_of(there)}, balance {balance_of(there)}"


UNUSED = standing(0, 0, 0)
"""How every account stands before its first posting."""


class Segment(NamedTuple):
    """One account over one run of leaves.

    `issuer_id` is the issuer of a member account's points, 0 elsewhere: the first one named, since an account never
    holds points of two; `opened_at` the time of its first event, in Unix seconds.
    """

    opening: Standing
    first_leaf_no: int
    closing: Standing
    issuer_id: int = 0
    opened_at: int = 0


def join(earlier: Segment, later: Segment) -> Segment:
    """Two runs as one. Whether they meet (`later.opening == earlier.closing`) is for the caller to judge and report."""
    issuer = earlier.issuer_id or later.issuer_id
    return Segment(earlier.opening, earlier.first_leaf_no, later.closing, issuer, earlier.opened_at)


def pack(segments: Mapping[bytes, Segment]) -> bytes:
    """Segments on their way between processes: one string is sent far faster than its parts."""
    return b"".join(
        account
        + each.opening
        + each.first_leaf_no.to_bytes(_LEAF_BYTES, "big")
        + each.closing
        + each.issuer_id.to_bytes(_ISSUER_BYTES, "big")
        + each.opened_at.to_bytes(TIME_BYTES, "big")
        for account, each in segments.items()
    )


def unpack(packed: bytes) -> Iterator[tuple[bytes, Segment]]:
    """The (account, segment) pairs that `pack` was given, in their order."""
    for at in range(0, len(packed), _PACKED_BYTES):
        part = packed[at : at + _PACKED_BYTES]
        yield (
            part[:ACCOUNT_BYTES],
            Segment(
                Standing(part[_OPENING_AT:_FIRST_AT]),
                int.from_bytes(part[_FIRST_AT:_CLOSING_AT], "big"),
                Standing(part[_CLOSING_AT:_ISSUER_AT]),
                int.from_bytes(part[_ISSUER_AT:_OPENED_AT], "big"),
                int.from_bytes(part[_OPENED_AT:], "big"),
            ),
        )
