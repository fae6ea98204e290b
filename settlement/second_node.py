"""A second node's word on what is final: asked where nothing can be taken back, so that one node that lies, always the
same way, is not believed.

Invariants: without a second node everything here answers what the first one says; what both say is compared at one
block, which both call final and know by the same hash; where they differ nothing goes on (`NodesDisagree`), whoever of
them is right. A second node that lags or is away holds up what is final and nothing else. Reading only. Called by the
watcher, the submitter, the look, the sealing of epochs and deployment. Source: docs/decisions/0218, 0253.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from itertools import zip_longest
from time import sleep
from typing import Any, Protocol, Self, TypeVar

from settlement.chain.client import Chain, ChainError, ChainUnclear, Head, Receipt
from settlement.watch.alerts import Alert

ALARM = "nodes-disagree"
SHOWN_CHARS_MAX = 200
BEHIND_TRIES_MAX, BEHIND_POLL_S = 30, 1.0

T = TypeVar("T")


class NodesDisagree(ChainUnclear):
    """The two nodes say different things about the same final block. Nothing is called final; a person looks."""


class Shown(Protocol):
    """Contracts as a node shows them, and perhaps another: an alliance's, or the registry of tiers."""

    @property
    def chain(self) -> Chain: ...

    @property
    def second(self) -> Chain | None: ...

    def by_second(self) -> Self:
        """The same as the second node shows them."""
        ...


C = TypeVar("C", bound=Shown)


def settled(shown: Shown) -> Head:
    """The newest block that both nodes call final. Raises `NodesDisagree`, `ChainUnclear`."""
    final = shown.chain.head("finalized")
    if shown.second is None:
        return final
    number = min(final.number, shown.second.head("finalized").number)
    return block(shown, number)


def block(shown: Shown, number: int) -> Head:
    """A block by its number, the same by both nodes. Raises `NodesDisagree`, `ChainUnclear`."""
    return agreed(shown, f"block {number}", lambda each: each.chain.head(number))


def agreed(shown: C, what: str, read: Callable[[C], T]) -> T:
    """What `read` answers of it, by both nodes the same. Raises `NodesDisagree`, and what `read` raises."""
    ours = read(shown)
    if shown.second is None:
        return ours
    theirs = read(shown.by_second())
    if ours != theirs:
        one, other = _apart(ours, theirs)
        raise NodesDisagree(f"{what}: {one} by {shown.chain.place}, {other} by {shown.second.place}")
    return ours


def wait_for(shown: Shown, number: int, *, meanwhile: Callable[[], None]) -> None:
    """Until the second node has a block of this number, for a while: it may be a moment behind what was just done."""
    for _ in range(BEHIND_TRIES_MAX):
        if shown.second is None or shown.second.head().number >= number:
            return
        meanwhile()
        sleep(BEHIND_POLL_S)


def require_receipts(shown: Shown, hashes: list[bytes]) -> None:
    """Both nodes say the same of these transactions of ours: in which block, and with which outcome."""
    for tx_hash in hashes:
        agreed(shown, f"transaction 0x{tx_hash.hex()}", lambda each, of=tx_hash: _mined(each.chain.receipt(of)))  # type: ignore[misc] # the default binds this round's hash


def alarm_of(error: ChainError) -> str:
    """The code of the alert where a node's answers are why something waits."""
    return ALARM if isinstance(error, NodesDisagree) else "chain-unclear"


def alert(shown: Shown, error: ChainError) -> Alert:
    """What a person is told."""
    expected = "both nodes say the same" if isinstance(error, NodesDisagree) else "the node answers"
    return Alert(code=alarm_of(error), place=shown.chain.place, expected=expected, actual=str(error))


def _mined(receipt: Receipt | None) -> tuple[str, bool] | None:
    return None if receipt is None else (receipt.block_hash.hex(), receipt.succeeded)


def _apart(ours: Any, theirs: Any) -> tuple[str, str]:
    """What of the two differs: of lists the first that do, of what has fields those that do."""
    if isinstance(ours, list) and isinstance(theirs, list):
        ours, theirs = next(pair for pair in zip_longest(ours, theirs) if pair[0] != pair[1])
    if is_dataclass(ours) and type(ours) is type(theirs):
        names = [field.name for field in fields(ours) if getattr(ours, field.name) != getattr(theirs, field.name)]
        return _short(_said(ours, names)), _short(_said(theirs, names))
    return _short(_plainly(ours)), _short(_plainly(theirs))


def _said(told: Any, names: list[str]) -> str:
    return ", ".join(f"{name} {_plainly(getattr(told, name))}" for name in names)


def _plainly(told: Any) -> str:
    return f"0x{told.hex()}" if isinstance(told, bytes) else repr(told)


def _short(said: str) -> str:
    return said if len(said) <= SHOWN_CHARS_MAX else f"{said[:SHOWN_CHARS_MAX]}…"
