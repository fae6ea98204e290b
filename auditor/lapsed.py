"""When a header that was signed can never be committed any more, so that another may be signed under its number.

The hub refuses a header whose `sealedAt` is longer ago than the policy's seal lag, and no policy can make that longer
than `SEAL_LAG_SECONDS_BOUND`; a header whose predecessor is not in the hub's chain it refuses always. So a header has
lapsed when, at a finalised block, it is not what stands under its number and its own time is up or its predecessor has
lapsed. Time only goes on and finalised blocks stay, so what has lapsed once stays so. Pure; used by `attest` and
`evidence`. Source: docs/decisions/0190, protocol §5 R8.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from proofs.headers import SEAL_LAG_SECONDS_BOUND
from proofs.json_form import hex_bytes
from proofs.messages import BatchHeader


@dataclass(frozen=True, slots=True)
class Final:
    """A finalised block: its time in Unix seconds, and the header hash that the hub holds there under a number, zero
    where it holds none.
    """

    time: int
    header_hash: Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Sealing:
    """What decides of a sealed header whether it can still be committed."""

    batch_no: int
    sealed_at: int
    prev_header_hash: bytes

    @classmethod
    def of(cls, header: BatchHeader) -> Sealing:
        return cls(header.batch_no, header.sealed_at, header.prev_header_hash)


def lapsed(header_hash: bytes, known: Mapping[bytes, Sealing], final: Final) -> bool:
    """Whether no chain that goes on from this block can hold the header; False for one that is not `known`."""
    for _ in range(len(known)):
        sealing = known.get(header_hash)
        if sealing is None or final.header_hash(sealing.batch_no) == header_hash:
            return False
        if final.time > committable_until(sealing):
            return True
        header_hash = sealing.prev_header_hash
    return False


def committable_until(sealing: Sealing) -> int:
    """The last second at which a hub might take it, whatever its parameters."""
    return sealing.sealed_at + SEAL_LAG_SECONDS_BOUND


def sealings_in(state: Mapping[str, Any]) -> dict[bytes, Sealing]:
    """What an attester's state says of the headers it saw; nothing where it was written before times were kept. Raises
    AttributeError, TypeError or ValueError where it is none.
    """
    return {
        hex_bytes(each): Sealing(int(batch_no), int(sealed_at), hex_bytes(prev))
        for each, (batch_no, sealed_at, prev) in state.get("sealed", {}).items()
    }
