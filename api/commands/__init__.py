"""From what a merchant sent to what the ledger is asked: one command per body. No I/O, no judgement of state.

Invariants: the merchant is the caller's, never a field; equal bodies give equal commands, so that the ledger's
comparison of a repeated key is a comparison of bodies. `scoped` is the only place where a key of the ledger is spelled.
Called by the handlers of this room, and by the demo for the same spelling.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


def scoped(merchant_id: int, key: str) -> str:
    """The ledger's key for what one merchant calls `key`: no two merchants meet; one's writes share one space."""
    return f"{merchant_id}:{key}"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a write knows beside its body: the ledger's key, when it happened, whose write it is, and the names in its
    address.
    """

    key: str
    at_ms: int
    merchant_id: int
    named: Mapping[str, str] = field(default_factory=dict)
