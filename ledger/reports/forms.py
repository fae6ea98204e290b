"""The forms of a report: canonical JSON, the hash over it, CSV. Pure.

Canonical JSON has its fields in the order they are declared, no blanks, UTF-8; a report's `digest` is SHA-256 of those
bytes and is appended as the last field, so that whoever holds the file checks it by dropping that field. CSV is one
line per figure: section, item, counterparty, points, AU.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Struct

from ledger.reports.statement import Statement

HEADINGS = ("section", "item", "counterparty", "points", "au")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet would take for a formula at the start of a text."""

Line = tuple[str, str, str, int | None, int | None]

_encoder = msgspec.json.Encoder()


def digest(report: Struct) -> str:
    """SHA-256 of the report's canonical JSON, in hex."""
    return sha256(_encoder.encode(report)).hexdigest()


def to_json(report: Struct) -> bytes:
    """Canonical JSON with `digest` as its last field."""
    return _encoder.encode(with_digest(report))


def to_json_lines(reports: Iterable[Struct]) -> str:
    """Each report as one line of canonical JSON with its digest."""
    return "".join(to_json(each).decode() + "\n" for each in reports)


def with_digest(report: Struct) -> dict[str, Any]:
    """The report's fields as plain values, and its digest."""
    fields: dict[str, Any] = msgspec.to_builtins(report)
    return fields | {"digest": digest(report)}


def holds(body: bytes) -> bool:
    """Whether the JSON of a report still has the digest it carries."""
    fields = msgspec.json.decode(body)
    claimed = fields.pop("digest", None)
    return bool(sha256(_encoder.encode(fields)).hexdigest() == claimed)


def to_csv(report: Statement) -> str:
    """One line per figure; texts that a spreadsheet would run as a formula are quoted with an apostrophe."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(HEADINGS)
    for line in lines(report):
        writer.writerow([_plain(cell) for cell in line])
    return written.getvalue()


def lines(report: Statement) -> Iterator[Line]:
    """The statement's figures in reading order."""
    yield ("statement", "merchant", report.code, None, None)
    yield ("statement", "name", report.name, None, None)
    yield ("statement", "cycle", report.cycle.name or "(open)", None, None)
    yield ("statement", "entries", f"{report.cycle.first_seq}..{report.cycle.last_seq}", None, None)
    yield ("statement", "digest", digest(report), None, None)
    yield ("opening", "liability", "", report.opening.outstanding, report.opening.au)
    for name, points in msgspec.structs.asdict(report.points).items():
        yield ("points", name, "", points, None)
    for name, points in msgspec.structs.asdict(report.pending).items():
        yield ("pending", name, "", points, None)
    yield ("closing", "liability", "", report.closing.outstanding, report.closing.au)
    yield ("closing", "receivable from members", "", report.closing.debt, report.closing.debt_au)
    for accepted in report.accepted:
        yield ("redeemed here", "points of others", accepted.code, accepted.points, accepted.au)
    yield from _money(report)


def _money(report: Statement) -> Iterator[Line]:
    for between in report.interchange:
        yield ("interchange", "owed to the merchant", between.code, None, between.au)
    for name, au in msgspec.structs.asdict(report.fees).items():
        yield ("fees", name, "", None, au)
    for dispute in report.disputes:
        yield ("disputes held", dispute.redemption, str(dispute.acceptor), None, dispute.au)
    for name, au in msgspec.structs.asdict(report.net).items():
        yield ("net", name, "", None, au)
    for name in ("posted", "counted", "promised", "headroom"):
        yield ("collateral", name, "", None, getattr(report.collateral, name))
    for batch in report.batches:
        yield ("batch", str(batch.batch_no), batch.leaves_root, None, None)
        for transaction in batch.transactions:
            yield ("transaction", transaction.purpose, transaction.tx_hash, None, None)


def _plain(cell: str | int | None) -> str | int | None:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell
