"""What the ways to provoke errors have at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from api import examples
from api.door import Door
from proofs.accounts import OPERATOR_ID
from tests.api.conftest import NOON, Caller, Clock, KeyMaker

AT = NOON
NOODLES = 12


def noodles_that(**promises: object) -> dict[str, object]:
    """A merchant without hold, worth the trouble of nobody."""
    body = {name: value for name, value in examples.NEW_MERCHANT.items() if name != "occurred_at"}
    return body | {"merchant_id": NOODLES, "hold_seconds": 0, "credit_limit_au": None} | promises


@dataclass
class Stage:
    """What a way to provoke an error may use. `tea` has one member, m, who paid order o-1 of 100.00 (100 points)."""

    tea: Caller
    door: Door
    database: str
    clock: Clock
    new_key: KeyMaker
    opened: ExitStack
    programs: int = 0

    def of(self, merchant_id: int, **options: Any) -> Caller:
        """The program of another merchant, or with another key; it counts its requests where nobody else does."""
        self.programs += 1
        return Caller(self.tea.http, self.new_key(merchant_id, **options), 1_000 * self.programs)

    def redeem(self, au: int, *, name: str = "r-1", key: str = "k-1", **fields: object) -> Any:
        body = {"occurred_at": AT, "member": "m", "redemption": name, "au": au} | fields
        return self.tea.post("/v1/redemptions", body, key=key)

    def refund(self, amount_minor: int, *, name: str = "f-1", order: str | None = "o-1", **fields: object) -> Any:
        return self.tea.event(
            "order.refunded", **{"member": "m", "refund": name, "order": order} | fields, amount_minor=amount_minor
        )

    @property
    def operator(self) -> Caller:
        return self.of(OPERATOR_ID)

    def join(self, *members: str) -> None:
        """Let them join."""
        for member in members:
            self.tea.taken("member.joined", member=member)

    def customers(self, *members: str) -> None:
        """Let them join and buy something of tea."""
        for member in members:
            self.join(member)
            self.tea.taken("order.paid", member=member, order=f"first-{member}", amount_minor=100)

    def found(self, **promises: object) -> Caller:
        """Another merchant, `noodles` (12), that promises so and is worth 1 AU a point; its program."""
        self.operator.done("/v1/merchants", **noodles_that(**promises))
        noodles = self.of(NOODLES)
        noodles.done("/v1/rates", terms_id=NOODLES, au_num=1, au_den=1)
        return noodles

    @contextmanager
    def locked(self, table: str) -> Iterator[None]:
        """While inside, nobody reads the table."""
        with psycopg.connect(self.database) as connection:
            connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            yield

    @contextmanager
    def stuck_ledger(self) -> Iterator[Callable[[], bool]]:
        """While inside, the writer waits for its lock. Gives what answers whether it does so already."""
        with psycopg.connect(self.database) as connection:
            connection.execute("SELECT FROM ledger.head FOR UPDATE")

            def waits() -> bool:
                connection.execute("SELECT pg_stat_clear_snapshot()")
                found = connection.execute(WAITS_FOR_US).fetchone()
                assert found is not None
                return bool(found[0])

            yield waits


WAITS_FOR_US = "SELECT bool_or(pg_backend_pid() = ANY(pg_blocking_pids(pid))) FROM pg_stat_activity"
Way = Callable[[Stage], Any]


def twice(first: Any, second: Callable[[], Any]) -> Any:
    """The second answer, after a first one that has to be a receipt."""
    assert first.status_code == 201, first.text
    return second()


def after(*done: Any, then: Callable[[], Any]) -> Any:
    """What comes of it after several things that have to be done."""
    for each in done:
        assert each.status_code == 201, each.text
    return then()
