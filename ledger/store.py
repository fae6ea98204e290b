"""The batched store: the one place where a batch becomes durable, one transaction per batch.

Invariants: a batch is done or not done as a whole, and only then answered; the head row is the lock and the fence of
every writer, in any process; the number of statements does not depend on the batch; what is held in memory is believed
only while head.seq is what this store wrote last. A connection lost at any point, in COMMIT too, is resolved by posting
the batch again: whatever was committed answers from its keys.

While batches are being written, the next is decided ahead, on the state as it will be once they are, and sent at once.
PostgreSQL refuses it as a whole unless the batch before it on this connection was committed and the locked head stands
where it was decided; then it is decided again under the lock. Two connections: one writes, one reads ahead. One thread
at a time; `ledger.poster` sees to that.
"""

from __future__ import annotations

import contextlib
import gc
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Self

import psycopg
from psycopg.errors import DivisionByZero, UniqueViolation

from ledger.answers import Answer
from ledger.book import Book
from ledger.commands import Command
from ledger.registry import Registry
from ledger.slice import Remembered, Slice
from ledger.storage import loading, writing
from ledger.storage.flight import Batch, Flight, Outcome, Tell
from ledger.storage.wire import Wire

__all__ = ["ROLE", "Store", "Tell", "open_store"]

ROLE = "tongdui_app"
SLICE_ROWS_MAX = 1_000_000
BATCH_COMMANDS_MAX = 8_000
FLIGHTS_MAX = 2
ATTEMPTS_MAX = 5
RETRY_SECONDS = 0.2
CONNECT_SECONDS_MAX = 10

# Every statement of the hot path probes indexes; a plan made while a table was empty must not scan it for ever.
_SESSION = "-c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c plan_cache_mode=force_generic_plan"
# A transaction leaves its number in the session, unless it is rolled back.
_LOCK = """
SELECT seq, registry_seq, set_config('tongdui.batch', %s, false) FROM ledger.head WHERE shard = 0 FOR NO KEY UPDATE
"""
# The position alone would not do: somebody else may have brought the head to where a batch of ours, that failed, would
# have. Dividing is the one way in which a SELECT can be made to fail.
_LOCK_AT = """
SELECT 1 / (seq = %s AND coalesce(current_setting('tongdui.batch', true), '') = %s)::integer,
       set_config('tongdui.batch', %s, false)
FROM ledger.head WHERE shard = 0 FOR NO KEY UPDATE
"""
_OVERTAKEN = (DivisionByZero, UniqueViolation)
"""How a batch that was decided ahead fails when somebody else wrote: the head moved, or did not, because what they
wrote was a refusal under the same key.
"""
_PEEK = "SELECT seq, registry_seq FROM ledger.head WHERE shard = 0"


def nothing_happens(_: str) -> None:
    """What `named_point` does outside crash tests."""


