"""The poster: where concurrent callers meet the one writer. Group commit without a timer.

Whatever arrived while the last batch was being decided is the next batch, up to `batch_commands_max`. An answer is
final when it is returned. The queue is bounded: when it is full the caller is told to come back, and nothing was taken.
One thread writes; callers are synchronous (`post`) or on an event loop (`submit`, `submit_many`), and all callers of a
loop that were answered together are woken together. A process that has a poster hands its interpreter over and looks
for cycles by the poster's measures.
"""

from __future__ import annotations

import asyncio
import gc
import os
import select
import sys
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from typing import NamedTuple, Self

from ledger.answers import Answer
from ledger.commands import Command
from ledger.store import Store

QUEUE_COMMANDS_MAX = 10_000
BATCH_COMMANDS_MAX = 1_000
RETRY_AFTER_MS = 100
CLOSE_SECONDS_MAX = 60
LISTS_AHEAD_MAX = 3
"""Of a long list that is posted: how many batches are handed in at once."""

SWITCH_SECONDS = 0.0005
"""How long the writer may keep the interpreter from other threads: they meet that wait after every system call."""
SWEEPS = (200_000, 1_000, 1_000)
"""When the interpreter looks for cycles by itself: hardly ever. See `Poster._sweep`."""
SWEEP_COMMANDS = 2_500
SWEEP_BATCHES = 10

Outcome = list[Answer] | Exception
AnyFuture = asyncio.Future[list[Answer]] | Future[list[Answer]]


class Busy(Exception):
    """The queue is full: nothing was taken, ask again after `retry_after_ms`."""

    def __init__(self, retry_after_ms: int) -> None:
        super().__init__(f"the ledger is busy, ask again in {retry_after_ms} ms")
        self.retry_after_ms = retry_after_ms


class Closed(Exception):
    """The poster was closed; nothing was taken."""


class _Request(NamedTuple):
    """Commands of one caller, and where it waits; `loop` is None for a caller in a thread of its own."""

    commands: Sequence[Command]
    answered: AnyFuture
    loop: asyncio.AbstractEventLoop | None


class Poster:
    """Gathers commands for `store`, which it owns from now on and closes with itself."""

    def __init__(
        self,
        store: Store,
        *,
        queue_commands_max: int = QUEUE_COMMANDS_MAX,
        batch_commands_max: int = BATCH_COMMANDS_MAX,
    ) -> None:
        gc.set_threshold(*SWEEPS)
        sys.setswitchinterval(SWITCH_SECONDS)
        self._store = store
        self._queue_commands_max = queue_commands_max
        self._batch_commands_max = batch_commands_max
        self._queue: deque[_Request] = deque()
        self._queued_commands = 0
        self._unswept_commands = 0
        self._closed = False
        self._dozing = False
        self._lock = threading.Lock()
        self._woken = os.eventfd(0, os.EFD_CLOEXEC)
        self._writing = threading.Lock()
        self._writer = threading.Thread(target=self._write, name="ledger-writer", daemon=True)
        self._writer.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Finish what was taken, then close the store. Twice is once."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        os.eventfd_write(self._woken, 1)
        self._writer.join(CLOSE_SECONDS_MAX)
        with self._writing:
            self._store.close()
        os.close(self._woken)

    def post(self, commands: Sequence[Command]) -> list[Answer]:
        """Answers in order, to a caller in a thread; long lists go in batches, each durable by itself. After an error
        what came later in the list may have been done as well.
        """
        answers: list[Answer] = []
        waiting: deque[Future[list[Answer]]] = deque()
        for start in range(0, len(commands), self._batch_commands_max):
            if len(waiting) == LISTS_AHEAD_MAX:
                answers += waiting.popleft().result()
            waiting.append(Future())
            self._take(_Request(commands[start : start + self._batch_commands_max], waiting[-1], None))
        for answered in waiting:
            answers += answered.result()
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
        self._take(_Request(commands, answered, loop))
        return await answered

    def _take(self, request: _Request) -> None:
        with self._lock:
            if self._closed:
                raise Closed("the poster is closed")
            if request.loop and self._queued_commands + len(request.commands) > self._queue_commands_max:
                raise Busy(RETRY_AFTER_MS)
            self._queue.append(request)
            self._queued_commands += len(request.commands)
            if self._dozing:
                self._dozing = False
                os.eventfd_write(self._woken, 1)

    def _write(self) -> None:
        while requests := self._next_batch():
            commands = [command for request in requests for command in request.commands]
            with self._writing:
                self._store.begin(commands, partial(_tell, requests))
            self._sweep(len(commands))
        with self._writing:
            self._store.finish()

    def _sweep(self, commands: int) -> None:
        """Look for cycles among the young objects, seldom enough to cost little and often enough to pause nobody long.

        What the store keeps in memory is many objects and no cycle. At its usual thresholds the interpreter walked all
        of them several times a batch, and spent more time on that than the ledger on deciding.
        """
        self._unswept_commands += commands
        if self._unswept_commands >= max(SWEEP_COMMANDS, SWEEP_BATCHES * commands):
            self._unswept_commands = 0
            gc.collect(0)

    def _next_batch(self) -> list[_Request]:
        """Everything that waits, up to a batch; empty when closed and nothing is left."""
        while True:
            with self._writing:
                self._store.land()
            with self._lock:
                if self._queue:
                    return self._gathered()
                if self._closed:
                    return []
                self._dozing = True
            self._doze()

    def _gathered(self) -> list[_Request]:
        batch: list[_Request] = []
        size = 0
        while self._queue and size + len(self._queue[0].commands) <= self._batch_commands_max:
            size += len(self._queue[0].commands)
            batch.append(self._queue.popleft())
        self._queued_commands -= size
        return batch

    def _doze(self) -> None:
        """Until something has arrived or what is in flight has landed."""
        events = select.poll()
        events.register(self._woken, select.POLLIN)
        if self._store.in_flight:
            events.register(self._store, select.POLLIN)
        if self._woken in {fd for fd, _ in events.poll()}:
            os.eventfd_read(self._woken)


def _tell(requests: list[_Request], outcome: Outcome) -> None:
    """Hand everybody its part of the outcome; a loop is called once for all who wait on it."""
    of_loops: dict[asyncio.AbstractEventLoop, list[tuple[AnyFuture, Outcome]]] = {}
    end = 0
    for commands, answered, loop in requests:
        start, end = end, end + len(commands)
        mine = outcome if isinstance(outcome, Exception) else outcome[start:end]
        if loop is None:
            _resolve([(answered, mine)])
        else:
            of_loops.setdefault(loop, []).append((answered, mine))
    for loop, waiting in of_loops.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_resolve, waiting)


def _resolve(waiting: list[tuple[AnyFuture, Outcome]]) -> None:
    """In the loop's thread: whoever gave up is left alone."""
    for answered, outcome in waiting:
        if answered.done():
            continue
        if isinstance(outcome, Exception):
            answered.set_exception(outcome)
        else:
            answered.set_result(outcome)
