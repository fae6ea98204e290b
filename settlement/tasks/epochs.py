"""Epochs of tiers: whatever the clock and the chain allow now.

Invariants: how far an epoch goes is decided by `settlement.tiers.epochs`; here is only the asking. A tick; called by
`turn`.
"""

from __future__ import annotations

from settlement.tasks.asking import Told, Turn
from settlement.tiers import rows
from settlement.tiers.epochs import drive


def seal_epochs(turn: Turn) -> Told:
    """Draw, snapshot, hash, sign, anchor, erase."""
    before = {each.epoch: each.state for each in rows.unfinished(turn.conn)}
    with turn.works.tiers(turn.conn) as desk:
        standings = drive(desk)
    moved = {str(each.epoch): each.state.name for each in standings if before.get(each.epoch) is not each.state}
    return {"epochs": moved} if moved else {}
