"""A small alliance with rules: short words for publishing them and for events. Only the ledger's tests use it."""

from __future__ import annotations

from typing import Any

from ledger.answers import Receipt
from ledger.commands import Earn, Observe, Particulars, PublishRule
from ledger.rules.rule import Rule
from tests.ledger.scene import A, Scene, changed, small_alliance


class RuleScene(Scene):
    """Merchant A has the rules that are published here; B and C have none."""

    def publish(self, rule: Rule, merchant: int = A) -> None:
        self.done(self.publication(rule, merchant))

    def publication(self, rule: Rule, merchant: int = A) -> PublishRule:
        key = f"rule-{rule.rule_id}-{rule.version}"
        return PublishRule(key=key, at_ms=0, merchant_id=merchant, rule=rule)

    def seen(self, member: str, trigger: Any, at: int = 0, event: str | None = None, **says: Any) -> Observe:
        name = event or self.name()
        return Observe(
            key=f"seen-{name}",
            at_ms=at,
            merchant_id=A,
            member=member,
            event=name,
            trigger=trigger,
            particulars=Particulars(**says),
        )

    def bought(self, member: str, amount: int, at: int = 0, order: str | None = None, **says: Any) -> Earn:
        command = changed(self.earn(member, A, amount, at=at, order=order), particulars=Particulars(**says))
        assert isinstance(command, Earn)
        return command


def rule_scene(*rules: Rule, **alliance: Any) -> RuleScene:
    """The alliance with these rules of A."""
    scene = RuleScene()
    scene.play(*small_alliance(**alliance))
    for rule in rules:
        scene.publish(rule)
    return scene


def of_rule(receipt: Receipt, rule_id: int = 1) -> tuple[int, int, str]:
    """(asked, granted, reason) as the receipt tells it."""
    asked, granted, reason = (receipt.why[f"rule:{rule_id}:{what}"] for what in ("asked", "granted", "reason"))
    assert isinstance(asked, int)
    assert isinstance(granted, int)
    assert isinstance(reason, str)
    return asked, granted, reason
