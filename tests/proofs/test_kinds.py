"""Every kind does what the rules say, and every way a field may be wrong has a name."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs.accounts import OPERATOR_ID, RESERVE_ID, cash_account, points_account
from proofs.kinds import (
    ON_ISSUANCE,
    ON_REDEMPTION,
    Effects,
    Kind,
    Terms,
    broken_rules,
    effects,
    rate_holds,
    reserve_follows,
)
from proofs.messages import PointsEvent

TERMS = Terms(terms_id=1, issuer_id=1, acceptor_id=0, num=10_000, den=1, mode=ON_REDEMPTION, from_batch=1, to_batch=0)
REF = b"\x01" * 32


def event(
    kind: Kind, *, signer: int = 2, issuer: int = 1, points: int = 5, settle: int = 0, **changes: object
) -> PointsEvent:
    """A well-formed event of `kind` between signer 2 and issuer 1, but for what is named."""
    made = PointsEvent(kind, signer, 1, 1, 1, issuer, b"\x02" * 32, points, 1, settle, bytes(32), 0, 0, 0, bytes(32))
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type] # tests pass single fields


RESERVE: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "proofs" / "vectors" / "reserve.json").read_text()
)["cases"]
CASH = 50_000
TABLE = [
    # kind, signer, change of points, (debtor, creditor) on redemption, the same on issuance
    (Kind.EARN, 1, +5, None, (1, RESERVE_ID)),
    (Kind.REDEEM, 2, -5, (1, 2), (RESERVE_ID, 2)),
    (Kind.REFUND_EARN, 1, -5, None, (RESERVE_ID, 1)),
    (Kind.REFUND_REDEEM, 2, +5, (2, 1), (2, RESERVE_ID)),
    (Kind.EXPIRE, 1, -5, None, (RESERVE_ID, 1)),
    (Kind.EXCHANGE_OUT, 2, -5, (1, 2), (RESERVE_ID, 2)),
    (Kind.EXCHANGE_IN, 1, +5, None, (1, RESERVE_ID)),
    (Kind.REFERRAL, 1, +5, None, (1, RESERVE_ID)),
    (Kind.ADJUST_UP, 1, +5, None, (1, RESERVE_ID)),
    (Kind.ADJUST_DOWN, 1, -5, None, (RESERVE_ID, 1)),
    (Kind.TRANSFER_OUT, 1, -5, None, None),
    (Kind.TRANSFER_IN, 1, +5, None, (RESERVE_ID, 1)),
]


@pytest.mark.parametrize(("kind", "signer", "change", "redemption", "issuance"), TABLE)
def test_effects(
    kind: Kind, signer: int, change: int, redemption: tuple[int, int] | None, issuance: tuple[int, int] | None
) -> None:
    for mode, legs in ((ON_REDEMPTION, redemption), (ON_ISSUANCE, issuance)):
        found = effects(event(kind, signer=signer, settle=CASH if legs else 0), mode)
        assert found == Effects(
            issuer=(points_account(1), change),
            debtor=(cash_account(legs[0]), -CASH) if legs else None,
            creditor=(cash_account(legs[1]), CASH) if legs else None,
            member=change,
            total=change,
        )


@pytest.mark.parametrize("kind", [Kind.VOID, Kind.REFERRAL_CASH])
def test_kinds_that_post_nothing(kind: Kind) -> None:
    assert effects(event(kind, issuer=0, points=0), ON_REDEMPTION) == Effects()


@pytest.mark.parametrize(("signer", "payee"), [(2, OPERATOR_ID), (OPERATOR_ID, 2)])
def test_a_fee_moves_cash_from_signer_to_payee(signer: int, payee: int) -> None:
    fee = event(Kind.FEE, signer=signer, issuer=payee, points=0, settle=7, member_ref=bytes(32), terms_id=0)
    assert effects(fee, ON_REDEMPTION) == Effects(debtor=(cash_account(signer), -7), creditor=(cash_account(payee), 7))
    assert list(broken_rules(fee, None, 1)) == []


def test_on_us_has_no_cash() -> None:
    on_us = event(Kind.REDEEM, signer=1)
    assert effects(on_us, ON_REDEMPTION).debtor is None
    assert list(broken_rules(on_us, TERMS, 1)) == []
    assert list(broken_rules(dataclasses.replace(on_us, settle_amount=50_000), TERMS, 1)) == ["cash-not-allowed"]


GOOD_REDEEM = event(Kind.REDEEM, settle=50_000)
BROKEN = [
    ("kind-unknown", dataclasses.replace(GOOD_REDEEM, kind=0)),
    ("kind-unknown", dataclasses.replace(GOOD_REDEEM, kind=16)),
    ("lane-zero", dataclasses.replace(GOOD_REDEEM, nonce=0)),
    ("lane-zero", dataclasses.replace(GOOD_REDEEM, key_id=0)),
    ("member-for-kind", dataclasses.replace(GOOD_REDEEM, member_ref=bytes(32))),
    ("reference-for-kind", dataclasses.replace(GOOD_REDEEM, ref_event_id=REF)),
    ("campaign-for-kind", dataclasses.replace(GOOD_REDEEM, level=1)),
    ("campaign-for-kind", dataclasses.replace(GOOD_REDEEM, basis=1)),
    ("rate", dataclasses.replace(GOOD_REDEEM, settle_amount=50_001)),
    ("rate", dataclasses.replace(GOOD_REDEEM, settle_amount=40_000)),
    ("rate", dataclasses.replace(GOOD_REDEEM, settle_amount=0)),
    ("issuer-must-sign", event(Kind.EARN)),
    ("reference-for-kind", event(Kind.REFUND_EARN, signer=1)),
    ("cash-not-allowed", event(Kind.EARN, signer=1, settle=50_000)),
    ("level-for-campaign", event(Kind.REFERRAL, signer=1, ref_event_id=REF, campaign_id=7, level=3)),
    ("level-for-campaign", event(Kind.REFERRAL, signer=1, ref_event_id=REF, campaign_id=7, level=0)),
    ("fee-parties", event(Kind.FEE, issuer=3, points=0, settle=7, member_ref=bytes(32), terms_id=0)),
    ("terms-not-allowed", event(Kind.VOID, issuer=0, points=0, member_ref=bytes(32))),
    ("issuer-not-allowed", event(Kind.VOID, issuer=1, points=0, member_ref=bytes(32), terms_id=0)),
    ("issuer-unknown", event(Kind.REDEEM, issuer=RESERVE_ID)),
]


@pytest.mark.parametrize(("rule", "broken"), BROKEN)
def test_each_broken_rule_is_named(rule: str, broken: PointsEvent) -> None:
    assert rule in list(broken_rules(broken, TERMS, 1))


def test_points_for_kind() -> None:
    assert "points-for-kind" in list(broken_rules(dataclasses.replace(GOOD_REDEEM, points=0), TERMS, 1))


@pytest.mark.parametrize(
    ("rule", "terms", "batch_no"),
    [
        ("terms-unknown", None, 1),
        ("terms-of-others", dataclasses.replace(TERMS, issuer_id=3), 1),
        ("terms-of-others", dataclasses.replace(TERMS, acceptor_id=9), 1),
        ("terms-not-in-force", dataclasses.replace(TERMS, from_batch=2), 1),
        ("terms-not-in-force", dataclasses.replace(TERMS, to_batch=5), 5),
    ],
)
def test_terms_must_be_those_in_force(rule: str, terms: Terms | None, batch_no: int) -> None:
    assert list(broken_rules(GOOD_REDEEM, TERMS, 1)) == []
    assert list(broken_rules(GOOD_REDEEM, terms, batch_no)) == [rule]


@given(settle=st.integers(1, 10**9), num=st.integers(1, 10**6), den=st.integers(1, 100))
def test_exactly_one_number_of_points_fits_an_amount(settle: int, num: int, den: int) -> None:
    terms = dataclasses.replace(TERMS, num=num, den=den)
    points = -(-settle * den // num)
    for candidate, fits in ((points, True), (points + 1, False), (points - 1, False)):
        if candidate > 0:
            assert rate_holds(dataclasses.replace(GOOD_REDEEM, points=candidate, settle_amount=settle), terms) is fits


@pytest.mark.parametrize("case", RESERVE, ids=[case["about"] for case in RESERVE])
def test_cash_between_issuer_and_reserve(case: dict[str, Any]) -> None:
    terms = dataclasses.replace(TERMS, num=int(case["num"]), den=int(case["den"]), mode=int(case["mode"]))
    made = event(Kind(int(case["kind"])), signer=1, points=int(case["points"]), settle=int(case["settleAmount"]))
    assert reserve_follows(made, terms, int(case["memberBalance"])) is case["reserveFollows"]
    assert rate_holds(made, terms) is case["rateHolds"]


@given(
    balance=st.integers(-300, 300),
    points=st.integers(1, 300),
    num=st.integers(1, 50_000),
    den=st.integers(1, 9),
    kind=st.sampled_from([Kind.EARN, Kind.REFUND_EARN, Kind.EXPIRE, Kind.TRANSFER_IN]),
)
def test_the_reserve_keeps_up_with_balances_above_zero(
    *, balance: int, points: int, num: int, den: int, kind: Kind
) -> None:
    """Whatever cash a leaf may show, the reserve is off the worth of what the member has by less than one rounding;
    points that arrive bring their backing with them.
    """
    terms = dataclasses.replace(TERMS, num=num, den=den, mode=ON_ISSUANCE)
    change = points if kind in {Kind.EARN, Kind.TRANSFER_IN} else -points
    worth = (max(0, balance + change) - max(0, balance)) * num
    brought = points * num if kind == Kind.TRANSFER_IN else 0
    sign = 1 if kind == Kind.EARN else -1
    for settle in range(0, abs(worth - brought) // den + 20_000 + num, 997):
        made = event(kind, signer=1, points=points, settle=settle)
        moved = sign * settle * den + brought
        assert reserve_follows(made, terms, balance + change) is (abs(moved - worth) < max(num, 10_000 * den))
