"""A process of its own that reads events again, and ends itself with SIGKILL at a named point. Forked by
`test_reread_crashes`.
"""

import os
import signal

from settlement.watch import reread_command
from tests.forked import killed

PROCESS_S_MAX = 110


def main(dsn: str, url: str, point: str) -> None:
    """Put right what differs, up to this point."""

    def die_here(reached: str) -> None:
        if reached == point:
            os.kill(os.getpid(), signal.SIGKILL)

    reread_command.main(["--dsn", dsn, "--rpc", url, "--yes"], checkpoint=die_here)


def reread_killed_at(dsn: str, url: str, point: str) -> bool:
    """Whether the process ended itself at this point."""
    return killed(main, dsn, url, point, seconds_max=PROCESS_S_MAX)
