"""Bodies over a real socket: slow, unfinished, unwanted. Nothing is half done, no connection is kept from others."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPResponse

import pytest
import uvicorn
from structlog.testing import capture_logs

from api import parse
from api.app import create_app
from api.door import Door
from api.serve import KEEP_ALIVE_SECONDS
from ledger import journal
from tests.api.conftest import Caller
from tests.waiting import eventually

PATIENCE_SECONDS = 10
BODY_SECONDS = 0.5
PAID = {"type": "member.joined", "id": "e-1", "occurred_at": "2026-07-10T12:00:00Z", "member": "m"}
BODY = json.dumps(PAID).encode()
HOT, LONG = "/v1/events", "/v1/orders"
"""The short way past the framework, and an address of the long one."""


@pytest.fixture
def port(door: Door, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The application behind the HTTP server that serves it, which has less patience here."""
    monkeypatch.setattr(parse, "BODY_SECONDS_MAX", BODY_SECONDS)
    config = uvicorn.Config(
        create_app(door), port=0, log_config=None, lifespan="off", timeout_keep_alive=KEEP_ALIVE_SECONDS
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    eventually(lambda: server.started, seconds=PATIENCE_SECONDS)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()


def asked(port: int, head: str, body: bytes) -> socket.socket:
    """A request of which `body` is sent, whatever its head says."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
    connection.sendall(f"{head}\r\nhost: t\r\ncontent-type: application/json\r\n\r\n".encode() + body)
    return connection


def to_the_end(connection: socket.socket) -> tuple[int, bytes]:
    """The status, and everything until the server closes the connection, which it has to do by itself."""
    with closing(connection):
        said = b"".join(iter(lambda: connection.recv(65_536), b""))
    return int(said.split(b" ", 2)[1]), said


def answered(connection: socket.socket) -> int:
    """The status of one answer, read to its end, which may come in pieces."""
    answer = HTTPResponse(connection, method="POST")
    answer.begin()
    answer.read()
    return answer.status


def post(path: str, token: str, length: int) -> str:
    return f"POST {path} HTTP/1.1\r\nauthorization: Bearer {token}\r\nidempotency-key: e-1\r\ncontent-length: {length}"


def entries(door: Door) -> int:
    with door.reading() as connection:
        return journal.head_seq(connection)


def test_a_slow_body_is_cut_off_and_burns_nothing(port: int, door: Door, tea: Caller) -> None:
    before = entries(door)
    status, said = to_the_end(asked(port, post(HOT, tea.token, len(BODY)), BODY[:-1]))
    assert (status, b"body-too-slow" in said) == (408, True)
    assert (entries(door), door.flights.held) == (before, 0)
    assert tea.post(HOT, PAID).status_code == 201, "the same id, in time"


def test_a_byte_now_and_then_gains_no_time(port: int, tea: Caller) -> None:
    connection = asked(port, post(HOT, tea.token, 1_000), b"{")

    def send_on() -> bool:
        """Whether the server has closed the connection; until it has, it takes another byte."""
        try:
            connection.sendall(b" ")
        except OSError:
            return True
        time.sleep(BODY_SECONDS / 10)
        return False

    eventually(send_on, seconds=PATIENCE_SECONDS)
    connection.close()


def test_a_caller_that_goes_away_leaves_nothing(port: int, door: Door, tea: Caller) -> None:
    before = entries(door)
    with capture_logs() as logs:
        asked(port, post(HOT, tea.token, len(BODY)), BODY[:-1]).close()
        eventually(lambda: logs, seconds=PATIENCE_SECONDS)
    assert [(each["event"], each["log_level"]) for each in logs] == [("gone", "info")], "nobody's fault, no traceback"
    assert (entries(door), door.flights.held) == (before, 0)
    assert tea.post(HOT, PAID).status_code == 201


@pytest.mark.parametrize(("path", "sent", "status"), [
    (HOT, b" " * 20_000, 413),
    (LONG, b" " * 20_000, 404),
    ("/v1/transfers", b" " * 20_000, 413),
])  # fmt: skip
def test_who_is_refused_before_the_body_is_read_is_not_listened_to(
    port: int, tea: Caller, path: str, sent: bytes, status: int
) -> None:
    """The rest of the body never comes: waiting for it would keep the connection from everybody."""
    assert to_the_end(asked(port, post(path, tea.token, 1_000_000), sent))[0] == status


@pytest.mark.parametrize("path", [HOT, "/v1/transfers"])
def test_nor_is_who_has_no_key(port: int, path: str) -> None:
    assert to_the_end(asked(port, post(path, "tdt_wrong", 1_000_000), b"{"))[0] == 401


def test_a_body_in_chunks_is_a_body(port: int) -> None:
    head = f"GET {HOT} HTTP/1.1\r\ntransfer-encoding: chunked"
    assert to_the_end(asked(port, head, b"1\r\n{\r\n"))[0] == 405


def test_a_connection_is_kept_where_nothing_is_left_unread(port: int, tea: Caller) -> None:
    """Refused or not: two requests on one connection."""
    with closing(asked(port, post(HOT, tea.token, 1), b"{")) as connection:
        assert answered(connection) == 400
        request = f"{post(HOT, tea.token, len(BODY))}\r\nhost: t\r\ncontent-type: application/json\r\n\r\n"
        connection.sendall(request.encode() + BODY)
        assert answered(connection) == 201
