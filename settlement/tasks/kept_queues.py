"""The client of the queues inside the database, for logins that own none of them.

Invariants: a queue that is there, as a migration makes ours, is used as it is: it is neither made again nor given its
trigger again, which its owner alone may do; what is missing is made as the library makes it. Whom to notify stands in
a table that a crash of the server empties, so its row is put back; without it a worker finds a message when it polls.
Named in `broker.in_database`, and called by kombu.
"""

from __future__ import annotations

from typing import Any, Final

from kombu.transport import pgmq

TRIGGERED: Final = """
SELECT 1 FROM pg_trigger
WHERE tgrelid = to_regclass('pgmq.q_' || %s) AND tgname = 'trigger_notify_queue_insert_listeners'
"""
NOTIFIED: Final = """
INSERT INTO pgmq.notify_insert_throttle (queue_name, throttle_interval_ms) VALUES (%s, %s) ON CONFLICT DO NOTHING
"""


class Channel(pgmq.Channel):  # type: ignore[misc] # the library has no types
    """As the library's, but for what only an owner may."""

    def _new_queue(self, queue: str, **kwargs: Any) -> None:
        if self._has_queue(queue):
            self._maybe_enable_notify(queue)
        else:
            super()._new_queue(queue, **kwargs)

    def _maybe_enable_notify(self, queue: str, queue_name: str | None = None) -> None:
        name = queue_name or self._queue_name(queue)
        with self.pgmq.pool.connection() as conn:
            there = conn.execute(TRIGGERED, [name]).fetchone() is not None
            if there:
                conn.execute(NOTIFIED, [name, self.notify_throttle_interval_ms])
        if there:
            self.connection._register_notify_queue(name)  # noqa: SLF001 - the library's own seam between its halves
        else:
            super()._maybe_enable_notify(queue, queue_name=queue_name)


class Transport(pgmq.Transport):  # type: ignore[misc] # the library has no types
    """Channels of ours."""

    Channel = Channel
