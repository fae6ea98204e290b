"""Packing refuses what does not fit; a policy admits by the statement, part by part, and says itself in words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from proofs.tier.attributes import Attributes, Said
from proofs.tier.packing import PackingError
from proofs.tier.policy import ANY_TIER, Metric, Policy, Unmet, at_least

MEMBER = Attributes(points=500, spend=9_000, since=1_000, valid_until=2_000, key_epoch=5, tier=2)
EXACT = Policy(lo=500, hi=500, since_max=1_000, valid_on=2_000, key_epoch_max=5, tier_mask=0b100, max_uses=2)
DAY = 86_400


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


NAMES = ("Basic", "Silver", "Gold", "Platinum")


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (Policy(), "is a member in this epoch. Can be shown once for this purpose in this window."),
        (Policy(tier_mask=at_least(2)), "tier Gold or higher. "),
        (Policy(tier_mask=0b1100), "tier Gold or higher. "),
        (Policy(tier_mask=0b0100), "tier Gold. "),
        (Policy(tier_mask=0b1010), "tier one of Silver, Platinum. "),
        (Policy(tier_mask=0b1111), "is a member in this epoch. "),
        (Policy(tier_mask=1 << 9), "a tier that nobody has. "),
        (Policy(lo=1_000, metric=Metric.SPEND), "spend 1,000 or more. "),
        (Policy(hi=999), "points 999 or less. "),
        (Policy(lo=1_000, hi=4_999), "points from 1,000 to 4,999. "),
        (Policy(lo=2, hi=1), "points that nobody has (2 or more and 1 or less). "),
        (Policy(since_max=365 * DAY), "member since 1971-01-01 or before. "),
        (Policy(since_max=1), "member since 1970-01-01 00:00:01 UTC or before. "),
        (Policy(valid_on=DAY), "the tier still holds on 1970-01-02. "),
        (Policy(key_epoch_max=3, max_uses=4), "the key is of epoch 3 or before. Can be shown up to 4 times for this"),
        (Policy(tier_mask=at_least(1), lo=5), "tier Silver or higher; points 5 or more. "),
    ],
)
def test_words(policy: Policy, words: str) -> None:
    assert policy.in_words(NAMES).startswith(words)


def test_words_without_names() -> None:
    assert Policy(tier_mask=at_least(14)).in_words().startswith("tier number 14 or higher.")
