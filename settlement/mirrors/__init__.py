"""Mirrors: places outside the database that keep what was published, each under the name of its own content.

    blobs/<sha256>      manifests and encrypted chunks; the name is the proof
    headers/<n>.json    the finished header of a batch, proven by its hash on the chain
    headers/<n>/<hash>.json
                        the same under its hash, for every incarnation of the batch

A mirror only stores and hands back; it is never believed. Whoever reads compares bytes with their name, whoever writes
reads back. Three kinds are here: `folder`, `s3` (anything that speaks S3) and `web` (anything that takes HTTP PUT).
Called by `publish`, by `inclusions` and by `python -m settlement.mirrors`.
"""

from __future__ import annotations

from typing import Protocol


class MirrorError(RuntimeError):
    """A mirror that does not do its part: MirrorDown or MirrorWrong. The message names the mirror and no secret."""

    def __init__(self, mirror: str, problem: str) -> None:
        super().__init__(f"{mirror}: {problem}")
        self.mirror, self.problem = mirror, problem


class MirrorDown(MirrorError):
    """It cannot be reached, refuses, or fails: to be tried again."""


class MirrorWrong(MirrorError):
    """It holds other bytes than were put there, or not what it took: somebody has to look at it."""


class Mirror(Protocol):
    """One place that keeps bytes under a path."""

    @property
    def name(self) -> str:
        """How people know it; never a secret."""
        ...

    @property
    def place(self) -> str:
        """What fails as one: two mirrors are independent when their places differ."""
        ...

    def read(self, path: str, *, bytes_max: int) -> bytes | None:
        """The bytes under `path`, at most `bytes_max` + 1 of them; None when it has none. Raises `MirrorDown`."""
        ...

    def write(self, path: str, data: bytes) -> None:
        """Keep `data` under `path`, whole or not at all, in place of what was there. Raises `MirrorDown`."""
        ...

    def erase(self, path: str) -> None:
        """Keep nothing under `path` any more. Raises `MirrorDown`."""
        ...
