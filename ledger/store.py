"""The batched store: the one place where a batch becomes durable. One connection, one transaction per batch.

Invariants: a batch is done or not done as a whole, and only then answered; the head row is the lock and the fence of
every writer, in any process; the number of statements does not depend on the batch; what is held in memory is believed
only while head.seq is what this store wrote last. A connection lost at any point, in COMMIT too, is resolved by posting
the batch again: whatever was committed answers from its keys. One thread at a time; `ledger.poster` sees to that.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self

import psycopg

from ledger import loading, selects, writing
from ledger.answers import Answer
from ledger.book import VERBS, Admitted, Book, admit
from ledger.commands import Command
from ledger.slice import Slice
from ledger.wants import Wants

ROLE = "tongdui_app"
SLICE_ROWS_MAX = 1_000_000
BATCH_COMMANDS_MAX = 8_000
ATTEMPTS_MAX = 5
RETRY_SECONDS = 0.2
CONNECT_SECONDS_MAX = 10

# Every statement of the hot path probes indexes; a plan made while a table was empty must not scan it for ever.
_SESSION = "-c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c plan_cache_mode=force_generic_plan"
_LOCK = "SELECT seq, registry_seq FROM ledger.head WHERE shard = 0 FOR NO KEY UPDATE"
_PEEK = "SELECT seq, registry_seq FROM ledger.head WHERE shard = 0"

Connection = psycopg.Connection[Any]
Row = tuple[Any, ...]


def nothing_happens(_: str) -> None:
    """What `named_point` does outside crash tests."""


class Store:
    """A writer of the ledger at `dsn`. `named_point` is told where a batch stands: a crash test kills the process
    there.
    """

    def __init__(self, dsn: str, named_point: Callable[[str], None] = nothing_happens) -> None:
        self._dsn = dsn
        self._named_point = named_point
        self._slice: Slice | None = None
        self._registry_seq = -1
        self._conn = _connect(dsn)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._slice = None
        self._conn.close()

    def post(self, commands: Sequence[Command]) -> list[Answer]:
        """The answers to `commands`, in order, durable. At most BATCH_COMMANDS_MAX. Raises psycopg.OperationalError
        when the database stays away; what was asked can then be asked again with the same keys.
        """
        assert len(commands) <= BATCH_COMMANDS_MAX
        admitted = [admit(command) for command in commands]
        asked = [each for each in admitted if isinstance(each, Admitted)]
        answers = iter(self._post_until_known(asked) if asked else ())
        return [each if isinstance(each, Answer) else next(answers) for each in admitted]

    def preview(self, command: Command) -> Answer:
        """What `command` would be answered now; nothing is written, locked or remembered."""
        admitted = admit(command)
        if isinstance(admitted, Answer):
            return admitted
        with self._conn.transaction(force_rollback=True):
            self._conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            seq, _ = self._conn.execute(_PEEK).fetchone() or (0, 0)
            book = Book(Slice(seq, loading.registry(self._conn)))
            known = self._conn.execute(selects.ANSWERS, [admitted.command.key], binary=True)
            want = _wants([admitted])
            return self._decide(book, [admitted], known, want, loading.ask(self._conn, book.slice, want))[0]

    def _post_until_known(self, asked: list[Admitted]) -> list[Answer]:
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                return self._post_once(asked)
            except psycopg.OperationalError:
                self._slice = None
                if attempt == ATTEMPTS_MAX:
                    raise
                time.sleep(RETRY_SECONDS * attempt)
                self._reconnect()
            except BaseException:
                self._slice = None
                raise
        raise AssertionError("the last attempt returns or raises")

    def _reconnect(self) -> None:
        self._conn.close()
        try:
            self._conn = _connect(self._dsn)
        except psycopg.OperationalError:
            return  # still away: the next attempt finds the closed connection and waits longer

    def _post_once(self, asked: list[Admitted]) -> list[Answer]:
        """Two round trips while the slice is warm: lock and read, then write and commit.

        What the slice lacks is sent for together with the lock; if another writer turns out to have written, the slice
        is dropped, and everything is sent for again.
        """
        want = _wants(asked)
        warm = self._slice
        with self._conn.pipeline(), self._conn.transaction():
            head = self._conn.execute(_LOCK, binary=True)
            known = self._conn.execute(selects.ANSWERS, [_keys(asked)], binary=True)
            sent = loading.ask(self._conn, warm, want) if warm is not None else None
            seq, registry_seq = head.fetchone() or (0, 0)
            self._named_point("locked")
            book = Book(self._current(seq, registry_seq))
            if sent is None or book.slice is not warm:
                sent = loading.ask(self._conn, book.slice, want)
            answers = self._decide(book, asked, known, want, sent)
            self._named_point("decided")
            self._write(book)
            self._named_point("written")
        self._named_point("committed")
        return answers

    def _current(self, seq: int, registry_seq: int) -> Slice:
        """The slice as of the locked head: the warm one if nobody else wrote, else an empty one."""
        state = self._slice
        if state is not None and state.seq == seq and state.rows <= SLICE_ROWS_MAX:
            return state
        if state is None or registry_seq != self._registry_seq:
            registry = loading.registry(self._conn)
        else:
            registry = state.registry
        self._registry_seq = registry_seq
        self._slice = Slice(seq, registry)
        return self._slice

    def _decide(
        self, book: Book, asked: list[Admitted], known: Iterable[Row], want: Wants, sent: loading.Asked
    ) -> list[Answer]:
        book.slice.answers = dict.fromkeys(each.command.key for each in asked)
        book.slice.answers.update(loading.answers(known))
        loading.fill(self._conn, book.slice, want, sent)
        return [book.decide(each) for each in asked]

    def _write(self, book: Book) -> None:
        effects = book.take_effects()
        if effects.configured:
            self._registry_seq = book.slice.seq
        writing.write(self._conn, effects, book.slice.seq, self._registry_seq)


def _wants(asked: list[Admitted]) -> Wants:
    want = Wants()
    for command, _ in asked:
        VERBS[type(command)].wants(command, want)
    return want


def _keys(asked: list[Admitted]) -> str:
    return loading.lines({each.command.key for each in asked})


def open_store(dsn: str) -> Store:
    """A writer of the ledger at `dsn`, a libpq address. The migrations must have run; the login must be allowed to
    become the role `tongdui_app`.
    """
    return Store(dsn)


def _connect(dsn: str) -> Connection:
    conn = psycopg.connect(dsn, options=_SESSION, connect_timeout=CONNECT_SECONDS_MAX, prepare_threshold=0)
    conn.execute(f"SET ROLE {ROLE}")
    conn.commit()
    return conn
