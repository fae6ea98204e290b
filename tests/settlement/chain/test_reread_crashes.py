"""SIGKILL at every named point of a second reading, in every state that a batch can be in then: afterwards the rows
are what the chain says, the ledger was told once, and the batch goes on to one effect.

A batch's ten states are those of protocol §5, the failed ones being one. Who rereads may meet any of them: a worker may
have died in each, and none has anything to do with which events were read. Only a ledger's first header is never met
before it is FINALISED: until then there is no hub, so nothing was read (`reread` says `NotFounded`).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import pytest

from settlement.batches import Settlement, seal_next
from settlement.status import status
from settlement.submitter import drive
from settlement.tasks.ticks import SETTLEMENT
from settlement.watch import watcher
from settlement.watch.recoveries import tell
from settlement.watch.reread_command import main
from tests.settlement.chain.field import ATTESTERS, Field, attest, day
from tests.settlement.chain.liar import lying
from tests.settlement.chain.reread_driver import reread_killed_at
from tests.settlement.chain.test_courts import COURT, call, throw_out
from tests.settlement.chain.test_recoveries import journal_entries, repay, settled_au
from tests.settlement.chain.test_rereading import agrees
from tests.settlement.chain.test_settling import HOURS_6, in_default, poor_field, sealed_hashes

PARTS_OF_AN_AU = 15_000
MISTOLD = """
WITH gone AS (
    DELETE FROM settlement.chain_event WHERE (block_number, log_index) = (
        SELECT block_number, log_index FROM settlement.chain_event WHERE name = 'DebtRepaid'
        ORDER BY block_number DESC LIMIT 1
    ) RETURNING *
)
INSERT INTO settlement.chain_event
    (block_number, log_index, block_hash, tx_hash, contract, name, batch_no, merchant_id, amount, fields)
SELECT block_number, log_index + 1000, block_hash, tx_hash, contract, name, batch_no, merchant_id,
    amount + 70001, fields
FROM gone
"""
TIME_PASSES = """
UPDATE settlement.lease SET expires_at = '-infinity' WHERE name = %s AND expires_at > clock_timestamp()
"""
NEWEST = "SELECT state FROM settlement.batch WHERE superseded_by IS NULL ORDER BY batch_no DESC LIMIT 1"


UNHEARD = "unheard"
"""Not a point: no node hears of what is sent."""


class Stopped(BaseException):
    """As far as a worker came."""


def goes_on(s: Settlement, field: Field) -> None:
    attest(s, field.folder, sealed_hashes(s), list(ATTESTERS))
    drive(s)


def is_sealed(s: Settlement, _field: Field) -> None:
    seal_next(s, settling=True)


def is_published(s: Settlement, _field: Field) -> None:
    drive(s)


def is_demanded(s: Settlement, field: Field) -> None:
    call(s, "court", "grantRole", COURT, s.outbox.sender)
    call(s, "demand", "addDemand", 2, status(s.conn)[2].header_hash)
    goes_on(s, field)


def is_answered(s: Settlement) -> None:
    call(s, "answer", "closeDemand", 2, status(s.conn)[2].header_hash)
    s.alliance.chain.advance_time(12 * HOURS_6)


def is_thrown_out(s: Settlement, field: Field) -> None:
    field.post(day(3))
    seal_next(s, settling=True)
    goes_on(s, field)
    throw_out(s, 3)
    goes_on(s, field)


WAY: list[tuple[str, Callable[[Settlement, Field], None], str]] = [
    ("OPEN", is_sealed, "opened"),
    ("SEALED", is_sealed, "sealed"),
    ("PUBLISHED", is_published, "-"),
    ("ATTESTED", goes_on, "decided:commit"),
    ("SUBMITTED", goes_on, UNHEARD),
    ("CONFIRMED", goes_on, "-"),
    ("CHALLENGED", is_demanded, "-"),
    ("FINALISING", goes_on, UNHEARD),
    ("FINALISED", goes_on, "-"),
    ("FAILED_FRAUD", is_thrown_out, "-"),
]
"""What is done, and at which point it ends, for the newest batch to be in a state."""
AHEAD = {"ATTESTED": "SUBMITTED", "FINALISING": "FINALISED"}
"""After these the next transaction is the batch's: what is repaid for the second is repaid before the first."""


def brought(field: Field, state: str, act: Callable[[Settlement, Field], None], point: str) -> None:
    """The batch a step further, and before it the ledger told of an event that never was, instead of one that was."""
    armed = False

    def stop(reached: str) -> None:
        if armed and reached == point:
            raise Stopped

    with lying(field.url) as node, suppress(Stopped), replace(field, url=node.url).settlement(checkpoint=stop) as s:
        if state not in AHEAD.values():
            repay(s, PARTS_OF_AN_AU, state)
        watcher.watch(s.conn, s.alliance)
        s.conn.execute(MISTOLD)
        assert tell(s) == 1
        if state == "FINALISING":
            is_answered(s)
        if state in AHEAD:
            repay(s, PARTS_OF_AN_AU, AHEAD[state])
        armed, node.deaf = True, {"eth_sendRawTransaction"} if point == UNHEARD else set()
        act(s, field)


def put_right(field: Field, state: str) -> None:
    """By four readings, of which three are killed; each goes on where the one before ended."""
    with field.settlement() as s:
        before, entries = settled_au(s), journal_entries(s)

        def after(point: str) -> tuple[bool, int, bool]:
            """Whether the ledger stands as before, entries since, and whether it agrees with the rows."""
            assert reread_killed_at(field.dsn, field.url, point), (state, point)
            assert s.conn.execute(TIME_PASSES, [SETTLEMENT]).rowcount == 1, "it led"
            return settled_au(s) == before, journal_entries(s) - entries, agrees(s)

        assert after("reread") == (True, 0, True), state
        assert after("righted") == (True, 0, False), state
        assert after("told") == (False, 1, True), state
        assert main(["--dsn", field.dsn, "--rpc", field.url, "--yes"]) == 0
        assert (journal_entries(s) - entries, s.conn.execute(NEWEST).fetchone()) == (1, (state,))


@pytest.mark.timeout(400)
def test_a_kill_while_events_are_read_again_leaves_one_telling(unfounded: Field) -> None:
    in_default(unfounded, 2)
    field = poor_field(unfounded, 2)
    field.post(day(2))
    for state, act, point in WAY:
        brought(field, state, act, point)
        put_right(field, state)
    with field.settlement() as s:
        assert agrees(s)
        for event, numbers in ("BatchCommitted", [0, 1, 2, 3]), ("BatchFinalised", [0, 1, 2]):
            assert [each.fields["batchNo"] for each in s.alliance.hub.events(event, first=0)] == numbers
        sent = [(tx.purpose, tx.status) for tx in status(s.conn)[2].transactions]
        assert sent == [("commit:2.0", "MINED"), ("finalise:2.0", "MINED")]
