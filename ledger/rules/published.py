"""The rules that merchants have published: versions by rule, rules by merchant and trigger, withdrawals. Pure state.

Made by playing publications and withdrawals in journal order; kept by the registry. What an event costs at a merchant
without rules for it is one look-up.
"""

from __future__ import annotations

from ledger.rules.conditions import FirstOrder, mentions
from ledger.rules.facts import Trigger
from ledger.rules.rule import Rule, in_force

_NONE: dict[int, list[Rule]] = {}


class Published:
    """All versions of all rules. `owner` is the merchant of a rule, `withdrawn` when one ended for good."""

    __slots__ = ("_concerned", "_first_orders", "_merchants", "owner", "versions", "withdrawn")

    def __init__(self) -> None:
        self.versions: dict[int, list[Rule]] = {}
        self.owner: dict[int, int] = {}
        self.withdrawn: dict[int, int] = {}
        self._concerned: dict[tuple[int, Trigger], dict[int, list[Rule]]] = {}
        self._first_orders: set[int] = set()
        self._merchants: set[int] = set()

    def add(self, merchant_id: int, rule: Rule) -> None:
        """A new version, of a new rule or of one of this merchant's."""
        self._merchants.add(merchant_id)
        self.owner[rule.rule_id] = merchant_id
        self.versions.setdefault(rule.rule_id, []).append(rule)
        for trigger in {step.trigger for step in rule.steps} or {rule.trigger}:
            of_trigger = self._concerned.setdefault((merchant_id, trigger), {})
            of_trigger.setdefault(rule.rule_id, self.versions[rule.rule_id])
        if asks_first_order(rule):
            self._first_orders.add(merchant_id)

    def withdraw(self, rule_id: int, at_ms: int) -> None:
        """The rule ends for events from `at_ms` on."""
        self.withdrawn[rule_id] = at_ms

    def of_merchant(self, merchant_id: int) -> list[int]:
        """The numbers of this merchant's rules that were not withdrawn, ascending."""
        return sorted(
            rule_id for rule_id, owner in self.owner.items() if owner == merchant_id and rule_id not in self.withdrawn
        )

    def concerned(self, merchant_id: int, trigger: Trigger) -> list[Rule]:
        """Every version that an event of this kind might meet, whenever it happened."""
        return [each for versions in self._of(merchant_id, trigger).values() for each in versions]

    def in_force(self, merchant_id: int, trigger: Trigger, at_ms: int) -> list[Rule]:
        """The versions that an event of this kind meets at this time, one per rule."""
        found = [
            in_force(versions, at_ms)
            for rule_id, versions in self._of(merchant_id, trigger).items()
            if at_ms < self.withdrawn.get(rule_id, at_ms + 1)
        ]
        return [rule for rule in found if rule is not None]

    def has_any(self, merchant_id: int) -> bool:
        """Whether this merchant ever published a rule."""
        return merchant_id in self._merchants

    def asks_first_order(self, merchant_id: int) -> bool:
        """Whether any rule of this merchant ever asked whether an order is a member's first."""
        return merchant_id in self._first_orders

    def _of(self, merchant_id: int, trigger: Trigger) -> dict[int, list[Rule]]:
        return self._concerned.get((merchant_id, trigger), _NONE)


def asks_first_order(rule: Rule) -> bool:
    """Whether the rule, or a step of it, asks whether an order is the member's first."""
    conditions = [rule.condition, *(step.condition for step in rule.steps)]
    return any(condition is not None and mentions(condition, FirstOrder) for condition in conditions)
