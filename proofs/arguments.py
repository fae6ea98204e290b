"""Arguments of command lines that are bytes: hex of a fixed length, with or without 0x.

For `argparse`, whose words a wrong one is refused in. Used by the programs of the auditor and of settlement.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable


def hex_argument(length: int) -> Callable[[str], bytes]:
    """The `type` of an argument of `length` bytes."""

    def bytes_of(text: str) -> bytes:
        try:
            raw = bytes.fromhex(text.removeprefix("0x"))
        except ValueError:
            raw = b""
        if len(raw) != length:
            raise argparse.ArgumentTypeError(f"{text!r} is not {length} bytes: 0x and {2 * length} hex digits")
        return raw

    return bytes_of
