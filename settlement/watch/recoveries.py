"""Tells the ledger what was recovered after a default: repaid by defaulters, collected by creditors, put back into the
operator's bond.

Invariants: only what final blocks hold is told, each block's recoveries of each default once, under a key that names
both; what a step comes to is what `moved` says, so whoever tells it, twice or late, says the same. Steps are told in
the chain's order: what was recovered after a batch became final waits until the ledger knows that batch. How far it was
told is a cursor, for reconciliation. Called by the periodic comparison, and by the submitter before it tells of a
batch. Source: protocol §4.6.
"""

from __future__ import annotations

from collections.abc import Sequence

from ledger.answers import Refusal
from ledger.commands import Net, SettleNets
from settlement import second_node, tables
from settlement.batches import Settlement
from settlement.chain.client import ChainError
from settlement.sealing.leaves import MS_PER_SECOND
from settlement.tables import Conn
from settlement.watch import alerts, moved
from settlement.watch.alerts import Alert
from settlement.watch.moved import Step

SOURCE = "recoveries"
CURSOR = "recoveries"
_TOLD = "SELECT block_number FROM settlement.chain_cursor WHERE name = %s"
_TELL = """
INSERT INTO settlement.chain_cursor AS held (name, block_number, block_hash)
SELECT %(name)s, block_number, block_hash FROM settlement.chain_event WHERE block_number = %(block)s LIMIT 1
ON CONFLICT (name) DO UPDATE
SET block_number = excluded.block_number, block_hash = excluded.block_hash, moved_at = clock_timestamp()
WHERE held.block_number < excluded.block_number
"""


class LedgerRefused(RuntimeError):
    """The ledger does not take what the chain has moved; a person decides."""


def told_until(conn: Conn) -> int:
    """The block up to which the ledger knows of recoveries, -1 before the first."""
    row = conn.execute(_TOLD, [CURSOR]).fetchone()
    return -1 if row is None else int(row[0])


def told(conn: Conn) -> list[Step]:
    """Everything that moved of which the ledger was told, in order: what it has to agree with."""
    ended, until = tables.last_finalised(conn), told_until(conn)
    return [step for step in moved.steps(conn) if is_told(step, ended=ended, until=until)]


def is_told(step: Step, *, ended: int, until: int) -> bool:
    """Whether the ledger knows of this step. `ended`: the last batch that is FINALISED here; `until` as above."""
    return step.block_number <= until if step.recovered else step.batch_no <= ended


def tell(s: Settlement) -> int:
    """Tell all that is due; how many steps were told. Safe to repeat. Raises `LedgerRefused`, `ChainError`,
    `Unbalanced`.
    """
    ended, until = tables.last_finalised(s.conn), told_until(s.conn)
    known = moved.steps(s.conn)
    count = 0
    for at, step in enumerate(known):
        if not step.recovered and step.batch_no > ended:
            break
        if step.recovered and step.block_number > until:
            _post(s, known, at)
            count += 1
            if at + 1 == len(known) or known[at + 1].block_number > step.block_number:
                s.conn.execute(_TELL, {"name": CURSOR, "block": step.block_number})
    return count


def tell_recoveries(s: Settlement) -> list[Alert]:
    """The same; what a person has to know of it."""
    found: list[Alert] = []
    try:
        tell(s)
    except LedgerRefused as error:
        found = [Alert(code="ledger-refused", place=SOURCE, expected="recoveries are posted", actual=str(error))]
    except ChainError as error:
        code = second_node.alarm_of(error)
        found = [Alert(code=code, place=SOURCE, expected="recoveries are posted", actual=str(error))]
    except moved.Unbalanced as error:
        found = [Alert(code="events-missing", place=SOURCE, expected="what moved sums to zero", actual=str(error))]
    alerts.keep(s.conn, SOURCE, found)
    return found


def _post(s: Settlement, known: Sequence[Step], at: int) -> None:
    step = known[at]
    nets = moved.newly_settled([each.moved for each in known], at)
    command = SettleNets(
        key=f"recovered:{step.batch_no}:{step.block_number}",
        at_ms=second_node.block(s.alliance, step.block_number).timestamp * MS_PER_SECOND,
        batch_no=step.batch_no,
        recovered_in=step.block_number,
        nets=tuple(Net(merchant_id=party, au=au) for party, au in nets.items()),
    )
    (answer,) = s.ledger.post([command])
    if isinstance(answer.outcome, Refusal):
        raise LedgerRefused(f"batch {step.batch_no}, recovered: {answer.outcome.code}: {answer.outcome.message}")
