"""What the doors of tier proofs stand on beside the database: keys to check proofs with, and what makes witnesses.

Invariants: nothing here changes once the door is open; without the vault's key no witness is made, without a circuit no
proof is checked. Made by `api.serve` and by tests, kept by the `Door`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from proofs.tier.circuit_folder import CircuitKeys
from settlement.tiers.clock import EpochClock
from settlement.tiers.proving import Sealed
from settlement.tiers.trees import Trees
from settlement.vault import Vault

WITNESS_ROLE = "tongdui_settlement"
"""Witnesses are made from what the vault's schema holds, which the serving role may not read."""


Send = Callable[[Sealed], None]
"""Puts what was sealed for the workers into their queue."""
Seal = Callable[[int], Mapping[str, int]]
"""Takes epochs as far as they go at a second; how many came to the chain."""


@dataclass(frozen=True, slots=True)
class TierDesk:
    """`clock` says from which epoch on a commitment counts; `trees` is the folder that sealing fills; without `send`
    nobody proves for members. `seal` is there in a sandbox alone, whose clock ends epochs.
    """

    circuits: Sequence[CircuitKeys] = ()
    clock: EpochClock = field(default_factory=EpochClock)
    vault: Vault | None = None
    trees: Trees | None = None
    send: Send | None = None
    seal: Seal | None = None
