"""Attempts of each tick, in a table: counted before the work, forgotten after it, parked when they are too many.

Invariants: an attempt is on disk before the work begins, so that work which kills its worker is counted as well,
whatever the broker does with its message; what is parked is not begun until a person releases it. Statements only, each
a transaction of its own. Called by `turn` and the command.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from settlement.watch import alerts
from settlement.watch.alerts import Alert

ERROR_CHARS_MAX = 2_000
SOURCE = "tasks"
"""Whose alerts these are."""
DIED = "its worker died"

# The row is there from the first attempt on. One more than may be means that the last ones never came to an end.
_BEGIN = """
INSERT INTO settlement.work AS work (name, attempts, begun_at) VALUES (%(name)s, 1, clock_timestamp())
ON CONFLICT (name) DO UPDATE SET
    attempts = work.attempts + 1,
    begun_at = clock_timestamp(),
    error = CASE WHEN work.attempts >= %(attempts_max)s THEN coalesce(work.error, %(died)s) ELSE work.error END,
    parked_at = CASE WHEN work.attempts >= %(attempts_max)s THEN clock_timestamp() END
WHERE work.parked_at IS NULL
RETURNING parked_at IS NULL
"""
_DONE = """
UPDATE settlement.work SET attempts = 0, done_at = clock_timestamp(), error = NULL, failed_at = NULL
WHERE name = %(name)s AND parked_at IS NULL
"""
_FAILED = """
UPDATE settlement.work SET error = %(error)s, failed_at = clock_timestamp(),
    parked_at = CASE WHEN attempts >= %(attempts_max)s THEN clock_timestamp() END
WHERE name = %(name)s AND parked_at IS NULL
RETURNING parked_at IS NOT NULL
"""
_EXCUSED = """
UPDATE settlement.work SET attempts = greatest(attempts - 1, 0), error = %(error)s, failed_at = clock_timestamp()
WHERE name = %(name)s AND parked_at IS NULL
"""
_RELEASE = """
UPDATE settlement.work SET attempts = 0, parked_at = NULL WHERE name = %(name)s AND parked_at IS NOT NULL
"""
_ALL = "SELECT name, attempts, begun_at, done_at, failed_at, error, parked_at FROM settlement.work ORDER BY name"
_POSITION = "SELECT position FROM settlement.work WHERE name = %(name)s"
_MOVE = "UPDATE settlement.work SET position = %(position)s WHERE name = %(name)s"
_MOVE_FROM = _MOVE + " AND coalesce(position, '{}') = %(seen)s"

Conn = Connection[Any]


@dataclass(frozen=True, slots=True)
class Work:
    """How one tick fares: `attempts` since it last succeeded, the last error, and since when it is parked."""

    name: str
    attempts: int
    begun_at: datetime
    done_at: datetime | None
    failed_at: datetime | None
    error: str | None
    parked_at: datetime | None

    @property
    def at_it(self) -> bool:
        """Whether the last attempt has not ended yet, as far as is known: its worker may have died."""
        return self.attempts > 0 and all(end is None or end < self.begun_at for end in (self.done_at, self.failed_at))


class Parked(RuntimeError):
    """Too many attempts failed; a person looks, and releases it. `now` when it was this attempt that parked it."""

    def __init__(self, name: str, *, now: bool) -> None:
        super().__init__(f"{name} is parked")
        self.name, self.now = name, now


def begin(conn: Conn, name: str, *, attempts_max: int) -> None:
    """Count an attempt. Raises `Parked`."""
    row = conn.execute(_BEGIN, {"name": name, "attempts_max": attempts_max, "died": DIED}).fetchone()
    if row is None or not row[0]:
        raise Parked(name, now=row is not None)


def done(conn: Conn, name: str) -> None:
    """It succeeded: the next failure is the first."""
    conn.execute(_DONE, {"name": name})


def failed(conn: Conn, name: str, error: str, *, attempts_max: int) -> bool:
    """It failed; whether it is parked now."""
    fields = {"name": name, "error": _short(error), "attempts_max": attempts_max}
    row = conn.execute(_FAILED, fields).fetchone()
    return row is not None and row[0]


def excused(conn: Conn, name: str, error: str) -> None:
    """It could not be done because something else was away: kept as the last error, not counted."""
    conn.execute(_EXCUSED, {"name": name, "error": _short(error)})


def release(conn: Conn, name: str) -> bool:
    """Let a parked tick be tried again from the first attempt, and its alert be resolved; whether it was parked."""
    with conn.transaction():
        released = conn.execute(_RELEASE, {"name": name}).rowcount == 1
        alerts.keep(conn, SOURCE, [parked(work.name, work.error or DIED) for work in listed(conn) if work.parked_at])
    return released


def listed(conn: Conn) -> list[Work]:
    """Every tick that ever began, by name."""
    with conn.cursor(row_factory=class_row(Work)) as cursor:
        return cursor.execute(_ALL).fetchall()


def position(conn: Conn, name: str) -> dict[str, int]:
    """Where a tick that goes through a long list stopped, as it was kept; empty at the beginning."""
    row = conn.execute(_POSITION, {"name": name}).fetchone()
    return dict(row[0]) if row and row[0] else {}


def move(conn: Conn, name: str, to: dict[str, int]) -> None:
    """Keep where to go on."""
    conn.execute(_MOVE, {"name": name, "position": Jsonb(to)})


def move_from(conn: Conn, name: str, seen: dict[str, int], to: dict[str, int]) -> bool:
    """As `move`, unless somebody moved it since it was `seen`; whether it was moved. Inside a transaction nobody else
    moves it until that ends.
    """
    fields = {"name": name, "seen": Jsonb(seen), "position": Jsonb(to)}
    return conn.execute(_MOVE_FROM, fields).rowcount == 1


def parked(name: str, error: str) -> Alert:
    """What a person is told of a parked tick."""
    return Alert(code="task-parked", place=name, expected="the task goes on by itself", actual=_short(error))


def _short(error: str) -> str:
    """As much of it as the table keeps; PostgreSQL's text holds no NUL."""
    return error.replace("\0", "")[:ERROR_CHARS_MAX]
