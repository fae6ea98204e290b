"""Epochs of tiers besides the beat: when an operator asks, and when a sandbox's clock has been moved past one's end.

Invariant: under the periodic task's own lease, so that never two at once are at it. Called by `python -m
settlement.tiers` and by the serving process of a sandbox.
"""

from __future__ import annotations

from settlement.tables import Conn
from settlement.tasks.leading import leading
from settlement.tasks.ticks import TIERS
from settlement.tasks.works import Works
from settlement.tiers import epochs
from settlement.tiers.epochs import Standing


def seal_epochs(works: Works, conn: Conn) -> list[Standing]:
    """Take every epoch as far as it goes at the works' moment. Raises `LeaseHeld`, and what `Works.tiers` raises."""
    with leading(conn, works.dsn, TIERS, wait_s_max=works.lead_wait_s), works.tiers(conn) as desk:
        return epochs.drive(desk)
