"""The door's own refusals: rows of the catalogue of errors. Data only."""

from __future__ import annotations

from collections.abc import Mapping

from api.problems.rows import Row

DOOR: Mapping[str, Row] = {
    "path-unknown": Row(404, "No such address", "The path is none of this API.", "Compare it with the API page."),
    "method-not-allowed": Row(
        405, "Not with this method", "The path exists for other methods.", "Use one that the Allow header names."
    ),
    "credentials-missing": Row(
        401,
        "No key was sent",
        "The Authorization header is absent or is not `Bearer tdk_...`.",
        "Send the key that the alliance issued to you.",
    ),
    "credentials-unknown": Row(
        401,
        "The key is not known",
        "No key of this alliance has this value.",
        "Check it for a cut-off end; ask for a new one.",
    ),
    "credentials-expired": Row(
        401,
        "The key has ended",
        "It was revoked, or its overlap after a rotation is over.",
        "Use the key that replaced it.",
    ),
    "test-key-refused": Row(
        403, "A test key in production", "Keys of the form `tdk_test_` open only test alliances.", "Use a live key."
    ),
    "scope-missing": Row(
        403, "The key may not do this", "The key lacks the scope that the detail names.", "Ask for a key with it."
    ),
    "test-mode-only": Row(
        403,
        "Only in test mode",
        "The clock is moved outside production and with a test key alone.",
        "Use a test key of a sandbox alliance.",
    ),
    "idempotency-key-missing": Row(
        400,
        "No Idempotency-Key",
        "A write that has no id of its own came without the header.",
        "Send a new key for each new intent, and the same key when you repeat it.",
    ),
    "idempotency-key-invalid": Row(
        400,
        "The Idempotency-Key cannot be used",
        "It is too long, has other characters than allowed, or differs from the event's own id.",
        "Send 1 to 128 letters, digits and . _ ~ : @ + = -, a letter or digit first.",
    ),
    "media-type-unsupported": Row(
        415, "Not JSON", "The Content-Type of the body is not application/json.", "Send application/json in UTF-8."
    ),
    "body-too-large": Row(
        413, "The body is too large", "It has more bytes than the detail allows.", "Split it into several requests."
    ),
    "body-too-slow": Row(
        408, "The body came too slowly", "It was not whole in the time the detail allows.", "Repeat the request."
    ),
    "body-malformed": Row(
        400,
        "The body is not JSON",
        "It does not parse; the detail says where.",
        "Send one JSON value in UTF-8 and nothing after it.",
    ),
    "field-invalid": Row(
        422,
        "A field is missing, unknown or out of range",
        "`errors` points at it. Integers are written as integers: no fraction, exponent, text or boolean.",
        "Correct the field. Nothing was recorded, the key or id can be used again.",
    ),
    "event-type-unsupported": Row(
        422,
        "This type of event is not taken",
        "It is none of those that the API page lists.",
        "Send one of those.",
    ),
    "occurred-in-future": Row(
        422,
        "It has not happened yet",
        "`occurred_at` is further ahead of our clock than the detail allows.",
        "Set your clock; send the time with its offset.",
    ),
    "occurred-too-long-ago": Row(
        422,
        "Too long ago for this",
        "`occurred_at` is older than the detail allows; expired points could be used, or a notice evaded, otherwise.",
        "Send it with the present time under a new key.",
    ),
    "member-not-yours": Row(
        403,
        "Not a customer of yours",
        "The member never had points of yours, so you cannot say who its family is.",
        "Let a merchant do it that the member has bought from.",
    ),
    "request-in-flight": Row(
        409,
        "The same request is being answered",
        "Another request with this key has not had its answer yet.",
        "Wait as Retry-After says and repeat it: the first one's answer will be there.",
    ),
    "busy": Row(
        429,
        "Too much at once",
        "The queue of the ledger is full; nothing of this request was recorded.",
        "Repeat it as Retry-After says.",
    ),
    "reading-busy": Row(
        503,
        "Too many long answers at once",
        "As many as may wait do so already for long answers, as statements and extracts are, or as many of yours.",
        "Repeat it as Retry-After says.",
    ),
    "receipt-unknown": Row(
        404,
        "No such receipt",
        "Nothing of your merchant was recorded under this id.",
        "Ask with the event's id or the Idempotency-Key.",
    ),
    "signing-off": Row(
        409,
        "No signatures are taken in",
        "The operator has no receipt key here, or no contracts: merchants do not sign for themselves.",
        "Ask the operator.",
    ),
    "signature-refused": Row(
        422,
        "The signature is not taken in",
        "`why` in `data` says it: lane-unknown, signed, too-many, nothing-to-sign, waits, fields, nonce or signature.",
        "Sign what GET /v1/signatures offers, in its order, with your key's next nonce.",
    ),
    "alert-unknown": Row(404, "No such alert", "No alert has this number.", "Take an id that GET /v1/alerts gives."),
    "batch-unknown": Row(404, "No such batch", "No batch of this number is sealed yet.", "Batches count from 0."),
    "batch-unopened": Row(
        503,
        "The batch is not open here",
        "This server has no key for batches, or no mirror gives it this batch's file now.",
        "Ask again later, or another server of the alliance.",
    ),
    "cycle-unknown": Row(
        404, "No such cycle", "No cycle of this name has ended.", "Take a name that GET /v1/clearing/cycles gives."
    ),
    "unavailable": Row(
        503,
        "The ledger cannot be reached",
        "The database does not answer. A write may or may not have been recorded.",
        "Repeat the request with the same key or id: it is done once.",
    ),
    "internal": Row(
        500,
        "A fault of ours",
        "Something broke that should not. A write may or may not have been recorded.",
        "Repeat the request with the same key or id; if it stays, report the request id.",
    ),
}
"""What the door itself refuses, in the order in which it looks."""