class Store:
    """A writer of the ledger at `dsn`. `named_point` is told where a batch stands, "locked" meaning that it is about to
    be when it was decided ahead: a crash test kills the process there.
    """

    def __init__(self, dsn: str, named_point: Callable[[str], None] = nothing_happens) -> None:
        self._dsn = dsn
        self._named_point = named_point
        self._slice: Slice | None = None
        self._registry_seq = -1
        self._tried: tuple[int, Registry] | None = None
        """The registry that the last trial read, and its position: a trial holds up the writer, and reads it once."""
        self._rivals = False
        self._flights: deque[Flight] = deque()
        self._batch_no = 0
        self._writer = _connect(dsn)
        try:
            self._reader = _connect(dsn)
        except BaseException:
            self._writer.close()
            raise

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
    def in_flight(self) -> list[int]:
        """How many commands each batch has that was sent and is not answered, oldest first."""
        return [len(flight.batch.asked) for flight in self._flights]

    def fileno(self) -> int:
        """Readable when `land` may have something to tell."""
        return self._writer.fileno()

    def post(self, commands: Sequence[Command]) -> list[Answer]:
        """The answers to `commands`, in order, durable. At most BATCH_COMMANDS_MAX. Raises psycopg.OperationalError
        when the database stays away; what was asked can then be asked again with the same keys.
        """
        heard: list[Outcome] = []
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
        batch = Batch(commands, tell)
        if not batch.asked:
            self.finish()
            batch.tell([])
        elif not self._begin_ahead(batch):
            self.finish()
            self._begin_locked(batch)

    def land(self) -> None:
        """Tell what was committed meanwhile, without waiting for it. To be called before `fileno` is waited for: what
        was read by the way shows there no more.
        """
        while self._flights:
            with contextlib.suppress(psycopg.OperationalError):  # the wait for what is due will meet it
                self._writer.read()
                if not self._flights[0].committed.done:
                    return
            self._land_first()

    def finish(self) -> None:
        """Wait until everything that was begun is durable, and tell."""
        while self._flights:
            self._land_first()

    def preview(self, command: Command) -> Answer:
        """What `command` would be answered now; nothing is written, locked or remembered. Raises
        psycopg.OperationalError when the database stays away.
        """
        batch = Batch([command], lambda _: None)
        if not batch.asked:
            return batch.malformed
        try:
            return self._preview(batch)
        except BaseException:
            # A transaction that was not ended would show whoever reads ahead its own moment for ever.
            self._reader.close()
            with contextlib.suppress(psycopg.OperationalError):
                self._reader = _connect(self._dsn)
            raise

    def _preview(self, batch: Batch) -> Answer:
        reader = self._reader
        reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        seq, registry_seq = reader.execute(_PEEK).fetchone() or (0, 0)
        known, self._tried = self._tried, None  # another trial may write in it, so it is given away meanwhile
        registry = known[1] if known is not None and known[0] == registry_seq else loading.registry(reader)
        book = Book(Slice(seq, registry))
        missing = loading.send(reader, loading.missing(book.slice, batch.wants(), batch.keys))
        loading.fill(reader, book.slice, missing, {})
        reader.sync().wait()
        answer = batch.decide(book)[0]
        if not book.effects.configured:
            self._tried = (registry_seq, registry)
        return answer

    def _begin_ahead(self, batch: Batch) -> bool:
        """Decide on the state as it will be. False when that cannot be done; the batch is then as if nobody had looked
        at it.
        """
        try:
            return self._try_ahead(batch)
        except Exception:  # noqa: BLE001  # whatever it was, it comes again under the lock, and is told then
            self._forget()
            return False
        except BaseException:
            self._forget()
            raise

    def _try_ahead(self, batch: Batch) -> bool:
        if not self._flights or self._rivals:
            return False
        state, want = self._slice, batch.wants()
        if state is None or state.rows > SLICE_ROWS_MAX:
            return False
        missing = loading.missing(state, want, batch.keys)
        if not all(missing.independent_of(flight.effects) for flight in self._flights):
            return False
        decided_at, book = state.seq, Book(state)
        loading.send(self._reader, missing)
        loading.fill(self._reader, state, missing, self._unwritten())
        self._reader.sync()
        answers = batch.decide(book)
        self._named_point("decided")
        if len(self._flights) == FLIGHTS_MAX:
            self._land_first()
        if self._slice is not state:
            return False
        self._named_point("locked")
        before, self._batch_no = self._batch_no, self._batch_no + 1
        self._writer.execute(_LOCK_AT, [decided_at, str(before), str(self._batch_no)])
        self._send(batch, answers, book, ahead=True)
        return True

    def _unwritten(self) -> dict[str, Remembered | None]:
        """What was answered by batches that the database may not show yet."""
        return {key: first for flight in self._flights for key, first in flight.remembered.items()}

    def _begin_locked(self, batch: Batch) -> None:
        """Decide under the lock, again if the connection is lost. Nothing else is in flight."""
        while True:
            batch.attempts += 1
            try:
                self._decide_locked(batch)
            except psycopg.OperationalError as error:
                if self._may_try_again(batch):
                    continue
                batch.tell(error)
            except Exception as error:  # noqa: BLE001  # whatever it was, who asked hears of it and the next goes on
                self._forget()
                batch.tell(error)
            except BaseException:
                self._forget()
                raise
            return

    def _decide_locked(self, batch: Batch) -> None:
        """Two round trips while the slice is warm: lock and read, then write and commit.

        What the slice lacks is sent for together with the lock; if another writer turns out to have written, the slice
        is dropped, and everything is sent for again.
        """
        writer, warm, want = self._writer, self._slice, batch.wants()
        self._batch_no += 1
        head = writer.execute(_LOCK, [str(self._batch_no)])
        missing = loading.send(writer, loading.missing(warm, want, batch.keys)) if warm is not None else None
        seq, registry_seq, _ = head.fetchone() or (0, 0, "")
        self._named_point("locked")
        book = Book(self._current(seq, registry_seq))
        if missing is None or book.slice is not warm:
            missing = loading.send(writer, loading.missing(book.slice, want, batch.keys))
        loading.fill(writer, book.slice, missing, {})
        answers = batch.decide(book)
        self._named_point("decided")
        self._send(batch, answers, book, ahead=False)

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

    def _send(self, batch: Batch, answers: list[Answer], book: Book, *, ahead: bool) -> None:
        """Write what was decided, as the rest of the transaction that began with the lock."""
        effects, seq = book.take_effects(), book.slice.seq
        if effects.configured:
            self._registry_seq = seq
        statement = writing.statement(effects, seq, self._registry_seq)
        if statement is not None:
            self._writer.execute(*statement)
        self._flights.append(Flight(batch, answers, book.slice.answers, effects, self._writer.sync(), ahead))
        self._named_point("written")

    def _land_first(self) -> None:
        """Wait for the oldest flight and tell; if it failed, those behind it did too, and are done again."""
        flight = self._flights[0]
        try:
            flight.committed.wait()
            self._named_point("committed")
        except Exception as error:  # noqa: BLE001  # as in _begin_locked
            batches = [each.batch for each in self._flights]
            self._flights.clear()
            if not self._may_go_again(flight, error):
                batches.pop(0).tell(error)
            for batch in batches:
                self._begin_locked(batch)
                self.finish()
        else:
            self._flights.popleft()
            flight.batch.tell(flight.answers)

    def _may_go_again(self, flight: Flight, error: Exception) -> bool:
        """After a transaction failed: whether its batch can be decided again."""
        if flight.ahead and isinstance(error, _OVERTAKEN):
            self._slice = None
            self._rivals = True
            return True
        if isinstance(error, psycopg.OperationalError):
            return self._may_try_again(flight.batch)
        self._forget()
        return False

    def _may_try_again(self, batch: Batch) -> bool:
        """After a lost connection: wait a little and open another. False when it was tried often enough."""
        self._forget()
        if batch.attempts >= ATTEMPTS_MAX:
            return False
        time.sleep(RETRY_SECONDS * max(1, batch.attempts))
        return True

    def _forget(self) -> None:
        """After an error: nothing that is held is believed, and nothing that was sent is waited for."""
        self._slice = None
        self._writer.close()
        self._reader.close()
        with contextlib.suppress(psycopg.OperationalError):  # still away: the next attempt finds the wires closed
            self._writer = _connect(self._dsn)
            self._reader = _connect(self._dsn)


def open_store(dsn: str) -> Store:
    """A writer of the ledger at `dsn`, a libpq address. The migrations must have run; the login must be allowed to
    become the role `tongdui_app`.
    """
    return Store(dsn)


def _connect(dsn: str) -> Wire:
    conn = psycopg.connect(dsn, options=_SESSION, connect_timeout=CONNECT_SECONDS_MAX)
    try:
        conn.execute(f"SET ROLE {ROLE}")
        conn.commit()
        return Wire(conn)
    except BaseException:
        conn.close()
        raise
