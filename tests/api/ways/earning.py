"""Ways to provoke what the ledger refuses about keys, orders and refunds."""

from __future__ import annotations

from typing import Any

from tests.api.conftest import BOOKS, LATER, MUTE, Caller
from tests.api.ways.stage import Stage, Way, twice


def overflow(stage: Stage) -> Any:
    """An account is filled to the brim by orders as large as one may be, a thousand a request."""
    books = stage.of(BOOKS)
    for page in range(5):
        orders = [books.paid(f"{page}-{no}", 10**9) for no in range(1_000)]
        assert books.post("/v1/events/batch", {"events": orders}).status_code == 200
    return books.event("order.paid", member="m", order="last", amount_minor=10**9)


def waiting(stage: Stage) -> Caller:
    """`later` holds for 14 days what m just paid for."""
    later = stage.of(LATER)
    later.taken("order.paid", member="m", order="w-1", amount_minor=1_000)
    return later


def called_off(stage: Stage) -> Any:
    later = waiting(stage)
    later.taken("order.cancelled", order="w-1")
    return later.event("order.completed", order="w-1")


WAYS: dict[str, Way] = {
    "key-reused": lambda s: twice(s.redeem(1), lambda: s.redeem(2)),
    "merchant-unknown": lambda s: s.of(77).event("order.paid", member="m", order="o", amount_minor=1),
    "terms-missing": lambda s: s.of(MUTE).event("order.paid", member="m", order="o", amount_minor=1),
    "order-exists": lambda s: s.tea.event("order.paid", member="m", order="o-1", amount_minor=10_000),
    "order-unknown": lambda s: s.refund(1, order="o-9"),
    "order-of-another-member": lambda s: twice(
        s.tea.event("member.joined", member="n"), lambda: s.refund(1, member="n")
    ),
    "points-too-many": lambda s: s.of(BOOKS).event("order.paid", member="m", order="o", amount_minor=10**15),
    "already-confirmed": lambda s: s.tea.event("order.completed", order="o-1"),
    "hold-not-over": lambda s: waiting(s).event("order.completed", order="w-1"),
    "order-cancelled": called_off,
    "refund-exists": lambda s: twice(s.refund(1), lambda: s.refund(1)),
    "refund-exceeds-order": lambda s: s.refund(10_001),
    "balance-out-of-range": overflow,
}
