"""HTTP servers of processes of ours that answer other processes of ours: one thread a connection, so many and no more.

Invariants: a connection above the bound is closed and not queued, so that whoever opens many holds up no more than
those; a length that is no number is none. Called by the embedded chain and the signer of hosted lanes.
"""

from __future__ import annotations

import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from typing_extensions import override

CONNECTIONS_MAX: Final = 64
_LENGTH: Final = re.compile(r"[0-9]{1,9}")


class Listener(ThreadingHTTPServer):
    """A server of so many connections. Whoever goes silent on one is its handler's to drop (`timeout`)."""

    daemon_threads = True
    request_queue_size = CONNECTIONS_MAX

    def __init__(self, place: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(place, handler)
        self._slots = threading.BoundedSemaphore(CONNECTIONS_MAX)

    @override
    def process_request(self, request: Any, client_address: Any) -> None:
        """One thread a connection, while there is a slot."""
        if not self._slots.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread to be had: nobody else gives the slot back
            self._slots.release()
            raise

    @override
    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """As the library does it, giving the connection's slot back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()


def body_length(asked: BaseHTTPRequestHandler) -> int | None:
    """How many bytes a request says it has; None where it says nothing, or nothing that could be read."""
    told = asked.headers.get("Content-Length", "")
    return int(told) if _LENGTH.fullmatch(told) else None
