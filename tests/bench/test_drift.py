"""A short run of `bench.drift`: nothing drifts, and whoever makes the ledger round wrongly is caught."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import permutations
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from bench.drift import play
from bench.drift.alliance import founding
from bench.drift.balances import Drifted
from bench.drift.play import Played
from ledger.answers import Receipt
from ledger.book import Book
from ledger.commands import CancelRedemption, Earn, Redeem
from ledger.points import drawn, orders, redemptions, reserve
from ledger.points.drawn import Deal
from ledger.records import Drawn, Redemption
from ledger.registry import Registry
from ledger.slice import Lot, Order, Slice
from ledger.units import BPS
from ledger.verbs import expire
from proofs.kinds import BASE_UNITS_PER_AU

EVENTS = 10_000
WRONG_EVENTS_MAX = 7_000


def test_nothing_drifts_and_other_books_do() -> None:
    told = Played("7", EVENTS).play().told()
    verbs = {"earn", "refund", "redeem", "cancel_redemption", "transfer", "exchange", "expire", "charge_fees"}
    assert verbs | {"settle_nets"} == set(told["done"])
    assert told["laterTermsUsed"]
    assert told["defaults"]
    assert told["partsOfOneMost"] > 4
    books = told["books"]
    for thing in ("orders, points", "redemptions, points", "redemptions, fees in AU"):
        assert books["ledger"][thing]["givenBackWhole"] > 100
        assert books["ledger"][thing]["notExact"] == 0
        assert all(books[name][thing]["notExact"] for name in ("asDouble", "roundedEach", "cutOffEach"))
    assert books["ledger"]["worthOffAu"] == 0
    assert all(books[name]["worthOffAu"] for name in ("asDouble", "roundedEach", "cutOffEach"))


def test_the_same_seed_plays_the_same() -> None:
    one, again, other = (Played(seed, 500).play().told() for seed in ("3", "3", "4"))
    assert one == again
    assert one["done"] != other["done"]


class Wrong(NamedTuple):
    """`owner.name` does this instead."""

    owner: Any
    name: str
    does: Callable[..., Any]


def fee_rounded(deal: Deal, issuer: int, au: int) -> int:
    return 0 if issuer == deal.acceptor else (2 * au * deal.fee_bps + BPS) // (2 * BPS)


def each_part_by_itself(
    draws: Iterable[Drawn], terms: Mapping[int, Any], deal: Deal, *, au: int
) -> tuple[list[Drawn], list[Drawn]]:
    """A part's fee is the floor of the part, not what is left of the whole."""
    first, rest = DIVIDE(draws, terms, deal, au=au)
    return first, [replace(each, fee_au=drawn.price(deal, each.issuer, each.au)) for each in rest]


def of_what_stands(_: Registry, order: Order, lot: Lot, left_minor: int) -> int:
    return lot.standing * left_minor // order.amount_minor


def nothing(*_: Any) -> None:
    """The remainder is dropped."""


def both_floored(au: int, breakage_bps: int) -> int:
    return au * breakage_bps // BPS


def each_default_by_itself(moved: Sequence[Mapping[int, int]], at: int) -> dict[int, int]:
    return {party: au for party, amount in moved[at].items() if (au := amount // BASE_UNITS_PER_AU)}


DIVIDE = drawn.divide
WRONGS = {
    "a fee is rounded": Wrong(drawn, "price", fee_rounded),
    "a part of a redemption is priced by itself": Wrong(drawn, "divide", each_part_by_itself),
    "a refund is a part of what stands": Wrong(orders, "stands", of_what_stands),
    "dust is dropped": Wrong(reserve, "move_dust", nothing),
    "both shares of an expiry are floored": Wrong(expire, "operators_share", both_floored),
    "what the chain moved is rounded step by step": Wrong(play, "newly_settled", each_default_by_itself),
}


@pytest.mark.parametrize("wrong", WRONGS)
def test_who_rounds_wrongly_is_caught(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One function of the program is replaced for as long as this looks."""
    monkeypatch.setattr(*WRONGS[wrong])
    with pytest.raises(Drifted):
        Played("7", WRONG_EVENTS_MAX).play()


PARTS_AU = (1, 5, 23)
SPENT_AU = 90


def spent() -> Book:
    """Points of two issuers and two modes, 90 AU of them redeemed at a third."""
    book = Book(Slice.whole())
    for command in founding(later_ms=1):
        book.apply(command)
    for issuer in (3, 6):
        earn = Earn(key=f"e{issuer}", at_ms=0, merchant_id=issuer, member="m0", order="o", amount_minor=9_000)
        assert isinstance(book.apply(earn).outcome, Receipt)
    return book


def redeemed(book: Book) -> Redemption:
    record = book.slice.records[redemptions.name(1, "r")]
    assert isinstance(record, Redemption)
    return record


def test_parts_of_a_redemption_add_up_in_every_order() -> None:
    """What is left depends on how much, not on how it came about; and nothing of it is left in any account."""
    left: dict[int, set[tuple[tuple[int, int, int], ...]]] = {}
    for order in permutations((*PARTS_AU, SPENT_AU - sum(PARTS_AU))):
        book = spent()
        before = {account: balance for account, (_, balance) in book.slice.accounts.items()}
        book.apply(Redeem(key="r", at_ms=1, merchant_id=1, member="m0", redemption="r", au=SPENT_AU))
        assert len(redeemed(book).draws) == 2
        for no, au in enumerate(order):
            part = CancelRedemption(key=f"c{no}", at_ms=2, merchant_id=1, redemption="r", cancellation=f"c{no}", au=au)
            assert isinstance(book.apply(part).outcome, Receipt)
            draws = redeemed(book).draws
            left.setdefault(drawn.total(draws), set()).add(tuple((x.terms_id, x.points, x.fee_au) for x in draws))
        after = {account: balance for account, (_, balance) in book.slice.accounts.items() if balance}
        assert after == {account: balance for account, balance in before.items() if balance}
    assert len(left) > len(PARTS_AU)
    assert {len(draws) for draws in left.values()} == {1}
