"""The tariff: one form of bytes, and the arithmetic that auditor and operator share."""

from __future__ import annotations

import json

import pytest

from proofs.tariff import BPS, Campaign, Fees, Rate, Tariff, TariffError, read_tariff, reward_value

FULL = Tariff(
    fee_unit=10_000,
    fees={2: Fees(200, 100, 5_000), 1: Fees()},
    exchanges={(2, 1): (Rate(0, 1, 3),), (1, 2): (Rate(0, 3, 1), Rate(100, 2, 1), Rate(100, 1, 1))},
    campaigns={7: Campaign(2, (500, 100), 1_000, 5_000, 2_500_000)},
    validity_days={1: 365},
)


def test_a_tariff_is_read_as_it_was_written() -> None:
    assert read_tariff(FULL.to_bytes()) == FULL
    assert read_tariff(Tariff().to_bytes()) == Tariff()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("feeUnit", 0),
        ("feeUnit", "1"),
        ("feeUnit", True),
        ("feeUnit", 2**53),
        ("fees", [{"merchantId": 1, "redemptionBps": 10_001, "issuanceBps": 0, "breakageBps": 0}]),
        ("fees", [{"merchantId": 1}]),
        ("fees", None),
        ("exchanges", [{"from": 1, "to": 2, "since": 0, "num": 1, "den": 0}]),
        (
            "campaigns",
            [{"campaignId": 1, "levelBps": [1.5]}],
        ),
        ("validities", [{"issuerId": 1, "days": -1}]),
        ("more", 1),
    ],
)
def test_what_is_no_tariff_is_refused(name: str, value: object) -> None:
    form = json.loads(Tariff().to_bytes()) | {name: value}
    with pytest.raises(TariffError):
        read_tariff(json.dumps(form, sort_keys=True, separators=(",", ":")).encode())


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"\xff", b" " + Tariff().to_bytes()])
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(TariffError):
        read_tariff(data)


def test_a_rate_holds_from_its_second_on() -> None:
    assert FULL.rates_at(1, 2, 99) == [Rate(0, 3, 1)]
    assert FULL.rates_at(1, 2, 100) == [Rate(0, 3, 1), Rate(100, 2, 1), Rate(100, 1, 1)], "seconds are all that is told"
    assert FULL.rates_at(1, 2, 101) == [Rate(100, 1, 1)]
    assert FULL.rates_at(1, 3, 101) == []


def test_rates_out_of_order_are_refused() -> None:
    form = json.loads(FULL.to_bytes())
    form["exchanges"][0], form["exchanges"][1] = form["exchanges"][1], form["exchanges"][0]
    with pytest.raises(TariffError):
        read_tariff(json.dumps(form, sort_keys=True, separators=(",", ":")).encode())


def test_fees_are_whole_units_rounded_down_twice() -> None:
    assert FULL.fee(199_999, 5_000) == 90_000, "19 units, half of them"
    assert FULL.fee(9_999, BPS) == 0


def test_a_reward_of_the_worked_example() -> None:
    campaign = Campaign(2, (500,), 1, 0, 2_500_000)
    assert reward_value(campaign, 1, 60_000_000) == (2_500_000 * BPS, BPS), "3,000,000, and at most 2,500,000"
    assert reward_value(campaign, 2, 60_000_000)[0] == 0
    assert reward_value(FULL.campaigns[7], 1, 4_000)[0] == 0, "below the least basis"
