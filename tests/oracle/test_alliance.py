"""The oracle against figures worked out by hand: an oracle nobody checked would only be a second guess."""

from __future__ import annotations

from fractions import Fraction

from tests.oracle.alliance import OPERATOR, Alliance, Conditions, Event
from tests.oracle.books import DAY_MS

T0 = 1_451_606_400_000


def alliance(**changed: Conditions) -> Alliance:
    """Merchants a and b under the replay conditions, and whoever else is named."""
    return Alliance({"a": Conditions(), "b": Conditions(), **changed})


def buy(name: str, amount: int, *, merchant: str = "a", member: str = "m", day: int = 0) -> Event:
    """A purchase on day `day`."""
    return Event(name, T0 + day * DAY_MS, "purchase", merchant, member, amount)


def back(name: str, amount: int, *, of: str | None, merchant: str = "a", day: int = 1) -> Event:
    """A refund by member m on day `day`."""
    return Event(name, T0 + day * DAY_MS, "refund", merchant, "m", amount, of)


def test_points_and_issuance_fee_are_floored() -> None:
    book = alliance().play([buy("o", 25_099)])
    assert book.balances() == {("m", "a"): 250}
    assert book.positions() == {"a": -2, "b": 0, OPERATOR: 2}


def test_redeeming_elsewhere_moves_au_and_costs_the_redeemer_two_per_cent() -> None:
    book = alliance().play([buy("o", 30_000)])
    assert book.redeem("r", T0, "b", "m", 149) == 149
    assert book.balances() == {("m", "a"): 151}
    assert book.positions() == {"a": -3 - 149, "b": 149 - 2, OPERATOR: 3 + 2}
    assert book.outstanding() == {"a": 151, "b": 0}


def test_redeeming_on_us_moves_nothing_between_parties() -> None:
    book = alliance().play([buy("o", 30_000)])
    book.redeem("r", T0, "a", "m", 100)
    assert book.positions() == {"a": -3, "b": 0, OPERATOR: 3}
    assert book.balances() == {("m", "a"): 200}


def test_lots_are_drawn_by_expiry_and_an_expired_one_is_not() -> None:
    book = alliance().play([buy("late", 1_000, day=10), buy("early", 1_000, merchant="b", day=0)])
    book.redeem("r", T0 + 365 * DAY_MS - 1, "a", "m", 3)
    assert book.balances() == {("m", "a"): 10, ("m", "b"): 7}
    book.redeem("s", T0 + 365 * DAY_MS, "a", "m", 99)
    assert book.balances() == {("m", "b"): 7}
    assert book.redeem("t", T0 + 365 * DAY_MS, "a", "m", 1) == 0
    assert book.refused == [("t", "nothing-to-redeem")]


def test_three_part_refunds_take_exactly_what_one_would() -> None:
    book = alliance().play([buy("o", 1_000), back("x", 333, of="o"), back("y", 333, of="o")])
    assert book.balances() == {("m", "a"): 3}, "10 * 334 // 1000"
    book.refund(back("z", 334, of="o"))
    assert book.balances() == {}
    book.refund(back("v", 1, of="o"))
    assert book.refused == [("v", "refund-exceeds-order")]


def test_a_refund_of_spent_points_is_a_debt_that_later_points_repay() -> None:
    book = alliance().play([buy("o", 20_000)])
    book.redeem("r", T0, "b", "m", 150)
    book.refund(back("x", 20_000, of="o"))
    assert book.open_debts() == {("m", "a"): 150}
    assert book.positions() == {"a": -150, "b": 147, OPERATOR: 3}, "the issuance fee is back, the redemption stands"
    book.purchase(buy("p", 12_000, day=2))
    assert book.balances() == {("m", "a"): -30}
    book.purchase(buy("q", 4_000, day=3))
    assert book.balances() == {("m", "a"): 10}
    assert book.open_debts() == {}
    assert book.redeem("s", T0 + 4 * DAY_MS, "b", "m", 40) == 10


def test_a_refund_takes_from_its_own_order_first_then_from_the_issuers_others() -> None:
    book = alliance().play([buy("o", 500), buy("p", 500, day=1), buy("q", 500, merchant="b")])
    book.refund(back("x", 300, of="p"))
    assert [lot.left for lot in book.lots("m")] == [5, 2, 5]
    book.redeem("r", T0 + 2 * DAY_MS, "a", "m", 11)
    assert [lot.left for lot in book.lots("m")] == [0, 1, 0], "expiry, then confirmation, then age"
    book.refund(back("y", 500, of="o"))
    assert [lot.left for lot in book.lots("m")] == [0, 0, 0]
    assert book.open_debts() == {("m", "a"): 4}


def test_a_refund_without_origin_takes_points_at_the_rate_of_the_day() -> None:
    book = alliance().play([buy("o", 500), back("x", 799, of=None)])
    assert book.balances() == {("m", "a"): -2}
    assert book.taken_back()["a"] == 7


def test_an_unknown_order_is_refused() -> None:
    book = alliance().play([buy("o", 500), back("x", 100, of="n"), back("y", 100, of="o", merchant="b")])
    assert book.refused == [("x", "order-unknown"), ("y", "order-unknown")]
    assert book.balances() == {("m", "a"): 5}


def test_an_awkward_rate_leaves_dust_with_the_last_lot_of_its_issuer_only() -> None:
    book = alliance(c=Conditions(au_per_point=Fraction(1, 3))).play(
        [buy("o", 400, merchant="c"), buy("p", 500, merchant="c")]
    )
    assert book.redeem("r", T0, "a", "m", 2) == 2
    assert [lot.left for lot in book.lots("m")] == [0, 3], "2 AU are 6 points: 4 of the first, 2 of the second"
    assert book.redeem("s", T0, "a", "m", 99) == 1
    assert book.balances() == {}


def test_the_issuer_owes_only_the_au_applied() -> None:
    book = alliance(c=Conditions(au_per_point=Fraction(5))).play([buy("o", 400, merchant="c")])
    book.redeem("r", T0, "a", "m", 7)
    assert book.balances() == {("m", "c"): 2}
    assert book.cash() == {"c": -7, "a": 7}


def test_the_rule_derives_a_redemption_from_one_purchase_in_twenty() -> None:
    """Of e0..e107 the SHA-256 of e29, e47 and e107 (and no other) is divisible by 20: `printf e29 | sha256sum`."""
    book = alliance()
    applied = []
    for n in range(108):
        book.play([buy(f"e{n}", 10_000)])
        applied.append(sum(book.redeemed_au.values()))
    assert {n for n in range(1, 108) if applied[n] != applied[n - 1]} == {29, 47, 107}
    assert (applied[29], applied[47], applied[107]) == (3_000, 3_000 + 1_800, 4_800 + 3_000), (
        "30 % of the purchase, or what there is"
    )


def test_charged_fees_become_cash_and_everything_sums_to_zero() -> None:
    book = alliance().play([buy("o", 30_000)])
    book.redeem("r", T0, "b", "m", 149)
    before = book.positions()
    book.charge_fees()
    assert book.positions() == before
    assert book.nets() == {"a": -152, "b": 147, OPERATOR: 5}
    assert sum(book.nets().values()) == 0
