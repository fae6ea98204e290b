"""When epochs begin and end: a clock without a memory, so every worker and every test reads the same number from it.

Invariants: epochs touch and never overlap; numbers rise with time, from 1, and fit the 32 bits that leaves have for
them. The time is always the caller's. Called by commitments, the sealing of epochs and the command.
"""

from __future__ import annotations

from dataclasses import dataclass

EPOCH_NO_MAX = 2**32 - 1


@dataclass(frozen=True, slots=True)
class EpochClock:
    """`start` is the Unix second at which epoch 1 begins, `seconds` how long each takes."""

    seconds: int = 86_400
    start: int = 0

    def epoch_at(self, now: int) -> int:
        """The epoch of a second; 0 before the first."""
        return max(0, (now - self.start) // self.seconds + 1)

    def begins(self, epoch: int) -> int:
        """Its first second, whose state of the ledger it shows."""
        return self.start + (epoch - 1) * self.seconds

    def ends(self, epoch: int) -> int:
        """Its last second."""
        return self.begins(epoch + 1) - 1
