"""Rows of the catalogue of errors about merchants, rates and cycles. Data only."""

from __future__ import annotations

from collections.abc import Mapping

from api.problems.rows import Row

ROWS: Mapping[str, Row] = {
    "merchant-exists": Row(
        409, "The merchant exists", "A merchant of this number was opened before.", "Choose another number."
    ),
    "code-taken": Row(409, "The code is taken", "Another merchant has this code.", "Choose another code."),
    "merchant-frozen": Row(
        409,
        "The issuer has stopped issuing",
        "It is leaving: its points stay usable, and no new ones come.",
        "Earn with another merchant.",
    ),
    "merchant-not-frozen": Row(
        409, "Not frozen", "An issuer is closed only after it has stopped issuing.", "Freeze it first."
    ),
    "merchant-closed": Row(403, "The merchant is closed", "Its run-off is over.", "Nothing goes on here."),
    "terms-exist": Row(
        409,
        "The number is taken",
        "Terms of this number were published before.",
        "Take the next number that GET /v1/rates names.",
    ),
    "notice-too-short": Row(
        422,
        "Too short a notice",
        "A worse rate begins no sooner than your notice period after it is published; `data` says when.",
        "Let it start later.",
    ),
    "cycle-charged": Row(409, "The cycle has ended", "Its fees were charged before.", "Name the next cycle."),
    "campaign-exists": Row(
        409,
        "The number is taken",
        "A campaign of this number was published before.",
        "Take the next number that GET /v1/campaigns names.",
    ),
    "campaign-empty": Row(422, "Over before it begins", "`ends_at` is not after `occurred_at`.", "Let it end later."),
    "campaign-running": Row(
        409,
        "Another campaign runs",
        "One of yours is in force in that time; `data` says which.",
        "Stop that one first.",
    ),
    "campaign-unknown": Row(404, "No such campaign", "You have no campaign of this number.", "Compare the number."),
    "campaign-stopped": Row(409, "Stopped before", "The campaign's kill switch was pulled before.", "Nothing to do."),
    "rewards-too-high": Row(
        422,
        "Too much of a sale",
        "The levels together would pay more than may be paid; `data` says the most.",
        "Lower the shares.",
    ),
    "tiers-unordered": Row(
        422,
        "Not one tier above the other",
        "Tiers ascend strictly, the first from 0 AU, and no code comes twice.",
        "Sort them.",
    ),
}
