"""Keeping what was published: whether it is whole on every mirror, and how long it must stay.

Invariants: right bytes are known by their hash alone, so a mirror is repaired from another mirror and never from
anything made anew; what no mirror has is lost and said so. Nothing younger than `RETENTION_YEARS_MIN` is erased, and of
what is older only what is finished. Called by `python -m settlement.mirrors` and
a daily tick.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import partial
from hashlib import sha256
from typing import Final

from proofs.json_form import from_json
from proofs.messages import BatchHeader
from settlement.mirrors import Mirror, MirrorDown, MirrorError, MirrorWrong
from settlement.publish import (
    BLOB_BYTES_MAX,
    blob_path,
    header_path,
    header_text,
    incarnation_path,
    keep_blob,
    keep_header,
    keep_incarnation,
    published_header,
    read_blob,
)
from settlement.steps import TERMINAL, State
from settlement.tables import Conn
from settlement.watch.alerts import Alert

ALERTS: Final = "mirrors"
"""Under which source alerts about mirrors are kept."""
RETENTION_YEARS_MIN: Final = 7
"""Fraud proofs and disputes may need an old leaf; tax and accounting law ask for no less."""

_PUBLISHED = """
SELECT header, superseded_by IS NULL, state FROM settlement.batch
WHERE state NOT IN ('OPEN', 'SEALED') AND batch_no BETWEEN %(first)s AND %(last)s ORDER BY batch_no, incarnation
"""


class Fault(Enum):
    """What is wrong with one path on one mirror."""

    MISSING = "is missing"
    CORRUPT = "holds other bytes"
    DOWN = "does not answer"
    LOST = "is on no mirror"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault; `repaired_from` is the mirror whose bytes it has now, None while it is as it was found."""

    mirror: str
    path: str
    fault: Fault
    repaired_from: str | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """A header that mirrors must hold with its data; `live` unless another incarnation took its number."""

    header: BatchHeader
    live: bool
    state: State

    @property
    def finished(self) -> bool:
        return not self.live or self.state in TERMINAL


def published(conn: Conn, *, first: int = 0, last: int = 2**62) -> list[Published]:
    """Everything that was ever published under these batch numbers."""
    rows = conn.execute(_PUBLISHED, {"first": first, "last": last}).fetchall()
    return [Published(from_json(BatchHeader, header), live, State[state]) for header, live, state in rows]


def verify(batches: Iterable[Published], mirrors: Sequence[Mirror], *, repair: bool) -> Iterator[Finding]:
    """Read everything back from every mirror; what is wrong, and with `repair` what was done about it."""
    for each in batches:
        manifest_hash = each.header.data_hash.hex()
        manifest = yield from _check_blob(manifest_hash, mirrors, repair=repair)
        for name in blob_names(manifest) if manifest else ():
            yield from _check_blob(name, mirrors, repair=repair)
        for mirror in mirrors:
            yield from _check_incarnation(each.header, mirror, repair=repair)
            if each.live:
                yield from _check_header(each.header, mirror, repair=repair)


def alerts_of(left: Sequence[Finding]) -> list[Alert]:
    """One for each mirror that has faults left."""
    first: dict[str, Finding] = {}
    count = Counter(finding.mirror for finding in left)
    for finding in left:
        first.setdefault(finding.mirror, finding)
    return [
        Alert(
            code="mirror-behind",
            place=mirror,
            expected="every published blob, whole",
            actual=f"{count[mirror]} faults, the first: {finding.path} {finding.fault.value}",
        )
        for mirror, finding in first.items()
    ]


def blob_names(manifest: bytes) -> list[str]:
    """The blobs that a manifest lists, chunks and tariff; the manifest is what its own hash says, hence ours."""
    listed = json.loads(manifest)
    names: list[str] = [*listed["chunks"], *([listed["tariff"]["blob"]] if "tariff" in listed else [])]
    return names


def copy_batch(header: BatchHeader, sources: Sequence[Mirror], to: Mirror) -> None:
    """Bring all blobs of a published batch to `to`, those that it lacks. Raises `MirrorError`."""
    places, manifest_hash = [to, *sources], header.data_hash.hex()
    manifest = read_blob(places, manifest_hash)
    for name in blob_names(manifest):
        keep_blob(to, name, read_blob(places, name))
    keep_blob(to, manifest_hash, manifest)


