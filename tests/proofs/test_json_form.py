"""The JSON form of structs: back and forth, and only one text for each value."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs.json_form import JsonFormError, from_json, integer, raw, to_json
from proofs.messages import ClaimTo, Posting

words = st.binary(min_size=32, max_size=32)
uint64 = st.integers(min_value=0, max_value=2**64 - 1)
int128 = st.integers(min_value=-(2**127), max_value=2**127 - 1)
postings = st.builds(Posting, account=words, seq=uint64, prev_leaf_no=uint64, delta=int128, balance=int128, salt=words)
GOOD = to_json(Posting(bytes(32), 1, 0, -5, 5, b"\xab" * 32))


@given(posting=postings)
def test_back_and_forth(posting: Posting) -> None:
    assert from_json(Posting, to_json(posting)) == posting


def test_names_are_those_of_the_type_string() -> None:
    assert list(GOOD) == ["account", "seq", "prevLeafNo", "delta", "balance", "salt"]
    assert GOOD["delta"] == "-5"
    assert GOOD["salt"] == "0x" + "ab" * 32


def test_addresses_have_20_bytes() -> None:
    claim = ClaimTo(bytes(32), 1, 2, b"\x11" * 20, 3)
    assert to_json(claim)["recipient"] == "0x" + "11" * 20
    assert from_json(ClaimTo, to_json(claim)) == claim


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seq", "01"),
        ("seq", "+1"),
        ("seq", "1.0"),
        ("seq", " 1"),
        ("seq", "-0"),
        ("seq", "0x1"),
        ("seq", 1),
        ("seq", None),
        ("seq", "-1"),
        ("seq", str(2**64)),
        ("delta", str(2**127)),
        ("seq", "9" * 5_000),
        ("seq", "١"),
        ("salt", "0x" + "AB" * 32),
        ("salt", "ab" * 32),
        ("salt", "0x" + "ab" * 31),
        ("salt", "0x" + "ab" * 33),
        ("salt", "0x" + "zz" * 32),
        ("salt", b"\xab" * 32),
    ],
)
def test_any_other_text_is_refused(field: str, value: Any) -> None:
    with pytest.raises(JsonFormError):
        from_json(Posting, {**GOOD, field: value})


def test_missing_and_unknown_fields_are_named() -> None:
    with pytest.raises(JsonFormError) as caught:
        from_json(Posting, {**GOOD, "sea1": "1"})
    assert caught.value.field == "sea1"
    with pytest.raises(JsonFormError) as caught:
        from_json(Posting, {name: text for name, text in GOOD.items() if name != "prevLeafNo"})
    assert caught.value.field == "prevLeafNo"


def test_single_values() -> None:
    assert integer({"a": "-12"}, "a") == -12
    assert raw({"a": "0x0102"}, "a", 2) == b"\x01\x02"
