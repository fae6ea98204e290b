"""What the ledger refuses, verb by verb and in its order: which codes an operation has to announce.

A test compares this with the table in docs/ledger.md, so that the API's page cannot promise less than the ledger says.
Read by `api.writes` and the handlers of events when routes are made.
"""

from __future__ import annotations

from collections.abc import Mapping

REFUSALS: Mapping[str, tuple[str, ...]] = {
    "open_merchant": ("merchant-exists", "code-taken"),
    "publish_terms": ("merchant-unknown", "terms-exist", "notice-too-short"),
    "enrol": ("member-exists",),
    "earn": ("merchant-unknown", "member-unknown", "order-exists", "terms-missing", "points-too-many"),
    "confirm": ("merchant-unknown", "order-unknown", "already-confirmed", "hold-not-over"),
    "redeem": (
        "merchant-unknown",
        "member-unknown",
        "redemption-exists",
        "issuer-over-limit",
        "nothing-to-redeem",
        "balance-too-low",
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
    "charge_fees": ("cycle-charged",),
}
FROM_ANY_VERB = ("balance-out-of-range",)


def refusals_of(*verbs: str) -> tuple[str, ...]:
    """The codes of these verbs in their order, then what any verb can answer."""
    return tuple(dict.fromkeys([code for verb in verbs for code in REFUSALS[verb]])) + FROM_ANY_VERB
