"""The client against nodes that misbehave: every wording has its case, every broken answer is `ChainUnclear`."""

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from settlement.chain.client import Chain, ChainUnclear, NodeRefused, NoSuchMethod, Reverted
from settlement.chain.gas import TRANSACTION_GAS_MAX, commit_gas, finalise_gas
from settlement.chain.send_cases import WORDINGS, SendCase, Wording, send_case


@pytest.mark.parametrize(
    ("wording", "case"),
    [
        ("already known", SendCase.ALREADY_KNOWN),
        ("transaction already imported", SendCase.ALREADY_KNOWN),
        ("Known transaction: 0x12", SendCase.ALREADY_KNOWN),
        ("nonce too low: next nonce 5, tx nonce 4", SendCase.NONCE_TOO_LOW),
        ("Nonce too low. Expected nonce to be 3 but got 2.", SendCase.NONCE_TOO_LOW),
        ("OldNonce", SendCase.NONCE_TOO_LOW),
        ("nonce too high", SendCase.NONCE_TOO_HIGH),
        ("replacement transaction underpriced", SendCase.UNDERPRICED),
        ("Replacement transaction underpriced. A gasPrice/maxFeePerGas of at least 2", SendCase.UNDERPRICED),
        ("max fee per gas less than block base fee: address 0x1, maxFeePerGas: 1", SendCase.FEE_TOO_LOW),
        ("fee cap below minimum", SendCase.FEE_TOO_LOW),
        ("Insufficient funds for gas * price + value", SendCase.NO_FUNDS),
        ("sender doesn't have enough funds to send tx", SendCase.NO_FUNDS),
        ("Transaction gas limit is 16777217 and exceeds transaction gas cap of 16777216", SendCase.GAS_CAP),
        ("exceeds block gas limit", SendCase.GAS_CAP),
        ("intrinsic gas too low", SendCase.GAS_CAP),
        ("intrinsic gas too high -- tx.gas_limit > env.block.gas_limit", SendCase.GAS_CAP),
        ("the moon is full", SendCase.REFUSED),
    ],
)
def test_what_nodes_say_has_a_case(wording: str, case: SendCase) -> None:
    assert send_case(wording) is case


@pytest.mark.parametrize("wording", WORDINGS, ids=lambda wording: f"{wording.node}: {wording.words}")
def test_every_row_of_the_table_gives_its_own_case(wording: Wording) -> None:
    """A row that stands behind a shorter one would never be asked."""
    assert send_case(f"Error: {wording.words.capitalize()}.") is wording.case
    first = next(row for row in WORDINGS if row.words in wording.words)
    assert first.case is wording.case


def test_gas_by_formula_is_bounded() -> None:
    assert commit_gas(nets=0, attestations=3) < 250_000
    assert commit_gas(nets=64, attestations=5) < finalise_gas(nets=64) * 2
    assert commit_gas(nets=512, attestations=64) <= TRANSACTION_GAS_MAX
    assert finalise_gas(nets=512) == TRANSACTION_GAS_MAX


@contextmanager
def node_that_says(body: bytes, status: int = 200) -> Iterator[str]:
    """A server that answers everything with the same bytes."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            return

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def result(value: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "result": value}).encode()


def error(**fields: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "error": fields}).encode()


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"<html>", 200), (b"{}", 200), (b"[]", 200), (b"bad gateway", 502), (result(7), 200), (result("7"), 200)],
)
def test_a_broken_answer_is_unclear(body: bytes, status: int) -> None:
    with node_that_says(body, status) as url:
        chain = Chain(url)
        with pytest.raises(ChainUnclear):
            chain.chain_id()


def test_a_block_without_its_fields_is_unclear() -> None:
    with node_that_says(result({"number": "0x1"})) as url, pytest.raises(ChainUnclear):
        Chain(url).head()
    with node_that_says(result({"transactionHash": "0x" + "11" * 32})) as url, pytest.raises(ChainUnclear):
        Chain(url).receipt(b"\x11" * 32)


def test_nobody_there_counts_as_sent() -> None:
    chain = Chain("http://127.0.0.1:9", answer_s_max=1)
    assert chain.send(b"\x02").case is SendCase.UNCLEAR
    with pytest.raises(ChainUnclear):
        chain.head()


@pytest.mark.parametrize(
    ("fields", "expected", "data"),
    [
        ({"code": 3, "message": "execution reverted", "data": "0x0102"}, Reverted, b"\x01\x02"),
        ({"code": -32603, "message": "VM Exception: reverted", "data": {"data": "0x0102"}}, Reverted, b"\x01\x02"),
        ({"code": 3, "message": "execution reverted", "data": "no hex"}, Reverted, b""),
        ({"code": -32601, "message": "the method does not exist"}, NoSuchMethod, b""),
        ({"code": -32000, "message": "out of gas"}, NodeRefused, b""),
    ],
)
def test_refusals_have_their_kind_and_data(fields: dict[str, Any], expected: type[NodeRefused], data: bytes) -> None:
    with node_that_says(error(**fields)) as url, pytest.raises(expected) as caught:
        Chain(url).call(b"\x01" * 20, b"")
    assert type(caught.value) is expected
    assert caught.value.data == data


def test_time_cannot_be_moved_where_the_node_does_not_know_how() -> None:
    refusal = error(code=-32601, message="the method evm_increaseTime does not exist")
    with node_that_says(refusal) as url, pytest.raises(NoSuchMethod):
        Chain(url).advance_time(60)
