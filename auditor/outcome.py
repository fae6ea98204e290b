"""What an audit came to, as data: one word, every batch, every finding, and what was not seen.

Filled by `audit`, shown by `report` and `page`. A gap is told as a gap: a check is held only by what was looked at.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from auditor.chain import Chain
from auditor.exhibits import Exhibits
from auditor.figures import Figures
from auditor.findings import Findings


class Verdict(StrEnum):
    """The one word of an audit."""

    CLEAN = "clean"
    """Everything in the range was checked and held."""
    FINDINGS = "findings"
    """Something is false."""
    INCOMPLETE = "incomplete"
    """Nothing false was found, but not everything could be checked."""


@dataclass(slots=True)
class BatchOutcome:
    """What one batch came to. `checked` is False where its file could not be read, `sealed_at` its header's second."""

    batch_no: int
    header_hash: bytes
    data_hash: bytes
    leaves: int
    sealed_at: int
    checked: bool = False
    plain_bytes: int = 0
    sealed_bytes: int = 0
    good_signatures: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    gross_cash: int = 0
    net_cash: int = 0
    settling: bool = False
    seconds: float = 0.0


@dataclass(slots=True)
class Outcome:
    """What an audit came to. Points and cash are of the checked batches; `liabilities` and `debts` are points.

    `receipts` counts what was given by what became of it; `journal_entries` is None where no export was given;
    `checkpoints` are headers known from before. `looked` and `unseen` count, by check, what was held against an
    earlier leaf or the tariff, and what of it could not be; `exhibits` are the evidence of the findings.
    """

    chain: Chain
    first: int
    last: int
    batches: list[BatchOutcome] = field(default_factory=list)
    findings: Findings = field(default_factory=Findings)
    incomplete: list[str] = field(default_factory=list)
    on_trust: list[str] = field(default_factory=list)
    interrupted: bool = False
    points: int = 0
    liabilities: int = 0
    debts: int = 0
    figures: Figures = field(default_factory=Figures)
    looked: Counter[int] = field(default_factory=Counter)
    unseen: Counter[int] = field(default_factory=Counter)
    receipts: dict[str, int] = field(default_factory=dict)
    journal_entries: int | None = None
    checkpoints: int = 0
    exhibits: Exhibits = field(default_factory=Exhibits)
    seconds: float = 0.0

    @property
    def verdict(self) -> Verdict:
        """Findings weigh more than gaps, gaps more than silence."""
        if self.findings.total:
            return Verdict.FINDINGS
        return Verdict.INCOMPLETE if self.incomplete else Verdict.CLEAN
