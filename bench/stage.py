"""What the ledger's benchmarks stand on: a migrated database, an alliance in it, purchases to post, processor time.

Invariants: full durability unless a benchmark says otherwise; commands are a function of their number, so that every
run posts the same; processor time counts our process and every process of the server, the ended ones too. Called by the
benchmarks of the ledger.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from alembic import command
from alembic.config import Config
from msgspec.structs import replace
from sqlalchemy import create_engine, pool

from ledger.answers import Receipt
from ledger.commands import (
    BindReferral,
    Command,
    Earn,
    EarnRate,
    Enrol,
    ForDays,
    OpenMerchant,
    PublishCampaign,
    PublishTerms,
)
from ledger.poster import BATCH_COMMANDS_MAX, Poster
from ledger.postgres.embedded import EmbeddedServer, sqlalchemy_url
from ledger.store import open_store

MERCHANTS = 64
MEMBERS = 10_000
START_MS = 1_767_225_600_000
AMOUNT_MINOR = 12_345
LEVEL_BPS = (100, 50)
CHAIN_MEMBERS = 3
"""A root, who referred the second, who referred the third."""
YEAR_MS = 366 * 86_400_000
BATCHES_PER_LIST = 20
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def founding() -> Iterator[Command]:
    """Merchants that issue one point per 100 minor units, their terms and the members."""
    for merchant in range(1, MERCHANTS + 1):
        yield OpenMerchant(
            key=f"merchant:{merchant}",
            at_ms=START_MS,
            merchant_id=merchant,
            code=f"m{merchant}",
            name=f"Merchant {merchant}",
            earn=EarnRate(points=1, per_minor=100),
            hold_ms=0,
            validity=ForDays(days=365),
            redemption_fee_bps=200,
            issuance_fee_bps=100,
            refund_policy="debt",
            credit_limit_au=None,
            haircut_bps=10_000,
        )
        yield PublishTerms(
            key=f"terms:{merchant}", at_ms=START_MS, terms_id=merchant, issuer_id=merchant, au_num=1, au_den=1, mode=0
        )
    for member in range(MEMBERS):
        yield Enrol(key=f"member:{member}", at_ms=START_MS, member=f"member-{member}")


def referring() -> Iterator[Command]:
    """Every merchant pays two levels, and the members stand in chains of three."""
    for merchant in range(1, MERCHANTS + 1):
        yield PublishCampaign(
            key=f"campaign:{merchant}",
            at_ms=START_MS,
            campaign_id=merchant,
            merchant_id=merchant,
            level_bps=LEVEL_BPS,
            until_ms=START_MS + YEAR_MS,
        )
    for member in range(MEMBERS):
        if member % CHAIN_MEMBERS:
            yield BindReferral(
                key=f"bond:{member}", at_ms=START_MS, member=f"member-{member}", referrer=f"member-{member - 1}"
            )


def by_the_third(earn: Earn) -> Earn:
    """The same purchase by somebody with two members above."""
    chain = int(earn.member.removeprefix("member-")) // CHAIN_MEMBERS % (MEMBERS // CHAIN_MEMBERS)
    return replace(earn, member=f"member-{chain * CHAIN_MEMBERS + CHAIN_MEMBERS - 1}")


def purchase(number: int, merchants: int = MERCHANTS) -> Earn:
    """The purchase of that number: merchant and member by a fixed stride."""
    return Earn(
        key=f"earn:{number}",
        at_ms=START_MS + number,
        merchant_id=1 + number % merchants,
        member=f"member-{number * 7919 % MEMBERS}",
        order=f"order-{number}",
        amount_minor=AMOUNT_MINOR,
    )


def migrated(server: EmbeddedServer, name: str) -> str:
    """A database at the newest migration; answers its address."""
    dsn = server.ensure_database(name)
    engine = create_engine(sqlalchemy_url(dsn), poolclass=pool.NullPool)
    config = Config(Path(__file__).parents[1] / "alembic.ini")
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    engine.dispose()
    return dsn


class Cpu(NamedTuple):
    """Seconds of processor time, user and system: of this process and of the database server."""

    python: float
    postgres: float

    def since(self, before: Cpu) -> Cpu:
        return Cpu(self.python - before.python, self.postgres - before.postgres)


def cpu(server: EmbeddedServer) -> Cpu:
    """Spent so far."""
    return Cpu(time.process_time(), server_cpu_seconds(server))


def server_cpu_seconds(server: EmbeddedServer) -> float:
    """Of the postmaster, its living children and those it has outlived."""
    postmaster = int(server.place.pid_file.read_text().split("\n", 1)[0])
    return sum(process_ticks(postmaster, own_pid) for own_pid in _numbered(Path("/proc"))) / TICKS_PER_SECOND


def process_ticks(postmaster: int, pid: int) -> int:
    """Clock ticks of one process if it belongs to the server; the postmaster's include its ended children's."""
    with contextlib.suppress(OSError):
        parent, ticks = _stat(pid)
        if pid == postmaster:
            return sum(ticks)
        if parent == postmaster:
            return sum(ticks[:2])
    return 0


def own_ticks(pid: int) -> int:
    """Clock ticks of one process, user and system, without its children's."""
    return sum(_stat(pid)[1][:2])


