"""Well-formed events of every kind, and every field of them wrong: which rules of §2.4 break, and what the queue of
forced events answers.

Written down by hand from the table of kinds. `broken` names rules as findings do; `fault` is the contract's answer in a
batch at a time. Where no rule breaks the contract may still refuse: a kind whose validity hangs on what it cannot see,
or a clock ahead of its own.
"""

from __future__ import annotations

from typing import Any, NamedTuple

ZERO, REF, MEMBER = "0x" + "00" * 32, "0x" + "01" * 32, "0x" + "02" * 32
NOW = 1_800_000_000
BATCH_NO = 5
OPERATOR = 900_000_001
FORCEABLE = (1, 8, 9, 12)
Fields = dict[str, int | str]

FIELDS: Fields = {
    "kind": 1,
    "merchantId": 2,
    "keyId": 1,
    "nonce": 1,
    "occurredAt": NOW,
    "issuerId": 2,
    "memberRef": MEMBER,
    "points": 5,
    "termsId": 2,
    "settleAmount": 0,
    "refEventId": ZERO,
    "campaignId": 0,
    "level": 0,
    "basis": 0,
    "detailHash": ZERO,
}
NOTHING: Fields = {"issuerId": 0, "points": 0, "termsId": 0}
OF_KIND: dict[int, Fields] = {
    1: {},
    2: {"merchantId": 3, "settleAmount": 50_000},
    3: {"refEventId": REF},
    4: {"merchantId": 3, "settleAmount": 50_000, "refEventId": REF},
    5: {},
    6: {"merchantId": 3, "settleAmount": 50_000},
    7: {"refEventId": REF},
    8: {"refEventId": REF, "campaignId": 7, "level": 1, "basis": 60_000_000},
    9: {**NOTHING, "memberRef": ZERO},
    10: {},
    11: {},
    12: {**NOTHING, "refEventId": REF, "campaignId": 7, "level": 2, "basis": 60_000_000},
    13: {**NOTHING, "issuerId": OPERATOR, "memberRef": ZERO, "settleAmount": 9},
    14: {},
    15: {"refEventId": REF},
}
TERMS: dict[str, int] = {
    "issuerId": 2,
    "acceptorId": 0,
    "num": 10_000,
    "den": 1,
    "mode": 0,
    "fromBatch": 1,
    "toBatch": 0,
}


class Case(NamedTuple):
    """A change of a well-formed event or its terms, and what follows."""

    about: str
    kind: int
    changes: Fields
    broken: tuple[str, ...]
    fault: str
    terms: dict[str, int] | None = TERMS


def _of_every_kind() -> list[Case]:
    return [Case("as it should be", kind, {}, (), "None" if kind in FORCEABLE else "Kind") for kind in OF_KIND]


def _lanes() -> list[Case]:
    return [
        Case(f"{field} of zero", kind, {field: 0}, ("lane-zero",), "Shape")
        for kind in (9, 12)
        for field in ("merchantId", "keyId", "nonce")
    ]


def _limits() -> list[Case]:
    """Largest values that a field may have."""
    most: Fields = {"keyId": 2**32 - 1, "nonce": 2**64 - 1, "points": 2**64 - 1, "detailHash": "0x" + "ff" * 32}
    campaign: Fields = {"campaignId": 2**32 - 1, "basis": 2**128 - 1}
    return [
        Case("every field at its largest", 1, most, (), "None"),
        Case("every field at its largest", 8, most | campaign, (), "None"),
        Case("the last merchant", 9, {"merchantId": 2**32 - 1}, (), "None"),
        Case("no basis", 12, {"basis": 0}, (), "None"),
    ]


def _shapes() -> list[Case]:
    void: Fields = {"kind": 9}
    return [
        Case("kind 0", 1, {"kind": 0}, ("kind-unknown",), "Kind"),
        Case("kind 16", 1, {"kind": 16}, ("kind-unknown",), "Kind"),
        Case("kind 255", 1, {"kind": 255}, ("kind-unknown",), "Kind"),
        Case("no points", 1, {"points": 0}, ("points-for-kind",), "Shape"),
        Case("no points", 8, {"points": 0}, ("points-for-kind",), "Shape"),
        Case("a point", 9, {"points": 1}, ("points-for-kind",), "Shape"),
        Case("a point", 12, {"points": 1}, ("points-for-kind",), "Shape"),
        Case("no member", 1, {"memberRef": ZERO}, ("member-for-kind",), "Shape"),
        Case("no member", 8, {"memberRef": ZERO}, ("member-for-kind",), "Shape"),
        Case("no payee", 12, {"memberRef": ZERO}, ("member-for-kind",), "Shape"),
        Case("a member", 9, {"memberRef": MEMBER}, ("member-for-kind",), "Shape"),
        Case("a reference", 1, {"refEventId": REF}, ("reference-for-kind",), "Shape"),
        Case("a reference", 9, {"refEventId": REF}, ("reference-for-kind",), "Shape"),
        Case("no reference", 8, {"refEventId": ZERO}, ("reference-for-kind",), "Shape"),
        Case("no reference", 12, {"refEventId": ZERO}, ("reference-for-kind",), "Shape"),
        *(
            Case(f"a {field}", kind, {field: 1}, ("campaign-for-kind",), "Shape")
            for kind in (1, 9)
            for field in ("campaignId", "level", "basis")
        ),
        *(
            Case(f"{field} of {value}", kind, {field: value}, ("level-for-campaign",), "Shape")
            for kind in (8, 12)
            for field, value in (("campaignId", 0), ("level", 0), ("level", 3), ("level", 255))
        ),
        Case("what an earning has, called a void", 1, void, _MISCALLED, "Shape"),
    ]


