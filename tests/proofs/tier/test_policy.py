"""Packing refuses what does not fit; a policy admits by the statement, part by part, and says itself in words."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from proofs.tier.attributes import Attributes, Said
from proofs.tier.packing import PackingError
from proofs.tier.policy import ANY_TIER, Policy, Unmet, at_least
from tests.conftest import ROOT

MEMBER = Attributes(points=500, spend=9_000, since=1_000, valid_until=2_000, key_epoch=5, tier=2)
EXACT = Policy(lo=500, hi=500, since_max=1_000, valid_on=2_000, key_epoch_max=5, tier_mask=0b100, max_uses=2)


@pytest.mark.parametrize(("name", "bits"), [*Attributes.LAYOUT, *Policy.LAYOUT])
def test_each_field_has_its_bits(name: str, bits: int) -> None:
    one: Any = MEMBER if name in dict(Attributes.LAYOUT) else Policy()
    full = replace(one, **{name: 2**bits - 1})
    assert getattr(type(one).unpacked(full.packed()), name) == 2**bits - 1
    for bad in (2**bits, -1, True, "1", 1.0, None):
        with pytest.raises(PackingError, match=f"^{name}: "):
            replace(one, **{name: bad})


AMOUNTS = [(name, bits) for name, bits in Attributes.LAYOUT if name != "programme"]


@pytest.mark.parametrize(("name", "bits"), AMOUNTS)
def test_attributes_packed_at_once_are_those_packed_by_parts(name: str, bits: int) -> None:
    for value in (0, 1, 2**bits - 1):
        one = replace(MEMBER, **{name: value})
        fields = {each: getattr(one, each) for each, _ in AMOUNTS}
        assert Said(**fields).packed_bytes() == one.packed().to_bytes(Attributes.BYTES, "big")
        for bad in (2**bits, -1):
            with pytest.raises(PackingError):
                Said(**fields | {name: bad}).packed_bytes()


@pytest.mark.parametrize(
    ("kind", "whole"), [(Policy, 2**249), (Policy, -1), (Policy, True), (Attributes, 2**236), (Attributes, "0")]
)
def test_what_packing_never_makes_is_refused(kind: type[Policy | Attributes], whole: int) -> None:
    with pytest.raises(PackingError):
        kind.unpacked(whole)


@pytest.mark.parametrize(
    ("change", "use", "unmet"),
    [
        ({}, 0, None),
        ({}, 1, None),
        ({}, 2, Unmet.USE),
        ({}, -1, Unmet.USE),
        ({"tier_mask": 0b1011}, 0, Unmet.TIER),
        ({"lo": 501, "hi": 600}, 0, Unmet.LOW),
        ({"lo": 0, "hi": 499}, 0, Unmet.HIGH),
        ({"lo": 501, "hi": 499}, 0, Unmet.LOW),
        ({"metric": 1}, 0, Unmet.HIGH),
        ({"metric": 1, "hi": 9_000}, 0, None),
        ({"since_max": 999}, 0, Unmet.SINCE),
        ({"valid_on": 2_001}, 0, Unmet.VALID),
        ({"key_epoch_max": 4}, 0, Unmet.KEY),
        ({"max_uses": 0}, 0, Unmet.USE),
    ],
)
def test_admission_by_part(change: dict[str, int], use: int, unmet: Unmet | None) -> None:
    assert replace(EXACT, **change).admits(MEMBER, use) is unmet


def test_at_least() -> None:
    assert at_least(0) == ANY_TIER
    assert [at_least(3) >> rank & 1 for rank in range(16)] == [0, 0, 0, *[1] * 13]


WORDS = json.loads((ROOT / "proofs" / "vectors" / "tier_words.json").read_text())
"""Policies as people read them, in Python and in JavaScript (`tests/proofs/circuits/vectors.test.mjs`)."""


@pytest.mark.parametrize("case", WORDS, ids=[case["words"][:50] for case in WORDS])
def test_words(case: dict[str, Any]) -> None:
    policy = Policy(**{name: int(value) for name, value in case["policy"].items()})
    assert policy.in_words(case["tier_names"]) == case["words"]


def test_the_words_have_every_part_of_a_policy() -> None:
    """A part that is added has to be said, and shown to be said alike."""
    usual = Policy()
    changed = {name for case in WORDS for name, value in case["policy"].items() if int(value) != getattr(usual, name)}
    assert changed == {name for name, _ in Policy.LAYOUT}
