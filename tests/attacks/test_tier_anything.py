"""Anything at all sent to a partner's verifier: it is refused in words or as bad input, and never falls over."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofs.tier.decoding import DecodingError
from proofs.tier.request import SignedRequest
from proofs.tier.trusted import Trusted, TrustError
from proofs.tier.verify import Reason, verify_response
from tests.attacks.tier import FORM, HELD, NOW, TRUSTED, answer, request

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(["0", "1", "0x", "NaN", "9" * 78, "9" * 79, "1" * 500, " 1", "1_0", "٣"]),
)
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)
FORM_REASONS = {Reason.FORM, Reason.CIRCUIT, Reason.NULLIFIER, Reason.POINT, Reason.PROOF}


def places(form: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands in a form."""
    keys = form if isinstance(form, dict) else range(len(form)) if isinstance(form, list) else ()
    return [at, *(place for key in keys for place in places(form[key], (*at, key)))]


def put(form: Any, at: tuple[Any, ...], value: Any) -> Any:
    """The form with something else at a place."""
    if not at:
        return value
    copy = dict(form) if isinstance(form, dict) else list(form)
    copy[at[0]] = put(form[at[0]], at[1:], value)
    return copy


def changed(form: Any) -> st.SearchStrategy[Any]:
    return st.tuples(st.sampled_from(places(form)), ANYTHING).map(lambda change: put(form, *change))


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_bytes(data: bytes) -> None:
    assert verify_response(request(), data, TRUSTED, now=NOW).reason is Reason.FORM


@given(changed(answer()))
@settings(max_examples=300, deadline=None)
def test_any_change_of_an_answer(form: Any) -> None:
    verdict = verify_response(request(), json.dumps(form).encode(), TRUSTED, now=NOW)
    assert verdict.reason in FORM_REASONS if form != answer() else verdict.accepted
    assert len(verdict.detail) < 400


@given(changed(HELD["answers"][0]["request"]))
@settings(max_examples=300, deadline=None)
def test_any_change_of_a_request(form: Any) -> None:
    try:
        read = SignedRequest.decode(json.dumps(form).encode())
    except DecodingError:
        return
    verdict = verify_response(read, answer(), TRUSTED, now=NOW, partner_key=request().signer())
    assert verdict.accepted == (form == HELD["answers"][0]["request"])


@given(changed(FORM))
@settings(max_examples=150, deadline=None)
def test_any_change_of_a_trust_file(form: Any) -> None:
    """What is still read holds the same key, and headers that somebody signed."""
    try:
        read = Trusted.decode(json.dumps(form).encode(), allow_dev=True)
    except (DecodingError, TrustError):
        return
    assert {each.vk_hash for each in read.circuits.values()} <= {each.vk_hash for each in TRUSTED.circuits.values()}


@pytest.mark.timeout(30)
def test_a_million_of_anything_is_refused_at_once() -> None:
    for data in (b"[" * 10**6, b"9" * 10**6, b'{"nullifier":"' + b"9" * 10**6, b" " * 10**6, b'"\\' * 500_000):
        assert verify_response(request(), data, TRUSTED, now=NOW).reason is Reason.FORM
