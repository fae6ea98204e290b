"""What an audit carries from one batch to the next: how every account stands, and whose each member tag is.

The published rows are the opening of the next batch whatever was wrong in this one, so that one lie is found once. If a
batch could not be read, the books are no longer complete: what depends on the gap is then taken on trust and reported
as not checked, never as held. Memory grows with the number of accounts, not of leaves; members are many, so what is
kept of each is packed bytes. Called by `batch` and `audit`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from auditor.segments import STANDING_BYTES, TIME_BYTES, UNUSED, Segment, Standing, balance_of, standing
from proofs.accounts import CASH, LANE, MEMBER, POINTS
from proofs.lpb1 import Row

_ISSUER_BYTES = 4
_OPENED_AT = STANDING_BYTES + _ISSUER_BYTES


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


def row_standing(row: Row) -> Standing:
    """How a row says its account stands."""
    return standing(row.seq, row.last_leaf_no, row.balance)


@dataclass(slots=True)
class Books:
    """The state after a batch. `rows` and `settled_cash` are None where they are not known.

    `complete`: every batch since genesis was read, so an account never seen is known to be unused. `debts` is what the
    members of each issuer owe it, as a positive number of points. `members` holds standing ‖ issuer ‖ first time of
    each account; `bindings` which account (memberRef ‖ issuer) stands for, `holders` who holds (account ‖ merchant ‖
    month).
    """

    complete: bool = True
    total_points: int | None = 0
    rows: dict[bytes, Row] | None = field(default_factory=dict)
    settled_batch: int = 0
    settled_cash: Mapping[int, int] | None = field(default_factory=dict)
    members: dict[bytes, bytes] = field(default_factory=dict)
    debts: Counter[int] = field(default_factory=Counter)
    bindings: dict[bytes, bytes] = field(default_factory=dict)
    holders: dict[bytes, bytes] = field(default_factory=dict)

    def row_standing(self, account: bytes) -> Standing | None:
        """How an account with rows stands, None if that is not known. One without a row is unused."""
        if self.rows is None:
            return None
        row = self.rows.get(account)
        return UNUSED if row is None else row_standing(row)

    def member_standing(self, account: bytes) -> Standing | None:
        """How a member account stands, None if that is not known."""
        known = self.members.get(account)
        if known is None:
            return UNUSED if self.complete else None
        return Standing(known[:STANDING_BYTES])

    def issuer_of(self, account: bytes) -> int:
        """Whose points a member account holds, 0 if it was never seen."""
        known = self.members.get(account)
        return 0 if known is None else int.from_bytes(known[STANDING_BYTES:_OPENED_AT], "big")

    def take_member(self, account: bytes, segment: Segment) -> None:
        """Move a member account to its closing; it keeps the issuer first named."""
        known, after = self.members.get(account), balance_of(segment.closing)
        before = 0 if known is None else balance_of(Standing(known[:STANDING_BYTES]))
        if before < 0 or after < 0:
            self.debts[segment.issuer_id] += min(0, before) - min(0, after)
        first = segment.issuer_id.to_bytes(_ISSUER_BYTES, "big") + segment.opened_at.to_bytes(TIME_BYTES, "big")
        self.members[account] = segment.closing + (first if known is None else known[STANDING_BYTES:])

    def opened_at(self, account: bytes) -> int | None:
        """The time of a member account's first event, None where that may lie in what was not read."""
        known = self.members.get(account)
        return None if known is None or not self.complete else int.from_bytes(known[_OPENED_AT:], "big")

    def balances(self) -> Iterator[int]:
        """What every member account holds, or owes."""
        return (balance_of(Standing(known[:STANDING_BYTES])) for known in self.members.values())

    def lose(self) -> None:
        """A batch could not be read: from here on nothing is known but what later batches tell."""
        self.complete = False
        self.total_points = self.rows = self.settled_cash = None
        self.members.clear()
        self.debts.clear()


def is_member(account: bytes) -> bool:
    """Whether this is a member's account, which has no row."""
    return account[0] == MEMBER
