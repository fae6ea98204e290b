"""From the ledger to moved collateral and back: the whole path on real parts."""

from dataclasses import replace

import psycopg
import pytest

from ledger import queries
from proofs.accounts import OPERATOR_ID
from proofs.headers import SEAL_LAG_SECONDS_BOUND
from proofs.kinds import BASE_UNITS_PER_AU
from settlement.alliance import PARAMS
from settlement.attestations import AttestationRefused, take_attestations
from settlement.batches import Settlement, seal_next
from settlement.status import leaf_of, status
from settlement.steps import State
from settlement.submitter import Standing, drive
from settlement.watch import moved
from tests.settlement.chain.field import ATTESTERS, MERCHANTS, Field, attest, cycle, day, write_attestations

KEYS = list(ATTESTERS)
HOURS_6 = 6 * 3_600


def states(standings: list[Standing]) -> list[State]:
    return [standing.state for standing in standings]


def sealed_hashes(s: Settlement) -> list[tuple[int, bytes]]:
    return [(batch.batch_no, batch.header_hash) for batch in status(s.conn) if batch.batch_no]


def balances(s: Settlement) -> dict[int, tuple[int, int]]:
    return {merchant: tuple(s.alliance.hub.read("balanceOf", merchant)) for merchant in MERCHANTS}


def test_two_log_batches_and_a_settling_one_end_final_with_the_collateral_moved(field: Field) -> None:
    for number in (1, 2, 3):
        field.post(day(number))
    field.post([cycle(1)])
    with field.settlement() as s:
        before = balances(s)
        first = seal_next(s, leaves_max=14)
        second = seal_next(s, leaves_max=14)
        third = seal_next(s, settling=True)
        assert first is not None
        assert second is not None
        assert third is not None
        assert [first.done.settling, second.done.settling, third.done.settling] == [False, False, True]
        assert first.done.last_leaf + 1 == second.done.first_leaf
        assert states(drive(s)) == [State.PUBLISHED] * 3
        assert attest(s, field.folder, sealed_hashes(s), KEYS) == 9
        assert attest(s, field.folder, sealed_hashes(s), KEYS) == 0
        standings = drive(s)
        assert states(standings) == [State.CONFIRMED] * 3
        until = max(standing.until or 0 for standing in standings)
        assert HOURS_6 - 60 < until - s.alliance.chain.now() <= HOURS_6
        s.alliance.chain.advance_time(until - s.alliance.chain.now())
        last = drive(s)
        assert states(last) == [State.FINALISED] * 3, last
        assert drive(s) == []
        nets = dict(third.done.nets)
        moved = {merchant: balances(s)[merchant][0] - before[merchant][0] for merchant in MERCHANTS}
        assert moved == {merchant: nets[merchant] for merchant in MERCHANTS}
        assert sum(nets.values()) == 0
        assert nets[OPERATOR_ID] > 0
        positions = queries.positions(s.conn)
        assert {party: position.total for party, position in positions.items()} == dict.fromkeys(positions, 0)
        assert {party: position.settled * BASE_UNITS_PER_AU for party, position in positions.items()} == nets
        assert [batch.state for batch in status(s.conn)] == ["FINALISED"] * 4
        assert all(batch.gas_used > 0 for batch in status(s.conn, first=1))
        assert seal_next(s) is None
        assert leaf_of(s.conn, journal_seq=10, leg_no=1) == (1, 1)


def test_the_next_day_goes_on_and_an_empty_settling_batch_holds_a_void(field: Field) -> None:
    field.post(day(1))
    with field.settlement() as s:
        seal_next(s, settling=True)
    field.post(day(2))
    with field.settlement() as s:
        seal_next(s)
        empty = seal_next(s, settling=True)
        empty_again = seal_next(s, settling=True)
        assert empty is not None
        assert empty_again is not None
        assert (empty_again.done.header.leaf_count, empty_again.done.nets) == (1, [])
        attest(s, field.folder, sealed_hashes(s), KEYS)
        standings = drive(s)
        assert states(standings) == [State.CONFIRMED] * 4
        s.alliance.chain.advance_time(HOURS_6)
        assert states(drive(s)) == [State.FINALISED] * 4
        totals = {party: position.cash - position.settled for party, position in queries.positions(s.conn).items()}
        assert totals == dict.fromkeys(totals, 0)


