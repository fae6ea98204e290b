"""Two processes that both want to lead, a leader that slept, and a database that came back from an older backup: one
effect on the chain each time.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from threading import Event, Thread
from typing import Any

import psycopg
import pytest
from psycopg import sql
from web3 import Web3

from ledger.postgres.embedded import EmbeddedServer
from proofs.keccak import keccak256
from settlement import tables
from settlement.batches import Settlement, seal_next
from settlement.chain.contracts import Refused
from settlement.chain.outbox import Intent, LocalSigner, Outbox
from settlement.chain.send_cases import SendCase
from settlement.lease import LeaseHeld, LeaseLost
from settlement.status import status, transactions
from settlement.submitter import drive
from settlement.tables import StateMoved
from tests.settlement.chain.driver import PROCESS_S_MAX, run, started
from tests.settlement.chain.field import ATTESTERS, Field, attest, day
from tests.settlement.chain.liar import lying
from tests.settlement.chain.tiny import SENDER

OTHER = LocalSigner(b"\x0b" * 32)
_serial = itertools.count(1)


@pytest.fixture
def alone(field: Field) -> Field:
    field.post(day(1))
    with field.settlement():
        pass
    return field


@pytest.fixture
def backup(postgres: EmbeddedServer) -> Iterator[Backup]:
    made = Backup(postgres)
    yield made
    made.drop()


class Backup:
    """Copies of databases, as they were."""

    def __init__(self, server: EmbeddedServer) -> None:
        self._server, self._names = server, list[str]()

    def of(self, field: Field) -> Field:
        """The same alliance on a copy of its database as it is now."""
        with psycopg.connect(field.dsn) as conn:
            source = conn.info.dbname
        name = f"backup_{os.getpid()}_{next(_serial)}"
        self._execute("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy", name, source)
        self._names.append(name)
        return replace(field, dsn=self._server.dsn(name))

    def drop(self) -> None:
        for name in self._names:
            self._execute("DROP DATABASE {} WITH (FORCE)", name)

    def _execute(self, statement: str, *names: str) -> None:
        with psycopg.connect(self._server.dsn(), autocommit=True) as conn:
            conn.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def one_commit(field: Field) -> None:
    with field.settlement() as s:
        drive(s)
        assert [event.fields["batchNo"] for event in s.alliance.hub.events("BatchCommitted", first=0)] == [0, 1]
        assert status(s.conn)[1].state == "CONFIRMED"
        assert status(s.conn)[1].header_hash == s.alliance.hub.read("headerHash", 1)


def overtaken(racers: Sequence[subprocess.Popen[bytes]]) -> None:
    """Each came to its end, or was told that another was at work. Both may be told so, each once: then the next pass
    does what is left.
    """
    for racer in racers:
        _, said = racer.communicate(timeout=PROCESS_S_MAX)
        if racer.returncode != 0:
            assert racer.returncode == 1
            error = said.decode().splitlines()[-1].partition(":")[0].rpartition(".")[2]
            assert error in {"LeaseHeld", "LeaseLost", "StateMoved"}, said.decode()


def test_two_processes_at_once_make_one_commit(alone: Field) -> None:
    both = [started(alone, "-", said=subprocess.PIPE), started(alone, "-", said=subprocess.PIPE)]
    overtaken(both)
    run(alone)
    one_commit(alone)
    with alone.settlement() as s:
        assert [tx.purpose for tx in status(s.conn)[1].transactions] == ["commit:1.0"]


@pytest.mark.parametrize("point", ["answered", "signed"])
def test_a_leader_that_slept_through_its_lease_sends_nothing_more(alone: Field, point: str) -> None:
    sleeper = started(alone, f"stop:{point}")
    _, ended = os.waitpid(sleeper.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(ended)
    run(alone)
    one_commit(alone)
    os.kill(sleeper.pid, signal.SIGCONT)
    assert sleeper.wait(PROCESS_S_MAX) == 1, "it ended with LeaseLost"
    one_commit(alone)
    with alone.settlement() as s:
        assert [tx.purpose for tx in status(s.conn)[1].transactions] == ["commit:1.0"]


@pytest.mark.parametrize("skews_s", [(86_400, -86_400), (-86_400, 0)])
def test_clocks_that_differ_by_days_make_one_commit(alone: Field, skews_s: tuple[int, int]) -> None:
    """Leases run by the database's clock, windows by the chain's: no process is asked what time it is."""
    both = [started(alone, "-", skew_s=skew_s, said=subprocess.PIPE) for skew_s in skews_s]
    overtaken(both)
    run(alone)
    one_commit(alone)


def test_a_leader_that_slept_with_the_bytes_in_its_hand_makes_no_second_effect(alone: Field) -> None:
    """Its token was checked and it had not sent yet. It wakes while another leads, and hands over the same bytes."""
    sleeper = started(alone, "stop:handing")
    _, ended = os.waitpid(sleeper.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(ended)
    other = started(alone, "stop:included")
    _, ended = os.waitpid(other.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(ended), "it took the lead over, and is in the middle of it"
    os.kill(sleeper.pid, signal.SIGCONT)
    assert sleeper.wait(PROCESS_S_MAX) == 1, "it lost its lease, or found everything moved on"
    os.kill(other.pid, signal.SIGCONT)
    other.wait(PROCESS_S_MAX)
    one_commit(alone)
    with alone.settlement() as s:
        assert [tx.purpose for tx in status(s.conn)[1].transactions] == ["commit:1.0"]


def test_a_lease_that_runs_out_during_a_long_question_signs_nothing(alone: Field) -> None:
    """The node takes its time over the trial of the commit; meanwhile another leads and commits."""
    reached, go_on = Event(), Event()
    ends: list[BaseException] = []
    with lying(alone.url) as liar, replace(alone, url=liar.url, answer_s_max=60).settlement() as slow:
        batch = seal_next(slow)
        assert batch is not None
        attest(slow, alone.folder, [(1, batch.header_hash)], list(ATTESTERS))
        trial = "0x" + slow.alliance.hub.data("commitBatch", batch.done.header, [], [])[:4].hex()

        def hold(method: str, params: list[Any], result: Any) -> Any:
            if method == "eth_call" and params[0]["data"].startswith(trial) and not reached.is_set():
                reached.set()
                go_on.wait(60)
            return result

        def drive_slowly() -> None:
            try:
                drive(slow)
            except (LeaseLost, StateMoved) as error:
                ends.append(error)

        liar.distort = hold
        thread = Thread(target=drive_slowly)
        thread.start()
        try:
            assert reached.wait(60)
            run(alone)
            one_commit(alone)
        finally:
            go_on.set()
            thread.join()
        assert len(ends) == 1, "it was told that others went on without it"
    one_commit(alone)
    with alone.settlement() as s:
        assert [tx.purpose for tx in status(s.conn)[1].transactions] == ["commit:1.0"]


def test_while_one_leads_another_is_told_who(alone: Field) -> None:
    with alone.settlement() as first, alone.settlement() as second:
        with first.outbox.leading(), pytest.raises(LeaseHeld, match="is led by"):
            drive(second)
        assert drive(second) == []


@pytest.mark.parametrize("point", ["sealed", "answered", "signed"])
def test_a_database_from_an_older_backup_finds_what_it_did_later(alone: Field, backup: Backup, point: str) -> None:
    stopped = started(alone, point)
    assert stopped.wait(PROCESS_S_MAX) == -signal.SIGKILL
    older = backup.of(alone)
    run(alone)
    one_commit(alone)
    with alone.settlement() as s:
        nonce = s.alliance.chain.nonce(s.outbox.sender)
    run(older)
    one_commit(older)
    with older.settlement() as s:
        assert s.alliance.chain.nonce(s.outbox.sender) == nonce, "nothing was sent"
        s.alliance.chain.advance_time(6 * 3_600)
        drive(s)
        assert status(s.conn)[1].state == "FINALISED"
        assert [tx.purpose for tx in transactions(s.conn)][-1] == "finalise:1.0"
    with alone.settlement() as s:
        drive(s)
        assert status(s.conn)[1].state == "FINALISED"
        assert len(s.alliance.hub.events("BatchFinalised", first=0)) == 2


def test_two_senders_that_share_nothing_but_the_hub_make_one_commit(field: Field, backup: Backup) -> None:
    """Each has a database and a key of its own, so no lease keeps them apart: the hub takes one, the other is told."""
    field.post(day(1))
    with field.settlement() as s:
        seal_next(s)
        attest(s, field.folder, [(1, status(s.conn)[1].header_hash)], list(ATTESTERS))
        admit(s, OTHER)
    twin = backup.of(field)
    with field.settlement() as first, psycopg.connect(twin.dsn, autocommit=True) as conn:
        second = replace(first, conn=conn, outbox=Outbox(conn, first.alliance.chain, OTHER))
        between: list[str] = []

        def overtake(point: str) -> None:
            if point == "signed" and not between:
                between.extend(standing.state.name for standing in drive(second))

        first.outbox._checkpoint = overtake
        assert [standing.state.name for standing in drive(first)] == ["CONFIRMED"]
        assert between == ["CONFIRMED"]
        assert [event.fields["batchNo"] for event in first.alliance.hub.events("BatchCommitted", first=0)] == [0, 1]
        ends = [[(tx.purpose, tx.status) for tx in status(c)[1].transactions] for c in (first.conn, conn)]
        assert ends == [[("commit:1.0", "REVERTED")], [("commit:1.0", "MINED")]]
        batch = tables.batch(conn, 1)
        assert batch is not None
        again = first.alliance.hub.data("commitBatch", batch.done.header, list(batch.done.nets), [])
        with pytest.raises(Refused, match=r"AlreadyCommitted\(1\)"):
            first.alliance.hub.try_out(again, sender=first.outbox.sender)


def admit(s: Settlement, sender: LocalSigner) -> None:
    """Another account may commit, and can pay for it."""
    hub, chain = s.alliance.hub, s.alliance.chain
    granted = hub.data("grantRole", keccak256(b"SUBMITTER_ROLE"), sender.address)
    s.outbox.complete(Intent("admit", hub.address, granted, 300_000))
    fees = chain.fees()
    gift: dict[str, Any] = {
        "type": 2,
        "chainId": chain.chain_id(),
        "nonce": chain.nonce(s.outbox.sender),
        "gas": 21_000,
        "maxFeePerGas": fees.max_fee_wei,
        "maxPriorityFeePerGas": fees.tip_wei,
        "to": Web3.to_checksum_address(sender.address),
        "value": 10**18,
    }
    assert chain.send(bytes(SENDER.sign_transaction(gift).raw_transaction)).case is SendCase.ACCEPTED
