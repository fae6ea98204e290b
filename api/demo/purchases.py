"""Reads purchases and refunds from files, line by line, and refuses a bad line without losing the good ones.

Invariants: a line is yielded or recorded in `Rejects` with its number and reason, never neither and never both; the
same file gives the same answer;
memory grows with the number of distinct event ids only. A line cut off by a truncated or damaged gzip is never
yielded, since its last figure may be half.
Who may call: the demo's replay and its tests. Shape of the files: `events.csv(.gz)` event_id, occurred_at, kind,
merchant, member, amount_minor, currency,
source_ref and `refund_links.csv(.gz)` refund_event_id, purchase_event_id, match. One record is one line; a quoted
field may hold commas, not line breaks.
"""

from __future__ import annotations

import csv
import gzip
import json
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import IO, Self, TypeVar, cast

EVENT_COLUMNS = ("event_id", "occurred_at", "kind", "merchant", "member", "amount_minor", "currency", "source_ref")
LINK_COLUMNS = ("refund_event_id", "purchase_event_id", "match")
KINDS = ("purchase", "refund")
MATCHES = ("exact", "partial", "none")

LINE_BYTES_MAX = 4_096
ID_CHARS_MAX = 64
SOURCE_REF_CHARS_MAX = 200
AMOUNT_MINOR_MAX = 10**11
DERIVED = "redeem:"
"""How the key of a derived redemption begins: an event of that name would be taken for one."""
SHOWN_CHARS_MAX = 200
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)

_GZIP_MAGIC = b"\x1f\x8b"
_Record = TypeVar("_Record")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ID = re.compile(rf"[!-~]{{1,{ID_CHARS_MAX}}}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?(Z|[+-]\d\d:\d\d)", re.ASCII)
_AMOUNT = re.compile(r"[0-9]{1,18}", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)


class FileRefused(Exception):
    """The file as a whole is not one of ours: missing, unreadable, or with another header."""


class LineRefused(Exception):
    """One line is not an event. `code` names the rule, `message` says what was found."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Purchase:
    """One taken line: a purchase or a refund of `amount_minor` minor units at `at_ms` (ms since the epoch). `line`
    counts from 1, the header being line 1; `text` is the line as it stands in the file.
    """

    line: int
    event_id: str
    at_ms: int
    kind: str
    merchant: str
    member: str
    amount_minor: int
    currency: str
    source_ref: str
    text: str


class Rejects:
    """The rejects file: one JSON object a line with file, line, code, reason and the beginning of the text. Replaced
    at every run, written as it happens.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.by_code: Counter[str] = Counter()
        self._file: IO[str] = path.open("w", encoding="utf-8")

    def add(self, source: str, line: int, code: str, reason: str, text: str = "") -> None:
        """Record one refusal; flushed at once, so that a killed run has told all it knew."""
        self.by_code[code] += 1
        row = {"file": source, "line": line, "code": code, "reason": reason, "text": text[:SHOWN_CHARS_MAX]}
        self._file.write(json.dumps(row, ensure_ascii=False) + "\n")
        self._file.flush()

    @property
    def total(self) -> int:
        """Lines refused so far."""
        return self.by_code.total()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


@dataclass(slots=True)
class Survey:
    """What a first reading found: lines that look like events, merchants and members in order of appearance, the
    currency most lines have.
    """

    events: int
    merchants: tuple[str, ...]
    members: tuple[str, ...]
    currency: str


def survey(path: Path, latest: datetime) -> Survey:
    """Read `path` once without recording anything. Raises FileRefused when not a single line is an event."""
    currencies: Counter[str] = Counter()
    merchants: dict[str, None] = {}
    members: dict[str, None] = {}
    for _number, record, _text in _events(path, latest):
        if isinstance(record, Purchase):
            currencies[record.currency] += 1
            merchants[record.merchant] = members[record.member] = None
    if not currencies:
        raise FileRefused(f"{path}: no line of it is an event")
    usual = max(currencies, key=lambda code: (currencies[code], code))
    return Survey(currencies.total(), tuple(merchants), tuple(members), usual)


