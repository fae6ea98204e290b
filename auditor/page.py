"""The outcome of an audit as one page a person can read, print, sign and file: no script, no address, no other file.

Made from the JSON report alone, so page and report cannot tell different stories; the report's own hash stands at the
foot. The page's policy lets nothing in but the style it carries. Called by the command line.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from html import escape
from typing import Any

from auditor.style import STYLE

FINDINGS_SHOWN_MAX = 200
BATCHES_SHOWN_MAX = 500
_BAR_WIDTH = 1_000
_LAST_SECOND = 253_402_300_799
"""Of the year 9999: a false header may name any."""

_VERDICTS = {
    "clean": ("✓ Clean", "Every check that was made held."),
    "findings": ("✗ Findings", "Something that was published is false."),
    "incomplete": ("! Incomplete", "Nothing false was found, but not everything could be checked."),
}
_MARKS = {"held": "✓ held", "broken": "✗ broken", "not checked": "– not checked", "information": "i information"}


def page(report: Mapping[str, Any]) -> str:
    """The page for a report as `report.report` gives it."""
    span = report["range"]
    title = f"Audit of batches {span['from']} to {span['to']}"
    policy = f"default-src 'none'; style-src 'sha256-{b64encode(sha256(STYLE.encode()).digest()).decode()}'"
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        f"<meta http-equiv=\"Content-Security-Policy\" content=\"{policy}; base-uri 'none'; form-action 'none'\">",
        '<meta name="viewport" content="width=device-width"><meta name="referrer" content="no-referrer">',
        f"<title>{title}</title><style>{STYLE}</style></head><body><main>",
        _head(report, title),
        _tiles(report),
        _checks(report["checks"]),
        _findings(report),
        _notes("What could not be checked", report["incomplete"]),
        _notes("What was taken on trust", report["takenOnTrust"]),
        _netting(report["totals"]),
        _nets(report["nets"]),
        _batches(report["batches"]),
        _figures(report["figures"]),
        _facts(report),
        _reproduce(report),
        _foot(report),
    ]
    return "\n".join(part for part in parts if part) + "\n</main></body></html>\n"


def report_text(report: Mapping[str, Any]) -> str:
    """The report as it is filed; its SHA-256 is the one on the page."""
    return json.dumps(report, indent=1, ensure_ascii=False) + "\n"


def _head(report: Mapping[str, Any], title: str) -> str:
    word, sentence = _VERDICTS[report["verdict"]]
    anchor, made = report["anchor"], sum(each["state"] in {"held", "broken"} for each in report["checks"])
    broken = sum(each["state"] == "broken" for each in report["checks"])
    story = f"{made} of {len(report['checks'])} checks were made; broken: {broken or 'none'}. {sentence}"
    return (
        f'<header><div><h1>{title}</h1><p class="soft">Chain {anchor["chainId"]}, settlement hub '
        f"<code>{escape(anchor['hub'])}</code></p></div>"
        f'<div class="stamp {escape(report["verdict"])}">{word}<small>batches {report["range"]["from"]}–'
        f'{report["range"]["to"]}</small></div></header><p class="lead">{story}</p>'
    )


def _tiles(report: Mapping[str, Any]) -> str:
    totals = report["totals"]
    tiles = (
        (f"{totals['events']:,}", "events checked, each by its signature"),
        (_grouped(totals["points"]), "points outstanding"),
        (_percent(totals["nettingRatio"]), "of the cash owed leg by leg was saved by netting"),
        (f"{report['findingsTotal']:,}", "findings"),
    )
    body = "".join(f'<div class="tile"><b>{figure}</b><span>{words}</span></div>' for figure, words in tiles)
    return f'<div class="tiles">{body}</div>'


def _checks(checks: Sequence[Mapping[str, Any]]) -> str:
    return f'<h2>Checks</h2><ul class="checks">{"".join(map(_check, checks))}</ul>'


def _check(check: Mapping[str, Any]) -> str:
    state = check["state"]
    kind = {"not checked": "not", "information": "info"}.get(state, state)
    count = f" ({check['findings']})" if check["findings"] else ""
    why = f"<small>{escape(check['why'])}</small>" if "why" in check else ""
    return (
        f'<li class="check {kind}"><span class="no">{check["check"]}</span><p>{escape(check["promise"])}{why}</p>'
        f'<span class="mark {kind}">{_MARKS[state]}{count}</span></li>'
    )


def _findings(report: Mapping[str, Any]) -> str:
    if not report["findings"]:
        return ""
    shown = report["findings"][:FINDINGS_SHOWN_MAX]
    heading = f"<h2>Findings: {len(shown)} of {report['findingsTotal']}</h2>"
    return heading + _table(("Finding", "Where", "Expected", "Found"), (_finding(each) for each in shown))


def _finding(finding: Mapping[str, Any]) -> tuple[str, ...]:
    where = [f"batch {finding['batchNo']}", finding["place"]]
    where += [f"leaf {finding['leafNo']}"] if "leafNo" in finding else []
    where += [finding["account"]] if "account" in finding else []
    proof = f", fraud proof {finding['fraudCode']}" if "fraudCode" in finding else ""
    name = f"<b>{escape(finding['code'])}</b><br>check {finding['check']}, {escape(finding['severity'])}{proof}"
    return name, *(
        f"<code>{escape(text)}</code>" for text in (" · ".join(where), finding["expected"], finding["actual"])
    )


def _netting(totals: Mapping[str, Any]) -> str:
    """Two bars on one scale: what was owed leg by leg, and what was paid."""
    gross, net = int(totals["grossCash"]), int(totals["netCash"])
    if not gross:
        return ""
    paid = min(_BAR_WIDTH, net * _BAR_WIDTH // gross)
    told = (("owed, leg by leg", gross, _BAR_WIDTH, "#b9c6d3", 0), ("paid, as nets", net, paid, "#8fcba8", 34))
    bars = "".join(
        f'<rect x="0" y="{top}" width="{max(width, 2)}" height="26" rx="4" fill="{colour}"></rect>'
        f'<text x="8" y="{top + 18}">{words}: {amount:,} base units</text>'
        for words, amount, width, colour, top in told
    )
    shares = f'<svg class="bar" viewBox="0 0 {_BAR_WIDTH} 62" preserveAspectRatio="none" role="img">{bars}</svg>'
    return f"<h2>Netting</h2>{shares}"


def _nets(nets: Sequence[Mapping[str, Any]]) -> str:
    """Who is paid and who pays by the settling batches, as the chain was told."""
    if not nets:
        return ""
    rows = ((str(each["merchantId"]), _grouped(each["net"])) for each in nets)
    total = sum(int(each["net"]) for each in nets)
    table = _table(("Merchant", "#Receives (+) or pays (-), base units"), (*rows, ("all", f"<b>{total:,}</b>")))
    return f"<h2>Nets of the settling batches</h2>{table}"


def _batches(batches: Sequence[Mapping[str, Any]]) -> str:
    head = ("Batch", "#Leaves", "Signatures", "Root", "Steps", "Nets", "#Data", "Header hash")
    table = _table(head, (_batch(each) for each in batches[:BATCHES_SHOWN_MAX]))
    more = f"<p>and {len(batches) - BATCHES_SHOWN_MAX} more</p>" if len(batches) > BATCHES_SHOWN_MAX else ""
    return f"<h2>Batches</h2>{table}{more}"


def _batch(batch: Mapping[str, Any]) -> tuple[str, ...]:
    number = f"{batch['no']}{'<br>settling' if batch['settling'] else ''}"
    header = f"<code>{batch['headerHash']}</code>"
    if not batch["checked"]:
        return number, f"{batch['leaves']:,}", '<span class="mark not">not read</span>', "", "", "", "", header
    return (
        number,
        f"{batch['leaves']:,}",
        _mark(held=not batch["sigsBad"]),
        _mark(held=batch["rootOk"]),
        _mark(held=not batch["stepsBad"]),
        _mark(held=batch["netsOk"]) if batch["settling"] else "log",
        f"{batch['data']['bytes']:,} B",
        header,
    )


def _figures(figures: Mapping[str, Any]) -> str:
    """Check 31: no promise, but worth a look."""
    rows = {
        f"Redeemed after {figures['dormantDays']} days of stillness": (
            f"{figures['dormantRedemptions']:,} leaves, {_grouped(figures['dormantPoints'])} points"
        ),
        "Signed by merchants under restriction": f"{figures['signedUnderRestriction']:,} leaves",
        "Left to issuers by rounding": f"{_grouped(figures['roundingDust'])} base units",
        "Fees below what accrued": f"{_grouped(figures['feesBelowAccrual'])} base units",
        f"Lanes with {figures['burstEventsMin']} events or more in a minute": ", ".join(
            f"{each['lane']} ({each['eventsInOneMinute']})" for each in figures["bursts"]
        )
        or "none",
    }
    merchants = (
        (
            str(each["merchantId"]),
            f"{each['leaves']:,}",
            _grouped(each["earned"]),
            _grouped(each["redeemedHere"]),
            each["redeemedPerEarned"] or "–",
        )
        for each in figures["merchants"]
    )
    head = ("Merchant", "#Leaves signed", "#Points earned", "#Points redeemed here", "#Ratio")
    return f"<h2>Figures worth a look</h2>{_pairs(rows)}{_table(head, merchants)}"


def _facts(report: Mapping[str, Any]) -> str:
    anchor, totals, block = report["anchor"], report["totals"], report["finalizedBlock"]
    evidence = report["evidence"]
    receipts = ", ".join(f"{count} {name}" for name, count in evidence["receipts"].items() if count)
    return "<h2>What was read</h2>" + _pairs(
        {
            "Chain and hub": f"{anchor['chainId']} · {anchor['hub']}",
            "Code hash of the hub": anchor["codeHash"],
            "Genesis header": anchor["genesisHeaderHash"] or "none",
            "Batches sealed": _period(report["batches"]),
            "Read at block": f"{block['number']} of {_moment(block['time'])} · {block['hash']}",
            "Nodes": ", ".join(report["rpc"]),
            "Members hold / owe": f"{_grouped(totals['liabilities'])} / {_grouped(totals['debts'])} points",
            "Receipts": receipts or "none given",
            "Journal": _entries(evidence["journalEntries"]),
            "Headers known from before": f"{evidence['checkpoints']:,}",
            "Time": f"{report['seconds']} s, {totals['eventsPerSecond']:,} events a second",
        }
    )


def _period(batches: Sequence[Mapping[str, Any]]) -> str:
    times = [each["sealedAt"] for each in batches]
    return f"{_moment(min(times))} to {_moment(max(times))}" if times else "none"


def _moment(second: int) -> str:
    return f"{datetime.fromtimestamp(min(second, _LAST_SECOND), UTC):%Y-%m-%d %H:%M:%S} UTC"


def _entries(count: int | None) -> str:
    return "none given" if count is None else f"{count:,} entries"


def _reproduce(report: Mapping[str, Any]) -> str:
    """The same audit again, by anybody who may read the files."""
    words = (
        "python -m auditor audit --rpc NODE --rpc2 ANOTHER_NODE",
        f"--hub {report['anchor']['hub']} --data MIRROR --keys YOUR_KEY",
        f"--from {report['range']['from']} --to {report['range']['to']}",
        "--anchor THIS_REPORT.json --out report.json --html report.html",
    )
    text = escape(" \\\n    ".join(words))
    return (
        "<h2>How to repeat it</h2><p>With nodes, a mirror and a key of your own; the figures of time and the node's "
        f"block apart, your report must be this one.</p><pre><code>{text}</code></pre>"
    )


def _foot(report: Mapping[str, Any]) -> str:
    digest = sha256(report_text(report).encode()).hexdigest()
    lines = "".join(f"<div>{words}</div>" for words in ("Auditor", "Date", "Signature"))
    by = f"<br>signed in it by <code>{escape(report['signature']['signer'])}</code>" if "signature" in report else ""
    return f'<div class="sign">{lines}</div><footer>SHA-256 of report.json: <code>{digest}</code>{by}</footer>'


def _mark(*, held: bool) -> str:
    return '<span class="mark held">✓</span>' if held else '<span class="mark broken">✗</span>'


def _notes(title: str, notes: Sequence[str]) -> str:
    if not notes:
        return ""
    return f"<h2>{title}</h2><ul>" + "".join(f"<li>{escape(note)}</li>" for note in notes) + "</ul>"


def _pairs(rows: Mapping[str, str]) -> str:
    lines = (f"<th>{escape(name)}</th><td><code>{escape(value)}</code></td>" for name, value in rows.items())
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f'<table class="facts">{body}</table>'


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells are HTML already. A column whose name begins with # holds numbers."""
    kinds = [' class="n"' if name.startswith("#") else "" for name in head]
    top = "".join(f"<th{kind}>{name.lstrip('#')}</th>" for kind, name in zip(kinds, head, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{kind}>{cell}</td>" for kind, cell in zip(kinds, cells, strict=True)) + "</tr>"
        for cells in rows
    )
    return f'<div class="wide"><table><tr>{top}</tr>{body}</table></div>'


def _percent(ratio: str | None) -> str:
    """A ratio with four decimals as a percentage with two."""
    if ratio is None:
        return "–"
    whole, part = ratio.split(".")
    return f"{int(whole) * 100 + int(part[:2])}.{part[2:]} %"


def _grouped(number: str) -> str:
    return f"{int(number):,}"
