"""The outcome of an audit as one page a person can read, print and file: no script, no address, no other file.

Made from the JSON report alone, so page and report cannot tell different stories. Called by the command line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

FINDINGS_SHOWN_MAX = 200
BATCHES_SHOWN_MAX = 500

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#1b1f24;background:#fff}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem}code{font:.85em ui-monospace,monospace;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.25rem .5rem;border-bottom:1px solid #d9dde2;
vertical-align:top}td.n{text-align:right;font-variant-numeric:tabular-nums}.mark{font-weight:600;white-space:nowrap}
.held,.clean{color:#11632b}.broken,.findings{color:#a40e26}.not,.incomplete{color:#7a5200}
.verdict{border:2px solid;border-radius:.5rem;padding:.75rem 1rem;font-size:1.2rem;font-weight:600}
@media print{body{margin:0;max-width:none;font-size:11px}h2{break-after:avoid}tr{break-inside:avoid}}
"""
_VERDICTS = {
    "clean": "✓ Clean: every check that was made held.",
    "findings": "✗ Findings: something that was published is false.",
    "incomplete": "! Incomplete: nothing false was found, but not everything could be checked.",
}
_MARKS = {"held": "✓ held", "broken": "✗ broken", "not checked": "– not checked"}


def page(report: Mapping[str, Any]) -> str:
    """The page for a report as `report.report` gives it."""
    verdict, span = report["verdict"], report["range"]
    parts = [
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
        f"<title>Audit of batches {span['from']} to {span['to']}</title><style>{_STYLE}</style>",
        f"<h1>Audit of batches {span['from']} to {span['to']}</h1>",
        f'<p class="verdict {escape(verdict)}">{_VERDICTS[verdict]}</p>',
        _facts(report),
        "<h2>Checks</h2>",
        _table(("No", "What must hold", "State"), (_check(each) for each in report["checks"])),
        _notes("Could not be checked", report["incomplete"]),
        _notes("Taken on trust", report["takenOnTrust"]),
        _findings(report),
        "<h2>Batches</h2>",
        _batches(report["batches"]),
    ]
    return "\n".join(part for part in parts if part) + "\n</html>\n"


def _facts(report: Mapping[str, Any]) -> str:
    anchor, totals, block = report["anchor"], report["totals"], report["finalizedBlock"]
    ratio = totals["nettingRatio"]
    facts = {
        "Chain and hub": f"{anchor['chainId']} · {anchor['hub']}",
        "Code hash of the hub": anchor["codeHash"],
        "Genesis header": anchor["genesisHeaderHash"] or "none",
        "Read at block": f"{block['number']} · {block['hash']}",
        "Nodes": ", ".join(report["rpc"]),
        "Events checked": f"{totals['events']:,}",
        "Points outstanding": _grouped(totals["points"]),
        "Members hold / owe": f"{_grouped(totals['liabilities'])} / {_grouped(totals['debts'])}",
        "Cash owed leg by leg / paid": f"{_grouped(totals['grossCash'])} / {_grouped(totals['netCash'])} base units",
        "Saved by netting": "nothing was owed" if ratio is None else ratio,
        "Time": f"{report['seconds']} s, {totals['eventsPerSecond']:,} events a second",
    }
    return _table(("Fact", ""), ((escape(name), f"<code>{escape(str(value))}</code>") for name, value in facts.items()))


def _check(check: Mapping[str, Any]) -> tuple[str, ...]:
    state = check["state"]
    mark = f'<span class="mark {state.split(" ")[0]}">{_MARKS[state]}</span>'
    count = f" ({check['findings']})" if check["findings"] else ""
    return str(check["check"]), escape(check["promise"]), mark + count


def _findings(report: Mapping[str, Any]) -> str:
    if not report["findings"]:
        return ""
    shown = report["findings"][:FINDINGS_SHOWN_MAX]
    heading = f"<h2>Findings: {len(shown)} of {report['findingsTotal']}</h2>"
    return heading + _table(("Finding", "Where", "Expected", "Actual"), (_finding(each) for each in shown))


def _finding(finding: Mapping[str, Any]) -> tuple[str, ...]:
    where = [f"batch {finding['batchNo']}", finding["place"]]
    where += [f"leaf {finding['leafNo']}"] if "leafNo" in finding else []
    where += [finding["account"]] if "account" in finding else []
    name = f"{escape(finding['code'])}<br>check {finding['check']}, {escape(finding['severity'])}"
    return name, *(
        f"<code>{escape(text)}</code>" for text in (" · ".join(where), finding["expected"], finding["actual"])
    )


def _batches(batches: Sequence[Mapping[str, Any]]) -> str:
    head = ("Batch", "Leaves", "Signatures", "Root", "Steps", "Nets", "Data", "Header hash")
    table = _table(head, (_batch(each) for each in batches[:BATCHES_SHOWN_MAX]))
    return table + (f"<p>and {len(batches) - BATCHES_SHOWN_MAX} more</p>" if len(batches) > BATCHES_SHOWN_MAX else "")


def _batch(batch: Mapping[str, Any]) -> tuple[str, ...]:
    if not batch["checked"]:
        unread = '<span class="mark not">not read</span>'
        return str(batch["no"]), f"{batch['leaves']:,}", unread, "", "", "", "", f"<code>{batch['headerHash']}</code>"
    return (
        str(batch["no"]),
        f"{batch['leaves']:,}",
        _mark(held=not batch["sigsBad"]),
        _mark(held=batch["rootOk"]),
        _mark(held=not batch["stepsBad"]),
        _mark(held=batch["netsOk"]) if batch["settling"] else "log",
        f"{batch['data']['bytes']:,} B",
        f"<code>{batch['headerHash']}</code>",
    )


def _mark(*, held: bool) -> str:
    return '<span class="mark held">✓</span>' if held else '<span class="mark broken">✗</span>'


def _notes(title: str, notes: Sequence[str]) -> str:
    if not notes:
        return ""
    return f"<h2>{title}</h2><ul>" + "".join(f"<li>{escape(note)}</li>" for note in notes) + "</ul>"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells are HTML already."""
    top = "".join(f"<th>{name}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{top}</tr>{body}</table>"


def _grouped(number: str) -> str:
    return f"{int(number):,}"
