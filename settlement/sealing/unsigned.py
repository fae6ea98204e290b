"""What hosted lanes' signers do not sign: it is left out of the batch in the making, and a person is told.

A signer that says nothing bars its lanes as a whole; one that refuses an event bars its leg, and the lane goes on with
the others. Neither holds up the lanes of anybody else, and the next batch asks again. Invariants: what is barred is
parked by `choosing` with all that has to wait for it; a batch is never padded with what nobody signs. Pure but for
`tell`. Called by `batches`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from ledger.answers import LegRef
from proofs.accounts import OPERATOR_ID
from proofs.kinds import Kind
from settlement.sealing.choosing import Barred
from settlement.sealing.closing import padded
from settlement.sealing.lanes import SILENT, LaneId, Roster
from settlement.tables import Conn
from settlement.watch import alerts
from settlement.watch.alerts import Alert

ROUNDS_MAX: Final = 4
"""So often a batch is chosen anew without what was not signed; each time less is asked for."""
SOURCE: Final = "lanes"

Refusal = tuple[LegRef, LaneId, str]
"""A leaf's leg, the lane that should have signed it, and the reason given."""


class NothingSigned(Exception):
    """Without what is barred nothing is left of the batch."""


def barred_with(barred: Barred, refused: Iterable[Refusal]) -> Barred:
    """As before, and these too."""
    told = list(refused)
    lanes = {lane_id for _, lane_id, reason in told if reason == SILENT}
    return Barred(barred.lanes | lanes, barred.legs | {source for source, _, reason in told if reason != SILENT})


def voids_barred(barred: Barred, roster: Roster) -> bool:
    """Whether the lane that fills batches with VOID leaves signs none now."""
    return roster.lane_for(OPERATOR_ID, Kind.VOID).id in barred.lanes or any(source.no == 0 for source in barred.legs)


def leaves_shown(leaves: int, buckets: Sequence[int], roster: Roster, barred: Barred) -> int:
    """How many leaves the batch has in the end: at least one."""
    least = max(1, leaves)
    return least if voids_barred(barred, roster) else padded(least, buckets)


def tell(conn: Conn, refused: Iterable[Refusal]) -> None:
    """One alert for each lane and reason, until a batch is sealed without it."""
    count = Counter((lane_id, reason) for _, lane_id, reason in refused)
    found = [
        Alert(
            code="lane-parked",
            place=f"lane {lane_id.merchant_id}/{lane_id.key_id}: {reason}",
            expected="its signer signs",
            actual=f"{legs} leaves wait",
        )
        for (lane_id, reason), legs in sorted(count.items())
    ]
    alerts.keep(conn, SOURCE, found)