_MISCALLED = ("points-for-kind", "member-for-kind", "issuer-not-allowed", "terms-not-allowed")


def _parties() -> list[Case]:
    reserved: Fields = {"merchantId": OPERATOR, "issuerId": OPERATOR}
    of_operator = {**TERMS, "issuerId": OPERATOR}
    return [
        Case("another issuer's", 1, {"issuerId": 3}, ("issuer-must-sign", "terms-of-others"), "Shape"),
        Case("another issuer's", 8, {"issuerId": 3}, ("issuer-must-sign", "terms-of-others"), "Shape"),
        Case("nobody's", 1, {"issuerId": 0}, ("issuer-must-sign", "issuer-unknown", "terms-of-others"), "Shape"),
        Case("a reserved party's", 1, reserved, ("issuer-unknown",), "Shape", of_operator),
        Case("an issuer", 9, {"issuerId": 2}, ("issuer-not-allowed",), "Shape"),
        Case("an issuer", 12, {"issuerId": 2}, ("issuer-not-allowed",), "Shape"),
        Case("cash", 9, {"settleAmount": 1}, ("cash-not-allowed",), "Shape"),
        Case("cash", 12, {"settleAmount": 1}, ("cash-not-allowed",), "Shape"),
        Case("terms", 9, {"termsId": 2}, ("terms-not-allowed",), "Shape"),
        Case("terms", 12, {"termsId": 2}, ("terms-not-allowed",), "Shape"),
        Case("cash that nobody owes", 1, {"settleAmount": 1}, ("cash-not-allowed",), "Rate"),
        Case("cash that nobody owes", 8, {"settleAmount": 50_000}, ("cash-not-allowed",), "Rate"),
    ]


def _terms() -> list[Case]:
    def with_terms(about: str, changes: dict[str, int], broken: tuple[str, ...], fault: str, kind: int = 1) -> Case:
        return Case(about, kind, {}, broken, fault, {**TERMS, **changes})

    return [
        Case("no such terms", 1, {}, ("terms-unknown",), "Terms", None),
        Case("no such terms", 8, {}, ("terms-unknown",), "Terms", None),
        with_terms("another issuer's terms", {"issuerId": 3}, ("terms-of-others",), "Terms"),
        with_terms("terms for another acceptor", {"acceptorId": 3}, ("terms-of-others",), "Terms"),
        with_terms("terms for this acceptor", {"acceptorId": 2}, (), "None"),
        with_terms("terms from the next batch on", {"fromBatch": BATCH_NO + 1}, ("terms-not-in-force",), "Terms"),
        with_terms("terms from this batch on", {"fromBatch": BATCH_NO}, (), "None"),
        with_terms("terms that end with this batch", {"toBatch": BATCH_NO + 1}, (), "None"),
        with_terms("terms that ended with the last", {"toBatch": BATCH_NO}, ("terms-not-in-force",), "Terms"),
        with_terms("terms of one batch", {"fromBatch": BATCH_NO, "toBatch": BATCH_NO + 1}, (), "None", 8),
        with_terms("terms of no batch", {"fromBatch": BATCH_NO, "toBatch": BATCH_NO}, ("terms-not-in-force",), "Terms"),
        with_terms("paid on issuance, not paid", {"mode": 1}, (), "Rate"),
        Case("paid on issuance, paid in full", 1, {"settleAmount": 50_000}, (), "Rate", {**TERMS, "mode": 1}),
        Case("paid on issuance, overpaid", 1, {"settleAmount": 60_000}, ("rate",), "Rate", {**TERMS, "mode": 1}),
        Case("paid on issuance, in full", 8, {"settleAmount": 50_000}, (), "Rate", {**TERMS, "mode": 1}),
    ]


def _clocks() -> list[Case]:
    """The contract's clock; a batch's own is looked at where it is sealed and audited."""
    return [
        Case("a second ahead", 1, {"occurredAt": NOW + 1}, (), "Clock"),
        Case("at the end of time", 9, {"occurredAt": 2**64 - 1}, (), "Clock"),
        Case("at the beginning of time", 12, {"occurredAt": 0}, (), "None"),
    ]


def _told(case: Case) -> dict[str, Any]:
    event = {**FIELDS, **OF_KIND[case.kind], "kind": case.kind, **case.changes}
    assert not case.broken or case.fault != "None", case
    return {
        "about": case.about,
        "event": {name: str(value) for name, value in event.items()},
        "terms": None if case.terms is None else {name: str(value) for name, value in case.terms.items()},
        "broken": sorted(case.broken),
        "fault": case.fault,
    }


def vectors() -> dict[str, Any]:
    """The file's content."""
    cases = [*_of_every_kind(), *_lanes(), *_limits(), *_shapes(), *_parties(), *_terms(), *_clocks()]
    return {
        "about": "Events with their terms (null: unknown): the broken rules of §2.4 and the answer to who would force "
        "it, in batch `batchNo` at `now`.",
        "batchNo": str(BATCH_NO),
        "now": str(NOW),
        "cases": [_told(case) for case in cases],
    }
