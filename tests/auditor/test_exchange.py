"""Whoever lets an answer trickle, in whichever part of it, keeps the auditor no longer than an exchange may take."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from auditor.mirrors import Web, in_turn
from auditor.rpc import Node, RpcError
from tests.settlement.chain.test_line import CUT_OFF_S_MAX, Talk, certificate, listening, question, told
from tests.waiting import eventually

EXCHANGE_S = 0.4
PIECES, PIECE_S = 12, 0.1
"""Long enough for whoever waits for it to get a whole answer in the end."""
OVER = rf"http.*127\.0\.0\.1:\d+ takes more than {EXCHANGE_S} s for an answer"

Send = Callable[[bytes], object]


def drip(send: Send, over: threading.Event, piece: bytes) -> None:
    for _ in range(PIECES):
        if over.wait(PIECE_S):
            return
        send(piece)


def header(connection: socket.socket, over: threading.Event) -> None:
    whole = told(question(connection), result="0x7")
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
    drip(connection.sendall, over, b"x")
    connection.sendall(b"\r\n" + whole.partition(b"\r\n")[2])


def informed(connection: socket.socket, over: threading.Event) -> None:
    """With one header after the other, of which none is the answer's."""
    whole = told(question(connection), result="0x7")
    drip(connection.sendall, over, b"HTTP/1.1 103 Early Hints\r\n\r\n")
    connection.sendall(whole)


def body(connection: socket.socket, over: threading.Event) -> None:
    head, end, rest = told(question(connection), result="0x7").partition(b"\r\n\r\n")
    connection.sendall(head.replace(b"%d" % len(rest), b"%d" % (len(rest) + PIECES)) + end)
    drip(connection.sendall, over, b" ")
    connection.sendall(rest)


def handshake(connection: socket.socket, over: threading.Event) -> None:
    connection.recv(4_096)
    connection.sendall(b"\x16\x03\x03\x10\x00")
    drip(connection.sendall, over, b"\x02")


@pytest.mark.parametrize(
    ("talk", "scheme"), [(header, "http"), (informed, "http"), (body, "http"), (handshake, "https")]
)
def test_a_node_that_trickles_is_named_with_the_limit(talk: Talk, scheme: str) -> None:
    with listening(talk, scheme=scheme) as (url, came), closing(Node(url, exchange_seconds_max=EXCHANGE_S)) as node:
        with pytest.raises(RpcError, match=OVER):
            node.ask("eth_chainId")
        eventually(lambda: came)  # a connection may wait longer to be taken than it is kept
        assert came == [0], "the time is for all tries together"


def test_a_header_that_trickles_under_tls_is_cut_off_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file, pem in zip(("cert", "key"), certificate("127.0.0.1", ends=timedelta(days=9)), strict=True):
        (tmp_path / file).write_bytes(pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert"))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    slow = threading.Event()

    def talk(connection: socket.socket, over: threading.Event) -> None:
        with tls.wrap_socket(connection, server_side=True) as secured:
            secured.sendall(told(question(secured), result="0x7"))
            slow.set()
            header(secured, over)

    with listening(talk, scheme="https") as (url, _), closing(Node(url, exchange_seconds_max=CUT_OFF_S_MAX)) as node:
        assert node.ask("eth_chainId") == "0x7"
        assert slow.wait(CUT_OFF_S_MAX)
        node._seconds_max = EXCHANGE_S  # a first connection has the time that it needs
        with pytest.raises(RpcError, match=OVER):
            node.ask("eth_chainId")


def test_nobody_who_takes_no_connection_has_more_time() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)  # noqa: FBT003 - the standard library's own
            each.connect_ex(server.getsockname())
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        with closing(Node(url, exchange_seconds_max=EXCHANGE_S)) as node, pytest.raises(RpcError, match=OVER):
            node.ask("eth_chainId")
        for each in waiting:
            each.close()


def test_a_mirror_that_trickles_has_nothing_and_is_asked_last_from_then_on() -> None:
    def talk(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(4_096)
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
        drip(connection.sendall, over, b"x")
        connection.sendall(b"\r\nContent-Length: 5\r\n\r\nwhole")

    with listening(talk) as (url, _):
        slow, away = Web(url, exchange_seconds_max=EXCHANGE_S), Web("http://127.0.0.1:9")
        assert (slow.read("blobs/00", bytes_max=9), away.read("blobs/00", bytes_max=9)) == (None, None)
        assert in_turn([slow, away]) == [away, slow]
        late = Web(url, patience_seconds=EXCHANGE_S)
        assert late.read("blobs/00", bytes_max=9) == b"whole", "it has it, for whoever waits"
        assert in_turn([late, away]) == [away, late], "nor is who ends just in time asked first again"
