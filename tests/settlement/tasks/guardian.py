"""Ends what a test started when the test itself was killed: a process of its own that waits for its input to end.

    python -m tests.settlement.tasks.guardian   process groups on standard input, one a line, in the order of their end

Whoever is killed closes its pipes, however it died; then everything that was named and still runs is killed. Whoever
ends its processes itself ends the guardian first. Called by `brokers`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys


def main() -> None:
    """Wait, then kill."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    groups = [int(line) for line in sys.stdin]
    for group in groups:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
