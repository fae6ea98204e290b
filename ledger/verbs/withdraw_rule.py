"""Withdraw a rule: no event from then on meets it. What it granted stays. The verb; called by the book."""

from __future__ import annotations

from ledger.commands import WithdrawRule
from ledger.entry import Entry
from ledger.refusals import Refused
from ledger.wants import Wants


def wants(command: WithdrawRule, want: Wants) -> None:
    """Nothing but the registry."""


def withdraw_rule(command: WithdrawRule, entry: Entry) -> dict[str, int | str]:
    """Refusals in order: rule-unknown, rule-withdrawn."""
    published = entry.slice.registry.rules
    if command.rule_id not in published.owner:
        raise Refused("rule-unknown", "rule_id", rule_id=command.rule_id)
    if command.rule_id in published.withdrawn:
        raise Refused("rule-withdrawn", "rule_id", rule_id=command.rule_id)
    entry.configure(command)
    return {"rule_id": command.rule_id, "merchant_id": published.owner[command.rule_id]}
