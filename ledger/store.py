"""The batched store: the one place where a batch becomes durable, one transaction per batch.

Invariants: a batch is done or not done as a whole, and only then answered; the head row is the lock and the fence of
every writer, in any process; the number of statements does not depend on the batch; what is held in memory is believed
only while head.seq is what this store wrote last. A connection lost at any point, in COMMIT too, is resolved by posting
the batch again: whatever was committed answers from its keys.

While a batch is being written, the next is decided ahead, on the state as it will be; it is sent only when the first
has been committed and the lock has shown that nobody else wrote in between. Else what was decided is forgotten, and the
batch is decided again under the lock. Two connections: one writes, one reads. One thread at a time; `ledger.poster`
sees to that.
"""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, Self

import psycopg

from ledger import loading, writing
from ledger.answers import Answer
from ledger.book import VERBS, Admitted, Book, admit
from ledger.commands import Command
from ledger.effects import Effects
from ledger.slice import Remembered, Slice
from ledger.wants import Wants
from ledger.wire import Reply, Wire

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

_NOTHING: Mapping[str, Remembered | None] = MappingProxyType({})

Tell = Callable[[list[Answer] | Exception], None]
"""Hears the answers to a batch, in order and durable, or why there are none."""


class _Batch:
    """Admitted commands, who hears the answers, and how often the database was asked in vain."""

    __slots__ = ("asked", "attempts", "keys", "tell")

    def __init__(self, asked: list[Admitted], tell: Tell) -> None:
        self.asked = asked
        self.keys = [each.command.key for each in asked]
        self.tell = tell
        self.attempts = 0