def test_without_a_quorum_the_batch_waits_and_then_takes_the_slow_window(field: Field) -> None:
    field.post(day(1))
    with field.settlement() as s:
        seal_next(s)
        attest(s, field.folder, sealed_hashes(s), KEYS[1:])
        (standing,) = drive(s)
        assert (standing.state, standing.reason) == (State.PUBLISHED, "waits for a quorum of attesters")
        assert standing.until is not None
        s.alliance.chain.advance_time(standing.until - s.alliance.chain.now())
        (standing,) = drive(s)
        assert standing.state is State.CONFIRMED
        assert standing.until is not None
        assert standing.until - s.alliance.chain.now() > 6 * 86_400


def test_a_batch_that_is_too_old_is_sealed_anew_with_the_same_leaves(field: Field) -> None:
    field.post(day(1))
    field.post(day(2))
    with field.settlement() as s:
        old = [seal_next(s, leaves_max=14), seal_next(s)]
        s.alliance.chain.advance_time(7 * 3_600)
        drive(s)
        new = status(s.conn, first=1)
        assert [batch.incarnation for batch in new] == [1, 1]
        for before, after in zip(old, new, strict=True):
            assert before is not None
            assert before.header_hash != after.header_hash
            assert before.done.header.leaf_count == after.leaf_count
            assert (before.done.first_seq, before.done.last_seq) == (after.first_seq, after.last_seq)
        attest(s, field.folder, sealed_hashes(s), KEYS)
        assert states(drive(s)) == [State.CONFIRMED] * 2


@pytest.mark.parametrize(("point", "ends"), [("answered", ["MINED"]), ("signed", ["DROPPED", "MINED"])])
def test_a_commit_that_was_signed_but_never_sent_is_voided_before_another_is_made(
    field: Field, point: str, ends: list[str]
) -> None:
    field.post(day(1))
    with field.settlement() as s:
        seal_next(s)
        attest(s, field.folder, sealed_hashes(s), KEYS)

    class Cut(Exception):
        pass

    def cut(reached: str) -> None:
        if reached == point:
            raise Cut

    with field.settlement() as s:
        watched = Settlement(
            conn=s.conn,
            alliance=s.alliance,
            outbox=s.outbox,
            publication=s.publication,
            lanes=s.lanes,
            ledger=s.ledger,
        )
        watched.outbox._checkpoint = cut
        with pytest.raises(Cut):
            drive(watched)
    with field.settlement() as s:
        s.alliance.chain.advance_time(7 * 3_600)
        (standing,) = drive(s)
        assert (standing.state, standing.alarm) == (State.ATTESTED, "batch-late"), "attested: not before it has lapsed"
        s.alliance.chain.advance_time(SEAL_LAG_SECONDS_BOUND)
        drive(s)
        assert [batch.incarnation for batch in status(s.conn, first=1)] == [1]
        attest(s, field.folder, sealed_hashes(s), KEYS)
        assert states(drive(s)) == [State.CONFIRMED]
        commits = [tx for tx in status(s.conn, first=1)[0].transactions if tx.purpose.startswith("commit")]
        told = sorted((tx.purpose, tx.status) for tx in commits)
        assert told == [*(("commit:1.0", end) for end in ends), ("commit:1.1", "MINED")]


