"""Segments: what a run of leaves did to one account, small enough to send home and joined in any grouping.

A segment remembers how its account stood before its first posting and stands after its last. Inside a run each
posting is compared with the one before; joining compares the end of one run with the beginning of the next. So shards
of a batch, batches of a history and the history itself are the same operation, and the verdict does not depend on how
the leaves were divided. Used by `scan` (within a shard), `batch` (shards) and `books` (batches). Source: protocol
§2.6, checks 10 and 14.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Standing(NamedTuple):
    """How one account stands after one posting: its number, the leaf that holds it, and the balance."""

    seq: int
    leaf_no: int
    balance: int


UNUSED = Standing(0, 0, 0)
"""How every account stands before its first posting."""


@dataclass(slots=True)
class Segment:
    """One account over one run of leaves.

    `issuer_id` is the issuer of a member account's points, 0 elsewhere: the first one named, since an account never
    holds points of two.
    """

    opening: Standing
    first_leaf_no: int
    closing: Standing
    issuer_id: int = 0


def join(earlier: Segment, later: Segment) -> Segment:
    """Two runs as one. Whether they meet (`later.opening == earlier.closing`) is for the caller to judge and report."""
    return Segment(earlier.opening, earlier.first_leaf_no, later.closing, earlier.issuer_id or later.issuer_id)
