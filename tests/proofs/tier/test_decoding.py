"""Strict reading: one spelling for each value, the field named, work bounded by what is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from proofs.poseidon import R
from proofs.tier.decoding import DEPTH_MAX, DecodingError, Fields, canonical, decimal, decode, raw, shown, small
from proofs.tier.header import EpochHeader
from proofs.tier.request import SignedRequest
from proofs.tier.response import TierResponse
from tests.proofs.tier.vectors import VECTORS

HELD = json.loads(VECTORS.read_text())
REQUEST: dict[str, Any] = HELD["requests"][0]["signed"]
RESPONSE: dict[str, Any] = {
    "circuit_id": HELD["circuit"]["circuit_id"],
    "nullifier": "1",
    "proof": {"pi_a": ["1", "2"], "pi_b": [["1", "2"], ["3", "4"]], "pi_c": ["5", "6"]},
}
NO_DECIMALS = [
    *(
        "",
        " 5",
        "5 ",
        "5\n",
        "1_0",
        "+1",
        "-1",
        "-0",
        "00",
        "01",
        "0x1",
        "1.0",
        "1e3",
        "٣",
        "１",
        "²",
        "NaN",
        "Infinity",
    ),
    *("9" * 79, "9" * 1_000_000, 5, 0, 1.0, True, False, None, ["5"], {"5": 5}),
]
NO_INTEGERS: list[object] = [True, False, None, "5", "", [5], {}, -1, 2**32, 10**12]


def change(form: dict[str, Any], place: str, value: object) -> dict[str, Any]:
    """The form with one value replaced; places as in request.policy, proof.pi_b.0.1."""
    made = json.loads(json.dumps(form))
    inside = place.split(".")
    at: Any = made
    for name in inside[:-1]:
        at = at[int(name) if isinstance(at, list) else name]
    at[int(inside[-1]) if isinstance(at, list) else inside[-1]] = value
    return dict(made)


def refused(read: Callable[[], object], field: str) -> str:
    with pytest.raises(DecodingError) as caught:
        read()
    assert caught.value.field.endswith(field), caught.value
    assert len(str(caught.value)) < 200, "what was sent is not sent back"
    return str(caught.value)


@pytest.mark.parametrize("value", NO_DECIMALS, ids=lambda value: shown(value, 12))
@pytest.mark.parametrize("place", ["request.scope", "request.policy", "request.expires_at"])
def test_request_decimals(place: str, value: object) -> None:
    refused(lambda: SignedRequest.from_json(change(REQUEST, place, value)), place)


@pytest.mark.parametrize("value", NO_DECIMALS, ids=lambda value: shown(value, 12))
@pytest.mark.parametrize(("place", "field"), [("nullifier", "nullifier"), ("proof.pi_b.1.0", "proof.pi_b[1][0]")])
def test_response_decimals(place: str, field: str, value: object) -> None:
    refused(lambda: TierResponse.from_json(change(RESPONSE, place, value)), field)


@pytest.mark.parametrize("value", NO_INTEGERS, ids=repr)
@pytest.mark.parametrize(
    "place", ["chain_id", "request.partner_id", "request.window_id", "request.epoch", "request.max_uses"]
)
def test_integers(place: str, value: object) -> None:
    if place != "chain_id" or value not in (2**32, 10**12):
        refused(lambda: SignedRequest.from_json(change(REQUEST, place, value)), place)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("request.scope", str(R)),
        ("request.scope", str(2**256)),
        ("request.policy", str(2**249)),
        ("request.expires_at", str(2**64)),
        ("request.max_uses", 256),
        ("chain_id", 0),
        *(
            ("request.circuit_id", bad)
            for bad in ("", "0x", "0x" + "0" * 63, "0x" + "A" * 64, "0X" + "0" * 64, "0x" + "0" * 66, 5)
        ),
        *(("registry", bad) for bad in ("0x" + "0" * 64, "0x" + "g" * 40, None, "0x" + "٣" * 40)),
        *(("signature", bad) for bad in ("0x00", "", None, 0, "0x" + "0" * 128)),
        *(
            ("request.audience", bad)
            for bad in ("", "x" * 201, 5, None, "a\nb", "a\u202eb", "a\u200bb", "e\u0301", "\ud800", ["a"])
        ),
        *(("request.purpose", bad) for bad in ("", "x" * 201, True, "tab\t")),
    ],
)
def test_other_fields(place: str, value: object) -> None:
    refused(lambda: SignedRequest.from_json(change(REQUEST, place, value)), place)


@pytest.mark.parametrize(
    ("place", "value"),
    [("root", "0"), ("root", str(R)), ("depth", 23), ("not_after", "0"), ("epoch", "7"), ("cohorts", "0x00")],
)
def test_headers(place: str, value: object) -> None:
    refused(lambda: EpochHeader.from_json(change(HELD["header"]["header"], place, value)), place)


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (["1", "2", "1"], "pi_a"),
        (["1"], "pi_a"),
        ("12", "pi_a"),
        ({"0": "1", "1": "2"}, "pi_a"),
        ([["1", "2"], "3"], "pi_a[0]"),
    ],
)
def test_shapes(value: object, field: str) -> None:
    refused(lambda: TierResponse.from_json(change(RESPONSE, "proof.pi_a", value)), field)


@pytest.mark.parametrize("name", RESPONSE)
def test_missing_fields(name: str) -> None:
    refused(lambda: TierResponse.from_json({k: v for k, v in RESPONSE.items() if k != name}), name)


def test_unknown_fields() -> None:
    refused(lambda: TierResponse.from_json(RESPONSE | {"public": ["1"]}), "public")
    refused(lambda: TierResponse.from_json(change(RESPONSE, "proof.protocol", "groth16")), "proof.protocol")
    refused(lambda: TierResponse.from_json(RESPONSE | {"x" * 10_000: 1}), "…")


@pytest.mark.parametrize("form", [None, [], "x", 5, True])
def test_no_objects(form: object) -> None:
    refused(lambda: TierResponse.from_json(form), "response.json")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"{}{}", "not JSON"),
        (b"\xff", "UTF-8"),
        ("{}".encode("utf-16"), "UTF-8"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b'{"a":1,"a":1}', "stands twice"),
        (b'[{"a":{"b":1,"b":2}}]', "stands twice"),
        (b'{"a":1,"\\u0061":2}', "stands twice"),
        (b"[1.0]", "a point or an exponent"),
        (b"[1e3]", "a point or an exponent"),
        (b"[1E400]", "a point or an exponent"),
        (b"[NaN]", "no number"),
        (b"[-Infinity]", "no number"),
        (b"[-1]", "not negative"),
        (b"[-0]", "not negative"),
        (b"[12345678901234567]", "at most 16 digits"),
        (b"[1_0]", "not JSON"),
        (b"[01]", "not JSON"),
        (b"[" * 9 + b"]" * 9, "nested deeper"),
        (b"[" * 200_000, "nested deeper"),
        (b'{"a":' * 100_000, "nested deeper"),
        (b"[" + b"9" * 1_000_000 + b"]", "at most 16 digits"),
        (b"[1." + b"9" * 1_000_000 + b"]", "a point or an exponent"),
        (b'"' + b'\\"' * 500_000, "not JSON"),
        (b'["' + b"9" * 1_100_000 + b'"]', "are read"),
    ],
    ids=lambda value: repr(value[:16]),
)
@pytest.mark.timeout(20)
def test_texts_that_are_refused(data: bytes, said: str) -> None:
    """A million of anything is refused as quickly as it is read."""
    with pytest.raises(DecodingError, match=said) as caught:
        decode(data, "it", bytes_max=1_048_576)
    assert len(str(caught.value)) < 200


def test_brackets_in_strings_are_no_depth() -> None:
    assert decode(b'["[[[[[[[[[[[[\\"[[[["]', "it", bytes_max=100) == ['[[[[[[[[[[[["[[[[']
    deepest = b"[" * DEPTH_MAX + b"]" * DEPTH_MAX
    assert decode(deepest, "it", bytes_max=100)


def test_readers_take_what_they_should() -> None:
    assert decimal(str(2**256 - 1), "x") == 2**256 - 1
    assert (small(0, "x"), small(2**32 - 1, "x")) == (0, 2**32 - 1)
    assert raw("0x00ff", "x", 2) == b"\x00\xff"
    fields = Fields.of({"a": "会员日", "b": [1]}, "it", ("a", "b"), ("c",))
    assert (fields.text("a"), fields.items("b", 1)) == ("会员日", [1])
    refused(lambda: fields.items("b", 0), "b")


def test_canonical_text() -> None:
    assert canonical({"b": [1, "é"], "a": None}) == b'{"a":null,"b":[1,"\\u00e9"]}'


def test_a_round_trip() -> None:
    assert TierResponse.decode(json.dumps(RESPONSE).encode()).to_json() == RESPONSE


def test_the_embedded_chains_number_is_read() -> None:
    form = REQUEST | {"chain_id": 131_277_322_940_537}
    assert SignedRequest.decode(json.dumps(form).encode()).chain_id == 131_277_322_940_537
    for wrong in (2**53, 0, "31337", 31_337.0, True):
        with pytest.raises(DecodingError, match=r"chain_id|request\.json"):
            SignedRequest.decode(json.dumps(form | {"chain_id": wrong}).encode())
