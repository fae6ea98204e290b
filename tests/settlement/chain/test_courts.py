"""What a court does to batches that are pending: it asks for data, or throws them out. The court is a key of the
test's; the hub, its slash and its locks are real.
"""

from collections.abc import Iterator

import pytest

from proofs.keccak import keccak256
from settlement import reconcile
from settlement.alliance import UNIT
from settlement.batches import Settlement, seal_next
from settlement.chain.outbox import Intent
from settlement.signoff import NotToBeSealedAgain, seal_again
from settlement.status import status
from settlement.steps import State
from settlement.submitter import drive
from settlement.tables import batch as batch_row
from settlement.watch.alerts import alerts
from tests.settlement.chain.field import ATTESTERS, MERCHANTS, Field, attest, cycle, day

COURT = keccak256(b"COURT_ROLE")
HOURS_6, DAY = 6 * 3_600, 86_400
CODE = 9


@pytest.fixture
def s(field: Field) -> Iterator[Settlement]:
    """Three committed batches in their windows, the last with nets, and a court."""
    for number in (1, 2, 3):
        field.post(day(number))
    field.post([cycle(1)])
    with field.settlement() as made:
        call(made, "court", "grantRole", COURT, made.outbox.sender)
        seal_next(made, leaves_max=14)
        seal_next(made, leaves_max=14)
        seal_next(made, settling=True)
        attested(made, field)
        drive(made)
        assert states(made) == ["CONFIRMED"] * 3
        yield made


def call(s: Settlement, purpose: str, function: str, *arguments: object) -> None:
    data = s.alliance.hub.data(function, *arguments)
    s.outbox.complete(Intent(purpose, s.alliance.anchor.hub, data, 500_000))


def attested(s: Settlement, field: Field) -> None:
    hashes = [(each.batch_no, each.header_hash) for each in status(s.conn) if each.batch_no]
    attest(s, field.folder, hashes, list(ATTESTERS))


def states(s: Settlement) -> list[str]:
    return [each.state for each in status(s.conn, first=1)]


def throw_out(s: Settlement, number: int) -> None:
    row = batch_row(s.conn, number)
    assert row is not None
    call(s, f"revert {number}", "revertFrom", row.done.header, b"\x0c" * 20, CODE)


def collateral(s: Settlement) -> list[tuple[int, int]]:
    return [tuple(s.alliance.hub.read("balanceOf", merchant)) for merchant in MERCHANTS]


def test_a_demand_holds_a_batch_up_until_it_is_closed(s: Settlement) -> None:
    wanted = status(s.conn)[1].header_hash
    call(s, "demand", "addDemand", 1, wanted)
    (first, *_) = drive(s)
    assert (first.state, first.alarm) == (State.CHALLENGED, "batch-demanded")
    found = reconcile.reconcile(s.conn, s.alliance, sender=s.outbox.sender)
    assert ("batch-demanded", "batch 1") in [(each.code, each.place) for each in found]
    s.alliance.chain.advance_time(DAY // 2)
    call(s, "another demand", "addDemand", 1, wanted)
    found = reconcile.reconcile(s.conn, s.alliance, sender=s.outbox.sender)
    assert ("demand-due", "batch 1") in [(each.code, each.place) for each in found], "the first is still open"
    call(s, "one answer", "closeDemand", 1, wanted)
    s.alliance.chain.advance_time(3 * DAY // 2)
    drive(s)
    assert states(s) == ["CHALLENGED", "CONFIRMED", "CONFIRMED"], "nothing ends before it"
    assert "batch-demanded" in {row.code for row in alerts(s.conn)}
    call(s, "answer", "closeDemand", 1, wanted)
    drive(s)
    assert states(s) == ["FINALISED"] * 3
    assert not {row.code for row in alerts(s.conn)} - {"demand-due"}
    reconcile.reconcile(s.conn, s.alliance, sender=s.outbox.sender, mirrors=s.publication.mirrors)
    assert alerts(s.conn) == []


def test_what_a_proof_throws_out_is_freed_and_waits_for_a_person(s: Settlement, field: Field) -> None:
    locked = sum(part for _, part in collateral(s))
    assert locked > 0
    throw_out(s, 2)
    drive(s)
    drive(s)
    assert states(s) == ["CONFIRMED", "FAILED_FRAUD", "FAILED_CASCADE"]
    assert [part for _, part in collateral(s)] == [0, 0, 0], "what the settling batch had locked is free again"
    assert [tx.purpose for tx in status(s.conn)[3].transactions] == ["commit:3.0", "release:3.0"]
    found = {row.place for row in alerts(s.conn) if row.code == "batch-failed"}
    assert found == {"batch 2", "batch 3"}

    with pytest.raises(NotToBeSealedAgain):
        seal_again(s, 3, by="nobody")
    old = [each.header_hash for each in status(s.conn, first=2)]
    assert seal_again(s, 2, by="operator on duty") == [2, 3]
    assert [each.incarnation for each in status(s.conn, first=1)] == [0, 1, 1]
    assert not set(old) & {each.header_hash for each in status(s.conn, first=2)}

    attested(s, field)
    refused = [standing for standing in drive(s) if standing.alarm == "commit-refused"]
    assert "BondTooLow" in refused[0].reason, "the slash took it below the minimum"
    mint = s.alliance.token.data("mint", s.outbox.sender, 20_000 * UNIT)
    s.outbox.complete(Intent("mint:bond", s.alliance.anchor.token, mint, 100_000))
    call(s, "bond again", "postBond", 20_000 * UNIT)
    drive(s)
    assert states(s) == ["CONFIRMED"] * 3
    s.alliance.chain.advance_time(HOURS_6)
    drive(s)
    assert states(s) == ["FINALISED"] * 3
    numbers = [event.fields["batchNo"] for event in s.alliance.hub.events("BatchFinalised", first=0)]
    assert numbers == [0, 1, 2, 3], "each once"
    assert reconcile.reconcile(s.conn, s.alliance, sender=s.outbox.sender) == []


def test_locks_that_somebody_else_freed_are_seen(s: Settlement) -> None:
    throw_out(s, 3)
    row = batch_row(s.conn, 3)
    assert row is not None
    call(s, "released by another", "releaseReverted", row.done.header, list(row.done.nets))
    drive(s)
    assert states(s) == ["CONFIRMED", "CONFIRMED", "FAILED_FRAUD"]
    assert [tx.purpose for tx in status(s.conn)[3].transactions] == ["commit:3.0"]


def test_nothing_else_is_sealed_again(s: Settlement) -> None:
    for number in (1, 9):
        with pytest.raises(NotToBeSealedAgain):
            seal_again(s, number, by="nobody")
