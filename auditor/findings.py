"""The checks an audit makes and the findings they can give: one catalogue, one shape, one bounded list.

A finding's code is what went wrong, its check is the numbered promise of the protocol (§6) that it breaks, and its
fraud code is the on-chain proof (§4.4) that shows the same contradiction, where there is one. The codes of
`proofs.kinds.broken_rules` are findings under their own names. Everybody in this room may add findings; nobody
removes one. Source: protocol §4.4, §6.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

FINDINGS_KEPT_MAX = 1_000
"""Findings kept with all their words; beyond it they are still counted, by code."""

CHECKS: Mapping[int, str] = {
    1: "The contracts, their code and who may do what are what the anchor names",
    2: "Every batch is on the chain, in order, under the hash of its own header",
    3: "Each header names the one before it, back to a genesis bound to this chain and hub",
    4: "Leaf numbers and times run on without a gap; nothing was sealed late",
    5: "Attesters belonged to the set, their weight gave the right window, and the configuration was in force",
    6: "The file is the one the header names, whole and readable",
    7: "The file has exactly the leaves the header says, numbered in order",
    8: "Events, postings and leaves hash to the root on the chain",
    9: "Every event is signed by the key that may sign it",
    10: "Every lane counts 1, 2, 3 without a gap, and its pointers are right",
    11: "Every event obeys the rules of its kind",
    12: "Terms exist, are in force, and the cash follows from them",
    13: "The postings are exactly those that follow from the event",
    14: "Every account runs on: number, balance and pointer follow from the posting before",
    15: "Account rows open where they were left and close where the leaves end",
    16: "The total of points runs on from leaf to leaf and from header to header",
    17: "What issuers owe adds up to the total",
    18: "Nets are the difference of the cash accounts and sum to zero",
    19: "What the contracts settled, cut and hold follows from what was committed, to the unit",
    20: "Refunds name an earlier leaf of the same merchant and never exceed it",
    21: "No points expire before they are old enough",
    22: "Exchanges and transfers give what they took, at the published rate",
    23: "Fees do not exceed what accrued by the published tariff",
    24: "A purchase rewards each level once, by the rule of its campaign",
    25: "Members go below zero only by a claw-back, and each account has one member and one issuer",
    26: "The liabilities of an epoch are the members' last postings, and add up",
    27: "What a merchant holds a receipt for was merged in time",
    28: "Events that merchants forced were taken in within their deadline",
    29: "The private journal ends at the head in the header, and balances entry by entry",
    30: "The history root commits to all headers before, and nothing seen earlier has changed",
    31: "Figures worth a look, told as information",
}
"""The checks this program makes, each as the promise it holds the operator to."""


class Severity(StrEnum):
    """How bad it is if a finding is true."""

    CRITICAL = "critical"
    """A figure, a right or the history is false: do not let this batch become final."""
    MAJOR = "major"
    """A duty was broken, but no figure is false because of it."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What a code means: the check it belongs to and the fraud proof that would show it on chain (None where there is
    none).
    """

    check: int
    fraud_code: int | None = None
    severity: Severity = Severity.CRITICAL


RULES: Mapping[str, Rule] = {
    "code-differs": Rule(1),
    "contract-differs": Rule(1),
    "roles-differ": Rule(1),
    "batch-missing": Rule(2),
    "batch-twice": Rule(2),
    "header-hash": Rule(2),
    "header-not-stored": Rule(2),
    "genesis": Rule(3),
    "prev-header": Rule(3),
    "carried-from": Rule(3),
    "first-leaf": Rule(4),
    "leaf-count": Rule(4),
    "times": Rule(4),
    "sealed-late": Rule(4, severity=Severity.MAJOR),
    "attester-unknown": Rule(5),
    "attesters-order": Rule(5),
    "attestation-signature": Rule(5),
    "attester-weight": Rule(5),
    "window": Rule(5),
    "config-unknown": Rule(5),
    "blob-substituted": Rule(6),
    "manifest-malformed": Rule(6),
    "undecipherable": Rule(6),
    "file-length": Rule(6),
    "file-malformed": Rule(6),
    "file-header": Rule(6),
    "tariff-malformed": Rule(6),
    "record-count": Rule(7),
    "leaf-number": Rule(7, 2),
    "leaves-root": Rule(8),
    "signature-malformed": Rule(9, 1),
    "signature-of-another": Rule(9, 1),
    "key-not-valid": Rule(9, 1),
    "lane-step": Rule(10, 5),
    "lane-open": Rule(10, 6),
    "kind-unknown": Rule(11, 3),
    "lane-zero": Rule(11, 3),
    "points-for-kind": Rule(11, 3),
    "member-for-kind": Rule(11, 3),
    "reference-for-kind": Rule(11, 3),
    "campaign-for-kind": Rule(11, 3),
    "level-for-campaign": Rule(11, 3),
    "issuer-must-sign": Rule(11, 3),
    "issuer-not-allowed": Rule(11, 3),
    "issuer-unknown": Rule(11, 3),
    "fee-parties": Rule(11, 3),
    "cash-not-allowed": Rule(11, 3),
    "event-in-future": Rule(11, 3),
    "terms-unknown": Rule(12, 3),
    "terms-of-others": Rule(12, 3),
    "terms-not-in-force": Rule(12, 3),
    "terms-not-allowed": Rule(12, 3),
    "rate": Rule(12, 3),
    "reserve": Rule(12, 3),
    "carried-terms": Rule(12),
    "posting-missing": Rule(13, 3),
    "posting-surplus": Rule(13, 3),
    "posting-account": Rule(13, 3),
    "posting-delta": Rule(13, 3),
    "posting-step": Rule(14, 5),
    "member-open": Rule(14, 5),
    "account-without-row": Rule(15, 6),
    "row-open": Rule(15, 6),
    "row-close": Rule(15, 7),
    "row-carry": Rule(15, 8),
    "row-missing": Rule(15, 8),
    "row-new": Rule(15, 8),
    "row-order": Rule(15, 12),
    "row-account": Rule(15, 3),
    "row-count": Rule(15),
    "accounts-root": Rule(15),
    "total-step": Rule(16, 10),
    "total-open": Rule(16, 10),
    "total-close": Rule(16, 10),
    "points-sum": Rule(17),
    "issuer-below-debts": Rule(17),
    "net-wrong": Rule(18, 9),
    "nets-form": Rule(18),
    "nets-hash": Rule(18),
    "nets-differ": Rule(18),
    "nets-since": Rule(18),
    "cash-sum": Rule(18),
    "settled-differs": Rule(19),
    "balance-differs": Rule(19),
    "loss-differs": Rule(19),
    "claims-differ": Rule(19),
    "insolvent": Rule(19),
    "refund-reference": Rule(20),
    "refund-of-another": Rule(20),
    "refund-too-much": Rule(20),
    "expiry-reference": Rule(21, severity=Severity.MAJOR),
    "expiry-early": Rule(21, severity=Severity.MAJOR),
    "pair-reference": Rule(22),
    "pair-of-another": Rule(22),
    "pair-twice": Rule(22),
    "pair-differs": Rule(22),
    "pair-open": Rule(22, severity=Severity.MAJOR),
    "exchange-rate": Rule(22, 13),
    "fee-too-high": Rule(23),
    "referral-reference": Rule(24),
    "referral-twice": Rule(24),
    "referral-rule": Rule(24, 11),
    "campaign-unknown": Rule(24, 11),
    "member-below-zero": Rule(25, 3),
    "member-of-another": Rule(25),
    "points-of-another": Rule(25),
    "forced-late": Rule(28, severity=Severity.MAJOR),
    "forced-overdue": Rule(28, severity=Severity.MAJOR),
    "receipt-broken": Rule(27, severity=Severity.MAJOR),
    "receipt-of-another": Rule(27, severity=Severity.MAJOR),
    "journal-malformed": Rule(29),
    "journal-order": Rule(29),
    "journal-step": Rule(29),
    "journal-unbalanced": Rule(29),
    "journal-head": Rule(29),
    "journal-public": Rule(29),
    "history-root": Rule(30),
    "checkpoint-differs": Rule(30),
}
"""Every code a finding may carry."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One contradiction between what was published and what must be. Figures are text: they may be words, integers or
    addresses.
    """

    code: str
    batch_no: int
    place: str
    expected: str
    actual: str
    leaf_no: int | None = None
    account: str | None = None
    also: tuple[int, ...] = ()
    """Other leaves that show the same contradiction: what was pointed to, what should have been, what was named."""
    attached: Mapping[str, object] = field(default_factory=dict)
    """What is evidence by itself and stands in no file: a merchant's receipt."""

    @property
    def rule(self) -> Rule:
        """What the code means."""
        return RULES[self.code]

    def as_json(self) -> dict[str, object]:
        """The finding as it stands in a report."""
        told: dict[str, object] = {
            "code": self.code,
            "check": self.rule.check,
            "severity": self.rule.severity.value,
            "batchNo": self.batch_no,
            "leafNo": self.leaf_no,
            "account": self.account,
            "expected": self.expected,
            "actual": self.actual,
            "place": self.place,
            "fraudCode": self.rule.fraud_code,
        }
        return {name: value for name, value in told.items() if value is not None}


