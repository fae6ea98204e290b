"""A mirror that is a folder: on this machine, or mounted from another.

Invariants: a file appears whole under its name or not at all, also after a power cut. Made by settings, the
demonstration and tests.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from settlement.mirrors import MirrorDown

THIS_MACHINE: Final = "this machine"


@dataclass(frozen=True, slots=True)
class FolderMirror:
    """Files below `root`."""

    root: Path

    @property
    def name(self) -> str:
        return str(self.root)

    @property
    def place(self) -> str:
        return THIS_MACHINE

    def read(self, path: str, *, bytes_max: int) -> bytes | None:
        try:
            with (self.root / path).open("rb") as stream:
                return stream.read(bytes_max + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._down(error) from error

    def write(self, path: str, data: bytes) -> None:
        try:
            _write(self.root / path, data)
        except OSError as error:
            raise self._down(error) from error

    def erase(self, path: str) -> None:
        try:
            (self.root / path).unlink(missing_ok=True)
        except OSError as error:
            raise self._down(error) from error

    def _down(self, error: OSError) -> MirrorDown:
        return MirrorDown(self.name, error.strerror or type(error).__name__)


def _write(path: Path, data: bytes) -> None:
    """Aside, flushed, renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with aside.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        aside.replace(path)
    except OSError:
        aside.unlink(missing_ok=True)  # a full disk is not to be kept full by what never was whole
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
