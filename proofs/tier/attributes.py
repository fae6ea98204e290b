"""What an epoch says of a member: seven numbers in one field element of 236 bits.

Invariants: ranges are checked when an instance is made; what is packed comes apart as it was. Amounts are whole AU,
times are Unix seconds. Called by the sealing of epochs, wallets and tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from proofs.tier.packing import Packed

TIER_RANK_MAX = 15
PROGRAMME = 1
"""The alliance's one programme of points."""


@dataclass(frozen=True, slots=True)
class Attributes(Packed):
    """`points`: worth of all the member's lots, floored. `spend`: what counts for growth. `tier`: the rank in the
    ledger's table of tiers. `key_epoch`: the epoch in which the member's present commitment first stood.
    """

    LAYOUT: ClassVar[tuple[tuple[str, int], ...]] = (
        ("points", 64),
        ("spend", 64),
        ("since", 32),
        ("valid_until", 32),
        ("key_epoch", 32),
        ("tier", 4),
        ("programme", 8),
    )

    points: int
    spend: int
    since: int
    valid_until: int
    key_epoch: int
    tier: int
    programme: int = PROGRAMME
