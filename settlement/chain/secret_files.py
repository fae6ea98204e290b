"""Passwords and tokens in files: one line, which nobody but the file's owner may read.

Invariant: a file that others may read is refused before a byte of it is; no message shows what is in one. Called by
whoever opens a key, or shows a token to a signer.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

SECRET_BYTES_MAX: Final = 4_096
OTHERS: Final = 0o077


class SecretRefused(ValueError):
    """Others may read the file, or it holds no line of text. The message names the file and what to do."""


def secret_line(path: Path) -> str:
    """The line in the file. Raises `SecretRefused`, OSError."""
    with path.open("rb") as stream:
        if stat.S_IMODE(os.fstat(stream.fileno()).st_mode) & OTHERS:
            raise SecretRefused(f"{path}: others may read this file; chmod 600 it")
        return line_of(stream.read(SECRET_BYTES_MAX + 1), str(path))


def line_of(told: bytes, place: str) -> str:
    """One line without its end. Raises `SecretRefused`."""
    if len(told) > SECRET_BYTES_MAX:
        raise SecretRefused(f"{place}: longer than a password or a token")
    try:
        line = told.decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise SecretRefused(f"{place}: not text") from error
    if not line:
        raise SecretRefused(f"{place}: is empty")
    return line
