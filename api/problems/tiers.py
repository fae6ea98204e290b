"""Rows of the catalogue of errors about tier proofs. Data only."""

from __future__ import annotations

from collections.abc import Mapping

from api.problems.rows import Row

TIERS: Mapping[str, Row] = {
    "tiers-off": Row(
        409,
        "No tier proofs here",
        "The alliance has no registry of tiers, or this server has no verification key or no key for witnesses.",
        "Ask the operator.",
    ),
    "partner-unknown": Row(
        404, "No such partner", "Nobody is registered under this number.", "Compare it with GET /v1/partners."
    ),
    "partner-exists": Row(
        409,
        "The partner exists",
        "The number, or the audience, is registered with other particulars.",
        "Take another number; end the old one first if it is the same firm.",
    ),
    "partner-ended": Row(409, "The partner has ended", "The operator ended it.", "Ask for a new one."),
    "proof-request-unfit": Row(
        422,
        "This may not be asked",
        "`why` in `data` says it: alliance, partner, policy, uses, scope, signature, audience, recipient, expiry,"
        " epoch, circuit, grid or nonce.",
        "Correct the request, with a new nonce, and sign it again.",
    ),
    "cohort-too-small": Row(
        422,
        "Too few would fit",
        "Fewer than 50 members of the epoch fit the policy, by their keys' age too, or both it and one that you asked"
        " before, or only one of these two.",
        "Ask a wider policy, or the one that you asked.",
    ),
    "ask-budget-spent": Row(
        429,
        "Asked too often",
        "The partner's requests of one day are used up.",
        "Repeat it as Retry-After says.",
    ),
    "narrowing-budget-spent": Row(
        422,
        "Closing in on members",
        "With those of the last 30 days the partner asks more overlapping policies than it may.",
        "Ask one that you have asked before.",
    ),
    "proof-request-unknown": Row(
        404, "No such request", "No request has this id that you may ask about, or its time is over.", "Compare the id."
    ),
    "proof-refused": Row(
        422,
        "The proof is not taken",
        "It does not hold, or its request is unknown, over, used or another's, or the member used it before; which of"
        " these is said to nobody but the operator.",
        "Make a new request and ask the member again.",
    ),
    "verifying-busy": Row(
        429,
        "Too many proofs at once",
        "As many proofs as may wait to be checked do so, or as many of yours.",
        "Repeat it as Retry-After says.",
    ),
    "epoch-unknown": Row(
        404, "No such epoch", "No epoch of this number was published.", "Take one that GET /v1/epochs gives."
    ),
    "commitment-taken": Row(
        409,
        "The commitment is taken",
        "It was registered before, by another member or as an older one of this member.",
        "Draw a new secret.",
    ),
    "too-many-keys": Row(
        429,
        "Too many commitments",
        "The member registered as many for one epoch as it may.",
        "Wait for the next epoch, or keep the last one.",
    ),
    "witness-unknown": Row(
        404,
        "No such witness",
        "The member is not in this epoch, or its witnesses are no longer kept.",
        "Enrol a commitment before the epoch begins; take an epoch that is in force.",
    ),
    "consent-decided": Row(
        409,
        "Decided before",
        "The member has decided about this request otherwise.",
        "Wait for a new request.",
    ),
    "consent-missing": Row(
        403,
        "Not agreed to",
        "The member has not agreed to be helped with this request.",
        "Post the consent with `assisted` first.",
    ),
    "assisted-off": Row(
        409,
        "Nobody proves for members",
        "Assisted proving is off here, or no worker has said lately that it proves.",
        "Prove on the device, or ask later.",
    ),
    "assisted-busy": Row(
        429,
        "Too many proofs are asked for",
        "The member has as many jobs as one may, with those that it has not fetched, or the workers have as many as"
        " they take.",
        "Fetch what was asked for; repeat it as Retry-After says, or prove on the device.",
    ),
}
