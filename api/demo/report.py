"""The demonstration's report as data: one frozen tree of figures, written as report.json and shown by `console` and
`page`.

Invariants: every amount is an integer in the unit its name says (AU, points, gas) but `seconds`, which are measured;
nets and positions sum to zero or the report says so in `problems`; the file is replaced in one step, so that a reader
never sees half of it. Who may call: the demo's run and tests.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Alliance:
    """Who takes part and in which currency 1 AU is one minor unit."""

    currency: str
    merchants: int
    members: int


@dataclass(frozen=True, slots=True)
class Events:
    """What became of the file's lines, and of the payments with points that follow from its purchases.

    `taken` are in the ledger, `added` of them by this run; `refused` lines are in `rejects`, by code. What the whole
    ledger holds stands in `Report`.
    """

    source: str
    taken: int
    added: int
    refused: int
    purchases: int
    refunds: int
    refunds_without_origin: int
    redemptions: int
    nothing_to_redeem: int
    refused_by_code: Mapping[str, int]
    rejects: str


@dataclass(frozen=True, slots=True)
class Merchant:
    """One merchant: its own points, and in AU what it accepted, owes, paid in fees and settled.

    `position_au` is what it is owed now, after what the chain moved; `net_au` what the chain moved for it so far.
    """

    id: int
    name: str
    issued: int
    used: int
    used_at_home: int
    taken_back: int
    outstanding: int
    accepted_au: int
    redeemed_elsewhere_au: int
    fees_au: int
    position_au: int
    net_au: int


@dataclass(frozen=True, slots=True)
class Month:
    """One month of purchases, refunds and AU paid with points."""

    month: str
    purchases: int
    refunds: int
    redeemed_au: int


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch on the chain."""

    number: int
    leaves: int
    settling: bool
    state: str
    gas: int
    header_hash: str


@dataclass(frozen=True, slots=True)
class Moved:
    """What settling batches moved on the chain, each by its own nets: how many moved anything, how many AU went from
    payers to receivers, and how many of those to the operator.
    """

    settlements: int
    au: int
    to_operator_au: int


@dataclass(frozen=True, slots=True)
class Gas:
    """What the chain asked for: in all, by kind of transaction, and for each event of the batches."""

    total: int
    by_transaction: Mapping[str, int]
    per_event: int


@dataclass(frozen=True, slots=True)
class Audit:
    """What the auditor said. `verdict` is clean, findings, incomplete or not-run."""

    verdict: str
    findings: list[dict[str, Any]]
    checks: Mapping[str, str] = field(default_factory=dict)
    events: int = 0


@dataclass(frozen=True, slots=True)
class Invariant:
    """A sentence of the rule book, and whether it holds."""

    held: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Shown:
    """One step of the tier part: what was said, and whether that is what must be said; or why the step was left out."""

    name: str
    said: str
    state: Literal["held", "broken", "left-out"]


@dataclass(frozen=True, slots=True)
class Tiers:
    """An epoch of tiers and a proof shown around. `again` is the command that checks the proof once more."""

    steps: list[Shown]
    again: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a run has to tell: `events` about its file, all else about the whole ledger. `nets` sum what each
    settling batch moved, so that what one gave and another took back shows in `moved` alone.
    """

    alliance: Alliance
    events: Events
    points: Mapping[str, Merchant]
    payments: int
    operator_au: int
    nets: Mapping[str, int]
    moved: Moved
    flows_au: Mapping[str, Mapping[str, int]]
    months: list[Month]
    batches: list[Batch]
    gas: Gas
    invariants: Mapping[str, Invariant]
    audit: Audit
    seconds: Mapping[str, float]
    events_per_second: int
    tiers: Tiers = field(default_factory=lambda: Tiers([]))

    @property
    def problems(self) -> list[str]:
        """What is not as it must be: broken invariants, nets that do not sum to zero, an audit that is not clean."""
        found = [f"invariant {name}: {result.detail}" for name, result in self.invariants.items() if not result.held]
        if sum(self.nets.values()):
            found.append(f"nets sum to {sum(self.nets.values())} AU")
        found += [f"batch {batch.number} is {batch.state}" for batch in self.batches if batch.state != "FINALISED"]
        if self.audit.verdict != "clean":
            found.append(f"audit: {self.audit.verdict}, {len(self.audit.findings)} findings")
        return found + broken(self.tiers)


def broken(tiers: Tiers) -> list[str]:
    """What of the tier part is not as it must be."""
    return [f"tiers, {step.name}: {step.said}" for step in tiers.steps if step.state == "broken"]


def write(report: Report, path: Path) -> None:
    """Replace `path` by the report as JSON."""
    unfinished = path.with_suffix(".unfinished")
    text = json.dumps(asdict(report) | {"problems": report.problems}, ensure_ascii=False, indent=1)
    unfinished.write_text(text + "\n", encoding="utf-8")
    unfinished.replace(path)


def money(au: int, currency: str = "") -> str:
    """AU as an amount of the settlement currency: 123456 is 1,234.56."""
    sign = "−" if au < 0 else ""
    return f"{sign}{abs(au) // 100:,}.{abs(au) % 100:02d} {currency}".rstrip()
