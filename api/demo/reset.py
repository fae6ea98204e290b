"""Takes the demonstration away: stops the embedded servers that run under its folder, then removes the folder.

Invariant: a folder in which no demonstration ran is left alone, whatever TONGDUI_VAR says. Called by `make reset`.
"""

import os
import shutil
import sys
from pathlib import Path

from ledger.postgres.embedded import stop
from settlement.embedded_chain.process import attach

MARKS = ("demo.lock", "postgres", "chain")


class NotADemonstration(Exception):
    """The folder holds something, and none of it is a demonstration's."""


def reset(var: Path) -> None:
    """Remove `var` and end what runs there; a folder that does not exist is no error."""
    if not var.exists():
        return
    if any(var.iterdir()) and not any((var / mark).exists() for mark in MARKS):
        raise NotADemonstration(f"{var} holds none of {', '.join(MARKS)}: left as it is")
    stop(var / "postgres")
    if (node := attach(var / "chain")) is not None:
        node.stop()
    shutil.rmtree(var)


if __name__ == "__main__":
    try:
        reset(Path(os.environ.get("TONGDUI_VAR") or "var"))
    except (NotADemonstration, OSError) as error:
        sys.exit(f"reset: {error}")
