"""Epochs of tiers: whatever the clock and the chain allow now.

Invariants: how far an epoch goes is decided by `settlement.tiers.epochs`; here is only the asking. A tick; called by
`turn`.
"""

from __future__ import annotations

from settlement.tasks.asking import Told, Turn
from settlement.tiers import proving, rows
from settlement.tiers.epochs import drive


def seal_epochs(turn: Turn) -> Told:
    """Draw, snapshot, hash, sign, anchor, erase; and see that there is a key for assisted proving, where that is on."""
    before = {each.epoch: each.state for each in rows.unfinished(turn.conn)}
    if turn.works.settings.tier_assisted:
        proving.ready(turn.conn, turn.works.vault(), now=turn.works.now_s())
    with turn.works.tiers(turn.conn) as desk:
        standings = drive(desk)
    moved = {str(each.epoch): each.state.name for each in standings if before.get(each.epoch) is not each.state}
    return {"epochs": moved} if moved else {}
