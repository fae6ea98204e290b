"""A second node's word on what is final: asked where nothing can be taken back, so that one node that lies, always the
same way, is not believed.

Invariants: without a second node everything here answers what the first one says; what both say is compared at one
block, which both call final and know by the same hash; where they differ nothing goes on (`NodesDisagree`), whoever of
them is right. A second node that lags or is away holds up what is final and nothing else. Reading only. Called by the
watcher, the submitter and the look. Source: docs/decisions/0218.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import zip_longest
from typing import TypeVar

from settlement.alliance import Alliance
from settlement.chain.client import ChainError, ChainUnclear, Head, Receipt
from settlement.watch.alerts import Alert

ALARM = "nodes-disagree"
SHOWN_CHARS_MAX = 200

T = TypeVar("T")


class NodesDisagree(ChainUnclear):
    """The two nodes say different things about the same final block. Nothing is called final; a person looks."""


def settled(alliance: Alliance) -> Head:
    """The newest block that both nodes call final. Raises `NodesDisagree`, `ChainUnclear`."""
    final = alliance.chain.head("finalized")
    if alliance.second is None:
        return final
    number = min(final.number, alliance.second.head("finalized").number)
    return agreed(alliance, f"block {number}", lambda each: each.chain.head(number))


def agreed(alliance: Alliance, what: str, read: Callable[[Alliance], T]) -> T:
    """What `read` answers of the alliance, by both nodes the same. Raises `NodesDisagree`, and what `read` raises."""
    ours = read(alliance)
    if alliance.second is None:
        return ours
    theirs = read(alliance.by_second())
    if ours != theirs:
        one, other = _apart(ours, theirs)
        raise NodesDisagree(
            f"{what}: {_short(one)} by {alliance.chain.place}, {_short(other)} by {alliance.second.place}"
        )
    return ours


def require_receipts(alliance: Alliance, hashes: list[bytes]) -> None:
    """Both nodes say the same of these transactions of ours: in which block, and with which outcome."""
    for tx_hash in hashes:
        agreed(alliance, f"transaction 0x{tx_hash.hex()}", lambda each, of=tx_hash: _mined(each.chain.receipt(of)))  # type: ignore[misc] # the default binds this round's hash


def alarm_of(error: ChainError) -> str:
    """The code of the alert where a node's answers are why something waits."""
    return ALARM if isinstance(error, NodesDisagree) else "chain-unclear"


def alert(alliance: Alliance, error: NodesDisagree) -> Alert:
    """What a person is told."""
    return Alert(code=ALARM, place=alliance.chain.place, expected="both nodes say the same", actual=str(error))


def _mined(receipt: Receipt | None) -> tuple[str, bool] | None:
    return None if receipt is None else (receipt.block_hash.hex(), receipt.succeeded)


def _apart(ours: object, theirs: object) -> tuple[object, object]:
    """What of the two differs: of lists the first that do."""
    if isinstance(ours, list) and isinstance(theirs, list):
        return next(pair for pair in zip_longest(ours, theirs) if pair[0] != pair[1])
    return ours, theirs


def _short(told: object) -> str:
    said = repr(told)
    return said if len(said) <= SHOWN_CHARS_MAX else f"{said[:SHOWN_CHARS_MAX]}…"