@dataclass(slots=True)
class Findings:
    """A bounded list of findings with a full count; shards send theirs home and `extend` puts them together."""

    kept: list[Finding] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    breaches: Counter[int] = field(default_factory=Counter)
    """By batch, duties that were broken without making a figure false."""

    def add(
        self,
        code: str,
        batch_no: int,
        place: str,
        *,
        expected: object,
        actual: object,
        leaf_no: int | None = None,
        account: bytes | None = None,
        also: Iterable[int] = (),
        attached: Mapping[str, object] | None = None,
    ) -> None:
        """Record one finding; bytes are shown as 0x-hex. `code` is of RULES, `also` and `attached` as `Finding`'s."""
        assert code in RULES, code
        self.counts[code] += 1
        if RULES[code].severity is Severity.MAJOR:
            self.breaches[batch_no] += 1
        if len(self.kept) < FINDINGS_KEPT_MAX:
            named = None if account is None else shown(account)
            what = shown(expected), shown(actual), leaf_no, named
            self.kept.append(Finding(code, batch_no, place, *what, tuple(also), attached or {}))

    def extend(self, others: Findings) -> None:
        """Take in another list, in its order."""
        self.counts.update(others.counts)
        self.breaches.update(others.breaches)
        self.kept.extend(others.kept[: FINDINGS_KEPT_MAX - len(self.kept)])

    @property
    def total(self) -> int:
        """How many findings there are, kept or only counted."""
        return self.counts.total()

    def object_to(self, batch_no: int) -> bool:
        """Whether a batch must not be signed off: a figure is false somewhere, or a duty was broken in this very one.

        A duty that was broken in another batch is told for ever and cannot be mended; it says nothing against this one.
        """
        return self.total > self.breaches.total() or self.breaches[batch_no] > 0

    def of_check(self, check: int) -> int:
        """How many findings break one check."""
        return sum(count for code, count in self.counts.items() if RULES[code].check == check)


def shown(value: object) -> str:
    """A value as a reader can compare it: bytes as 0x-hex, everything else as Python prints it."""
    return f"0x{value.hex()}" if isinstance(value, bytes) else str(value)
