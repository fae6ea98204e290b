"""What an epoch says of a member: seven numbers in one field element of 236 bits.

Invariants: ranges are checked when an instance is made; what is packed comes apart as it was. Amounts are whole AU,
times are Unix seconds. Called by the sealing of epochs, wallets and tests.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar, Final, NamedTuple

from proofs.tier.packing import Packed, PackingError

TIER_RANK_MAX = 15
_TIER_BITS: Final = 4
_PACKED: Final = struct.Struct(">HIIIQQ")
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

    BYTES: ClassVar[int] = _PACKED.size

    points: int
    spend: int
    since: int
    valid_until: int
    key_epoch: int
    tier: int
    programme: int = PROGRAMME


class Said(NamedTuple):
    """The same of the alliance's programme, for whoever says it of a million members: checked when it is packed."""

    points: int
    spend: int
    since: int
    valid_until: int
    key_epoch: int
    tier: int

    def packed_bytes(self) -> bytes:
        """`Attributes(..).packed()` in BYTES bytes, the most significant first, as rows keep it. Raises `PackingError`
        for a value that does not fit its place.
        """
        points, spend, since, valid_until, key_epoch, tier = self
        if not 0 <= tier <= TIER_RANK_MAX:
            raise PackingError("tier", f"does not fit {_TIER_BITS} bits")
        try:
            return _PACKED.pack(PROGRAMME << _TIER_BITS | tier, key_epoch, valid_until, since, spend, points)
        except struct.error as error:
            raise PackingError("attributes", str(error)) from error
