"""Rules come and go, and events that are no orders earn by them."""

from __future__ import annotations

from tests.oracle.bonuses import granted
from tests.oracle.books import Books, Command, No, Order, Rule, refuse_if
from tests.oracle.conditions import unsound
from tests.oracle.doings import watch
from tests.oracle.earning import is_payable, known_member, known_merchant, make_spendable, pending_lot
from tests.oracle.pricing import terms_at

RULES_MAX = 64
"""Of one merchant, not withdrawn."""


def publish_rule(books: Books, command: Command) -> None:
    said = command["rule"]
    known_merchant(books, command["merchant_id"])
    refuse_if(unsound(said), "rule-unsound")
    rule = books.rules.get(said["rule_id"]) or Rule(command["merchant_id"])
    refuse_if(rule.merchant != command["merchant_id"], "rule-of-another-merchant")
    refuse_if(rule.withdrawn_ms is not None, "rule-withdrawn")
    refuse_if(said["version"] != len(rule.versions) + 1, "rule-version")
    refuse_if(rule.versions and rule.versions[0]["steps"] != said["steps"], "rule-steps-changed")
    standing = [each for each in books.rules.values() if each.merchant == rule.merchant and each.withdrawn_ms is None]
    refuse_if(not rule.versions and len(standing) >= RULES_MAX, "rules-too-many")
    watch(books, rule.merchant, said)
    rule.versions.append(said)
    books.rules[said["rule_id"]] = rule


def withdraw_rule(books: Books, command: Command) -> None:
    """It grants nothing for events from then on; its number is not used again."""
    rule = books.rules.get(command["rule_id"])
    if rule is None:
        raise No("rule-unknown")
    refuse_if(rule.withdrawn_ms is not None, "rule-withdrawn")
    rule.withdrawn_ms = command["at_ms"]


def observe(books: Books, command: Command) -> None:
    """Something that is no order; it stands like an order of the amount 1."""
    merchant_id = command["merchant_id"]
    merchant = known_merchant(books, merchant_id)
    refuse_if(merchant_id in books.leaving, "merchant-frozen")
    member = known_member(books, command["member"])
    refuse_if((merchant_id, command["event"]) in books.orders, "event-exists")
    terms = terms_at(books, merchant_id, command["at_ms"])
    if terms is None:
        raise No("terms-missing")
    grants = granted(books, command, member, command["trigger"])
    hold_ms = max((version["hold_ms"] for version, _ in grants), default=0)
    order = Order(
        merchant=merchant_id,
        member=member,
        amount=1,
        terms_id=terms["terms_id"],
        fee_bps=merchant["issuance_fee_bps"],
        campaign=0,
        confirm_from_ms=command["at_ms"] + hold_ms,
        lots=[],
    )
    for _, points in grants:
        order.lots.append(pending_lot(books, order, "bonus", member, points))
    books.orders[merchant_id, command["event"]] = order
    if not hold_ms and is_payable(books, order):
        make_spendable(books, order, command["at_ms"])
