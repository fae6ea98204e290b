"""All signatures of a batch: asked from the port and checked, in pieces that run side by side.

Every signature is checked against the registered address before anything is built on it: the signer is another
program, perhaps on another machine, and a leaf with a wrong signature can be proven against the operator for ever.
Signing and checking are most of the work of sealing; the library leaves Python's lock while it computes, so threads
use all cores. Called by `seal`. Source: docs/protocol §3.7, step 2.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Final

from proofs.messages import domain_separator, signed_digest
from proofs.signature import SignatureError, recover
from settlement.lanes import LaneId, LaneSigner, Roster, Signature
from settlement.leaves import UnsealedLeaf
from settlement.refusals import Reason, SealRefused

PIECE_LEAVES: Final = 1_024
THREADS_MAX: Final = 8

Request = tuple[LaneId, bytes]


def signatures(
    leaves: Sequence[UnsealedLeaf],
    event_hashes: Sequence[bytes],
    *,
    chain_id: int,
    hub: bytes,
    roster: Roster,
    signer: LaneSigner,
) -> list[Signature]:
    """The signature of each event by its lane, in order. Raises `SealRefused` with reason SIGNATURE. Every lane must
    be in the roster.
    """
    separator = domain_separator(chain_id=chain_id, hub=hub)
    requests = [
        (LaneId(leaf.event.merchant_id, leaf.event.key_id), signed_digest(separator, event_hash))
        for leaf, event_hash in zip(leaves, event_hashes, strict=True)
    ]
    addresses = {lane.id: lane.address for lane in roster}

    def piece(start: int) -> list[Signature]:
        asked = requests[start : start + PIECE_LEAVES]
        given = signer.sign(asked)
        wrong = _first_wrong(asked, given, addresses)
        if wrong is not None:
            lane_id, _ = asked[wrong]
            expected = f"a signature of lane {tuple(lane_id)}, {addresses[lane_id].hex()}"
            raise SealRefused(
                Reason.SIGNATURE, leaves[start + wrong].source, expected=expected, actual=given[wrong : wrong + 1]
            )
        return given

    with ThreadPoolExecutor(min(THREADS_MAX, os.cpu_count() or 1)) as pool:
        return list(chain.from_iterable(pool.map(piece, range(0, len(requests), PIECE_LEAVES))))


def _first_wrong(asked: Sequence[Request], given: Sequence[Signature], addresses: dict[LaneId, bytes]) -> int | None:
    """The first request that was not answered by a signature of its lane's key; None if all were."""
    for at, ((lane_id, digest), (r, vs)) in enumerate(zip(asked, given, strict=False)):
        if _signer_of(digest, r, vs) != addresses[lane_id]:
            return at
    return None if len(given) == len(asked) else min(len(given), len(asked) - 1)


def _signer_of(digest: bytes, r: bytes, vs: bytes) -> bytes | None:
    try:
        return recover(digest, r, vs)
    except SignatureError:
        return None
