"""Ways to provoke what the ledger refuses about redemptions, holds, cancellations and disputes."""

from __future__ import annotations

from typing import Any

from tests.api.conftest import BOOKS, TEA
from tests.api.ways.stage import Stage, Way, twice

OF_R = "/v1/redemptions/r-1"


def hold(stage: Stage, au: int = 10, **fields: Any) -> Any:
    return stage.redeem(au, mode="authorize", **fields)


def over_limit(stage: Stage) -> Any:
    """An issuer whose collateral bears 10 AU is asked for 50."""
    stage.found(credit_limit_au=10).taken("order.paid", member="m", order="o", amount_minor=10_000)
    return stage.redeem(150, over_limit="decline")


def less_than_a_point(stage: Stage) -> Any:
    """Two points of books pay 3 AU, and 2 AU still take two."""
    stage.join("n")
    stage.of(BOOKS).taken("order.paid", member="n", order="b", amount_minor=1)
    assert stage.redeem(3, member="n").status_code == 201
    return stage.tea.ask(f"{OF_R}/cancel", cancellation="c", au=1)


def disputed_before(stage: Stage) -> Any:
    """Resolved against it, an issuer disputes again."""
    assert stage.redeem(1).status_code == 201
    stage.tea.done(f"{OF_R}/dispute", acceptor=TEA)
    stage.operator.done(f"{OF_R}/resolve", acceptor=TEA, stands=True)
    return stage.tea.ask(f"{OF_R}/dispute", acceptor=TEA)


def cancel(stage: Stage, au: int, name: str = "c") -> Any:
    return stage.tea.ask(f"{OF_R}/cancel", cancellation=name, au=au)


WAYS: dict[str, Way] = {
    "redemption-exists": lambda s: twice(s.redeem(1), lambda: s.redeem(1, key="k-2")),
    "issuer-over-limit": over_limit,
    "nothing-to-redeem": lambda s: twice(s.redeem(100), lambda: s.redeem(1, name="r-2", key="k-2", at_most=True)),
    "balance-too-low": lambda s: s.redeem(101),
    "redemption-unknown": lambda s: s.tea.ask("/v1/redemptions/never/void"),
    "hold-too-short": lambda s: hold(s, hold_until="2026-07-10T12:00:00Z"),
    "hold-too-long": lambda s: hold(s, hold_until="2027-07-10T12:00:00Z"),
    "already-resolved": lambda s: twice(
        hold(s), lambda: twice(s.tea.ask(f"{OF_R}/void"), lambda: s.tea.ask(f"{OF_R}/capture"))
    ),
    "hold-over": lambda s: twice(
        hold(s, hold_until="2026-07-10T12:00:30Z"),
        lambda: s.tea.ask(f"{OF_R}/capture", occurred_at="2026-07-10T12:00:30Z"),
    ),
    "capture-exceeds-hold": lambda s: twice(hold(s), lambda: s.tea.ask(f"{OF_R}/capture", au=11)),
    "not-captured": lambda s: twice(hold(s), lambda: cancel(s, 1)),
    "cancellation-exists": lambda s: twice(s.redeem(10), lambda: twice(cancel(s, 1), lambda: cancel(s, 1))),
    "cancel-exceeds-redemption": lambda s: twice(s.redeem(10), lambda: cancel(s, 11)),
    "cancel-below-a-point": less_than_a_point,
    "not-drawn-on": lambda s: twice(s.redeem(1), lambda: s.of(BOOKS).ask(f"{OF_R}/dispute", acceptor=TEA)),
    "disputed-before": disputed_before,
    "not-disputed": lambda s: twice(s.redeem(1), lambda: s.operator.ask(f"{OF_R}/resolve", acceptor=TEA, stands=True)),
}