def read_purchases(path: Path, rejects: Rejects, *, currency: str, latest: datetime) -> Iterator[Purchase]:
    """Every event of `path` once, in file order. `currency` is the alliance's own; `latest` the time after which a
    date is a mistake.

    A line repeated with the same fields is passed over silently; one that repeats an id with other fields is refused.
    """
    seen: dict[str, tuple[int, bytes]] = {}
    for number, record, text in _events(path, latest):
        refusal = (
            record
            if isinstance(record, LineRefused)
            else _unlike_the_rest(record, currency) or _already_seen(record, seen)
        )
        if refusal is None:
            yield cast("Purchase", record)
        elif refusal.code != "repeated":
            rejects.add(path.name, number, refusal.code, str(refusal), text)


def read_links(path: Path, rejects: Rejects) -> dict[str, str]:
    """Refund event id -> purchase event id, for every refund whose origin is known."""
    links: dict[str, tuple[str, str]] = {}
    for number, record, text in _parsed(path, LINK_COLUMNS, _link):
        if isinstance(record, LineRefused):
            rejects.add(path.name, number, record.code, str(record), text)
        elif links.setdefault(record[0], record[1:]) != record[1:]:
            rejects.add(path.name, number, "duplicate-id", f"refund {record[0]} was linked otherwise before", text)
    return {refund: origin for refund, (origin, _match) in links.items() if origin}


def _events(path: Path, latest: datetime) -> Iterator[tuple[int, Purchase | LineRefused, str]]:
    return _parsed(path, EVENT_COLUMNS, lambda number, fields, text: _purchase(number, fields, text, latest))


def _unlike_the_rest(purchase: Purchase, currency: str) -> LineRefused | None:
    if purchase.currency == currency:
        return None
    return LineRefused("currency", f"currency {purchase.currency} where the alliance settles in {currency}")


def _already_seen(purchase: Purchase, seen: dict[str, tuple[int, bytes]]) -> LineRefused | None:
    fields = (
        purchase.at_ms,
        purchase.kind,
        purchase.merchant,
        purchase.member,
        purchase.amount_minor,
        purchase.source_ref,
    )
    digest = blake2b(repr(fields).encode(), digest_size=16).digest()
    line, first = seen.setdefault(purchase.event_id, (purchase.line, digest))
    if line == purchase.line:
        return None
    if first == digest:
        return LineRefused("repeated", f"the same as line {line}")
    return LineRefused("duplicate-id", f"event_id {purchase.event_id} has other fields in line {line}")


def _purchase(line: int, fields: list[str], text: str, latest: datetime) -> Purchase:
    event_id, occurred_at, kind, merchant, member, amount, currency, source_ref = fields
    for name, value in (("event_id", event_id), ("merchant", merchant), ("member", member)):
        _expect(_ID, value, name, "id", f"1 to {ID_CHARS_MAX} printable ASCII characters without spaces")
    if event_id.startswith(DERIVED):
        raise LineRefused("id", f"event_id {_shown(event_id)} begins with {DERIVED}, as the keys of redemptions do")
    if kind not in KINDS:
        raise LineRefused("kind", f"kind {_shown(kind)} is neither purchase nor refund")
    _expect(_CURRENCY, currency, "currency", "currency", "three capital letters")
    if len(source_ref) > SOURCE_REF_CHARS_MAX or not source_ref.isprintable():
        raise LineRefused(
            "source-ref", f"source_ref is longer than {SOURCE_REF_CHARS_MAX} characters or holds control characters"
        )
    at_ms, amount_minor = _at_ms(occurred_at, latest), _amount(amount)
    return Purchase(line, event_id, at_ms, kind, merchant, member, amount_minor, currency, source_ref, text)


def _link(_line: int, fields: list[str], _text: str) -> tuple[str, str, str]:
    refund, origin, match = fields
    _expect(_ID, refund, "refund_event_id", "id", "an event id")
    if match not in MATCHES:
        raise LineRefused("match", f"match {_shown(match)} is none of {', '.join(MATCHES)}")
    if (match == "none") != (origin == ""):
        raise LineRefused("match", f"match {match} with purchase_event_id {_shown(origin)}")
    if origin:
        _expect(_ID, origin, "purchase_event_id", "id", "an event id")
    return refund, origin, match


