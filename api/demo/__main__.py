"""`python -m api.demo`. The command is loaded late, so that Ctrl-C is answered while libraries still load. SIGTERM
counts as Ctrl-C: dying of it would leave the servers behind. One that falls into a destructor, where the interpreter
throws exceptions away, comes again a moment later.

Once the outcome is known neither changes anything any more: an interpreter on its way out would die of it and lose the
exit code.
"""

from __future__ import annotations

import _thread
import argparse
import signal
import sys
import threading
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

INTERRUPTED = 130
AGAIN_AFTER_S = 0.05


def main() -> int:
    """The command's exit code, 130 when it was interrupted."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.unraisablehook = _hear_again
    try:
        code: int = import_module("api.demo.command").main()
        _hear_no_more()
    except KeyboardInterrupt:
        _hear_no_more()
        sys.stdout.write("\nInterrupted. Nothing that was answered is lost: run it again and it goes on from here.\n")
        return INTERRUPTED
    return code


def _hear_again(thrown_away: UnraisableHookArgs) -> None:
    if issubclass(thrown_away.exc_type, KeyboardInterrupt):
        threading.Timer(AGAIN_AFTER_S, _thread.interrupt_main).start()
    else:
        sys.__unraisablehook__(thrown_away)


def _hear_no_more() -> None:
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)


def _parser() -> argparse.ArgumentParser:
    """It takes no arguments."""
    return argparse.ArgumentParser(
        prog="python -m api.demo",
        description="Play a year of an alliance, settle it, audit it and show a report (make demo).",
        epilog="Told by environment variables: EVENTS, REFUND_LINKS, SERVE, TONGDUI_*; exit codes: docs/demo.md.",
    )


if __name__ == "__main__":
    _parser().parse_args()
    sys.exit(main())
