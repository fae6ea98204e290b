"""Rows of the catalogue of errors about redemptions, holds and disputes. Data only."""

from __future__ import annotations

from collections.abc import Mapping

from api.problems.rows import Row

ROWS: Mapping[str, Row] = {
    "redemption-exists": Row(
        409,
        "The redemption exists",
        "You already have a redemption of this name, under another key.",
        "Look at the first one's receipt; a new redemption needs a new name.",
    ),
    "issuer-over-limit": Row(
        409,
        "Collateral is used up",
        "Who would come to owe cannot: an issuer of points drawn with over_limit decline or exchanged, one that pays"
        " for points as it issues them, or an acceptor that gives back what it is owed.",
        "Ask with over_limit skip, take another payment, or wait until it has settled or added collateral.",
    ),
    "nothing-to-redeem": Row(
        409, "Nothing to redeem", "The member has no points that could be used.", "Take another payment."
    ),
    "balance-too-low": Row(
        409,
        "Not enough points",
        "What the member can use is less than asked; `data` says both.",
        "Ask for less; a payment may also set at_most.",
    ),
    "redemption-unknown": Row(
        404,
        "No such redemption",
        "The acceptor has no redemption of this name.",
        "Compare the name, and for a dispute the acceptor.",
    ),
    "hold-too-short": Row(
        422,
        "A hold that is over at once",
        "`hold_until` is not after `occurred_at`.",
        "Send a later time, or leave it out.",
    ),
    "hold-too-long": Row(
        422,
        "A hold for too long",
        "`hold_until` lies further ahead than `data` allows.",
        "Send an earlier time; authorise again when it is over.",
    ),
    "already-resolved": Row(
        409,
        "The hold is resolved",
        "It was captured, voided or lapsed before, or the redemption was captured at once.",
        "Look at the receipt of what resolved it; a new payment needs a new redemption.",
    ),
    "hold-over": Row(
        409,
        "The hold is over",
        "Its time passed before it was captured; the points are free again or will be.",
        "Authorise again under a new name.",
    ),
    "capture-exceeds-hold": Row(
        422,
        "More than is held",
        "`au` is more than was authorised; `data` says both.",
        "Capture at most what is held, and take the rest as another payment.",
    ),
    "not-captured": Row(
        409,
        "Not a captured redemption",
        "It is held, released, given back or disputed.",
        "Void what is held; wait for what is disputed.",
    ),
    "cancellation-exists": Row(
        409,
        "The cancellation exists",
        "You already have a cancellation of this name, under another key.",
        "Look at the first one's receipt; a new one needs a new name.",
    ),
    "cancel-exceeds-redemption": Row(
        422,
        "More than is left of it",
        "`au` is more than what was captured and not given back yet; `data` says both.",
        "Cancel at most what is left.",
    ),
    "cancel-below-a-point": Row(
        422,
        "Less than a point",
        "What would be given back of an issuer's part is worth less than one of its points.",
        "Cancel more, or nothing, of it.",
    ),
    "not-drawn-on": Row(
        403,
        "None of your points",
        "The redemption drew no points of yours, or none of them are left in it.",
        "Dispute only redemptions that drew on you.",
    ),
    "disputed-before": Row(
        409,
        "Disputed before",
        "You disputed this redemption before, and the alliance resolved that it stands.",
        "Nothing to do: it is final.",
    ),
    "not-disputed": Row(409, "Not disputed", "The redemption stands undisputed.", "Nothing to resolve."),
}