def _check_blob(name: str, mirrors: Sequence[Mirror], *, repair: bool) -> Generator[Finding, None, bytes | None]:
    """Findings about one blob; returns its bytes from the first mirror that has them, None where none has."""
    path, right, source, faults = blob_path(name), None, "", []
    for mirror in mirrors:
        try:
            data = mirror.read(path, bytes_max=BLOB_BYTES_MAX)
        except MirrorDown:
            faults.append((mirror, Fault.DOWN))
            continue
        if data is not None and sha256(data).hexdigest() == name:
            right, source = right or data, source or mirror.name
        else:
            faults.append((mirror, Fault.MISSING if data is None else Fault.CORRUPT))
    for mirror, fault in faults:
        if right is None and fault is not Fault.DOWN:
            yield Finding(mirror.name, path, Fault.LOST)
        elif right is not None and repair and fault is not Fault.DOWN and _repaired(mirror, path, right):
            yield Finding(mirror.name, path, fault, source)
        else:
            yield Finding(mirror.name, path, fault)
    return right


def _repaired(mirror: Mirror, path: str, data: bytes) -> bool:
    """Whether the mirror holds `data` now, by reading it back."""
    try:
        mirror.write(path, data)
        return mirror.read(path, bytes_max=len(data)) == data
    except MirrorDown:
        return False


def _check_header(header: BatchHeader, mirror: Mirror, *, repair: bool) -> Iterator[Finding]:
    """The header's source is the ledger's own row, whose hash is on the chain."""
    path = header_path(header.batch_no)
    try:
        standing = published_header(mirror, header.batch_no) == header
    except MirrorWrong:
        standing = False
    except MirrorDown:
        yield Finding(mirror.name, path, Fault.DOWN)
        return
    if not standing:
        yield from _header_fault(mirror, path, partial(keep_header, mirror, header), repair=repair)


def _check_incarnation(header: BatchHeader, mirror: Mirror, *, repair: bool) -> Iterator[Finding]:
    """Under its hash every header stays, whatever stands under its number."""
    path = incarnation_path(header.batch_no, header.hash_struct())
    try:
        standing = mirror.read(path, bytes_max=len(header_text(header))) == header_text(header)
    except MirrorDown:
        yield Finding(mirror.name, path, Fault.DOWN)
        return
    if not standing:
        yield from _header_fault(mirror, path, partial(keep_incarnation, mirror, header), repair=repair)


def _header_fault(mirror: Mirror, path: str, mend: Callable[[], None], *, repair: bool) -> Iterator[Finding]:
    try:
        fault = Fault.MISSING if mirror.read(path, bytes_max=1) is None else Fault.CORRUPT
    except MirrorDown:
        yield Finding(mirror.name, path, Fault.DOWN)
        return
    try:
        if repair:
            mend()
        yield Finding(mirror.name, path, fault, "the ledger" if repair else None)
    except MirrorError:
        yield Finding(mirror.name, path, fault)


def expired(batches: Iterable[Published], now: datetime, *, years: int) -> list[Published]:
    """Those that may go: sealed at least `years` years before `now`, finished. Raises ValueError for fewer years than
    the policy's.
    """
    if years < RETENTION_YEARS_MIN:
        raise ValueError(f"published data are kept for at least {RETENTION_YEARS_MIN} years, not {years}")
    before = int(_years_earlier(now, years).timestamp())
    return [each for each in batches if each.finished and each.header.sealed_at < before]


def _years_earlier(now: datetime, years: int) -> datetime:
    """The same day and time; 29 February becomes the day before, so that nothing goes a day too early."""
    utc = now.astimezone(UTC)
    day = min(utc.day, 28) if utc.month == 2 else utc.day  # noqa: PLR2004 - February
    return utc.replace(year=utc.year - years, day=day)


def erase(each: Published, mirrors: Sequence[Mirror]) -> int:
    """Take one expired batch from every mirror; how many blobs were listed. The manifest goes last, so that an
    interrupted erasure can be done again. Raises `MirrorDown`.

    No other batch has the same blobs: each is encrypted under a key of its own.
    """
    manifest_hash = each.header.data_hash.hex()
    manifests = (mirror.read(blob_path(manifest_hash), bytes_max=BLOB_BYTES_MAX) for mirror in mirrors)
    right = next((data for data in manifests if data and sha256(data).hexdigest() == manifest_hash), None)
    names = [*(blob_names(right) if right else ()), manifest_hash]
    for mirror in mirrors:
        for name in names:
            mirror.erase(blob_path(name))
    return len(names)