def _stat(pid: int) -> tuple[int, list[int]]:
    """The parent, and ticks: user, system, and the same of ended children."""
    fields = (Path("/proc") / str(pid) / "stat").read_text().rpartition(") ")[2].split()
    return int(fields[1]), [int(field) for field in fields[11:15]]


def _numbered(folder: Path) -> Iterator[int]:
    return (int(each.name) for each in folder.iterdir() if each.name.isdigit())


class Till:
    """A poster over a founded alliance, making batches of `batch`, with a running purchase number; with `two_levels`
    every purchase rewards two members above the buyer.
    """

    def __init__(
        self, server: EmbeddedServer, dsn: str, batch: int = BATCH_COMMANDS_MAX, *, two_levels: bool = False
    ) -> None:
        self.server = server
        self.batch = batch
        self.two_levels = two_levels
        alliance = [*founding(), *(referring() if two_levels else ())]
        with Poster(open_store(dsn)) as poster:
            assert all(receipt(answer.outcome) for answer in poster.post(alliance))
        self.poster = Poster(open_store(dsn), batch_commands_max=batch)
        self._taken = 0

    @property
    def earns(self) -> int:
        """How many purchases were handed out."""
        return self._taken

    def next(self, merchants: int = MERCHANTS) -> Earn:
        """A purchase nobody made before."""
        self._taken += 1
        made = purchase(self._taken, merchants)
        return by_the_third(made) if self.two_levels else made

    def post(self, commands: list[Command]) -> int:
        """Posts and answers how many postings it made. Raises AssertionError if anything was refused."""
        return sum(len(receipt(answer.outcome).postings) for answer in self.poster.post(commands))

    def run(self, merchants: int, seconds: float) -> dict[str, float]:
        """Earns and postings a second over `seconds`; building the commands is not counted."""
        spent, done, postings, used = 0.0, 0, 0, Cpu(0, 0)
        count = BATCHES_PER_LIST * self.batch
        while spent < seconds:
            commands: list[Command] = [self.next(merchants) for _ in range(count)]
            before, begun = cpu(self.server), time.perf_counter()
            postings += self.post(commands)
            done += count
            spent += time.perf_counter() - begun
            spell = cpu(self.server).since(before)
            used = Cpu(used.python + spell.python, used.postgres + spell.postgres)
        return rates(done, postings, spent, used)


def receipt(outcome: object) -> Receipt:
    """The outcome, which has to be a receipt."""
    assert isinstance(outcome, Receipt), outcome
    return outcome


def rates(earns: int, postings: int, seconds: float, used: Cpu) -> dict[str, float]:
    """The figures of one spell, by the names under which results keep them."""
    return {
        "earnsPerSecond": round(earns / seconds),
        "postingsPerSecond": round(postings / seconds),
        "pythonCpuMicrosecondsPerEarn": round(used.python / earns * 1e6, 1),
        "postgresCpuMicrosecondsPerEarn": round(used.postgres / earns * 1e6, 1),
    }
