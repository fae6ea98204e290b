"""The hand-written reading of logs against the published ABI and against eth_abi."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import decode, encode
from hypothesis import given
from hypothesis import strategies as st

from auditor import questions
from auditor.logs import EVENTS, ITEMS_MAX, Event, LogError, decode_values, parse
from proofs.keccak import keccak256

ABI = Path(__file__).parents[2] / "proofs" / "abi"
CONTRACTS = ("SettlementHub", "AlliancePolicy", "MerchantRegistry", "GuaranteeFund", "ForcedQueue")


def abi_type(entry: dict[str, Any]) -> str:
    kind: str = entry["type"]
    if not kind.startswith("tuple"):
        return kind
    inner = ",".join(abi_type(each) for each in entry["components"])
    return f"({inner})" + kind.removeprefix("tuple")


def declared(kind: str) -> dict[bytes, dict[str, Any]]:
    """Every event (by topic) or function (by selector) of the five contracts."""
    entries = [each for name in CONTRACTS for each in json.loads((ABI / f"{name}.json").read_text())["abi"]]
    chosen = [each for each in entries if each["type"] == kind]
    size = 32 if kind == "event" else 4
    return {
        keccak256(f"{each['name']}({','.join(abi_type(i) for i in each['inputs'])})".encode())[:size]: each
        for each in chosen
    }


@pytest.mark.parametrize("event", EVENTS.values(), ids=lambda event: event.name)
def test_every_event_is_one_the_contracts_declare(event: Event) -> None:
    entry = declared("event")[event.topic]
    assert [(each.name, each.type, each.indexed) for each in event.parameters] == [
        (each["name"], abi_type(each), each["indexed"]) for each in entry["inputs"]
    ]


def test_the_commit_call_is_the_one_the_hub_has() -> None:
    assert declared("function")[questions.COMMIT_SELECTOR]["name"] == "commitBatch"


ADDRESSES = st.binary(min_size=20, max_size=20)
WORDS = st.binary(min_size=32, max_size=32)
NETS = st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(-(2**127), 2**127 - 1)), max_size=20)
VALUES = st.tuples(
    st.integers(0, 2**64 - 1), NETS, st.lists(ADDRESSES.map(lambda a: "0x" + a.hex()), max_size=9), WORDS
)


@given(VALUES)
def test_values_are_read_as_eth_abi_reads_them(values: tuple[Any, ...]) -> None:
    types = ["uint64", "(uint32,int128)[]", "address[]", "bytes32"]
    data = encode(types, values)
    number, nets, addresses, word = decode(types, data)
    mine = decode_values(types, data)
    assert mine == (number, tuple(nets), tuple(bytes.fromhex(each[2:]) for each in addresses), word)


@given(st.binary(max_size=200))
def test_no_bytes_are_read_beyond_their_end(data: bytes) -> None:
    try:
        decode_values(["(uint32,int128)[]", "uint64"], data)
    except LogError:
        return
    assert len(data) >= 64


def test_a_list_that_claims_too_much_is_refused() -> None:
    data = (32).to_bytes(32, "big") + (ITEMS_MAX + 1).to_bytes(32, "big") + bytes(32 * 10)
    with pytest.raises(LogError, match="items"):
        decode_values(["address[]"], data)


def test_a_log_with_topics_missing_is_refused() -> None:
    event = parse("KeyRevoked(uint32 indexed merchantId,uint32 indexed keyId,uint32 toBatch)")
    with pytest.raises(LogError, match="topics"):
        event.decode([event.topic], bytes(32))
