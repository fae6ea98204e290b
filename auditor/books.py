"""What an audit carries from one batch to the next: how every account stands, and whose each member tag is.

The published rows are the opening of the next batch whatever was wrong in this one, so that one lie is found once. If a
batch could not be read, the books are no longer complete: what depends on the gap is then taken on trust and reported
as not checked, never as held. Memory grows with the number of accounts, not of leaves. Called by `batch` and `audit`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from auditor.segments import UNUSED, Segment, Standing
from proofs.accounts import CASH, LANE, MEMBER, POINTS
from proofs.lpb1 import Row


def party(account: bytes) -> int:
    """The merchant or issuer an account belongs to."""
    return int.from_bytes(account[1:5], "big")


def cash_balances(rows: Iterable[Row]) -> dict[int, int]:
    """Cash by merchantId, in base units."""
    return {party(row.account): row.balance for row in rows if row.account[0] == CASH}


def points_balances(rows: Iterable[Row]) -> dict[int, int]:
    """Outstanding points by issuer."""
    return {party(row.account): row.balance for row in rows if row.account[0] == POINTS}


def well_formed(account: bytes) -> bool:
    """Whether this is the number of an account that may have a row."""
    kind, used = account[0], 9 if account[0] == LANE else 5
    return kind in {LANE, POINTS, CASH} and not any(account[used:])


@dataclass(slots=True)
class Books:
    """The state after a batch. `rows` and `settled_cash` are None where they are not known.

    `complete`: every batch since genesis was read, so an account never seen is known to be unused. `debts` is what the
    members of each issuer owe it, as a positive number of points; `issuers` says whose points a member account holds.
    """

    complete: bool = True
    total_points: int | None = 0
    rows: dict[bytes, Row] | None = field(default_factory=dict)
    settled_batch: int = 0
    settled_cash: Mapping[int, int] | None = field(default_factory=dict)
    members: dict[bytes, Standing] = field(default_factory=dict)
    debts: Counter[int] = field(default_factory=Counter)
    issuers: dict[bytes, int] = field(default_factory=dict)
    bindings: dict[tuple[bytes, int], bytes] = field(default_factory=dict)
    holders: dict[tuple[bytes, int, int], bytes] = field(default_factory=dict)

    def standing(self, account: bytes) -> Standing | None:
        """How an account stands, None if that is not known. An account that needs a row and has none is unused."""
        if account[0] == MEMBER:
            return self.members.get(account, UNUSED if self.complete else None)
        if self.rows is None:
            return None
        row = self.rows.get(account)
        return Standing(row.seq, row.last_leaf_no, row.balance) if row is not None else UNUSED

    def take_members(self, segments: Mapping[bytes, Segment]) -> None:
        """Move every member account of a batch to its closing."""
        for account, segment in segments.items():
            if account[0] == MEMBER:
                before = self.members.get(account, UNUSED)
                self.debts[segment.issuer_id] += min(0, before.balance) - min(0, segment.closing.balance)
                self.members[account] = segment.closing
                self.issuers.setdefault(account, segment.issuer_id)

    def lose(self) -> None:
        """A batch could not be read: from here on nothing is known but what later batches tell."""
        self.complete = False
        self.total_points = self.rows = self.settled_cash = None
        self.members.clear()
        self.debts.clear()
