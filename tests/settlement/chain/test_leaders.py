"""Two processes that both want to lead, a leader that slept, and a database that came back from an older backup: one
effect on the chain each time.
"""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
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
from settlement.lease import LeaseHeld
from settlement.status import status, transactions
from settlement.submitter import drive
from tests.settlement.chain.driver import PROCESS_S_MAX, run, started
from tests.settlement.chain.field import ATTESTERS, Field, attest, day
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


def test_two_processes_at_once_make_one_commit(alone: Field) -> None:
    both = [started(alone, "-"), started(alone, "-")]
    ends = [process.wait(PROCESS_S_MAX) for process in both]
    assert 0 in ends
    one_commit(alone)
    with alone.settlement() as s:
        assert [tx.purpose for tx in status(s.conn)[1].transactions] == ["commit:1.0"]


def test_a_leader_that_slept_through_its_lease_sends_nothing_more(alone: Field) -> None:
    sleeper = started(alone, "stop:signed")
    _, ended = os.waitpid(sleeper.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(ended)
    run(alone)
    one_commit(alone)
    os.kill(sleeper.pid, signal.SIGCONT)
    assert sleeper.wait(PROCESS_S_MAX) == 1, "it ended with LeaseLost"
    one_commit(alone)


def test_while_one_leads_another_is_told_who(alone: Field) -> None:
    with alone.settlement() as first, alone.settlement() as second:
        with first.outbox.leading(), pytest.raises(LeaseHeld, match="is led by"):
            drive(second)
        assert drive(second) == []


@pytest.mark.parametrize("point", ["sealed", "signed"])
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
