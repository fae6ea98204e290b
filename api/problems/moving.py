"""Rows of the catalogue of errors about transfers, pools, exchanges and adjustments. Data only."""

from __future__ import annotations

from collections.abc import Mapping

from api.problems.rows import Row

ROWS: Mapping[str, Row] = {
    "self-transfer": Row(
        422, "Giver and receiver are one", "Both names are the same person's.", "Name another receiver."
    ),
    "transfer-exists": Row(
        409,
        "The transfer exists",
        "You already have a transfer of this name, under another key.",
        "Look at the first one's receipt; a new one needs a new name.",
    ),
    "transfers-off": Row(
        403, "Your points cannot be transferred", "The alliance opened you without transfers.", "Ask the alliance."
    ),
    "not-in-one-pool": Row(
        409,
        "Not one family",
        "Your points move inside family pools only, and the two are not in one.",
        "Let both join one pool.",
    ),
    "pool-cap": Row(
        409,
        "The family's cap for today",
        "The pool lets a member give only so many of an issuer's points a day; `data` says how many.",
        "Transfer less, or tomorrow.",
    ),
    "pool-exists": Row(409, "The pool exists", "A pool of this name was opened before.", "Choose another name."),
    "pool-unknown": Row(404, "No such pool", "No pool has this name.", "Open it first."),
    "pool-full": Row(409, "The pool is full", "It has as many members as a pool may have.", "Open another one."),
    "in-a-pool": Row(
        409, "In a pool already", "A member is in at most one pool.", "Let the member leave that one first."
    ),
    "not-in-pool": Row(409, "Not in this pool", "The member is in another pool or in none.", "Nothing to do."),
    "same-issuer": Row(422, "One issuer, not two", "Both issuers of the exchange are the same.", "Name two."),
    "rate-missing": Row(
        409,
        "No exchange rate",
        "The two issuers had published none at `occurred_at`.",
        "Have the issuer who gives publish one.",
    ),
    "exchange-exists": Row(
        409,
        "The exchange exists",
        "An exchange of this name was made before, under another key.",
        "Look at the first one's receipt; a new one needs a new name.",
    ),
    "exchange-too-small": Row(
        422, "Too few for one point", "So few points give none of the other issuer's.", "Exchange more."
    ),
    "adjustment-exists": Row(
        409,
        "The adjustment exists",
        "You already have an adjustment of this name, under another key.",
        "Look at the first one's receipt; a new one needs a new name.",
    ),
    "adjustment-unknown": Row(
        404,
        "No such adjustment",
        "You have no adjustment of this name that waited for a second person.",
        "Compare the name.",
    ),
    "adjustment-zero": Row(
        422, "Nothing to correct", "An adjustment of 0 points does nothing.", "Send what has to be corrected."
    ),
    "adjustment-decided": Row(
        409,
        "Decided before",
        "The adjustment was approved or rejected.",
        "Nothing to do; a new correction is a new adjustment.",
    ),
    "same-person": Row(
        403, "A second person has to approve", "`by` is who made the adjustment.", "Let somebody else approve it."
    ),
    "opening-exists": Row(
        409,
        "Brought in before",
        "The balance of this source and member was brought in under another key.",
        "Nothing to do if it is the same balance; another run of the old system is another source.",
    ),
    "already-expired": Row(
        422,
        "Over before it begins",
        "`expires_at` is not after `occurred_at`, or your points have no later end.",
        "Bring in only points that can still be used.",
    ),
}
