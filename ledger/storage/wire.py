"""A connection on which statements are sent without waiting for their answers, which come in the order of sending.

libpq's pipeline mode, a few microseconds a statement: on the hot path psycopg's own pipeline costs more than PostgreSQL
does. Invariants: what is sent up to a `sync` is one transaction, done as a whole or not at all, and its error spoils
nothing beyond; every statement is prepared once and then named; a reply is read when somebody asks for it or for one
sent later. Statements use %s as everywhere in this room; parameters are text, integers or None, and every place says
its type by a cast or a column. One thread at a time. Called by `ledger.store`.
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


class Rows(Protocol):
    """What a statement found."""

    def __iter__(self) -> Iterator[Row]: ...

    def fetchone(self) -> Row | None: ...


class Asks(Protocol):
    """Whoever takes statements: a psycopg connection, or a wire."""

    def execute(self, query: str, params: Sequence[Parameter] = ..., *, binary: bool = ...) -> Rows: ...


class Reply:
    """What one statement, or one transaction, will have been answered. Reading it waits; an error is raised by every
    reading.
    """

    __slots__ = ("_wire", "done", "error", "prepares", "result")

    def __init__(self, wire: Wire, prepares: str = "") -> None:
        self._wire = wire
        self.prepares = prepares
        self.result: pq.abc.PGresult | None = None
        self.error: Exception | None = None
        self.done = False

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows())

    def fetchone(self) -> Row | None:
        """The first row, None when there is none."""
        return next(iter(self._rows()), None)

    def wait(self) -> Self:
        """Until it is there. Raises what the database refused."""
        self._wire.read_until(self)
        if self.error is not None:
            raise self.error
        return self

    def _rows(self) -> list[Row]:
        result = self.wait().result
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
        self._names: dict[str, bytes] = {}
        self._prepared = 0
        self._due: deque[Reply] = deque()
        self._fault: Exception | None = None
        self._unsent = False
        self._poll = select.poll()
        self._poll.register(self._pg.socket, select.POLLIN)
        self._pg.enter_pipeline_mode()

    def close(self) -> None:
        """Twice is once."""
        self.connection.close()

    def fileno(self) -> int:
        """The socket, for whoever waits for several things."""
        return self._pg.socket

    def execute(self, query: str, params: Sequence[Parameter] = (), *, binary: bool = True) -> Reply:
        """Put a statement on its way; a reading or `sync` sends it off."""
        assert binary, "a wire reads binary results only"
        name = self._names.get(query) or self._prepare(query)
        self._pg.send_query_prepared(name, [_text(value) for value in params], None, _BINARY)
        self._unsent = True
        return self._expect(Reply(self))

    def sync(self) -> Reply:
        """The end of a transaction: done once this reply is there, whose error is the first of the transaction's."""
        self._pg.pipeline_sync()
        reply = self._expect(Reply(self))
        self._push()
        return reply

    def _prepare(self, query: str) -> bytes:
        self._prepared += 1
        name = b"w%d" % self._prepared
        parts = query.split("%s")
        numbered = "".join([f"{part}${no}" for no, part in enumerate(parts[:-1], start=1)]) + parts[-1]
        self._pg.send_prepare(name, numbered.encode())
        self._expect(Reply(self, prepares=query))
        self._names[query] = name
        return name

    def _expect(self, reply: Reply) -> Reply:
        self._due.append(reply)
        return reply

    def _push(self) -> None:
        """Hand everything to the system, taking in what comes meanwhile."""
        self._unsent = False
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
        """One result; None, or the end of a transaction, ends the statement that is due."""
        reply = self._due[0]
        if result is None:
            self._due.popleft().done = True
        elif result.status == _SYNCED:
            self._due.popleft().done = True
            reply.error, self._fault = self._fault, None
        else:
            reply.result = result
            if result.status in {_FAILED, _ABORTED}:
                self._fail(reply, result)

    def _fail(self, reply: Reply, result: pq.abc.PGresult) -> None:
        """Whatever fails in the wake of the first error of a transaction fails for its reason."""
        self._fault = self._fault or error_from_result(result)
        reply.error = self._fault
        self._names.pop(reply.prepares, None)

    def read_until(self, reply: Reply) -> None:
        """Wait for that reply."""
        if self._unsent and not reply.done:
            self._pg.send_flush_request()
            self._push()
        while not reply.done:
            self.read()
            if not reply.done:
                self._poll.poll()


def _text(value: Parameter) -> bytes | None:
    if value is None:
        return None
    return value.encode() if isinstance(value, str) else b"%d" % value
