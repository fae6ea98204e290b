"""A connection on which statements are sent without waiting for their answers, which come in the order of sending.

libpq's pipeline mode, a few microseconds a statement: on the hot path psycopg's own pipeline costs more than PostgreSQL
does. Invariants: every statement is prepared once and then named; a reply is read when somebody asks for it or when
something sent later is waited for; after an error nothing more is done, and whoever hears of it closes the wire.
Statements use %s as everywhere in this room; parameters are text, integers or None, and every place says its type by a
cast or a column. One thread at a time. Called by `ledger.store`.
"""

from __future__ import annotations

import select
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, Protocol, Self

import psycopg
from psycopg import pq
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result

Row = tuple[Any, ...]
Parameter = str | int | None

_BINARY = 1
_SYNCED = pq.ExecStatus.PIPELINE_SYNC
_ABORTED = pq.ExecStatus.PIPELINE_ABORTED
_FAILED = pq.ExecStatus.FATAL_ERROR
_IDLE = pq.TransactionStatus.IDLE


class Rows(Protocol):
    """What a statement found."""

    def __iter__(self) -> Iterator[Row]: ...

    def fetchone(self) -> Row | None: ...


class Asks(Protocol):
    """Whoever takes statements: a psycopg connection, or a wire."""

    def execute(self, query: str, params: Sequence[Parameter] = ..., *, binary: bool = ...) -> Rows: ...


class Reply:
    """What one statement will have been answered. Reading it waits; an error is raised by every reading."""

    __slots__ = ("_error", "_result", "_wire", "done")

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._result: pq.abc.PGresult | None = None
        self._error: BaseException | None = None
        self.done = False

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows())

    def fetchone(self) -> Row | None:
        """The first row, None when there is none."""
        return next(iter(self._rows()), None)

    def wait(self) -> Self:
        """Until it is there. Raises what the database refused."""
        self._wire.read_until(self)
        if self._error is not None:
            raise self._error
        return self

    def take(self, result: pq.abc.PGresult) -> None:
        """Called by the wire with what came."""
        if result.status in {_FAILED, _ABORTED}:
            self._error = self._wire.fault = self._wire.fault or error_from_result(result)
        self._result = result

    def _rows(self) -> list[Row]:
        self.wait()
        result = self._result
        assert result is not None
        if not result.ntuples:
            return []
        loads = Transformer(self._wire.connection)
        loads.set_pgresult(result)
        return loads.load_rows(0, result.ntuples, tuple)


class Wire:
    """Owns `connection` from now on, and keeps it in pipeline mode."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection
        self._pg = connection.pgconn
        self.fault: BaseException | None = None
        """The first error: what follows it fails because of it, and the connection is of no more use."""
        self._names: dict[str, bytes] = {}
        self._due: deque[Reply] = deque()
        self._poll = select.poll()
        self._poll.register(self._pg.socket, select.POLLIN)
        self._pg.enter_pipeline_mode()

    def close(self) -> None:
        """Twice is once."""
        self.connection.close()

    def fileno(self) -> int:
        """The socket, for whoever waits for several things."""
        return self._pg.socket

    @property
    def idle(self) -> bool:
        """Outside every transaction, with nothing due."""
        return not self._due and self._pg.transaction_status == _IDLE

    def execute(self, query: str, params: Sequence[Parameter] = (), *, binary: bool = True) -> Reply:
        """Put a statement on its way; `flush` or a reading sends it off."""
        assert binary, "a wire reads binary results only"
        name = self._names.get(query) or self._prepare(query)
        self._pg.send_query_prepared(name, [_text(value) for value in params], None, _BINARY)
        return self._expect()

    def _prepare(self, query: str) -> bytes:
        name = b"w%d" % len(self._names)
        parts = query.split("%s")
        numbered = "".join(f"{part}${no}" for no, part in enumerate(parts[:-1], start=1)) + parts[-1]
        self._pg.send_prepare(name, numbered.encode())
        self._expect()
        self._names[query] = name
        return name

    def _expect(self) -> Reply:
        reply = Reply(self)
        self._due.append(reply)
        return reply

    def sync(self) -> Reply:
        """End of what an error spoils. Its reply stands for everything sent before."""
        self._pg.pipeline_sync()
        return self._expect()

    def flush(self) -> None:
        """Hand everything to the system, reading what comes meanwhile, and ask the server to answer what it has."""
        self._pg.send_flush_request()
        while self._pg.flush():
            self._poll.modify(self._pg.socket, select.POLLIN | select.POLLOUT)
            self._poll.poll()
            self._pg.consume_input()
        self._poll.modify(self._pg.socket, select.POLLIN)

    def read(self) -> None:
        """Take what has come, without waiting."""
        self._pg.consume_input()
        while self._due and not self._pg.is_busy():
            self._take(self._pg.get_result())

    def _take(self, result: pq.abc.PGresult | None) -> None:
        """One result; None, or a synchronisation, ends the statement that is due."""
        if result is not None and result.status != _SYNCED:
            self._due[0].take(result)
            return
        self._due.popleft().done = True

    def read_until(self, reply: Reply) -> None:
        """Wait for that reply."""
        if not reply.done:
            self.flush()
        while not reply.done:
            self.read()
            if not reply.done:
                self._poll.poll()


def _text(value: Parameter) -> bytes | None:
    if value is None:
        return None
    return value.encode() if isinstance(value, str) else b"%d" % value