def _at_ms(text: str, latest: datetime) -> int:
    _expect(_TIME, text, "occurred_at", "date", "a date and time with offset as in 2016-01-31T09:30:00Z")
    try:
        when = datetime.fromisoformat(text)
        too_early, too_late = when < EARLIEST, when > latest
    except (ValueError, OverflowError) as error:
        raise LineRefused("date", f"occurred_at {text}: {error}") from None
    if too_early or too_late:
        raise LineRefused(
            "date", f"occurred_at {text} is {'before ' + EARLIEST.date().isoformat() if too_early else 'in the future'}"
        )
    return (when - _EPOCH) // timedelta(milliseconds=1)


def _amount(text: str) -> int:
    _expect(_AMOUNT, text, "amount_minor", "amount", "a positive whole number of minor units")
    amount = int(text)
    if not 1 <= amount <= AMOUNT_MINOR_MAX:
        raise LineRefused("amount", f"amount_minor {amount} is not between 1 and {AMOUNT_MINOR_MAX}")
    return amount


def _expect(pattern: re.Pattern[str], value: str, name: str, code: str, what: str) -> None:
    if pattern.fullmatch(value) is None:
        raise LineRefused(code, f"{name} {_shown(value)} is not {what}")


def _shown(value: str) -> str:
    return repr(value[:ID_CHARS_MAX]) if value else "(empty)"


def _parsed(
    path: Path, columns: tuple[str, ...], understand: Callable[[int, list[str], str], _Record]
) -> Iterator[tuple[int, _Record | LineRefused, str]]:
    """(line, record or refusal, text) for every line after the header, which must name `columns` in order. Raises
    FileRefused.
    """
    lines = _lines(path)
    try:
        _number, head = next(lines)
        names = tuple(_fields(head))
    except StopIteration:
        raise FileRefused(f"{path}: empty; it must begin with the line {','.join(columns)}") from None
    except LineRefused as error:
        raise FileRefused(f"{path}: no header line ({error})") from error
    if names != columns:
        raise FileRefused(f"{path}: the header is {','.join(names)[:SHOWN_CHARS_MAX]}, not {','.join(columns)}")
    for number, raw in lines:
        text = "" if isinstance(raw, LineRefused) else raw.decode("utf-8", "backslashreplace")
        try:
            yield number, understand(number, _fields(raw, len(columns)), text), text
        except LineRefused as refusal:
            yield number, refusal, text


def _fields(raw: bytes | LineRefused, count: int = 0) -> list[str]:
    """The columns of one line; `count` 0 takes any number of them."""
    if isinstance(raw, LineRefused):
        raise raw
    try:
        fields = next(csv.reader([raw.decode("utf-8").removeprefix("\ufeff")], strict=True), [])
    except UnicodeDecodeError as error:
        raise LineRefused("utf-8", f"not UTF-8: {error.reason} at byte {error.start}") from None
    except csv.Error as error:
        raise LineRefused("quoting", f"not CSV: {error}") from None
    if count and len(fields) != count:
        raise LineRefused("columns", f"{len(fields)} columns instead of {count}")
    return fields


def _lines(path: Path) -> Iterator[tuple[int, bytes | LineRefused]]:
    """Numbered lines without their ends. Overlong lines and the place where a compressed file breaks off come as
    refusals.
    """
    number = 1
    try:
        with _opened(path) as stream:
            while line := stream.readline(LINE_BYTES_MAX):
                complete = line.endswith(b"\n") or len(line) < LINE_BYTES_MAX
                while not complete:
                    rest = stream.readline(LINE_BYTES_MAX)
                    complete = rest.endswith(b"\n") or len(rest) < LINE_BYTES_MAX
                    line = b""
                yield number, line.rstrip(b"\r\n") if line else LineRefused("long", f"more than {LINE_BYTES_MAX} bytes")
                number += 1
    except EOFError:
        yield number, LineRefused("truncated", "the compressed file ends in the middle; what follows is missing")
    except (gzip.BadGzipFile, zlib.error) as error:
        yield number, LineRefused("damaged", f"the compressed file is damaged here or before: {error}")
    except OSError as error:
        raise FileRefused(f"{path}: {error.strerror}") from error


def _opened(path: Path) -> IO[bytes]:
    with path.open("rb") as stream:
        compressed = stream.read(2) == _GZIP_MAGIC
    return cast("IO[bytes]", gzip.open(path, "rb")) if compressed else path.open("rb")
