"""Words hold what their types hold and nothing else; the packing is the ABI's, as an independent encoder gives it."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from proofs import keccak, messages
from proofs.messages import BatchHeader, ClaimTo, PointsEvent, Posting
from proofs.words import Typed, WordError, snake

STRUCTS: list[type[Typed]] = [
    messages.PointsEvent,
    messages.Posting,
    messages.SettlementLeaf,
    messages.AccountRow,
    messages.BatchHeader,
    messages.AcceptanceReceipt,
    messages.ClaimTo,
    messages.LiabilityLeaf,
    messages.IssuerLiability,
]
VALUES: dict[str, st.SearchStrategy[Any]] = {
    **{f"uint{bits}": st.integers(0, 2**bits - 1) for bits in (8, 32, 64, 128)},
    "int128": st.integers(-(2**127), 2**127 - 1),
    "bytes32": st.binary(min_size=32, max_size=32),
    "address": st.binary(min_size=20, max_size=20),
}


def fields_of(kind: type[Typed]) -> list[tuple[str, str]]:
    """(type, Solidity name) of every field, from the type string."""
    pairs = kind.TYPE[kind.TYPE.index("(") + 1 : -1].split(",")
    return [(pair.split(" ")[0], pair.split(" ")[1]) for pair in pairs]


@pytest.mark.parametrize("kind", STRUCTS)
def test_fields_follow_the_type_string(kind: type[Typed]) -> None:
    assert [field.name for field in dataclasses.fields(kind)] == [snake(name) for _, name in fields_of(kind)]  # type: ignore[arg-type] # each is a dataclass


@pytest.mark.parametrize("kind", STRUCTS)
@given(data=st.data())
def test_words_are_the_abi_and_come_back(kind: type[Typed], data: st.DataObject) -> None:
    types = [solidity for solidity, _ in fields_of(kind)]
    values: list[Any] = [data.draw(VALUES[solidity]) for solidity in types]
    made = kind(*values)
    assert made.words() == encode(
        types,
        [
            ("0x" + value.hex()) if solidity == "address" else value
            for solidity, value in zip(types, values, strict=True)
        ],
    )
    assert kind.from_words(made.words()) == made


@pytest.mark.parametrize("kind", STRUCTS)
@given(data=st.data())
def test_a_flipped_bit_is_refused_or_another_value(kind: type[Typed], data: st.DataObject) -> None:
    """No two byte strings decode to one struct."""
    words = bytearray(kind(*[data.draw(VALUES[solidity]) for solidity, _ in fields_of(kind)]).words())
    words[data.draw(st.integers(0, len(words) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        assert kind.from_words(bytes(words)).words() == words
    except WordError:
        return


def event(**changes: object) -> PointsEvent:
    """An event whose every word is zero but those named."""
    zero = PointsEvent(0, 0, 0, 0, 0, 0, bytes(32), 0, 0, 0, bytes(32), 0, 0, 0, bytes(32))
    return dataclasses.replace(zero, **changes)  # type: ignore[arg-type] # the tests below pass values of the wrong range on purpose


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": 256},
        {"merchant_id": 2**32},
        {"nonce": 2**64},
        {"points": -1},
        {"settle_amount": 2**128},
        {"settle_amount": -1},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_value_outside_its_type_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(WordError):
        event(**changes).words()


@pytest.mark.parametrize("delta", [2**127, -(2**127) - 1])
def test_a_signed_value_outside_int128_is_refused(delta: int) -> None:
    with pytest.raises(WordError):
        Posting(bytes(32), 1, 0, delta, 0, bytes(32)).words()


def test_bytes_that_are_not_canonical_are_refused() -> None:
    words = bytearray(event(kind=1).words())
    for at in (0, 30, 40):
        dirty = bytearray(words)
        dirty[at] ^= 1
        with pytest.raises(WordError):
            PointsEvent.from_words(bytes(dirty))
    for wrong in (words[:-1], words + b"\0", b""):
        with pytest.raises(WordError):
            PointsEvent.from_words(bytes(wrong))


def test_an_address_word_has_twelve_zero_bytes() -> None:
    claim = ClaimTo(bytes(32), 1, 1, b"\x11" * 20, 1)
    dirty = bytearray(claim.words())
    dirty[3 * 32] = 1
    with pytest.raises(WordError):
        ClaimTo.from_words(bytes(dirty))


def test_the_slow_keccak_is_the_fast_one() -> None:
    for length in (0, 1, 64, 135, 136, 137, 544):
        data = bytes(range(256)) * 3
        assert keccak._pycryptodome(data[:length]) == keccak.keccak256(data[:length])


@pytest.mark.parametrize("kind", ["string", "bytes", "uint64[]", "uint24"])
def test_a_type_without_a_word_of_its_own_is_no_field(kind: str) -> None:
    """Nothing of variable length is ever hashed, so there is nothing to pack."""
    with pytest.raises(KeyError, match=re.escape(kind)):
        type("Loose", (Typed,), {"__slots__": (), "TYPE": f"Loose({kind} text)"})


def test_header_words() -> None:
    assert BatchHeader.WORDS == 17
    assert PointsEvent.WORDS == 15
