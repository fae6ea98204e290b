"""Demands for data that are open on the chain, by the watcher's rows of final blocks: of which batches, since when.

The hub counts the demands of a batch and does not say of which leaf or row; the court that takes them does. Which of
several was answered is not told either, so the oldest is taken to be open as long as one is: rather too early than too
late. A batch that is thrown out or final has none. Reading only; called by `reconcile`. Source: protocol §4.5.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from settlement.tables import Conn

_TOLD = """
SELECT name, batch_no, block_number, (fields->>'openDemands')::integer FROM settlement.chain_event
WHERE contract = 'SettlementHub' AND name IN ('DemandAdded', 'DemandClosed', 'BatchReverted', 'BatchFinalised')
ORDER BY block_number, log_index
"""


@dataclass(frozen=True, slots=True)
class Demanded:
    """A batch of which data is demanded: how many demands are open, and the block since which one always was."""

    batch_no: int
    open: int
    since_block: int


def open_demands(conn: Conn) -> list[Demanded]:
    """Ascending by batch."""
    found: dict[int, Demanded] = {}
    for name, batch_no, block, left in conn.execute(_TOLD).fetchall():
        if name == "BatchReverted":
            found = {number: each for number, each in found.items() if number < batch_no}
        elif name == "BatchFinalised" or not left:
            found.pop(batch_no, None)
        else:
            found[batch_no] = replace(found.get(batch_no, Demanded(batch_no, left, block)), open=left)
    return [found[batch_no] for batch_no in sorted(found)]
