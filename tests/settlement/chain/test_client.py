"""The client against nodes that misbehave: every wording has its case, every broken answer is `ChainUnclear`."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from proofs.keccak import keccak256
from settlement.chain.answers import VALUES_MAX
from settlement.chain.client import Chain, ChainUnclear, NodeRefused, NoSuchMethod, Reverted
from settlement.chain.contracts import Contract, Refused, artifact
from settlement.chain.gas import FEE_WEI_MAX, TRANSACTION_GAS_MAX, commit_gas, finalise_gas
from settlement.chain.send_cases import WORDINGS, SendCase, Wording, send_case
from settlement.embedded_chain.process import EmbeddedNode
from tests.loopback import Quiet, listening
from tests.settlement.chain.liar import lying


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

    class Handler(Quiet):
        def do_POST(self) -> None:
            self.asked()
            self.answer(body, status)

    with listening(Handler) as url:
        yield url


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


WORD = "0x" + "11" * 32
HUB = b"\x01" * 20


def block(**fields: Any) -> dict[str, Any]:
    return {"number": "0x5", "hash": WORD, "timestamp": "0x5", "baseFeePerGas": "0x0", **fields}


def log_told(**fields: Any) -> dict[str, Any]:
    place = {"blockNumber": "0x5", "blockHash": WORD, "transactionHash": WORD, "logIndex": "0x0"}
    return {"address": "0x" + HUB.hex(), "topics": [WORD], "data": "0x", **place, **fields}


ASKED: dict[str, tuple[Callable[[Chain], Any], Any]] = {
    "a receipt that is a list": (lambda chain: chain.receipt(b"\x11" * 32), []),
    "a receipt that is a word": (lambda chain: chain.receipt(b"\x11" * 32), "0x"),
    "a first block without a hash": (lambda chain: chain.genesis_hash(), {"number": "0x0"}),
    "another block": (lambda chain: chain.head(6), block()),
    "a time beyond all times": (lambda chain: chain.head(), block(timestamp=hex(2**63))),
    "more than a word": (lambda chain: chain.balance(HUB), "0x" + "1" * 65),
    "a count beyond all counts": (lambda chain: chain.nonce(HUB), hex(2**63)),
    "a log of somebody else": (lambda chain: chain.logs(HUB, first=0), [log_told(address="0x" + "02" * 20)]),
    "another log": (lambda chain: chain.logs(HUB, first=0, topics=[b"\x12" * 32]), [log_told()]),
    "a log with fewer words": (lambda chain: chain.logs(HUB, first=0, topics=[b"\x11" * 32]), [log_told(topics=[])]),
    "a log in a place beyond all places": (lambda chain: chain.logs(HUB, first=0), [log_told(logIndex=hex(2**31))]),
    "half a number": (lambda chain: Contract(chain, "SettlementHub", HUB).read("nextBatchNo"), "0x01"),
    "an event that is none": (
        lambda chain: Contract(chain, "SettlementHub", HUB).events("BatchFinalised", first=0),
        [log_told(topics=["0x" + keccak256(b"BatchFinalised(uint64,bytes32)").hex()])],
    ),
}


@pytest.mark.parametrize("told", ASKED)
def test_an_answer_of_another_form_than_asked_for_is_unclear(told: str) -> None:
    ask, answer = ASKED[told]
    with node_that_says(result(answer)) as url, pytest.raises(ChainUnclear):
        ask(Chain(url))


def test_an_answer_of_too_many_values_is_not_taken_apart() -> None:
    body = b'{"result": [' + b"0," * VALUES_MAX + b"0]}"
    with node_that_says(body) as url, pytest.raises(ChainUnclear):
        Chain(url).balance(HUB)


@pytest.mark.parametrize("code", ["x", None, [], 1e999, {"code": 1}])
def test_a_refusal_with_a_code_that_is_none_is_a_refusal(code: Any) -> None:
    with node_that_says(error(code=code, message="no")) as url, pytest.raises(NodeRefused, match=r"no \(0\)"):
        Chain(url).chain_id()


def test_whoever_reverts_with_half_of_one_of_our_errors_is_refused_all_the_same() -> None:
    (error_of,) = (item for item in artifact("SettlementHub")["abi"] if item.get("name") == "WrongSequence")
    kinds = ",".join(one["type"] for one in error_of["inputs"])
    half = "0x" + keccak256(f"WrongSequence({kinds})".encode())[:4].hex() + "01"
    refusal = error(code=3, message="execution reverted", data=half)
    with node_that_says(refusal) as url, pytest.raises(Refused, match=f"reverted with {half}"):
        Contract(Chain(url), "SettlementHub", HUB).read("nextBatchNo")


@pytest.mark.parametrize("method", ["eth_maxPriorityFeePerGas", "eth_getBlockByNumber"])
def test_no_offer_is_above_the_ceiling_whatever_the_node_says(embedded: EmbeddedNode, method: str) -> None:
    with lying(embedded.url) as liar:

        def dear(asked: str, _params: list[Any], told: Any) -> Any:
            if asked != method:
                return told
            return hex(10**30) if isinstance(told, str) else {**told, "baseFeePerGas": hex(10**30)}

        liar.distort = dear
        offered = Chain(liar.url).fees()
    assert offered.max_fee_wei == FEE_WEI_MAX
    assert offered.tip_wei <= FEE_WEI_MAX


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