class _Flight(NamedTuple):
    """A batch that was sent and whose COMMIT is not answered yet."""

    batch: _Batch
    answers: list[Answer]
    remembered: dict[str, Remembered | None]
    effects: Effects


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
        self._rivals = False
        self._flight: _Flight | None = None
        self._writer = _connect(dsn)
        self._reader = _connect(dsn)
        self._committed = Reply(self._writer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Finish what was begun, then let go."""
        self.finish()
        self._slice = None
        self._writer.close()
        self._reader.close()

    @property
    def in_flight(self) -> int:
        """How many commands were sent and are not answered."""
        return len(self._flight.batch.asked) if self._flight else 0

    def fileno(self) -> int:
        """Readable when `land` may have something to tell."""
        return self._writer.fileno()

    def post(self, commands: Sequence[Command]) -> list[Answer]:
        """The answers to `commands`, in order, durable. At most BATCH_COMMANDS_MAX. Raises psycopg.OperationalError
        when the database stays away; what was asked can then be asked again with the same keys.
        """
        heard: list[list[Answer] | Exception] = []
        self.begin(commands, heard.append)
        self.finish()
        (outcome,) = heard
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def begin(self, commands: Sequence[Command], tell: Tell) -> None:
        """Decide `commands` and send them off. `tell` hears the outcome once, in `begin`, `land` or `finish`, and after
        whatever was begun before.
        """
        assert len(commands) <= BATCH_COMMANDS_MAX
        admitted = [admit(command) for command in commands]
        batch = _Batch([each for each in admitted if isinstance(each, Admitted)], _merging(admitted, tell))
        if not batch.asked:
            self.finish()
            batch.tell([])
        elif not self._begin_ahead(batch):
            self.finish()
            self._begin_locked(batch)

    def land(self) -> None:
        """Tell what was committed meanwhile, without waiting for it."""
        if self._flight is None:
            return
        with contextlib.suppress(psycopg.OperationalError):
            self._writer.read()
            if not self._committed.done:
                return
        self.finish()

    def finish(self) -> None:
        """Wait until everything that was begun is durable, and tell."""
        while (flight := self._flight) is not None:
            self._flight = None
            try:
                self._committed.wait()
                self._named_point("committed")
            except psycopg.OperationalError as error:
                if self._may_try_again(flight.batch):
                    self._begin_locked(flight.batch)
                else:
                    flight.batch.tell(error)
            except Exception as error:  # noqa: BLE001  # whatever it was, who asked hears of it and the next goes on
                self._forget()
                flight.batch.tell(error)
            else:
                flight.batch.tell(flight.answers)

    def preview(self, command: Command) -> Answer:
        """What `command` would be answered now; nothing is written, locked or remembered."""
        admitted = admit(command)
        if isinstance(admitted, Answer):
            return admitted
        reader = self._reader
        reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        seq, _ = reader.execute(_PEEK).fetchone() or (0, 0)
        book = Book(Slice(seq, loading.registry(reader)))
        missing = loading.send(reader, loading.missing(book.slice, _wants([admitted]), [admitted.command.key]))
        (answer,) = _decide(reader, book, [admitted], missing)
        reader.execute("ROLLBACK")
        reader.sync().wait()
        return answer

    def _begin_ahead(self, batch: _Batch) -> bool:
        """Decide on the state as it will be once the flight has landed. False when that cannot be done, or turned out
        to be in vain; then the batch is as if it had not been looked at.
        """
        try:
            return self._try_ahead(batch)
        except Exception:  # noqa: BLE001  # whatever it was, it comes again under the lock, and is told then
            self._forget()
            return False
        except BaseException:
            self._forget()
            raise

    def _try_ahead(self, batch: _Batch) -> bool:
        flight, state = self._flight, self._slice
        if flight is None or state is None or state.rows > SLICE_ROWS_MAX or self._rivals:
            return False
        missing = loading.missing(state, _wants(batch.asked), batch.keys)
        if not missing.independent_of(flight.effects):
            return False
        expected = state.seq
        self._writer.execute("BEGIN")
        head = self._writer.execute(_LOCK)
        self._writer.flush()
        book = Book(state)
        answers = _decide(
            self._reader, book, batch.asked, loading.send(self._reader, missing), in_flight=flight.remembered
        )
        self._reader.sync()
        self._named_point("decided")
        effects = book.take_effects()
        statement = self._statement(effects, state.seq)
        self.finish()
        if self._slice is not state:
            return False
        seq, _ = head.fetchone() or (0, 0)
        self._named_point("locked")
        if seq != expected:
            self._give_way()
            return False
        self._send(statement, _Flight(batch, answers, state.answers, effects))
        return True

    def _give_way(self) -> None:
        """Somebody else wrote: what was decided ahead is worth nothing, and for a while nothing is decided ahead."""
        self._slice = None
        self._rivals = True
        self._writer.execute("ROLLBACK")
        self._writer.sync().wait()

    def _begin_locked(self, batch: _Batch) -> None:
        """Decide under the lock, again if the connection is lost. Nothing else is in flight."""
        while True:
            batch.attempts += 1
            try:
                self._decide_locked(batch)
            except psycopg.OperationalError as error:
                if self._may_try_again(batch):
                    continue
                batch.tell(error)
            except Exception as error:  # noqa: BLE001  # as in finish
                self._forget()
                batch.tell(error)
            except BaseException:
                self._forget()
                raise
            return

    def _decide_locked(self, batch: _Batch) -> None:
        """Two round trips while the slice is warm: lock and read, then write and commit.

        What the slice lacks is sent for together with the lock; if another writer turns out to have written, the slice
        is dropped, and everything is sent for again.
        """
        writer, warm, want, keys = self._writer, self._slice, _wants(batch.asked), batch.keys
        writer.execute("BEGIN")
        head = writer.execute(_LOCK)
        missing = loading.send(writer, loading.missing(warm, want, keys)) if warm is not None else None
        seq, registry_seq = head.fetchone() or (0, 0)
        self._named_point("locked")
        book = Book(self._current(seq, registry_seq))
        if missing is None or book.slice is not warm:
            missing = loading.send(writer, loading.missing(book.slice, want, keys))
        answers = _decide(writer, book, batch.asked, missing)
        self._named_point("decided")
        effects = book.take_effects()
        statement = self._statement(effects, book.slice.seq)
        self._send(statement, _Flight(batch, answers, book.slice.answers, effects))

    def _current(self, seq: int, registry_seq: int) -> Slice:
        """The slice as of the locked head: the warm one if nobody else wrote, else an empty one."""
        state = self._slice
        self._rivals = state is not None and state.seq != seq
        if state is not None and state.seq == seq and state.rows <= SLICE_ROWS_MAX:
            return state
        if state is None or registry_seq != self._registry_seq:
            registry = loading.registry(self._writer)
        else:
            registry = state.registry
        self._registry_seq = registry_seq
        self._slice = Slice(seq, registry)
        if state is not None and state.rows > SLICE_ROWS_MAX:
            del state
            gc.collect()  # cheap now that the rows are gone; the poster makes such sweeps rare
        return self._slice

    def _statement(self, effects: Effects, seq: int) -> writing.Part | None:
        if effects.configured:
            self._registry_seq = seq
        return writing.statement(effects, seq, self._registry_seq)

    def _send(self, statement: writing.Part | None, flight: _Flight) -> None:
        if statement is not None:
            self._writer.execute(*statement)
        self._committed = self._writer.execute("COMMIT")
        self._writer.sync()
        self._writer.flush()
        self._flight = flight
        self._named_point("written")

    def _may_try_again(self, batch: _Batch) -> bool:
        """After a lost connection: wait a little and open another. False when it was tried often enough."""
        self._forget()
        if batch.attempts >= ATTEMPTS_MAX:
            return False
        time.sleep(RETRY_SECONDS * batch.attempts)
        return True

    def _forget(self) -> None:
        """After an error: nothing that is held is believed, and nothing that was sent is waited for."""
        self._slice = None
        self._writer.close()
        self._reader.close()
        with contextlib.suppress(psycopg.OperationalError):  # still away: the next attempt finds the wires closed
            self._writer = _connect(self._dsn)
            self._reader = _connect(self._dsn)


def _merging(admitted: list[Admitted | Answer], tell: Tell) -> Tell:
    """Told the answers to what was admitted, tells them with those to the malformed between them."""

    def merged(outcome: list[Answer] | Exception) -> None:
        if isinstance(outcome, Exception) or len(outcome) == len(admitted):
            tell(outcome)
            return
        answers = iter(outcome)
        tell([each if isinstance(each, Answer) else next(answers) for each in admitted])

    return merged


def _wants(asked: list[Admitted]) -> Wants:
    want = Wants()
    for command, _ in asked:
        VERBS[type(command)].wants(command, want)
    return want


def _decide(
    conn: Wire,
    book: Book,
    asked: list[Admitted],
    missing: loading.Missing,
    *,
    in_flight: Mapping[str, Remembered | None] = _NOTHING,
) -> list[Answer]:
    loading.fill(conn, book.slice, missing, in_flight)
    return [book.decide(each) for each in asked]


def open_store(dsn: str) -> Store:
    """A writer of the ledger at `dsn`, a libpq address. The migrations must have run; the login must be allowed to
    become the role `tongdui_app`.
    """
    return Store(dsn)


def _connect(dsn: str) -> Wire:
    conn = psycopg.connect(dsn, options=_SESSION, connect_timeout=CONNECT_SECONDS_MAX)
    conn.execute(f"SET ROLE {ROLE}")
    conn.commit()
    return Wire(conn)
