"""What the verbs of rules refuse, in order: a history with every kind of rule, and the commands with a fault each."""

from __future__ import annotations

from typing import Any

from ledger.commands import Command, Observe, PublishRule, WithdrawRule
from ledger.rules.rule import RULES_PER_MERCHANT_MAX
from ledger.rules.task import Step
from tests.ledger.refusals_of_moving import FROZEN
from tests.ledger.rules.making import rule
from tests.ledger.scene import DAY, A, B, changed

UNKNOWN = 77
WITHDRAWN, TASK, OWN = 2, 3, 1
TASK_RULE = rule(TASK, "task.completed", steps=(Step(trigger="checkin", times=7),))
UNSOUND: dict[str, Any] = {"valid_from_ms": 5, "valid_until_ms": 5}

HISTORY: list[Command] = [
    PublishRule(key="rule-1", at_ms=0, merchant_id=A, rule=rule(OWN)),
    PublishRule(key="rule-2", at_ms=0, merchant_id=A, rule=rule(WITHDRAWN)),
    PublishRule(key="rule-3", at_ms=0, merchant_id=A, rule=TASK_RULE),
    WithdrawRule(key="withdraw-2", at_ms=0, rule_id=WITHDRAWN),
    *[
        PublishRule(key=f"rule-{number}", at_ms=0, merchant_id=B, rule=rule(number, "birthday"))
        for number in range(100, 100 + RULES_PER_MERCHANT_MAX)
    ],
    Observe(key="seen", at_ms=DAY, merchant_id=A, member="m1", event="seen", trigger="birthday"),
]


def _publish(merchant_id: int, number: int, trigger: str = "order.paid", **changes: Any) -> PublishRule:
    return PublishRule(key="k", at_ms=0, merchant_id=merchant_id, rule=rule(number, trigger, **changes))


OBSERVE = Observe(key="k", at_ms=DAY, merchant_id=A, member="m1", event="new", trigger="checkin")

IN_ORDER: dict[str, list[tuple[str, str | None, Command]]] = {
    "publish_rule": [
        ("merchant-unknown", "merchant_id", _publish(UNKNOWN, OWN, **UNSOUND)),
        ("rule-unsound", "rule", _publish(B, OWN, **UNSOUND)),
        ("rule-of-another-merchant", "rule", _publish(B, WITHDRAWN, version=9)),
        ("rule-withdrawn", "rule", _publish(A, WITHDRAWN, version=9)),
        ("rule-version", "rule", _publish(A, TASK, "birthday", version=3)),
        ("rule-version", "rule", _publish(B, 9, version=2)),
        ("rule-steps-changed", "rule", _publish(A, TASK, "birthday", version=2)),
        ("rules-too-many", "rule", _publish(B, 9)),
    ],
    "withdraw_rule": [
        ("rule-unknown", "rule_id", WithdrawRule(key="k", at_ms=0, rule_id=UNKNOWN)),
        ("rule-withdrawn", "rule_id", WithdrawRule(key="k", at_ms=0, rule_id=WITHDRAWN)),
    ],
    "observe": [
        ("merchant-unknown", "merchant_id", changed(OBSERVE, merchant_id=UNKNOWN, member="nobody", event="seen")),
        ("merchant-frozen", "merchant_id", changed(OBSERVE, merchant_id=FROZEN, member="nobody", event="seen")),
        ("member-unknown", "member", changed(OBSERVE, member="nobody", event="seen")),
        ("member-closed", "member", changed(OBSERVE, member="gone", event="seen")),
        ("event-exists", "event", changed(OBSERVE, event="seen")),
        ("event-exists", "event", changed(OBSERVE, event="paid")),
        ("terms-missing", "merchant_id", changed(OBSERVE, merchant_id=5)),
    ],
}
