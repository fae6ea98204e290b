"""Publish a rule, or the next version of one. The verb; called by the book.

What was granted stays as it is; counters, tasks and streaks go on under the new version. That is why a task keeps its
steps: progress is counted by step.
"""

from __future__ import annotations

from ledger.commands import PublishRule
from ledger.entry import Entry
from ledger.refusals import Refused
from ledger.rules.rule import RULES_PER_MERCHANT_MAX, problem
from ledger.wants import Wants


def wants(command: PublishRule, want: Wants) -> None:
    want.rules.append((command.merchant_id, command.rule))


def publish_rule(command: PublishRule, entry: Entry) -> dict[str, int | str]:
    """Refusals in order: merchant-unknown, rule-unsound, rule-of-another-merchant, rule-withdrawn, rule-version,
    rule-steps-changed, rules-too-many.
    """
    rule, published = command.rule, entry.slice.registry.rules
    if command.merchant_id not in entry.slice.registry.merchants:
        raise Refused("merchant-unknown", "merchant_id", merchant_id=command.merchant_id)
    if fault := problem(rule):
        raise Refused("rule-unsound", "rule", problem=fault)
    if (owner := published.owner.get(rule.rule_id, command.merchant_id)) != command.merchant_id:
        raise Refused("rule-of-another-merchant", "rule", rule_id=rule.rule_id, merchant_id=owner)
    if rule.rule_id in published.withdrawn:
        raise Refused("rule-withdrawn", "rule", rule_id=rule.rule_id)
    before = published.versions.get(rule.rule_id, [])
    if rule.version != len(before) + 1:
        raise Refused("rule-version", "rule", version=rule.version, version_next=len(before) + 1)
    if before and before[0].steps != rule.steps:
        raise Refused("rule-steps-changed", "rule", rule_id=rule.rule_id)
    if not before and len(published.of_merchant(command.merchant_id)) == RULES_PER_MERCHANT_MAX:
        raise Refused("rules-too-many", "rule", rules_max=RULES_PER_MERCHANT_MAX)
    entry.configure(command)
    return {"rule_id": rule.rule_id, "version": rule.version}
