"""Ways to provoke what the ledger refuses about keys, orders and refunds."""

from __future__ import annotations

from typing import Any

from ledger.rules.rule import RULES_PER_MERCHANT_MAX
from tests.api.conftest import BOOKS, LATER, MUTE, NOON, Caller
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


CHECKIN = {"type": "checkin", "id": "c", "occurred_at": NOON, "member": "m"}


def rule(stage: Stage, caller: Caller | None = None, **changes: object) -> Any:
    promised: dict[str, object] = {"rule_id": 1, "trigger": "checkin", "reward": {"kind": "fixed", "points": 1}}
    return (caller or stage.tea).ask("/v1/rules", rule=promised | changes)


def task(stage: Stage, version: int, times: int) -> Any:
    steps = [{"trigger": "checkin", "times": times}]
    return rule(stage, version=version, trigger="task.completed", steps=steps)


def many(stage: Stage) -> Any:
    for number in range(RULES_PER_MERCHANT_MAX):
        assert rule(stage, rule_id=number + 1).status_code == 201
    return rule(stage, rule_id=RULES_PER_MERCHANT_MAX + 1)


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
    "event-exists": lambda s: s.tea.post("/v1/events", CHECKIN | {"id": "o-1"}),
    "rule-unknown": lambda s: s.tea.ask("/v1/rules/9/withdraw"),
    "rule-unsound": lambda s: rule(s, reward={"kind": "times_base", "num": 1, "den": 1}),
    "rule-of-another-merchant": lambda s: twice(rule(s), lambda: rule(s, s.of(BOOKS))),
    "rule-withdrawn": lambda s: twice(
        rule(s), lambda: twice(s.tea.ask("/v1/rules/1/withdraw"), lambda: rule(s, version=2))
    ),
    "rule-version": lambda s: rule(s, version=2),
    "rule-steps-changed": lambda s: twice(task(s, 1, times=2), lambda: task(s, 2, times=3)),
    "rules-too-many": many,
    "refund-exists": lambda s: twice(s.refund(1), lambda: s.refund(1)),
    "refund-exceeds-order": lambda s: s.refund(10_001),
    "balance-out-of-range": overflow,
}
