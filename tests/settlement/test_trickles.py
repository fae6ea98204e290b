"""Whoever lets an answer trickle, or takes a file so, keeps settlement no longer than it may take."""

from __future__ import annotations

import socket
import ssl
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from settlement.chain.client import Chain, ChainUnclear
from settlement.mirrors import MirrorDown
from settlement.mirrors.web import WebMirror
from tests.auditor.test_exchange import EXCHANGE_S, body, handshake, header, informed
from tests.settlement.chain.test_line import CUT_OFF_S_MAX, Talk, certificate, listening

FILE = b'{"id": 1}'
LARGE_BYTES, TAKEN_BYTES, TAKEN_S = 2**25, 2**17, 0.02
"""More than a connection holds by itself, and so slowly that all of it takes some seconds."""
PARTS = [(header, "http"), (informed, "http"), (handshake, "https")]


@pytest.mark.parametrize(("talk", "scheme"), [*PARTS, (body, "http")])
def test_a_node_that_trickles_has_given_no_answer(talk: Talk, scheme: str) -> None:
    with listening(talk, scheme=scheme) as (url, _), pytest.raises(ChainUnclear, match="no answer in time"):
        Chain(url, answer_s_max=EXCHANGE_S).chain_id()


def test_nor_has_one_that_trickles_under_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file, pem in zip(("cert", "key"), certificate("127.0.0.1", ends=timedelta(days=9)), strict=True):
        (tmp_path / file).write_bytes(pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert"))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "cert", tmp_path / "key")

    def talk(connection: socket.socket, over: threading.Event) -> None:
        with tls.wrap_socket(connection, server_side=True) as secured:
            header(secured, over)

    with listening(talk, scheme="https") as (url, _), pytest.raises(ChainUnclear, match="no answer in time"):
        Chain(url, answer_s_max=EXCHANGE_S).chain_id()


@pytest.mark.parametrize(("talk", "scheme"), PARTS)
def test_a_mirror_that_trickles_is_down(talk: Talk, scheme: str) -> None:
    with listening(talk, scheme=scheme) as (url, _), pytest.raises(MirrorDown, match="takes more than"):
        WebMirror(url, file_seconds_max=EXCHANGE_S).write("blobs/x", FILE)


def test_a_mirror_that_takes_a_file_piece_by_piece_is_sent_no_more_of_it() -> None:
    taken, hurry, ended = list[int](), threading.Event(), threading.Event()

    def talk(connection: socket.socket, _over: threading.Event) -> None:
        while sum(taken) < LARGE_BYTES and (piece := connection.recv(TAKEN_BYTES)):
            taken.append(len(piece))
            hurry.wait(TAKEN_S)
        ended.set()
        connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")

    with listening(talk) as (url, _):
        with pytest.raises(MirrorDown, match="takes more than"):
            WebMirror(url, file_seconds_max=EXCHANGE_S).write("blobs/x", bytes(LARGE_BYTES))
        hurry.set()
        assert ended.wait(CUT_OFF_S_MAX)
    assert sum(taken) < LARGE_BYTES
