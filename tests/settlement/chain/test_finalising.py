"""Log batches whose windows are over together are made final together; everything else one by one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from settlement import observing
from settlement.batches import Settlement, seal_next
from settlement.chain.gas import TRANSACTION_GAS_MAX, finalise_through_gas
from settlement.chain.transactions import call
from settlement.finalising import TOGETHER_BATCHES_MAX, finalise_intent
from settlement.status import status
from settlement.steps import State
from settlement.submitter import drive
from settlement.tables import batch as batch_row
from tests.settlement.chain.field import Field, attest, cycle, day
from tests.settlement.chain.test_settling import KEYS, sealed_hashes

HOUR = 3_600
LEAVES = 9


@pytest.fixture
def s(field: Field) -> Iterator[Settlement]:
    """Three log batches, a settling one and another log batch, all committed with a quorum."""
    for number in (1, 2, 3):
        field.post(day(number))
    field.post([cycle(1)])
    with field.settlement() as made:
        for _ in range(3):
            seal_next(made, leaves_max=LEAVES)
        seal_next(made, settling=True)
    field.post(day(4))
    with field.settlement() as made:
        seal_next(made)
        drive(made)
        attest(made, field.folder, sealed_hashes(made), KEYS)
        assert {standing.state for standing in drive(made)} == {State.CONFIRMED}
        yield made


def finalisations(s: Settlement) -> list[list[str]]:
    """What was sent to make each batch final."""
    return [
        [tx.purpose for tx in batch.transactions if tx.purpose.startswith("finalise")]
        for batch in status(s.conn, first=1)
    ]


def states(s: Settlement) -> list[str]:
    return [batch.state for batch in status(s.conn, first=1)]


def finalised(s: Settlement) -> list[int]:
    return [event.fields["batchNo"] for event in s.alliance.hub.events("BatchFinalised", first=0)][1:]


def test_log_batches_become_final_in_one_transaction_and_a_settling_one_in_its_own(s: Settlement) -> None:
    s.alliance.chain.advance_time(6 * HOUR)
    drive(s)
    assert states(s) == ["FINALISED"] * 5
    assert finalisations(s) == [["finalise:1.0"], [], [], ["finalise:4.0"], ["finalise:5.0"]]
    assert finalised(s) == [1, 2, 3, 4, 5]
    assert drive(s) == []


def test_a_demand_ends_the_company_before_it(s: Settlement) -> None:
    hub, wanted = s.alliance.hub, status(s.conn)[2].header_hash
    with s.outbox.leading() as led:
        call(led, "test:court", hub, "grantRole", hub.read("COURT_ROLE"), led.sender)
        call(led, "test:demand", hub, "addDemand", 2, wanted)
    s.alliance.chain.advance_time(25 * HOUR)
    drive(s)
    assert states(s) == ["FINALISED", "CHALLENGED", "CONFIRMED", "CONFIRMED", "CONFIRMED"]
    with s.outbox.leading() as led:
        call(led, "test:answer", hub, "closeDemand", 2, wanted)
    drive(s)
    assert states(s) == ["FINALISED"] * 5
    assert finalisations(s) == [["finalise:1.0"], ["finalise:2.0"], [], ["finalise:4.0"], ["finalise:5.0"]]


def test_what_comes_between_makes_it_fail_and_the_next_one_is_put_together_anew(s: Settlement) -> None:
    """A demand that is in a block before the transaction: the hub refuses the whole of it."""
    hub, wanted = s.alliance.hub, status(s.conn)[3].header_hash
    s.alliance.chain.advance_time(6 * HOUR)
    first = batch_row(s.conn, 1)
    assert first is not None
    with s.outbox.leading() as led:
        intent = finalise_intent(s, first, observing.purpose(first, "finalise"))
        call(led, "test:court", hub, "grantRole", hub.read("COURT_ROLE"), led.sender)
        call(led, "test:demand", hub, "addDemand", 3, wanted)
        led.submit(intent)
    drive(s)
    assert states(s) == ["FINALISED", "FINALISED", "CHALLENGED", "CONFIRMED", "CONFIRMED"]
    assert finalised(s) == [1, 2]
    sent = [tx.status for tx in status(s.conn)[1].transactions if tx.purpose.startswith("finalise:1.0")]
    assert sent == ["REVERTED", "MINED"]


def test_a_header_that_is_not_ours_is_nobodys_company(s: Settlement) -> None:
    """Another header under our number is for a person to look at, and not to be made final in passing."""
    s.alliance.chain.advance_time(6 * HOUR)
    s.conn.execute(
        "UPDATE settlement.batch SET header = jsonb_set(header, '{totalPoints}', '\"1\"') WHERE batch_no = 2"
    )
    drive(s)
    assert finalised(s) == [1]
    assert states(s)[:2] == ["FINALISED", "FAILED_CONFLICT"]


def test_the_company_is_bounded_by_what_a_transaction_may_burn() -> None:
    assert finalise_through_gas(batches=TOGETHER_BATCHES_MAX) < TRANSACTION_GAS_MAX // 4
