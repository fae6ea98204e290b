"""`python -m settlement carry-over`: a running ledger goes on at another hub, planned first, resumable, verified.

    python -m settlement carry-over --config next.toml --rpc URL --keystore deployer.json --out next-addresses.json
    python -m settlement carry-over … --yes

The old hub has committed a last settling batch and it is final; with --yes the old hub is wound down (by the founding
account if it still rules, else the council has done it), a new one is founded whose first header holds every balance as
the last one left it and is bound to it by hash, and the ledger goes on there with the next number. While anything is
pending at the old hub it is refused, by name. Stop the tasks first; start them with the new file of addresses. Options
and exit codes are those of `deploy`, and 1 also says what still holds the ledger.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from settlement.chain.outbox import Checkpoint, unwatched
from settlement.deployment import deploy_command
from settlement.lease import LEASE_S


def main(arguments: Sequence[str] | None = None, *, checkpoint: Checkpoint = unwatched, lease_s: int = LEASE_S) -> int:
    """Plan, or go on; answers the exit code."""
    return deploy_command.main(arguments, checkpoint=checkpoint, lease_s=lease_s, carrying=True)


if __name__ == "__main__":
    sys.exit(main())