def test_foreign_or_false_attestations_are_refused(field: Field) -> None:
    field.post(day(1))
    with field.settlement() as s:
        seal_next(s)
        stranger = write_attestations(s.alliance, field.folder, sealed_hashes(s), b"\x03" * 32)
        with pytest.raises(AttestationRefused, match="not in the set"):
            take_attestations(s, stranger)
        mine = write_attestations(s.alliance, field.folder, sealed_hashes(s), KEYS[0])
        mine.write_text(mine.read_text().replace("0x", "0x0", 1))
        with pytest.raises(AttestationRefused):
            take_attestations(s, mine)
        swapped = write_attestations(s.alliance, field.folder, sealed_hashes(s), KEYS[0])
        other = write_attestations(s.alliance, field.folder, sealed_hashes(s), KEYS[1])
        addresses = [path.read_text().split('"')[3] for path in (swapped, other)]
        swapped.write_text(swapped.read_text().replace(addresses[0], addresses[1]))
        with pytest.raises(AttestationRefused, match="is by 0x"):
            take_attestations(s, swapped)
        unknown = write_attestations(s.alliance, field.folder, [(1, b"\x01" * 32)], KEYS[0])
        assert take_attestations(s, unknown) == 0


def test_nothing_secret_is_stored_in_the_clear(field: Field) -> None:
    field.post(day(1))
    with field.settlement() as s:
        seal_next(s)
        secrets = s.publication.vault.members(s.conn, ["ann"])
    with psycopg.connect(field.dsn) as conn:
        stored = conn.execute("SELECT wrapped FROM vault.member_secret").fetchall()
        batch = conn.execute("SELECT batch_secret, data_key FROM settlement.batch").fetchall()
    assert len(stored) == 3
    assert all(secrets["ann"] not in bytes(row[0]) for row in stored)
    assert all(len(bytes(value)) == 12 + 32 + 16 for row in batch for value in row)


def poor_field(field: Field, collateral_au: int, bond_au: int = 0) -> Field:
    """The field with this much collateral a merchant, and this bond."""
    params = PARAMS._replace(operator_bond_min=bond_au * BASE_UNITS_PER_AU)
    return replace(field, collateral=collateral_au * BASE_UNITS_PER_AU, params=params)


def in_default(field: Field, collateral_au: int, bond_au: int = 0) -> tuple[Standing, dict[int, int]]:
    """A day on which merchant 1 owes 666 AU, half to each other merchant, and has this much: (standing, settled AU)."""
    poor = poor_field(field, collateral_au, bond_au)
    poor.post(day(1))
    with poor.settlement() as s:
        seal_next(s, settling=True)
        attest(s, field.folder, sealed_hashes(s), KEYS)
        drive(s)
        s.alliance.chain.advance_time(HOURS_6)
        (standing,) = drive(s)
        held, owed = s.alliance.hub.read("solvency")
        assert held == owed
        return standing, {party: position.settled for party, position in queries.positions(s.conn).items()}


def test_a_default_is_recorded_as_the_chain_moved_it(unfounded: Field) -> None:
    standing, settled = in_default(unfounded, 2)
    assert standing.state is State.FINALISED
    assert {merchant: settled[merchant] for merchant in MERCHANTS} == {1: -2, 2: 1, 3: 1}


def test_what_the_bond_paid_for_a_defaulter_is_the_operators_to_have_back(unfounded: Field) -> None:
    standing, settled = in_default(unfounded, 2, bond_au=100)
    assert standing.state is State.FINALISED
    assert {party: au for party, au in settled.items() if au} == {1: -2, 2: 11, 3: 11, OPERATOR_ID: -20}


def test_a_default_in_parts_of_an_au_is_told_to_the_ledger_in_whole_ones(unfounded: Field) -> None:
    standing, settled = in_default(unfounded, 1)
    assert standing.state is State.FINALISED
    assert {merchant: settled[merchant] for merchant in MERCHANTS} == {1: -1, 2: 1, 3: 0}
    with poor_field(unfounded, 1).settlement() as s:
        exact = moved.summed(step.moved for step in moved.steps(s.conn))
        assert exact == {1: -10_000, 2: 5_000, 3: 5_000}, "half an AU each came in"
        assert sum(position.total for position in queries.positions(s.conn).values()) == 0
