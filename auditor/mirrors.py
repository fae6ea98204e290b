"""Places that keep what was published: blobs under their SHA-256, and the headers of sealed batches under their number.

    blobs/<sha256>            manifests, chunks, tariffs
    headers/<n>.json          the header of batch n; headers/<n>/<hash>.json each of its incarnations

A mirror is a folder or an http(s) address, asked in the order in which it was named and never believed: who reads
compares with a hash. Whoever fills it can hold a reader up no longer than by leaving something out. What was compared
can be kept in a folder of the auditor's own (`keep`), which is a mirror itself from then on: a dispute may need an old
leaf when others have lost it. Called by `fetch`, `attest` and the command line. Source: protocol §3.6.
"""

from __future__ import annotations

import os
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import httpx2

HTTP_TIMEOUT_SECONDS = 60.0
"""Between two pieces of an answer."""
READ_SECONDS_MAX = 300.0
"""For a whole file, however its mirror lets it trickle."""
LISTED_MAX = 256
"""So many files of one folder are looked at."""


class Mirror(Protocol):
    """A place that keeps published files under their paths."""

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


@dataclass(frozen=True, slots=True)
class Web:
    """A mirror behind HTTP. It cannot list: of a batch it has the header that stands under the number."""

    address: str

    def read(self, path: str, *, bytes_max: int) -> bytes | None:
        """As `Mirror.read`; a mirror that cannot be reached, or does not come to an end in time, has nothing."""
        taken, until = bytearray(), time.monotonic() + READ_SECONDS_MAX
        try:
            with httpx2.stream("GET", f"{self.address.rstrip('/')}/{path}", timeout=HTTP_TIMEOUT_SECONDS) as answer:
                if answer.status_code != httpx2.codes.OK:
                    return None
                for piece in answer.iter_bytes():
                    taken += piece
                    if len(taken) > bytes_max:
                        break
                    if time.monotonic() > until:
                        return None
        except (httpx2.HTTPError, httpx2.InvalidURL):
            return None
        return bytes(taken)

    def listed(self, _path: str) -> list[str]:
        """As `Mirror.listed`: nothing is known of any folder."""
        return []


def mirror(where: str) -> Mirror:
    """The mirror a command line names: an http(s) address or a folder."""
    return Web(where) if where.startswith(("http://", "https://")) else Folder(Path(where))


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
