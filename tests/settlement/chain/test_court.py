"""Courts on a real chain, an account in their place: what the submitter makes of demands and reverts."""

from pathlib import Path

from settlement import tables
from settlement.batches import Settlement, seal_next
from settlement.chain.transactions import call
from settlement.status import status
from settlement.steps import State
from settlement.submitter import drive
from tests.settlement.chain.field import ATTESTERS, MERCHANTS, Field, attest, cycle, day

CHALLENGER = b"\x07" * 20
FRAUD = 9


def states(s: Settlement) -> list[State]:
    drive(s)
    return [State[batch.state] for batch in status(s.conn, first=1)]


def three_confirmed(s: Settlement, folder: Path) -> None:
    """Two log batches and a settling one on the chain, and the sender made a court."""
    seal_next(s, leaves_max=14)
    seal_next(s, leaves_max=14)
    seal_next(s, settling=True)
    drive(s)
    attest(s, folder, [(batch.batch_no, batch.header_hash) for batch in status(s.conn, first=1)], list(ATTESTERS))
    assert states(s) == [State.CONFIRMED] * 3
    hub = s.alliance.hub
    with s.outbox.leading() as led:
        call(led, "test:court", hub, "grantRole", hub.read("COURT_ROLE"), led.sender)


def test_a_demand_makes_a_batch_challenged_until_it_is_answered(field: Field) -> None:
    for number in (1, 2, 3):
        field.post(day(number))
    field.post([cycle(1)])
    with field.settlement() as s:
        three_confirmed(s, field.folder)
        hub, header_hash = s.alliance.hub, status(s.conn)[2].header_hash
        with s.outbox.leading() as led:
            call(led, "test:demand", hub, "addDemand", 2, header_hash)
        s.alliance.chain.advance_time(6 * 3_600)
        assert states(s) == [State.FINALISED, State.CHALLENGED, State.CONFIRMED]
        with s.outbox.leading() as led:
            call(led, "test:answer", hub, "closeDemand", 2, header_hash)
        s.alliance.chain.advance_time(18 * 3_600)
        assert states(s) == [State.FINALISED] * 3


def test_a_revert_fails_the_batch_as_fraud_and_those_after_it_as_its_cascade(field: Field) -> None:
    for number in (1, 2, 3):
        field.post(day(number))
    field.post([cycle(1)])
    with field.settlement() as s:
        three_confirmed(s, field.folder)
        hub, second = s.alliance.hub, tables.batch(s.conn, 2)
        assert second is not None
        assert any(hub.read("balanceOf", merchant)[1] for merchant in MERCHANTS)
        with s.outbox.leading() as led:
            call(led, "test:fraud", hub, "revertFrom", second.done.header, CHALLENGER, FRAUD, gas=400_000)
        assert states(s) == [State.CONFIRMED, State.FAILED_FRAUD, State.FAILED_CASCADE]
        assert hub.read("nextBatchNo") == 2
        assert hub.read("headerHash", 3) == bytes(32)
        assert not any(hub.read("balanceOf", merchant)[1] for merchant in MERCHANTS), "what it had locked is released"
        assert s.alliance.fund.read("bountyOf", CHALLENGER) == s.alliance.fund.read("assets") > 0
        s.alliance.chain.advance_time(6 * 3_600)
        assert states(s)[0] is State.FINALISED
        held, owed = hub.read("solvency")
        assert held == owed
