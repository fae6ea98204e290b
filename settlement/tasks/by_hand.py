"""Epochs of tiers besides the beat: when an operator asks, and when a sandbox's clock has been moved past one's end.

Invariant: under the periodic task's own lease, so that never two at once are at it. Called by `python -m
settlement.tiers` and by the serving process of a sandbox.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import structlog

from settlement.alliance import AllianceError
from settlement.chain.client import ChainError
from settlement.chain.senders import KeyRefused
from settlement.embedded_chain.process import NodeFailed
from settlement.lease import LeaseHeld, LeaseLost
from settlement.settings import SettlementSettings
from settlement.tables import Conn, StateMoved
from settlement.tasks.leading import leading
from settlement.tasks.ticks import TIERS
from settlement.tasks.works import Works
from settlement.tiers import epochs, rows
from settlement.tiers.epochs import Standing
from settlement.tiers.place import registry_place
from settlement.tiers.rows import State
from settlement.vault import VaultError

log = structlog.get_logger("tongdui.tasks")
_MS_PER_SECOND: Final = 1_000
_LATER: Final = (
    LeaseHeld,
    LeaseLost,
    StateMoved,
    AllianceError,
    ChainError,
    NodeFailed,
    KeyRefused,
    VaultError,
    OSError,
)
"""Somebody else is at it, or something is not there: the beat, or the next epoch, finds it again."""


def seal_epochs(works: Works, conn: Conn) -> list[Standing]:
    """Take every epoch as far as it goes at the works' moment. Raises `LeaseHeld`, and what `Works.tiers` raises."""
    with leading(conn, works.dsn, TIERS, wait_s_max=works.lead_wait_s), works.tiers(conn) as desk:
        return epochs.drive(desk)


def seal_at(settings: SettlementSettings, dsn: str, at_s: int) -> Mapping[str, int]:
    """The same at a second of a sandbox's clock; how many epochs came to the chain. An alliance without a registry has
    none; what cannot be done now is logged.
    """
    works = Works(settings=settings, dsn=dsn, now_ms=lambda: at_s * _MS_PER_SECOND)
    with works.connection() as conn:
        if registry_place(conn) is None:
            return {}
        before = {each.epoch for each in rows.unfinished(conn) if each.state is State.ANCHORED}
        try:
            standings = seal_epochs(works, conn)
        except _LATER as error:
            log.warning("epochs not sealed", at=at_s, error=f"{type(error).__name__}: {error}")
            return {}
    for each in standings:
        if each.alarm:
            log.warning("epoch", epoch=each.epoch, state=each.state.name, reason=each.reason)
    came = sum(each.state is State.ANCHORED and each.epoch not in before for each in standings)
    return {"seal_epoch": came} if came else {}
