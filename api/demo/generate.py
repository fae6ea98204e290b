"""A year of a small alliance, made up from a seed: who buys what where and when, and what is brought back.

Invariants: the same seed and size give the same bytes; amounts come from integers alone; every refund is of a
purchase made before it, by the same member at the same merchant, and all refunds of a purchase together never exceed
it. What is written has the shape of the sample purchases, so that it enters through the same reader. Who may call:
the demo's run and tests.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random

from api.demo.purchases import EVENT_COLUMNS, LINK_COLUMNS

FIRST_DAY = date(2025, 1, 1)
DAYS = 365
CURRENCY = "CNY"
MINUTE = timedelta(minutes=1)

WEEKDAY_PERCENT = (82, 80, 84, 90, 112, 138, 126)
"""Monday to Sunday."""
MONTH_PERCENT = (118, 96, 92, 94, 104, 106, 98, 100, 95, 108, 122, 130)
"""January to December: Spring Festival, the singles' day of November, the year's end."""
SATURDAY_SUNDAY = (5, 6)
RETURNED_WHOLE_PERCENT = 40
ORIGIN_LOST_PERCENT = 4
RETURN_DAYS_MAX = 21


@dataclass(frozen=True, slots=True)
class Trade:
    """How a merchant's customers behave: visits per thousand, the usual basket in minor units, opening hours, weekend
    and return habits.
    """

    code: str
    visits: int
    basket_minor: int
    opens: int
    closes: int
    weekend_percent: int
    returns_permille: int


TRADES = (
    Trade("huike", 260, 8_600, 8, 22, 120, 20),
    Trade("lanbei", 190, 2_900, 7, 21, 70, 4),
    Trade("xinghe", 60, 9_200, 10, 24, 220, 15),
    Trade("qingfeng", 45, 6_400, 10, 21, 140, 35),
    Trade("baicao", 70, 5_200, 8, 22, 90, 10),
    Trade("maixiang", 130, 2_300, 7, 20, 95, 3),
    Trade("feiyu", 35, 32_000, 10, 22, 160, 70),
    Trade("yunlai", 20, 68_000, 6, 24, 150, 40),
    Trade("tongtong", 60, 18_500, 9, 21, 130, 55),
    Trade("lvdi", 75, 26_000, 6, 23, 105, 2),
    Trade("jinjian", 30, 12_800, 10, 21, 170, 8),
    Trade("shuma", 25, 145_000, 10, 22, 150, 85),
)
BASKET_PERCENT = (18, 30, 42, 55, 68, 80, 90, 100, 112, 130, 155, 190, 260, 420)
"""How a basket differs from the usual one: many small, a few large."""


@dataclass(frozen=True, slots=True)
class Written:
    """The two files of a generated year."""

    events: Path
    links: Path


@dataclass(frozen=True, slots=True)
class _Line:
    """An event before it has its number; `origin` is the line that a refund undoes."""

    at: datetime
    merchant: str
    member: str
    amount: int
    origin: _Line | None = None
    match: str = ""


def generate(folder: Path, *, seed: int = 2025, events: int = 20_000, members: int = 400) -> Written:
    """Write events.csv.gz and refund_links.csv.gz into `folder`: about `events` lines by up to `members` members over
    one year.
    """
    rng = Random(seed)  # noqa: S311 - a repeatable year, no secret
    purchases = _purchases(rng, events, _favourites(rng, members))
    lines = purchases + [line for purchase in purchases for line in _returned(rng, purchase)]
    lines.sort(key=lambda line: line.at)
    names = {id(line): f"gen-{number:06d}" for number, line in enumerate(lines, 1)}
    folder.mkdir(parents=True, exist_ok=True)
    written = Written(folder / "events.csv.gz", folder / "refund_links.csv.gz")
    _write(written.events, EVENT_COLUMNS, [_event_row(line, names[id(line)]) for line in lines])
    _write(written.links, LINK_COLUMNS, [_link_row(line, names) for line in lines if line.match])
    return written


def _favourites(rng: Random, members: int) -> list[tuple[str, list[Trade]]]:
    """Each member goes to two to five merchants, and one in three often enough to be listed twice."""
    people = []
    for number in range(1, members + 1):
        liked = rng.choices(TRADES, [trade.visits for trade in TRADES], k=rng.randrange(2, 6))
        people += [(f"m{number:04d}", liked)] * (2 if number % 3 == 0 else 1)
    return people


def _purchases(rng: Random, events: int, people: list[tuple[str, list[Trade]]]) -> list[_Line]:
    lines = []
    for day in (FIRST_DAY + timedelta(days=n) for n in range(DAYS)):
        busy = WEEKDAY_PERCENT[day.weekday()] * MONTH_PERCENT[day.month - 1]
        for _ in range(rng.randrange(9, 12) * events * busy // (10 * DAYS * 10_000)):
            member, liked = rng.choice(people)
            trade = _chosen(rng, liked, weekend=day.weekday() in SATURDAY_SUNDAY)
            lines.append(_Line(_moment(rng, day, trade), trade.code, member, _basket(rng, trade)))
    return lines


def _chosen(rng: Random, liked: list[Trade], *, weekend: bool) -> Trade:
    weights = [trade.weekend_percent if weekend else 100 for trade in liked]
    return rng.choices(liked, weights)[0]


def _moment(rng: Random, day: date, trade: Trade) -> datetime:
    """A minute in the opening hours, the middle of the day being the busiest: the mean of two throws."""
    span = (trade.closes - trade.opens) * 60
    minute = trade.opens * 60 + (rng.randrange(span) + rng.randrange(span)) // 2
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + minute * MINUTE


def _basket(rng: Random, trade: Trade) -> int:
    return trade.basket_minor * rng.choice(BASKET_PERCENT) // 100 + rng.randrange(100)


def _returned(rng: Random, purchase: _Line) -> list[_Line]:
    """No refund, one, or two partial ones of `purchase`; now and then nobody remembers what was bought."""
    trade = next(trade for trade in TRADES if trade.code == purchase.merchant)
    if rng.randrange(1_000) >= trade.returns_permille:
        return []
    whole = rng.randrange(100) < RETURNED_WHOLE_PERCENT
    amounts = [purchase.amount] if whole else _parts(rng, purchase.amount)
    match = "exact" if whole else "partial"
    at = purchase.at
    refunds = []
    for amount in amounts:
        at += timedelta(days=rng.randrange(RETURN_DAYS_MAX // 2), minutes=rng.randrange(1, 600))
        kept = "none" if rng.randrange(100) < ORIGIN_LOST_PERCENT else match
        refunds.append(_Line(at, purchase.merchant, purchase.member, amount, purchase, kept))
    return refunds


def _parts(rng: Random, amount: int) -> list[int]:
    first = amount * rng.randrange(20, 60) // 100
    return [part for part in (first, (amount - first) // 2 if rng.randrange(3) == 0 else 0) if part]


def _event_row(line: _Line, name: str) -> tuple[str | int, ...]:
    kind = "refund" if line.match else "purchase"
    at = line.at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return name, at, kind, line.merchant, line.member, line.amount, CURRENCY, f"made-up:{name}"


def _link_row(line: _Line, names: dict[int, str]) -> tuple[str, str, str]:
    return names[id(line)], "" if line.match == "none" else names[id(line.origin)], line.match


def _write(path: Path, columns: tuple[str, ...], rows: Sequence[tuple[str | int, ...]]) -> None:
    """Compressed without a timestamp or a name, so that equal contents are equal files; replaced in one step."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([columns, *rows])
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))
    unfinished.replace(path)
