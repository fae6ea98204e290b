"""What the ledger refuses, verb by verb and in its order: which codes an operation has to announce.

A test compares this with the table in docs/ledger.md, so that the API's page cannot promise less than the ledger says.
Read by `api.writes` and the handlers of events when routes are made.
"""

from __future__ import annotations

from collections.abc import Mapping

REFUSALS: Mapping[str, tuple[str, ...]] = {
    "open_merchant": (
        "merchant-exists",
        "code-taken",
    ),
    "publish_terms": (
        "merchant-unknown",
        "terms-exist",
        "notice-too-short",
    ),
    "publish_rule": (
        "merchant-unknown",
        "rule-unsound",
        "rule-of-another-merchant",
        "rule-withdrawn",
        "rule-version",
        "rule-steps-changed",
        "rules-too-many",
    ),
    "withdraw_rule": (
        "rule-unknown",
        "rule-withdrawn",
    ),
    "observe": (
        "merchant-unknown",
        "merchant-frozen",
        "member-unknown",
        "event-exists",
        "terms-missing",
    ),
    "enrol": ("member-exists",),
    "earn": (
        "merchant-unknown",
        "merchant-frozen",
        "member-unknown",
        "order-exists",
        "terms-missing",
        "points-too-many",
    ),
    "confirm": (
        "merchant-unknown",
        "order-unknown",
        "already-confirmed",
        "order-cancelled",
        "hold-not-over",
    ),
    "redeem": (
        "merchant-unknown",
        "merchant-closed",
        "member-unknown",
        "redemption-exists",
        "issuer-over-limit",
        "nothing-to-redeem",
        "balance-too-low",
    ),
    "authorize": (
        "hold-too-short",
        "hold-too-long",
        "merchant-unknown",
        "merchant-closed",
        "member-unknown",
        "redemption-exists",
        "issuer-over-limit",
        "nothing-to-redeem",
        "balance-too-low",
    ),
    "capture": (
        "redemption-unknown",
        "already-resolved",
        "hold-over",
        "capture-exceeds-hold",
    ),
    "void": (
        "redemption-unknown",
        "already-resolved",
    ),
    "cancel_redemption": (
        "redemption-unknown",
        "not-captured",
        "cancellation-exists",
        "cancel-exceeds-redemption",
        "cancel-below-a-point",
    ),
    "dispute": (
        "redemption-unknown",
        "not-captured",
        "not-drawn-on",
    ),
    "resolve_dispute": (
        "redemption-unknown",
        "not-disputed",
    ),
    "refund": (
        "merchant-unknown",
        "member-unknown",
        "refund-exists",
        "order-unknown",
        "order-of-another-member",
        "refund-exceeds-order",
        "terms-missing",
        "points-too-many",
    ),
    "cancel_pending": (
        "merchant-unknown",
        "order-unknown",
        "already-confirmed",
        "order-cancelled",
    ),
    "open_balance": (
        "merchant-unknown",
        "merchant-frozen",
        "member-unknown",
        "terms-missing",
        "already-expired",
    ),
    "adjust": (
        "merchant-unknown",
        "member-unknown",
        "adjustment-exists",
        "adjustment-zero",
        "merchant-frozen",
        "terms-missing",
        "balance-too-low",
    ),
    "approve_adjustment": (
        "merchant-unknown",
        "adjustment-unknown",
        "adjustment-decided",
        "same-person",
        "merchant-frozen",
        "terms-missing",
        "balance-too-low",
    ),
    "reject_adjustment": (
        "merchant-unknown",
        "adjustment-unknown",
        "adjustment-decided",
    ),
    "transfer": (
        "merchant-unknown",
        "member-unknown",
        "self-transfer",
        "transfer-exists",
        "transfers-off",
        "not-in-one-pool",
        "pool-cap",
        "balance-too-low",
    ),
    "open_pool": (
        "pool-exists",
        "member-unknown",
        "member-merged",
        "in-a-pool",
    ),
    "join_pool": (
        "pool-unknown",
        "member-unknown",
        "member-merged",
        "in-a-pool",
        "pool-full",
    ),
    "leave_pool": (
        "pool-unknown",
        "member-unknown",
        "not-in-pool",
    ),
    "publish_exchange": (
        "merchant-unknown",
        "same-issuer",
    ),
    "exchange": (
        "merchant-unknown",
        "same-issuer",
        "member-unknown",
        "exchange-exists",
        "merchant-closed",
        "merchant-frozen",
        "rate-missing",
        "terms-missing",
        "balance-too-low",
        "exchange-too-small",
        "points-too-many",
        "issuer-over-limit",
    ),
    "expire": (
        "member-unknown",
        "nothing-to-expire",
    ),
    "freeze_merchant": (
        "merchant-unknown",
        "merchant-frozen",
    ),
    "close_merchant": (
        "merchant-unknown",
        "merchant-not-frozen",
        "merchant-closed",
    ),
    "charge_fees": ("cycle-charged",),
}
FROM_ANY_VERB = ("balance-out-of-range",)


def refusals_of(*verbs: str) -> tuple[str, ...]:
    """The codes of these verbs in their order, then what any verb can answer."""
    return tuple(dict.fromkeys([code for verb in verbs for code in REFUSALS[verb]])) + FROM_ANY_VERB
