"""The report as one self-contained page: no script, no font, no address outside itself. Fills `page.html.j2` with a
`Report` and its charts.

Who may call: the demo's run and tests.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from api.demo.charts import columns, heat_map, signed_bars
from api.demo.report import Report, money

TEMPLATE = Path(__file__).with_name("page.html.j2")
BARS_MAX = 24
HEAT_NAMES_MAX = 14


def write(report: Report, path: Path) -> None:
    """Replace `path` by the page."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(render(report), encoding="utf-8")
    unfinished.replace(path)


def render(report: Report) -> str:
    """The page as HTML; whatever comes from a file or the ledger is escaped."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(money=money, whole=lambda amount: f"{amount:,}")
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        report=report, charts=_charts(report), redeemed_au=sum(_accepted(report).values()), bars_max=BARS_MAX
    )


def _charts(report: Report) -> dict[str, Markup]:
    """Charts by name. Everything in them was escaped or made by `charts`."""
    months = [month for month in report.months if month.purchases or month.redeemed_au]
    made = {
        "nets": signed_bars("What the chain moved, by merchant", _nets(report), money),
        "months": columns("Purchases by month", {month.month: month.purchases for month in months}, "{:,}".format),
        "redeemed": columns(
            "Paid with points by month",
            {month.month: month.redeemed_au for month in months},
            lambda au: f"{au // 100:,}",
        ),
        "flows": heat_map("Whose points were accepted where", _busiest(report), _flow_of(report), money),
        "seconds": signed_bars(
            "Milliseconds by phase",
            {name: int(seconds * 1_000) for name, seconds in report.seconds.items()},
            "{:,} ms".format,
        ),
    }
    return {name: Markup(svg) for name, svg in made.items()}  # noqa: S704 - made by charts, which escapes all text


def _nets(report: Report) -> dict[str, int]:
    """The largest nets, receivers first."""
    named = {report.points[code].name if code in report.points else code: net for code, net in report.nets.items()}
    largest = sorted(named.items(), key=lambda item: -abs(item[1]))[:BARS_MAX]
    return dict(sorted(largest, key=lambda item: -item[1]))


def _flow_of(report: Report) -> Callable[[str, str], int]:
    return lambda issuer, acceptor: report.flows_au.get(issuer, {}).get(acceptor, 0)


def _accepted(report: Report) -> Counter[str]:
    """AU accepted by merchant, from anybody's points."""
    accepted: Counter[str] = Counter()
    for flows in report.flows_au.values():
        accepted.update(flows)
    return accepted


def _busiest(report: Report) -> list[str]:
    return [code for code, _au in _accepted(report).most_common(HEAT_NAMES_MAX)]
