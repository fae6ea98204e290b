"""The report in the terminal, in the words of a merchant. Reads a `Report`, prints with rich, decides nothing. What
comes from files is shown as it is: rich's own tags in it mean nothing.
"""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from api.demo.report import Events, Merchant, Report, Tiers, money

MERCHANTS_SHOWN_MAX = 20
CODE_CHARS_MAX = 16
MARKS = {"held": "[green]✓[/green]", "broken": "[red]✗[/red]", "left-out": "–"}


def show(report: Report, console: Console) -> None:
    """Print all of it; the longest list is cut after MERCHANTS_SHOWN_MAX merchants and says so."""
    console.print(Panel.fit("[bold]Tongdui 通兑[/bold]  what happened, who owes whom, and whether it is true"))
    for line in _sentences(report):
        console.print(f"• {line}", highlight=False, markup=False)
    console.print(_merchants(report), _chain(report), _checks(report))
    show_tiers(report.tiers, console)
    for problem in report.problems:
        console.print(f"✗ {problem}", style="bold red", markup=False)


def _sentences(report: Report) -> list[str]:
    return [_who(report), *_file(report.events), _paid(report), _moved(report), _cost(report)]


def _who(report: Report) -> str:
    alliance = report.alliance
    return f"{alliance.merchants} merchants, {alliance.members:,} members; 1 AU = 0.01 {alliance.currency}."


def _file(events: Events) -> list[str]:
    """What this run did with its file; the ledger may hold more."""
    refused = f"{events.refused:,} refused" + (f", see {events.rejects}" if events.refused else "")
    refunds = f"{events.refunds:,} refunds ({events.refunds_without_origin} of unknown origin)"
    taken = f"This file: {events.taken:,} events taken, {events.purchases:,} purchases and {refunds}; {refused}."
    return [taken, _news(events)]


def _news(events: Events) -> str:
    """Whether the run added anything: a key that was answered before gets its first answer again."""
    known = events.taken - events.added
    if events.taken and not events.added:
        return "Nothing of it is new: every event was recorded before and got its first answer again."
    if not known:
        return "All of them are new."
    return f"{events.added:,} of them are new, {known:,} were recorded before and got their first answer again."


def _paid(report: Report) -> str:
    redeemed = sum(sum(flows.values()) for flows in report.flows_au.values())
    elsewhere = redeemed - sum(flows.get(code, 0) for code, flows in report.flows_au.items())
    return (
        f"The ledger: {report.payments:,} payments with points, {money(redeemed, report.alliance.currency)} in all, "
        f"{money(elsewhere)} of it at a merchant that had not issued them."
    )


def _moved(report: Report) -> str:
    moved = report.moved
    return (
        f"{len(report.batches)} batches on the chain; {_counted(moved.settlements, 'settlement')} moved "
        f"{money(moved.au, report.alliance.currency)}, {money(moved.to_operator_au)} of it to the operator for fees, "
        f"and the nets sum to {sum(report.nets.values())}."
    )


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _cost(report: Report) -> str:
    return (
        f"{report.gas.per_event:,} gas an event; {report.events_per_second:,} events a second answered by the ledger."
    )


def _merchants(report: Report) -> Table:
    title = (
        f"Merchants: points of their own; what the chain moved and what is still open, in {report.alliance.currency}"
    )
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 0, 0, 1))
    table.add_column("merchant", overflow="fold", max_width=CODE_CHARS_MAX)
    for name in ("issued", "used", "taken back", "outstanding", "moved", "open"):
        table.add_column(name, justify="right", no_wrap=True)
    biggest = sorted(report.points.items(), key=lambda item: -item[1].issued)
    for code, merchant in biggest[:MERCHANTS_SHOWN_MAX]:
        table.add_row(escape(code), *_figures(merchant))
    if len(biggest) > MERCHANTS_SHOWN_MAX:
        table.caption = f"the {MERCHANTS_SHOWN_MAX} largest of {len(biggest)}; report.html has all"
    return table


def _figures(merchant: Merchant) -> list[str]:
    points = [merchant.issued, merchant.used, merchant.taken_back, merchant.outstanding]
    return [*(f"{amount:,}" for amount in points), money(merchant.net_au), money(merchant.position_au)]


def _chain(report: Report) -> Table:
    table = Table(title="Batches", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for name in ("batch", "leaves", "kind", "state", "gas", "header hash"):
        table.add_column(name, justify="right" if name in {"batch", "leaves", "gas"} else "left")
    for batch in report.batches:
        kind = "settling" if batch.settling else "log"
        table.add_row(
            str(batch.number), f"{batch.leaves:,}", kind, batch.state, f"{batch.gas:,}", batch.header_hash[:18] + "…"
        )
    return table


def _checks(report: Report) -> Table:
    table = Table(title="Is it true?", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    table.add_column("what must hold")
    table.add_column("what was found")
    for name, result in report.invariants.items():
        table.add_row(_mark(held=result.held), name, escape(result.detail))
    audit = report.audit
    table.add_row(
        _mark(held=audit.verdict == "clean"),
        "the auditor, who saw only the chain and the published files",
        f"{audit.verdict}; {audit.events:,} events checked, {len(audit.findings)} findings",
    )
    return table


def show_tiers(tiers: Tiers, console: Console) -> None:
    """The tier part alone, and how its proof is checked again."""
    if not tiers.steps:
        return
    table = Table(title="A member's tier, proven to a partner", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for name in ("", "before whom", "what was said"):
        table.add_column(name)
    for step in tiers.steps:
        said = f"left out: {step.said}" if step.state == "left-out" else step.said
        table.add_row(MARKS[step.state], escape(step.name), escape(said))
    console.print(table)
    if tiers.again:
        console.print(f"Check it again: {tiers.again}", highlight=False, markup=False, soft_wrap=True)


def _mark(*, held: bool) -> str:
    return MARKS["held" if held else "broken"]
