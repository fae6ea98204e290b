"""Where end-to-end tests take their purchases from.

The oracle reads them with the csv module, not with our reader.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path

from api.demo.generate import generate
from api.demo.merchants import SMALL_ALLIANCE, Plan, under_replay_conditions
from tests.conftest import ROOT
from tests.oracle.alliance import Alliance, Conditions, Event

SAMPLE = ROOT.parent / "shared" / "data" / "birmingham-sample"
SAMPLE_NAME = SAMPLE.name if SAMPLE.is_dir() else f"generated alliance ({SAMPLE.parent.name}/{SAMPLE.name} is absent)"


@dataclass(frozen=True)
class Source:
    """Files and the promises of the merchants in them."""

    events: Path
    links: Path
    plans: tuple[Plan, ...]

    def oracle(self) -> Alliance:
        """The alliance as the oracle sees it after all events."""
        return Alliance({plan.code: _conditions(plan) for plan in self.plans}).play(_events(self.events, self.links))


def sample_or_generated(folder: Path) -> Source:
    """The public sample where it is at hand, else a generated year; SAMPLE_NAME says which."""
    if not SAMPLE.is_dir():
        return generated(folder, events=20_000)
    files = SAMPLE / "events.csv.gz", SAMPLE / "refund_links.csv.gz"
    codes = dict.fromkeys(row["merchant"] for row in _rows(files[0]))
    return Source(*files, tuple(map(under_replay_conditions, codes)))


def generated(folder: Path, *, events: int, members: int = 400) -> Source:
    """A year of the small alliance with its awkward rates."""
    written = generate(folder, events=events, members=members)
    return Source(written.events, written.links, SMALL_ALLIANCE)


def _conditions(plan: Plan) -> Conditions:
    return Conditions(
        points=plan.points,
        per_minor=plan.per_minor,
        au_per_point=Fraction(plan.au_num, plan.au_den),
        validity_days=plan.validity_days,
        redemption_fee_bps=plan.redemption_fee_bps,
        issuance_fee_bps=plan.issuance_fee_bps,
    )


def _events(events: Path, links: Path) -> Iterable[Event]:
    origins = {row["refund_event_id"]: row["purchase_event_id"] or None for row in _rows(links)}
    for row in _rows(events):
        at = datetime.fromisoformat(row["occurred_at"])
        yield Event(
            row["event_id"],
            int(at.timestamp()) * 1_000,
            row["kind"],
            row["merchant"],
            row["member"],
            int(row["amount_minor"]),
            origins.get(row["event_id"]),
        )


def _rows(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))
