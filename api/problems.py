"""The one table error -> status, and how a refusal looks to a caller: application/problem+json (RFC 9457).

Every code that any answer can carry has a row here, the ledger's refusals included; the ledger itself knows no HTTP.
`docs/errors.md` is generated from this table and a test provokes every row through the API.

Invariants: a code has one status for ever; a problem says in words what is wrong and points (RFC 6901) at the field to
blame, if there is one. A refusal that the ledger remembers is the same bytes each time it is asked for, so it names no
request: the request's id travels in the X-Request-Id header, and in the body only where the answer is not remembered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

MEDIA_TYPE = "application/problem+json"
TYPE_BASE = "/errors#"


class Pointed(msgspec.Struct, frozen=True):
    """One thing to blame: a JSON pointer into the body, or `#header/...`, `#query/...`, `#path/...` outside it."""

    pointer: str
    code: str
    message: str


class ProblemOut(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A problem document. `data` has both sides of a mismatch; a remembered refusal has no `request_id`."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    request_id: str | msgspec.UnsetType = msgspec.UNSET
    errors: Sequence[Pointed] = ()
    data: Mapping[str, int | str] = {}


@dataclass(slots=True, eq=False)
class Problem(Exception):
    """A request is refused. `code` is a row of the catalogue; `headers` go out with the answer."""

    code: str
    detail: str
    errors: Sequence[Pointed] = ()
    data: Mapping[str, int | str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def status(self) -> int:
        return CATALOGUE[self.code].status


def render(problem: Problem, *, instance: str, request_id: str | None = None) -> bytes:
    """The document in declared field order, so that equal problems are equal bytes."""
    row = CATALOGUE[problem.code]
    document = ProblemOut(
        type=TYPE_BASE + problem.code,
        title=row.title,
        status=row.status,
        detail=problem.detail,
        instance=instance,
        code=problem.code,
        request_id=msgspec.UNSET if request_id is None else request_id,
        errors=problem.errors,
        data=problem.data,
    )
    return msgspec.json.encode(document)


def invalid(pointer: str, message: str, *, code: str = "field-invalid") -> Problem:
    """A field that cannot be read as what it must be."""
    return Problem(code, f"{pointer}: {message}.", (Pointed(pointer, code, message),))


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the catalogue: the status, a short title, what brings it about and what to do then."""

    status: int
    title: str
    cause: str
    remedy: str


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
        "Send order.paid, order.refunded or member.joined.",
    ),
    "occurred-in-future": Row(
        422,
        "It has not happened yet",
        "`occurred_at` is further ahead of our clock than the detail allows.",
        "Set your clock; send the time with its offset.",
    ),
    "occurred-too-long-ago": Row(
        422,
        "Too long ago for a redemption",
        "`occurred_at` is older than the detail allows; expired points could be used otherwise.",
        "Redeem with the present time under a new key.",
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
    "receipt-unknown": Row(
        404,
        "No such receipt",
        "Nothing of your merchant was recorded under this id.",
        "Ask with the event's id or the Idempotency-Key.",
    ),
    "batch-unknown": Row(404, "No such batch", "No batch of this number is sealed yet.", "Batches count from 0."),
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

LEDGER: Mapping[str, Row] = {
    "key-reused": Row(
        422,
        "The key belongs to another request",
        "This id or Idempotency-Key was used with another body; `errors` points at the first field that differs.",
        "Send the first body again, or a new key.",
    ),
    "merchant-unknown": Row(
        403, "The merchant is not open", "The key's merchant has no account in the ledger.", "Ask the alliance."
    ),
    "merchant-frozen": Row(
        409,
        "The issuer has stopped issuing",
        "Your account was frozen: your points are still redeemed, and no new ones come about.",
        "Ask the alliance.",
    ),
    "merchant-closed": Row(
        403, "The merchant is closed", "Your account was closed and takes no more points.", "Ask the alliance."
    ),
    "terms-missing": Row(
        409,
        "No terms are in force",
        "Your points had no published worth at `occurred_at`.",
        "Have terms published, then send it under a new id.",
    ),
    "member-exists": Row(409, "The member exists", "A member of this name joined before.", "Go on with this member."),
    "member-unknown": Row(404, "No such member", "Nobody of this name has joined.", "Send member.joined first."),
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
    "redemption-exists": Row(
        409,
        "The redemption exists",
        "You already have a redemption of this name, under another key.",
        "Look at the first one's receipt; a new redemption needs a new name.",
    ),
    "nothing-to-redeem": Row(
        409, "Nothing to redeem", "The member has no points that could be used.", "Take another payment."
    ),
    "balance-too-low": Row(
        409,
        "Not enough points",
        "What the member can use is worth less than asked; `data` says both.",
        "Ask for less, or set at_most.",
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
}
"""What the ledger refuses in the verbs that this API reaches; which verb in which order is in docs/ledger.md."""

CATALOGUE: Mapping[str, Row] = {**DOOR, **LEDGER}
