"""The named points of a transaction's way, at which a crash test may end the process.

Of something that is signed: decided (what is to be signed is written down), answered (by the signer, and nothing is
kept yet), signed (and kept), sent, included (seen in a block, not yet written down), reorganised, each also with the
verb of its purpose (signed:commit); handing (over to the node, at once), replaced, resent. Of a batch: opened, sealed,
published. Of a second reading of events: reread (nothing is changed yet), righted (the rows), told (the ledger).
Called by the outbox and those who write for it, and by `reread`.
"""

from __future__ import annotations

from collections.abc import Callable

Checkpoint = Callable[[str], None]
"""Called at each point."""
Reached = Callable[[str, str], None]
"""Told a point and the purpose that came to it."""


def unwatched(_point: str) -> None:
    """The checkpoint of everyday."""


def telling(checkpoint: Checkpoint) -> Reached:
    """Tells a checkpoint each point by two names: by itself, and with the verb of the purpose."""

    def reached(point: str, purpose: str) -> None:
        checkpoint(point)
        checkpoint(f"{point}:{purpose.partition(':')[0]}")

    return reached
