"""Whether the next batch would hold anything: what could go into it, by what is signed and what the registry allows.

Said before anything is opened, loaded or made; `choosing` decides again with everything in hand. Reads the legs that
wait, else pure. Called by `batches`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.answers import Leg, LegRef
from ledger.journal import JournalEntry
from proofs.kinds import Kind
from settlement.sealing import desk
from settlement.sealing.ends import Ends, Use
from settlement.sealing.lanes import LaneUnknown, Roster
from settlement.sealing.self_signed import Inbox
from settlement.tables import Conn


@dataclass(frozen=True, slots=True)
class Turn:
    """What decides whether a leg can go into batch `batch_no`."""

    batch_no: int
    hosted: Roster
    inbox: Inbox
    ends: Ends

    def could_go(self, source: LegRef, leg: Leg) -> bool:
        """Signed, or the alliance's to sign; and the registry lets it. A new merchant's leg counts, for the batch that
        it asks for gives its accounts their rows.
        """
        own = self.inbox.lane_for(leg.signer, leg.kind, seq=source.seq, batch_no=self.batch_no)
        if own is not None and source not in self.inbox.signed:
            return False
        try:
            lane = own.id if own is not None else self.hosted.lane_for(leg.signer, Kind(leg.kind)).id
        except LaneUnknown:
            return False
        return self.ends.allow(Use(*lane, leg.kind, leg.terms_id), batch_no=self.batch_no)

    def holds_anything(self, conn: Conn, entries: Sequence[JournalEntry], leaves_max: int) -> bool:
        """Whether the batch would hold a leaf or could: a leg, one of an earlier range that was signed since, a burnt
        nonce.

        A range of which all legs wait makes no batch; it grows until something in it can go, or it is as long as a
        batch may be, or the cut-off comes.
        """
        if sum(len(entry.legs) for entry in entries) >= leaves_max:
            return True
        waiting = set(desk.late_legs(conn, batch_no=self.batch_no))
        if self.inbox.burns(self.batch_no) or any(source in waiting for source in self.inbox.signed):
            return True
        return any(self.could_go(LegRef(entry.seq, leg.no), leg) for entry in entries for leg in entry.legs)
