"""Load for the front door: keeps a number of HTTP connections busy with purchases, as one process of its own.

    python -m bench.http_load PORT TOKEN --connections 64 --seconds 4 --events-per-request 1 --first 0

One request per connection at a time; requests are bytes made before the clock starts, and answers are told apart by
their length alone, over plain sockets and epoll, because the generator shares the two cores with what it measures.
Prints one JSON object: answers by status, events, seconds, every wait in microseconds, its own processor time. Called
by `bench.front_door`.
"""

from __future__ import annotations

import argparse
import json
import re
import selectors
import socket
import time
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from bench.stage import MEMBERS

RECEIVE_BYTES = 1 << 20
WAIT_SECONDS_MAX = 30.0
OCCURRED_AT = "2026-01-01T08:00:00+08:00"
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


def order(number: int) -> dict[str, object]:
    """The body of one purchase."""
    return {
        "type": "order.paid",
        "id": f"load-{number}",
        "occurred_at": OCCURRED_AT,
        "member": f"member-{number * 7919 % MEMBERS}",
        "order": f"order-load-{number}",
        "amount_minor": 12_345,
    }


def requests(token: str, first: int, per_request: int) -> Iterator[bytes]:
    """Whole requests, each with purchases nobody made before."""
    path = "/v1/events" if per_request == 1 else "/v1/events/batch"
    while True:
        orders = [order(number) for number in range(first, first + per_request)]
        first += per_request
        body = json.dumps(orders[0] if per_request == 1 else {"events": orders}, separators=(",", ":")).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        yield head.encode() + body


class Line:
    """One connection: what it sent when, and what has come back of the answer."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""
        self.asked_at = 0.0

    def ask(self, request: bytes) -> None:
        self.received, self.asked_at = b"", time.perf_counter()
        self.socket.sendall(request)

    def hear(self) -> int | None:
        """The status once the whole answer is there."""
        part = self.socket.recv(RECEIVE_BYTES)
        assert part, "the server closed the connection"
        self.received += part
        head, blank, body = self.received.partition(b"\r\n\r\n")
        found = _LENGTH.search(head) if blank else None
        return int(head[9:12]) if found and len(body) == int(found.group(1)) else None


class Heard(NamedTuple):
    """What came back."""

    statuses: Counter[int]
    waits: list[float]
    seconds: float


def drive(port: int, made: Iterator[bytes], connections: int, seconds: float) -> Heard:
    """Ask until the time is over or `made` is used up, then wait for what is under way."""
    statuses, waits = Counter[int](), list[float]()
    lines = [Line(port) for _ in range(connections)]
    with selectors.DefaultSelector() as selector:
        begun, busy = time.perf_counter(), 0
        for line, request in zip(lines, made, strict=False):
            selector.register(line.socket, selectors.EVENT_READ, line)
            line.ask(request)
            busy += 1
        while busy:
            ready = selector.select(WAIT_SECONDS_MAX)
            assert ready, "no answer in time"
            for key, _ in ready:
                status = key.data.hear()
                if status is None:
                    continue
                now = time.perf_counter()
                statuses[status] += 1
                waits.append(now - key.data.asked_at)
                request = next(made, b"") if now < begun + seconds else b""
                busy -= not request
                if request:
                    key.data.ask(request)
        took = time.perf_counter() - begun
    for line in lines:
        line.socket.close()
    return Heard(statuses, waits, took)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("port", type=int)
    parser.add_argument("token")
    for name, default in (("connections", 64), ("events-per-request", 1), ("first", 0), ("requests", 40_000)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--seconds", type=float, default=4.0)
    chosen = parser.parse_args()
    endless = requests(chosen.token, chosen.first, chosen.events_per_request)
    made = [next(endless) for _ in range(chosen.requests)]
    before = time.process_time()
    heard = drive(chosen.port, iter(made), chosen.connections, chosen.seconds)
    result = {
        "statuses": heard.statuses,
        "events": len(heard.waits) * chosen.events_per_request,
        "seconds": heard.seconds,
        "waitMicroseconds": [int(wait * 1e6) for wait in heard.waits],
        "cpuSeconds": time.process_time() - before,
    }
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
