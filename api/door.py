"""What the handlers stand on: the poster that writes, a pool that reads, the keys, the clock. Opened once per process.

Invariants: one poster, one writing connection; the others are bounded, those for keys and for long answers apart, and
have the serving role's rights alone, those for witnesses settlement's, to read with; closing waits for what was taken.
Made by `api.serve` and by tests; handlers reach it through `door_of`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg
from psycopg_pool import ConnectionPool
from starlette.requests import Request

from api import slow
from api.auth import KEY_READERS_MAX, Doorkeeper, Pool
from api.problems import Problem
from api.slow import SlowReads
from api.tiers.desk import WITNESS_ROLE, TierDesk
from ledger.poster import QUEUE_COMMANDS_MAX, Poster
from ledger.store import ROLE, open_store
from settlement.sealing.cadence import Month
from settlement.sealing.desk import ReceiptSigner
from settlement.sealing.inclusions import Inclusions

READ_WAIT_SECONDS_MAX = 5.0
RETRY_IN_FLIGHT_SECONDS = 1
PROOFS_AT_ONCE_MAX, PROOFS_WAITING_MAX = 1, 24
WITNESSES_AT_ONCE_MAX = 2


class Flights:
    """The writes that have not had their answer yet, by the ledger's key. One event loop, hence no lock."""

    def __init__(self) -> None:
        self._keys: set[str] = set()

    @property
    def held(self) -> int:
        """How many there are."""
        return len(self._keys)

    @contextmanager
    def only(self, key: str) -> Iterator[None]:
        """Hold `key` for the duration. Refuses with request-in-flight when somebody holds it."""
        if key in self._keys:
            headers = {"Retry-After": str(RETRY_IN_FLIGHT_SECONDS)}
            raise Problem("request-in-flight", "The first request with this key is being answered.", headers=headers)
        self._keys.add(key)
        try:
            yield
        finally:
            self._keys.discard(key)


MoveClock = Callable[[datetime], None]
MonthsOver = Callable[[int, int], Sequence[Month]]
"""The months that ended after one second and by another."""


def by_hand(_since: int, _until: int) -> Sequence[Month]:
    """No month ends a cycle: the operator does."""
    return ()


class Months:
    """The months that end as the door's clock passes them, each once and in turn, from `since_s` on."""

    def __init__(self, over: MonthsOver, since_s: int) -> None:
        self._over, self._since_s = over, since_s

    def over(self, until_s: int) -> Sequence[Month]:
        """Those that ended by `until_s` and were not `ended` yet, oldest first."""
        return self._over(self._since_s, until_s)

    def ended(self, month: Month) -> None:
        """It has been dealt with: what accrues from now on is a later one's, whoever asks."""
        self._since_s = month.over_at


class Epochs:
    """The epochs of tiers that begin as the door's clock passes them, from `since_s` on; none where nobody seals."""

    def __init__(self, desk: TierDesk, since_s: int) -> None:
        self._desk, self._since_s = desk, since_s

    def begun(self, until_s: int) -> int | None:
        """The first second of the newest that has begun by `until_s` and was not tried yet: those between were missed,
        as where no worker ran.
        """
        begins = self._desk.clock.begins(self._desk.clock.epoch_at(until_s))
        return begins if self._desk.seal is not None and begins > self._since_s else None

    def seal(self, begins: int) -> Counter[str]:
        """Take epochs as far as they go at that second; how many came to the chain."""
        assert self._desk.seal is not None
        self._since_s = begins
        return Counter(self._desk.seal(begins))


@dataclass(frozen=True, slots=True)
class Door:
    """Everything a handler may use. `move_clock` is there in a sandbox alone: it lets `now` be a later time. `vaulted`
    has the rights of settlement, for members' own witnesses, where this process holds the vault's key.
    """

    poster: Poster
    pool: Pool
    doorkeeper: Doorkeeper
    now: Callable[[], datetime]
    inclusions: Inclusions | None
    move_clock: MoveClock | None = None
    receipt_key: ReceiptSigner | None = None
    months: Months = field(default_factory=lambda: Months(by_hand, 0))
    epochs: Epochs = field(default_factory=lambda: Epochs(TierDesk(), 0))
    flights: Flights = field(default_factory=Flights)
    slow: SlowReads = field(default_factory=SlowReads)
    tiers: TierDesk = field(default_factory=TierDesk)
    vaulted: Pool | None = None
    proofs: SlowReads = field(
        default_factory=lambda: SlowReads(
            at_once_max=PROOFS_AT_ONCE_MAX, waiting_max=PROOFS_WAITING_MAX, code="verifying-busy"
        )
    )

    @contextmanager
    def reading(self) -> Iterator[psycopg.Connection[Any]]:
        """A connection whose statements all see the same moment and can change nothing."""
        with self.pool.connection() as connection, connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield connection


@contextmanager
def open_door(
    dsn: str,
    *,
    production: bool,
    readers_max: int,
    now: Callable[[], datetime],
    inclusions: Inclusions | None = None,
    move_clock: MoveClock | None = None,
    receipt_key: ReceiptSigner | None = None,
    months_over: MonthsOver = by_hand,
    tiers: TierDesk | None = None,
    queue_commands_max: int = QUEUE_COMMANDS_MAX,
) -> Iterator[Door]:
    """A door to the migrated database at `dsn`. Without `inclusions` receipts say where they are settled, unproven;
    with `move_clock` the time is a sandbox's; without `receipt_key` no merchant's own signature is taken in;
    `months_over` says which months a sandbox's clock ends as cycles; without `tiers` no tier proof is checked
    and no witness handed out.
    """
    assert move_clock is None or not production
    desk = tiers or TierDesk()
    with (
        _connections(dsn, readers_max + slow.AT_ONCE_MAX + PROOFS_AT_ONCE_MAX) as pool,
        _connections(dsn, KEY_READERS_MAX) as keys,
        _connections(dsn, WITNESSES_AT_ONCE_MAX, WITNESS_ROLE) if desk.vault else nullcontext() as vaulted,
        Poster(open_store(dsn), queue_commands_max=queue_commands_max) as poster,
    ):
        yield Door(
            poster=poster,
            pool=pool,
            doorkeeper=Doorkeeper(keys, production=production, now=now),
            now=now,
            inclusions=inclusions,
            move_clock=move_clock,
            receipt_key=receipt_key,
            months=Months(months_over, int(now().timestamp())),
            epochs=Epochs(desk, int(now().timestamp())),
            tiers=desk,
            vaulted=vaulted,
        )


def _connections(dsn: str, most: int, role: str = ROLE) -> Pool:
    """At most so many connections, opened as they are needed, with every right given up that `role` lacks."""
    return ConnectionPool(
        dsn,
        min_size=1,
        max_size=most,
        timeout=READ_WAIT_SECONDS_MAX,
        kwargs={"autocommit": True},
        configure=lambda connection: _humble(connection, role),
        open=True,
    )


def _humble(connection: psycopg.Connection[Any], role: str) -> None:
    connection.execute(f"SET ROLE {role}")
    if role == WITNESS_ROLE:  # which may do more than read, and is here to read
        connection.execute("SET default_transaction_read_only = on")


def door_of(request: Request) -> Door:
    """The process's door."""
    door: Door = request.app.state.door
    return door
