"""How much each hosted lane has signed for in a day, on the signer's own disk: it is written down before it is signed.

A lane's number can stand in one event only, so what a lane can have given away is, for each number, the largest event
that was ever signed under it. To sign the same again costs nothing, nor does another event of no more under a number
that was signed before (a batch that is sealed anew has other numbers); a larger one costs the difference. Invariants:
a day is one of UTC by this machine's clock; whoever asks gets no say in it; one thread decides at a time, and a
decision is on disk when it is given. Numbers are forgotten after `KEPT_DAYS`: to sign them again then costs again; what
a day has spent is not, whatever the clock does between. Called by `lane_signer`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from typing import Final

from proofs.messages import PointsEvent
from settlement.lane_limits import Policy, Refusal, Spent
from settlement.sealing.lanes import LaneId

KEPT_DAYS: Final = 30
SPENT_KEPT_DAYS: Final = 3_660
"""A row for each lane and day, so that a clock that runs ahead and comes back gives no day a second time."""
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS number (
    merchant INTEGER, key INTEGER, nonce INTEGER, day INTEGER, points TEXT, cash TEXT,
    PRIMARY KEY (merchant, key, nonce)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS spent (
    merchant INTEGER, key INTEGER, day INTEGER, points TEXT, cash TEXT, PRIMARY KEY (merchant, key, day)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS number_day ON number (day);
"""
_NUMBER: Final = "SELECT points, cash FROM number WHERE merchant = ? AND key = ? AND nonce = ?"
_SPENT: Final = "SELECT points, cash FROM spent WHERE merchant = ? AND key = ? AND day = ?"
_KEEP_NUMBER: Final = "INSERT OR REPLACE INTO number VALUES (?, ?, ?, ?, ?, ?)"
_KEEP_SPENT: Final = "INSERT OR REPLACE INTO spent VALUES (?, ?, ?, ?, ?)"

Asked = tuple[LaneId, PointsEvent]


class Budget:
    """The days of all lanes, in one SQLite file that nobody else writes. `today` is the number of the day, of UTC."""

    def __init__(self, path: Path, policy: Policy, *, today: Callable[[], int]) -> None:
        self._policy = policy
        self._today = today
        self._lock = Lock()
        path.touch(mode=0o600)  # before SQLite makes it, and its log beside it, for everybody to read
        self._file = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._file.execute("PRAGMA journal_mode = WAL")
        self._file.execute("PRAGMA synchronous = FULL")
        self._file.executescript(_TABLES)

    def close(self) -> None:
        """Nothing is decided after this."""
        with self._lock:
            self._file.close()

    def decide(self, asked: Sequence[Asked]) -> list[Refusal | None]:
        """For each, in order, whether the lane's day still allows it: None is yes, and counted for good."""
        with self._lock:
            day = self._today()
            self._file.execute("BEGIN IMMEDIATE")
            try:
                answers = [self._one(lane_id, event, day) for lane_id, event in asked]
                self._file.execute("DELETE FROM number WHERE day < ?", [day - KEPT_DAYS])
                self._file.execute("DELETE FROM spent WHERE day < ?", [day - SPENT_KEPT_DAYS])
            except BaseException:
                self._file.execute("ROLLBACK")
                raise
            self._file.execute("COMMIT")
            return answers

    def _one(self, lane_id: LaneId, event: PointsEvent, day: int) -> Refusal | None:
        before = self._read(_NUMBER, [*lane_id, event.nonce])
        after = Spent(max(before.points, event.points), max(before.cash, event.settle_amount))
        more = Spent(after.points - before.points, after.cash - before.cash)
        if more == Spent():
            return None
        spent = self._read(_SPENT, [*lane_id, day])
        then = Spent(spent.points + more.points, spent.cash + more.cash)
        refusal = self._policy.over_the_day(lane_id, then)
        if refusal is None:
            self._file.execute(_KEEP_NUMBER, [*lane_id, event.nonce, day, str(after.points), str(after.cash)])
            self._file.execute(_KEEP_SPENT, [*lane_id, day, str(then.points), str(then.cash)])
        return refusal

    def _read(self, statement: str, place: Sequence[int]) -> Spent:
        row = self._file.execute(statement, place).fetchone()
        return Spent() if row is None else Spent(int(row[0]), int(row[1]))
