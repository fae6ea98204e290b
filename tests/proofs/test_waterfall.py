"""The waterfall's vectors are what the model says, and the model loses no unit."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.proofs.waterfall import VECTORS, Fund, cases, cuts, settled

HELD = json.loads(VECTORS.read_text())


@pytest.mark.parametrize("held", HELD, ids=lambda held: held["name"])
def test_a_vector_is_what_the_model_says(held: dict[str, object]) -> None:
    assert settled(held) == held["result"]


def test_the_vectors_are_the_cases() -> None:
    assert [{key: held[key] for key in held if key != "result"} for held in HELD] == cases()


def _sum(listed: list[dict[str, int]]) -> int:
    return sum(each["amount"] for each in listed)


@pytest.mark.parametrize("held", HELD, ids=lambda held: held["name"])
def test_nothing_is_made_or_lost(held: dict[str, object]) -> None:
    result = settled(held)
    before = held["bond"] + _sum(held["collateral"])  # type: ignore[operator,arg-type]
    assert before == result["bond"] + result["assets"] + _sum(result["free"])
    assert _sum(result["owed"]) == result["fromBond"] + result["fromFund"] + _sum(result["cuts"])


@given(st.lists(st.integers(1, 10**12), min_size=1, max_size=40), st.integers(0, 10**6))
def test_cuts_add_up_and_leave_every_creditor_at_least_nothing(nets: list[int], part: int) -> None:
    missing = sum(nets) * part // 10**6
    shared = cuts(missing, list(enumerate(nets, start=1)))
    assert sum(shared.values()) == missing
    assert all(0 <= shared[party] <= net for party, net in enumerate(nets, start=1))


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 10**12)), min_size=1, max_size=12), st.integers(1, 10**12))
def test_a_share_is_never_worth_more_than_was_paid_for_it(joins: list[tuple[int, int]], lacking: int) -> None:
    fund = Fund()
    paid: dict[int, int] = {}
    for member, amount in joins:
        fund.join(member, amount)
        paid[member] = paid.get(member, 0) + amount
    assert all(fund.worth(member) <= amount for member, amount in paid.items())
    worth = fund.worth(1)
    assert fund.take_own(1, lacking) == min(worth, lacking)
    assert sum(fund.worth(member) for member in paid) <= fund.assets
