"""Places that keep what was published: blobs under their SHA-256, and the headers of sealed batches under their number.

    blobs/<sha256>            manifests, chunks, tariffs
    headers/<n>.json          the header of batch n; headers/<n>/<hash>.json each of its incarnations

A mirror is a folder or an http(s) address, asked in the order in which it was named and never believed: who reads
compares with a hash. One that once took too long over an answer is asked last from then on (`in_turn`): whoever lets
its answers trickle holds a reader up once, where another mirror has the rest. What was compared can be kept in a folder
of the auditor's own (`keep`), which is a mirror itself from then on: a dispute may need an old leaf when others have
lost it. Called by `fetch`, `attest` and the command line. Source: protocol §3.6.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from auditor.exchange import OK, Caller, NoAnswer, TookTooLong

SILENCE_SECONDS_MAX = 60.0
"""Between two pieces of an answer."""
EXCHANGE_SECONDS_MAX = 300.0
"""For asking and a whole file: from the first packet to the last byte, whatever of it trickles."""
PATIENCE_SECONDS = 20.0
"""Who takes longer over a file gives its place to the others, though the file is taken."""
LISTED_MAX = 256
"""So many files of one folder are looked at."""


class Mirror(Protocol):
    """A place that keeps published files under their paths."""

    @property
    def late(self) -> int:
        """How often it took longer over an answer than one waits where others have it."""
        ...

    def read(self, path: str, *, bytes_max: int) -> bytes | None:
        """The bytes kept under this path, at most `bytes_max` + 1 of them; None if it has none."""
        ...

    def listed(self, path: str, /) -> list[str]:
        """The files in a folder of it, by path, as far as it can tell."""
        ...


@dataclass(frozen=True, slots=True)
class Folder:
    """A mirror on disk."""

    root: Path
    late = 0

    def read(self, path: str, *, bytes_max: int) -> bytes | None:
        """As `Mirror.read`; what is no file, or cannot be read, is not there: nobody who fills a folder is trusted."""
        try:
            descriptor = os.open(self.root / path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError:
            return None
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            with open(descriptor, "rb", closefd=False) as file:
                return file.read(bytes_max + 1)
        finally:
            os.close(descriptor)

    def listed(self, path: str) -> list[str]:
        """As `Mirror.listed`."""
        return [f"{path}/{file.name}" for file in sorted((self.root / path).glob("*.json"))[:LISTED_MAX]]


@dataclass(slots=True)
class Web:
    """A mirror behind HTTP. It cannot list: of a batch it has the header that stands under the number."""

    address: str
    exchange_seconds_max: float = EXCHANGE_SECONDS_MAX
    patience_seconds: float = PATIENCE_SECONDS
    late: int = field(default=0, init=False)

    def read(self, path: str, *, bytes_max: int) -> bytes | None:
        """As `Mirror.read`; a mirror that cannot be reached, or does not come to an end in time, has nothing."""
        began_s = time.monotonic()
        until_s = began_s + self.exchange_seconds_max
        try:
            with Caller(silence_seconds_max=SILENCE_SECONDS_MAX) as caller:
                answer = caller.get(f"{self.address.rstrip('/')}/{path}", until_s=until_s, bytes_max=bytes_max)
        except TookTooLong:
            self.late += 1
            return None
        except NoAnswer:
            return None
        if time.monotonic() - began_s > self.patience_seconds:
            self.late += 1
        return answer.body if answer.status == OK else None

    def listed(self, _path: str) -> list[str]:
        """As `Mirror.listed`: nothing is known of any folder."""
        return []


def mirror(where: str) -> Mirror:
    """The mirror a command line names: an http(s) address or a folder."""
    return Web(where) if where.startswith(("http://", "https://")) else Folder(Path(where))


def in_turn(mirrors: Sequence[Mirror]) -> list[Mirror]:
    """The order in which they are asked: as they were named, those that took too long last."""
    return sorted(mirrors, key=lambda each: each.late)


def blob(name: str) -> str:
    """Where a blob of this SHA-256 (64 hex digits) lies."""
    return f"blobs/{name}"


def keep(own: Folder, name: str, data: bytes) -> None:
    """Put a blob whose hash was compared into a folder of one's own, whole or not at all."""
    path = own.root / blob(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{name}.{os.getpid()}")
    aside.write_bytes(data)
    aside.replace(path)
