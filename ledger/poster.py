"""The poster: where concurrent callers meet the one writer. Group commit without a timer.

Whatever arrived while the last batch was in flight is the next batch, up to `batch_commands_max`. An answer is final
when it is returned. The queue is bounded: when it is full the caller is told to come back, and nothing was taken. One
thread writes; callers are synchronous (`post`, in their own thread) or on an event loop (`submit`, `submit_many`).
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple, Self

from ledger.answers import Answer
from ledger.commands import Command
from ledger.store import Store

QUEUE_COMMANDS_MAX = 10_000
BATCH_COMMANDS_MAX = 1_000
RETRY_AFTER_MS = 100
CLOSE_SECONDS_MAX = 60


class Busy(Exception):
    """The queue is full: nothing was taken, ask again after `retry_after_ms`."""

    def __init__(self, retry_after_ms: int) -> None:
        super().__init__(f"the ledger is busy, ask again in {retry_after_ms} ms")
        self.retry_after_ms = retry_after_ms


class Closed(Exception):
    """The poster was closed; nothing was taken."""


class _Request(NamedTuple):
    """Commands of one caller, and how to tell it."""

    commands: Sequence[Command]
    tell: Callable[[list[Answer] | BaseException], None]


class Poster:
    """Gathers commands for `store`, which it owns from now on and closes with itself."""

    def __init__(
        self,
        store: Store,
        *,
        queue_commands_max: int = QUEUE_COMMANDS_MAX,
        batch_commands_max: int = BATCH_COMMANDS_MAX,
    ) -> None:
        self._store = store
        self._queue_commands_max = queue_commands_max
        self._batch_commands_max = batch_commands_max
        self._queue: deque[_Request] = deque()
        self._queued_commands = 0
        self._closed = False
        self._arrived = threading.Condition()
        self._writing = threading.Lock()
        self._writer = threading.Thread(target=self._write, name="ledger-writer", daemon=True)
        self._writer.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Finish what was taken, then close the store."""
        with self._arrived:
            self._closed = True
            self._arrived.notify()
        self._writer.join(CLOSE_SECONDS_MAX)
        with self._writing:
            self._store.close()

    def post(self, commands: Sequence[Command]) -> list[Answer]:
        """Answers in order, in the caller's thread; long lists go in batches, each durable by itself."""
        answers: list[Answer] = []
        for start in range(0, len(commands), self._batch_commands_max):
            with self._writing:
                answers += self._store.post(commands[start : start + self._batch_commands_max])
        return answers

    def preview(self, command: Command) -> Answer:
        """What `command` would be answered now; nothing changes."""
        with self._writing:
            return self._store.preview(command)

    async def submit(self, command: Command) -> Answer:
        """The answer to one command, durable. Raises Busy when the queue is full."""
        return (await self.submit_many([command]))[0]

    async def submit_many(self, commands: Sequence[Command]) -> list[Answer]:
        """The answers in order. All of `commands` go in one batch; Busy and nothing done when they do not fit."""
        assert len(commands) <= self._batch_commands_max
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[list[Answer]] = loop.create_future()
        self._take(_Request(commands, lambda outcome: _tell(loop, answered, outcome)))
        return await answered

    def _take(self, request: _Request) -> None:
        with self._arrived:
            if self._closed:
                raise Closed("the poster is closed")
            if self._queued_commands + len(request.commands) > self._queue_commands_max:
                raise Busy(RETRY_AFTER_MS)
            self._queue.append(request)
            self._queued_commands += len(request.commands)
            self._arrived.notify()

    def _write(self) -> None:
        while requests := self._next_batch():
            try:
                with self._writing:
                    answers = self._store.post([command for request in requests for command in request.commands])
            except Exception as error:  # noqa: BLE001  # whatever it was, the callers hear of it and the next batch goes on
                for request in requests:
                    request.tell(error)
                continue
            end = 0
            for request in requests:
                start, end = end, end + len(request.commands)
                request.tell(answers[start:end])

    def _next_batch(self) -> list[_Request]:
        """Everything that waits, up to a batch; empty when closed and nothing is left."""
        with self._arrived:
            self._arrived.wait_for(lambda: self._queue or self._closed)
            batch: list[_Request] = []
            size = 0
            while self._queue and size + len(self._queue[0].commands) <= self._batch_commands_max:
                size += len(self._queue[0].commands)
                batch.append(self._queue.popleft())
            self._queued_commands -= size
            return batch


def _tell(
    loop: asyncio.AbstractEventLoop, answered: asyncio.Future[list[Answer]], outcome: list[Answer] | BaseException
) -> None:
    """Hand the outcome to a waiting caller, unless it or its loop has gone."""

    def resolve() -> None:
        if answered.done():
            return
        if isinstance(outcome, BaseException):
            answered.set_exception(outcome)
        else:
            answered.set_result(outcome)

    if not loop.is_closed():
        loop.call_soon_threadsafe(resolve)
