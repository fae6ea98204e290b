"""A process of its own that deploys, or carries over, and ends itself with SIGKILL at its nth signature or send.

python -m tests.settlement.deployment.cut [carry-over] N ARGUMENTS...
"""

import os
import signal
import sys

from settlement.deployment.deploy_command import main

PLACES = ("signed", "sent")
LEASE_S = 2


def deploy(nth: int, arguments: list[str], *, carrying: bool) -> int:
    """The command; it does not come back if it gets so far."""
    seen = 0

    def die_here(point: str) -> None:
        nonlocal seen
        seen += point in PLACES
        if seen == nth:
            os.kill(os.getpid(), signal.SIGKILL)

    return main(arguments, checkpoint=die_here, lease_s=LEASE_S, carrying=carrying)


if __name__ == "__main__":
    told = sys.argv[1:]
    carries = told[0] == "carry-over"
    told = told[carries:]
    sys.exit(deploy(int(told[0]), told[1:], carrying=carries))
