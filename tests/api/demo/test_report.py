"""The report says what it was given, escapes what came from files, fits the page rules, and names what is wrong."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from api.demo import console, page, report
from api.demo.charts import columns, heat_map, signed_bars
from api.demo.report import (
    Alliance,
    Audit,
    Batch,
    Events,
    Gas,
    Invariant,
    Merchant,
    Month,
    Moved,
    Report,
    Shown,
    Tiers,
    money,
)


def merchant(number: int, name: str, net_au: int) -> Merchant:
    """A merchant with figures that can be told apart."""
    return Merchant(
        id=number,
        name=name,
        issued=1_000 * number,
        used=300,
        used_at_home=100,
        taken_back=50,
        outstanding=1_000 * number - 350,
        accepted_au=400,
        redeemed_elsewhere_au=200,
        fees_au=8,
        position_au=0,
        net_au=net_au,
    )


@pytest.fixture
def sound() -> Report:
    """Two merchants, one batch, everything in order."""
    return Report(
        alliance=Alliance("CNY", 2, 5),
        events=Events("year.csv", 27_064, 64, 1, 26_358, 706, 26, 1_300, 2, {"date": 1}, "var/rejects.jsonl"),
        points={"a": merchant(1, "惠客 <b>Huike</b>", -152), "b": merchant(2, "2,000", 147)},
        payments=2_600,
        operator_au=5,
        nets={"a": -152, "b": 147, "operator": 5},
        moved=Moved(settlements=2, au=5_152, to_operator_au=5),
        flows_au={"a": {"a": 100, "b": 200}, "b": {"b": 50}},
        months=[Month("2025-01", 1_200, 9, 150), Month("2025-02", 800, 7, 200)],
        batches=[Batch(1, 4_096, settling=True, state="FINALISED", gas=410_000, header_hash="0x" + "ab" * 32)],
        gas=Gas(410_000, {"commit": 300_000, "finalise": 110_000}, 100),
        invariants={"positions sum to zero": Invariant(held=True, detail="3 parties")},
        audit=Audit("clean", [], {"8. the root": "held"}, 4_096),
        seconds={"replay": 2.5, "audit": 1.25},
        events_per_second=10_800,
    )


def printed(given: Report) -> str:
    """What the terminal shows."""
    stream = io.StringIO()
    console.show(given, Console(file=stream, width=200))
    return stream.getvalue()


def test_the_file_has_the_promised_names(sound: Report, tmp_path: Path) -> None:
    report.write(sound, tmp_path / "report.json")
    written = json.loads((tmp_path / "report.json").read_text())
    assert (written["events"]["taken"], written["events"]["refused"]) == (27_064, 1)
    assert written["points"]["b"]["issued"] == 2_000
    assert sum(written["nets"].values()) == 0
    assert written["invariants"] == {"positions sum to zero": {"held": True, "detail": "3 parties"}}
    assert written["gas"]["total"] == 410_000
    assert (written["audit"]["verdict"], written["audit"]["findings"]) == ("clean", [])
    assert written["seconds"] == {"replay": 2.5, "audit": 1.25}
    assert written["problems"] == []
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_what_is_wrong_is_named_everywhere(sound: Report) -> None:
    broken = replace(
        sound,
        nets={"a": 1},
        invariants={"lots": Invariant(held=False, detail="7 against 8")},
        audit=Audit("findings", [{"code": "BadNet"}]),
    )
    assert broken.problems == ["invariant lots: 7 against 8", "nets sum to 1 AU", "audit: findings, 1 findings"]
    for shown in (page.render(broken), printed(broken)):
        assert all(problem in shown for problem in broken.problems)
    assert "Not all is well" in page.render(broken)


def test_the_terminal_tells_the_figures(sound: Report) -> None:
    shown = printed(sound)
    for words in (
        "This file: 27,064 events taken, 26,358 purchases and 706 refunds (26 of unknown origin)",
        "1 refused, see var/rejects.jsonl",
        "64 of them are new, 27,000 were recorded before and got their first answer again",
        "The ledger: 2,600 payments with points, 3.50 CNY in all",
        "1 batches on the chain; 2 settlements moved 51.52 CNY, 0.05 of it to the operator for fees",
        "2,000",
        "−1.52",
        "sum to 0",
        "clean",
    ):
        assert words in shown


def test_the_tier_part_says_what_everybody_said_and_what_was_left_out(sound: Report) -> None:
    steps = [
        Shown("epoch", "1,200 [bold] members", "held"),
        Shown("browser", "no <b>Chromium</b> is here", "left-out"),
        Shown("the API again", "accepted", "broken"),
    ]
    told = replace(sound, tiers=Tiers(steps, "python -m proofs.tier verify r.json"))
    assert told.problems == ["tiers, the API again: accepted"]
    shown, written = printed(told), page.render(told)
    for text in (shown, written):
        assert "1,200 [bold] members" in text
        assert "Check it again: " in text
        assert "left out" in text
    assert [line.split()[0] for line in shown.splitlines() if "members" in line or "Chromium" in line][-2:] == [
        "✓",
        "–",
    ]
    assert "&lt;b&gt;Chromium" in written
    assert "proven to a partner" not in printed(sound) + page.render(sound)


@pytest.mark.parametrize(
    ("added", "words"),
    [
        (27_064, "All of them are new."),
        (0, "Nothing of it is new: every event was recorded before and got its first answer again."),
    ],
)
def test_the_terminal_says_what_a_run_added(sound: Report, added: int, words: str) -> None:
    assert words in printed(replace(sound, events=replace(sound.events, added=added)))


def test_the_terminal_takes_no_tags_from_files(sound: Report) -> None:
    """Ids of a file may hold brackets: the report must neither fail on them nor swallow them."""
    tagged = replace(
        sound,
        points={"[/red]": merchant(1, "x", -152), "[bold]b": merchant(2, "y", 147)},
        events=replace(sound.events, rejects="var[/x]/rejects.jsonl"),
        invariants={"lots": Invariant(held=False, detail="[/7] against 8")},
    )
    shown = printed(tagged)
    for words in ("[/red]", "[bold]b", "var[/x]/rejects.jsonl", "invariant lots: [/7] against 8"):
        assert words in shown


def test_the_page_stands_alone_and_escapes_names(sound: Report) -> None:
    html = page.render(sound)
    assert "惠客 &lt;b&gt;Huike&lt;/b&gt;" in html
    assert "<b>Huike" not in html
    assert not re.search(r"<script|<link|<img|src=|url\(|https?:", html)
    assert "All of it holds" in html
    assert html.count("<svg") == html.count("</svg>") == 5


def test_charts_are_well_formed_and_hold_their_figures() -> None:
    charts = [
        signed_bars("a & b", {"<x>": -5, "y": 10, "zero": 0}, str),
        columns("c", {"2025-01": 3, "2025-02": 0}, str),
        heat_map("h", ["p", "q&"], lambda row, column: 9 if row != column else 0, str),
        signed_bars("nothing", {}, str),
    ]
    for chart in charts:
        ET.fromstring(chart)  # noqa: S314 - made a line above
    assert "&lt;x&gt;" in charts[0]
    assert "p → q&amp;: 9" in charts[2]


@pytest.mark.parametrize(
    ("name", "shown"),
    [("x" * 27, "x" * 27), ("x" * 28, "x" * 27 + "…"), ("惠客超市" * 4, ("惠客超市" * 4)[:13] + "…")],
)
def test_labels_are_cut_to_their_column(name: str, shown: str) -> None:
    assert f">{shown}</text>" in signed_bars("t", {name: 1}, str)


@pytest.mark.parametrize(("au", "shown"), [(0, "0.00"), (5, "0.05"), (-152, "−1.52"), (123_456_789, "1,234,567.89")])
def test_money_is_written_with_two_places(au: int, shown: str) -> None:
    assert money(au) == shown


def test_figures_are_whole_on_a_narrow_terminal(sound: Report) -> None:
    """Eighty columns hold long codes and large figures; what gives way is the code, by folding, never a figure."""
    long = replace(merchant(1, "x", -123_456_789), issued=123_456_789, used=98_765_432, taken_back=1_234_567)
    stream = io.StringIO()
    console.show(replace(sound, points={"a-code-of-sixteen": long}), Console(file=stream, width=80))
    table = stream.getvalue().split("Merchants")[1].split("Batches")[0]
    assert "…" not in table
    assert all(figure in table for figure in ("123,456,789", "98,765,432", "1,234,567", "−1,234,567.89", "outstanding"))


def test_charts_leave_out_months_with_nothing_but_refunds(sound: Report) -> None:
    told = replace(sound, months=[*sound.months, Month("2025-03", 0, 2, 0)])
    assert "2025-02" in page.render(told)
    assert "2025-03" not in page.render(told)
