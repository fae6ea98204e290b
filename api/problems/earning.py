"""Rows of the catalogue of errors about orders, refunds and any write. Data only."""

from __future__ import annotations

from collections.abc import Mapping

from api.problems.rows import Row

ROWS: Mapping[str, Row] = {
    "key-reused": Row(
        422,
        "The key belongs to another request",
        "This id or Idempotency-Key was used with another body; `errors` points at the first field that differs.",
        "Send the first body again, or a new key.",
    ),
    "merchant-unknown": Row(
        403, "The merchant is not open", "The key's merchant has no account in the ledger.", "Ask the alliance."
    ),
    "terms-missing": Row(
        409,
        "No terms are in force",
        "Your points had no published worth at `occurred_at`.",
        "Have terms published, then send it under a new id.",
    ),
    "order-exists": Row(
        409,
        "The order exists",
        "You reported an order of this name under another id.",
        "Nothing to do if it is the same order; else use the order's own number.",
    ),
    "order-unknown": Row(
        404,
        "No such order",
        "You reported no paid order of this name.",
        "Report the order first, or send null for an order nobody knows.",
    ),
    "order-of-another-member": Row(
        422, "Another member's order", "The order was paid by another member.", "Correct the member or the order."
    ),
    "points-too-many": Row(
        422, "Too many points at once", "The order would earn more than one command may move.", "Check the amount."
    ),
    "already-confirmed": Row(409, "Confirmed before", "The order's points are the member's already.", "Nothing to do."),
    "hold-not-over": Row(
        409,
        "The hold is not over",
        "The points are pending, or held, until the time in `data`.",
        "Wait; the clock sees to it.",
    ),
    "refund-exists": Row(
        409,
        "The refund exists",
        "You already have a refund of this name, under another id.",
        "Look at the first one's receipt; a new refund needs a new name.",
    ),
    "refund-exceeds-order": Row(
        422,
        "More than was paid",
        "The refunds of this order together would be more than its amount.",
        "Correct the amount or the order.",
    ),
    "balance-out-of-range": Row(
        409, "A balance would overflow", "An account cannot hold a figure this large.", "Ask the alliance."
    ),
    "order-cancelled": Row(
        409, "Nothing of the order stands", "It was called off or refunded whole.", "Nothing to do."
    ),
    "event-exists": Row(
        409,
        "The event exists",
        "You reported an event or order of this name under another id.",
        "Nothing to do if it is the same event; else give it a name of its own.",
    ),
    "rule-unknown": Row(404, "No such rule", "You have no rule of this number.", "Compare the number."),
    "rule-unsound": Row(422, "The rule cannot do what it says", "`data` says why.", "Correct the rule."),
    "rule-of-another-merchant": Row(
        409,
        "The number is taken",
        "A rule of this number is another merchant's.",
        "Take the next number that GET /v1/rules names.",
    ),
    "rule-withdrawn": Row(
        409,
        "Withdrawn",
        "The rule was withdrawn; its number is not used again.",
        "Publish a new rule under a new number.",
    ),
    "rule-version": Row(
        409,
        "Not the next version",
        "Versions of a rule count from 1 without gaps; `data` has the next one.",
        "Send that version.",
    ),
    "rule-steps-changed": Row(
        409,
        "A task keeps its steps",
        "The version has other steps than the first one, and progress counts by them.",
        "Publish another task.",
    ),
    "rules-too-many": Row(
        409,
        "Too many rules",
        "You have as many rules as one may have; `data` says how many.",
        "Withdraw one that is not needed.",
    ),
}
