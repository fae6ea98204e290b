"""Peers of the ledger on the same server: PostgreSQL's own yardstick, a transfer by an ORM, a transfer as a function.

`tpcb` is pgbench's built-in script: three updates, a select and an insert. The other two move points between two of
10,000 accounts as most would write it: lock both balances in order, insert a transfer and two entries with the balance
after, update both balances, commit; by SQLAlchemy's ORM row by row, and by one plpgsql function called once a transfer.
Neither knows keys, lots, orders or refusals. Called by the benchmarks of the ledger.
"""

from __future__ import annotations

import random
import re
import subprocess
import threading
import time
from pathlib import Path

from sqlalchemy import BigInteger, ForeignKey, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from ledger.postgres.embedded import EmbeddedServer, sqlalchemy_url
from ledger.postgres.programs import find_programs

TPCB_SCALE = 10
ACCOUNTS = 10_000
SEED = 20_260_701
_TPS = re.compile(r"tps = ([0-9.]+) \(without")

FUNCTION = """
CREATE TABLE account (id integer PRIMARY KEY, balance bigint NOT NULL);
CREATE TABLE transfer (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, amount bigint NOT NULL);
CREATE TABLE entry (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, transfer_id bigint NOT NULL, account_id integer NOT NULL,
    amount bigint NOT NULL, balance bigint NOT NULL
);
CREATE INDEX entry_of_account ON entry (account_id, id);
INSERT INTO account SELECT i, 0 FROM generate_series(1, 10000) i;
CREATE FUNCTION move(debit integer, credit integer, amount bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    made bigint;
    after_debit bigint;
    after_credit bigint;
BEGIN
    PERFORM FROM account WHERE id IN (debit, credit) ORDER BY id FOR NO KEY UPDATE;
    INSERT INTO transfer (amount) VALUES (move.amount) RETURNING id INTO made;
    UPDATE account SET balance = balance + move.amount WHERE id = debit RETURNING balance INTO after_debit;
    UPDATE account SET balance = balance - move.amount WHERE id = credit RETURNING balance INTO after_credit;
    INSERT INTO entry (transfer_id, account_id, amount, balance)
    VALUES (made, debit, move.amount, after_debit), (made, credit, -move.amount, after_credit);
    RETURN made;
END $$;
"""
SCRIPT = r"""
\set debit random(1, 10000)
\set credit 1 + (:debit + random(1, 9998)) % 10000
SELECT move(:debit, :credit, 7);
"""


class Model(DeclarativeBase):
    """The ORM's tables."""


class Account(Model):
    __tablename__ = "account"
    id: Mapped[int] = mapped_column(primary_key=True)
    balance: Mapped[int] = mapped_column(BigInteger)


class Transfer(Model):
    __tablename__ = "transfer"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    amount: Mapped[int] = mapped_column(BigInteger)


class Entry(Model):
    __tablename__ = "entry"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    transfer_id: Mapped[int] = mapped_column(ForeignKey(Transfer.id))
    account_id: Mapped[int] = mapped_column(ForeignKey(Account.id), index=True)
    amount: Mapped[int] = mapped_column(BigInteger)
    balance: Mapped[int] = mapped_column(BigInteger)


class Orm:
    """The transfer by SQLAlchemy's ORM, one session and one commit a transfer."""

    def __init__(self, server: EmbeddedServer) -> None:
        self._engine = create_engine(sqlalchemy_url(server.ensure_database("orm")), pool_size=8)
        Model.metadata.create_all(self._engine)
        with Session(self._engine) as session:
            session.add_all([Account(id=number, balance=0) for number in range(1, ACCOUNTS + 1)])
            session.commit()

    def close(self) -> None:
        self._engine.dispose()

    def run(self, clients: int, seconds: float) -> float:
        """Transfers a second by that many threads."""
        done = [0] * clients
        until = time.perf_counter() + seconds
        threads = [threading.Thread(target=self._client, args=(number, until, done)) for number in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(done) / seconds

    def _client(self, number: int, until: float, done: list[int]) -> None:
        chance = random.Random(SEED + number)
        while time.perf_counter() < until:
            debit, credit = chance.sample(range(1, ACCOUNTS + 1), 2)
            with Session(self._engine) as session:
                self._transfer(session, debit, credit, 7)
            done[number] += 1

    @staticmethod
    def _transfer(session: Session, debit: int, credit: int, amount: int) -> None:
        both = select(Account).where(Account.id.in_([debit, credit])).order_by(Account.id).with_for_update()
        accounts = {account.id: account for account in session.scalars(both)}
        transfer = Transfer(amount=amount)
        session.add(transfer)
        session.flush()
        for account, change in ((accounts[debit], amount), (accounts[credit], -amount)):
            account.balance += change
            session.add(
                Entry(transfer_id=transfer.id, account_id=account.id, amount=change, balance=account.balance),
            )
        session.commit()


class PlainFunction:
    """The transfer as one plpgsql function, called by pgbench once a transaction."""

    def __init__(self, server: EmbeddedServer, folder: Path) -> None:
        self._dsn = server.ensure_database("function")
        self._script = folder / "move.sql"
        self._script.write_text(SCRIPT)
        psql = [find_programs().path("psql"), "--quiet", "--set", "ON_ERROR_STOP=1", "--command", FUNCTION, self._dsn]
        subprocess.run(psql, check=True, capture_output=True)

    def run(self, clients: int, seconds: float) -> float:
        """Transfers a second over that many connections."""
        return pgbench(self._dsn, clients, seconds, "--file", str(self._script))


class Tpcb:
    """pgbench's TPC-B."""

    def __init__(self, server: EmbeddedServer) -> None:
        self._dsn = server.ensure_database("tpcb")
        fill = ["--initialize", "--scale", str(TPCB_SCALE), "--quiet", self._dsn]
        subprocess.run([find_programs().path("pgbench"), *fill], check=True, capture_output=True)

    def run(self, clients: int, seconds: float) -> float:
        """Transactions a second over that many connections."""
        return pgbench(self._dsn, clients, seconds)


def pgbench(dsn: str, clients: int, seconds: float, *script: str) -> float:
    """Transactions a second, prepared statements, in whole seconds."""
    how_long = ("--client", str(clients), "--jobs", str(min(clients, 2)), "--time", str(max(1, int(seconds))))
    command = [find_programs().path("pgbench"), "--no-vacuum", *how_long, "--protocol", "prepared", *script, dsn]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = _TPS.search(done.stdout)
    assert found is not None, done.stdout
    return float(found.group(1))
