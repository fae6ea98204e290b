"""The demonstration from an empty folder to the report: each phase one function, in the order a merchant would ask for
them.

Invariants: every phase can be interrupted and done again without doing anything twice; whatever was answered is
durable; phases talk through the ledger, the chain and the published folder, not through this process. Who may call:
`python -m api.demo` and the end-to-end tests.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from rich.console import Console

from api.demo import page, report
from api.demo.auditing import audit
from api.demo.books import examine
from api.demo.console import show
from api.demo.founding import found
from api.demo.generate import generate
from api.demo.merchants import SMALL_ALLIANCE, Plan, under_replay_conditions
from api.demo.progress import Phases
from api.demo.purchases import Rejects, Survey, read_links, read_purchases, survey
from api.demo.replay import Tally, replay
from api.demo.report import Report, Tiers
from api.demo.settings import DemoSettings
from api.demo.settling import AUDITOR_KID, Keys, Settling, attest_all, commit, finalise, found_settlement, seal
from api.demo.summary import Played, summarise
from api.demo.tiers import showing
from api.demo.tiers.members import set_tiers
from api.demo.tiers.scene import ground
from api.serve import now as utc_now
from api.serve import serve
from api.settings import Settings
from ledger import queries
from ledger.answers import Receipt
from ledger.commands import ChargeFees
from ledger.journal import head_seq
from ledger.poster import Poster
from ledger.postgres.migrated import migrated_database
from ledger.store import open_store
from settlement.chain.client import Chain
from settlement.embedded_chain.process import EmbeddedNode, start
from settlement.status import status

Connection = psycopg.Connection[Any]
ELSEWHERE = "choose another folder with TONGDUI_VAR, or make reset"


@dataclass(frozen=True, slots=True)
class Files:
    """What is replayed: an events file, perhaps with links of refunds, and what its merchants promise."""

    events: Path
    links: Path | None
    generated: bool

    def plans(self, codes: tuple[str, ...]) -> tuple[Plan, ...]:
        """The generated alliance has its own promises; any other file's merchants stand under the replay conditions."""
        return SMALL_ALLIANCE if self.generated else tuple(map(under_replay_conditions, codes))


@dataclass(frozen=True, slots=True)
class Ledger:
    """The ledger's two ends: a writer and a connection for reading."""

    poster: Poster
    conn: Connection


class AlreadyRunning(Exception):
    """Another demonstration works in this folder."""


class NoFolder(Exception):
    """The folder that is to keep everything cannot be made or written to."""


class OtherAlliance(Exception):
    """The alliance in this folder is not the file's: it settles in another currency or was founded without some of
    the file's merchants.
    """


def files(settings: DemoSettings) -> Files:
    """The files the user named, or a year made from the seed."""
    if settings.events is not None:
        return Files(settings.events, settings.refund_links, generated=False)
    made = generate(
        settings.var / "generated", seed=settings.seed, events=settings.events_made, members=settings.members_made
    )
    return Files(made.events, made.links, generated=True)


def found_alliance(ledger: Ledger, given: Files, surveyed: Survey, phases: Phases) -> dict[str, int]:
    """Merchants, terms and members of the file; the merchants' numbers by code."""
    known = {merchant.code: merchant.merchant_id for merchant in queries.merchants(ledger.conn)}
    plans = given.plans(surveyed.merchants)
    new = [plan.code for plan in plans if plan.code not in known]
    if new and status(ledger.conn):
        raise OtherAlliance(f"the alliance in this folder was founded without {', '.join(new[:3])}: {ELSEWHERE}")
    with phases.phase("alliance", 2 * len(new) + len(surveyed.members)) as advance:
        return found(ledger.poster.post, known=known, plans=plans, members=surveyed.members, progress=advance)


def replay_events(
    ledger: Ledger,
    given: Files,
    surveyed: Survey,
    numbers: dict[str, int],
    rejects: Rejects,
    *,
    latest: datetime,
    phases: Phases,
) -> Tally:
    """Every event of the file through the ledger, in order."""
    origins = read_links(given.links, rejects) if given.links else {}
    with phases.phase("replay", surveyed.events) as advance:
        return replay(
            read_purchases(given.events, rejects, currency=surveyed.currency, latest=latest),
            post=ledger.poster.post,
            merchant_ids=numbers,
            origins=origins,
            rejects=rejects,
            source=given.events.name,
            progress=advance,
        )


def charge_fees(ledger: Ledger, now: datetime) -> None:
    """The cycle's end: accrued fees become cash, where any did. The key names the journal position."""
    if any(position.fees for position in queries.positions(ledger.conn).values()):
        cycle = f"demo-{head_seq(ledger.conn)}"
        [answer] = ledger.poster.post(
            [ChargeFees(key=f"fees:{cycle}", at_ms=int(now.timestamp()) * 1_000, cycle=cycle)]
        )
        assert isinstance(answer.outcome, Receipt), answer.outcome


def keep_currency(path: Path, currency: str) -> None:
    """One alliance settles in one currency: the first file's, remembered in `path`. Raises OtherAlliance."""
    kept = path.read_text(encoding="ascii").strip() if path.exists() else ""
    if not kept:  # an empty file is what an interruption right here leaves
        path.write_text(currency + "\n", encoding="ascii")
    elif kept != currency:
        raise OtherAlliance(f"the alliance in {path.parent} settles in {kept}, the file in {currency}: {ELSEWHERE}")


def run(settings: DemoSettings, console: Console, now: datetime) -> int:
    """All phases in order, then the API until somebody stops it; the exit code (docs/demo.md)."""
    _writable(settings.var)
    phases = Phases(console)
    with ExitStack() as stack:
        stack.enter_context(_alone(settings.var / "demo.lock"))
        with phases.phase("read"):
            given = files(settings)
            surveyed = survey(given.events, now)
            keep_currency(settings.var / "currency", surveyed.currency)
        with phases.phase("servers"):
            dsn, node = _servers(settings, stack)
        told = _phases(settings, given, surveyed, dsn=dsn, rpc=node.url, phases=phases, now=now)
        report.write(told, settings.var / "report.json")
        page.write(told, settings.var / "report.html")
        show(told, console)
        console.print(
            f"Reports: {settings.var / 'report.html'}, report.json; the auditor's own: audit.html, audit.json",
            markup=False,
        )
        if settings.serve:
            _serve(dsn, settings.var, console)
    return exit_code(told)


def exit_code(told: Report) -> int:
    """0 all well, 1 something is not as it must be, 3 some lines were refused."""
    if told.problems:
        return 1
    return 3 if told.events.refused else 0


def _writable(var: Path) -> None:
    """Make the folder, which keeps itself out of a clone that it lies in. Raises NoFolder where this user cannot."""
    try:
        var.mkdir(parents=True, exist_ok=True)
        (var / "demo.lock").touch()
        (var / ".gitignore").write_text("*\n", encoding="ascii")
    except OSError as error:
        raise NoFolder(f"{var} cannot be written to ({error.strerror}): choose another with TONGDUI_VAR") from error


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """One run at a time in one folder; the lock falls with the process, however it ends. Raises AlreadyRunning."""
    with lock.open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(f"another demonstration works in {lock.parent}: stop it first") from None
        yield


def _servers(settings: DemoSettings, stack: ExitStack) -> tuple[str, EmbeddedNode]:
    """The migrated database's address and the embedded chain, both until the stack unwinds."""
    operator = Keys(settings.var / "keys").operator()
    dsn = stack.enter_context(migrated_database(settings.database_url, settings.var / "postgres"))
    return dsn, stack.enter_context(start(settings.var / "chain", fund=[f"0x{operator.address.hex()}"]))


def _serve(dsn: str, var: Path, console: Console) -> None:
    """The API on loopback until somebody stops it, with a merchant's test key at hand. What was played in lies in the
    past: it stands still, with all its points, until somebody moves the clock.
    """
    settings = Settings(var=var)
    token = Keys(var / "keys").api_token(dsn)
    console.print(
        f"The API answers on http://{settings.host}:{settings.port}/ until Ctrl-C; a merchant's test key: {token}",
        markup=False,
    )
    serve(dsn, settings, ticks=False)


def _phases(
    settings: DemoSettings, given: Files, surveyed: Survey, *, dsn: str, rpc: str, phases: Phases, now: datetime
) -> Report:
    """Everything between an empty database and the report."""
    var = settings.var
    with (
        Rejects(var / "rejects.jsonl") as rejects,
        psycopg.connect(dsn, autocommit=True) as conn,
        Poster(open_store(dsn)) as poster,
    ):
        ledger = Ledger(poster, conn)
        numbers = found_alliance(ledger, given, surveyed, phases)
        with phases.phase("contracts"):
            settling = found_settlement(conn, poster, Chain(rpc), Keys(var / "keys"), var)
        tally = replay_events(ledger, given, surveyed, numbers, rejects, latest=now, phases=phases)
        set_tiers(conn, poster, at_ms=int(now.timestamp()) * 1_000)
        settle(ledger, settling, phases, now)
        with phases.phase("verify", head_seq(conn)) as advance:
            invariants = examine(conn, advance)
        phases.say("audit: a process of its own, with the chain, the published files and its key")
        with phases.timed("audit"):
            audited = audit(settling.outside, settling.keys.reader(AUDITOR_KID), var / "audit.json", var / "audit.html")
        tiers = showing.show(ground(settling, dsn, var, utc_now), phases) if settings.tiers else Tiers([])
        played = Played(given.events.name, surveyed, tally, rejects)
        return summarise(conn, played, invariants, audited, phases.seconds, tiers=tiers)


def settle(ledger: Ledger, settling: Settling, phases: Phases, now: datetime) -> None:
    """From the journal to moved collateral."""
    with phases.phase("seal"):
        seal(settling, lambda: charge_fees(ledger, now))
    with phases.phase("attest"):
        attest_all(settling)
    with phases.phase("commit"):
        commit(settling)
    with phases.phase("finalise"):
        finalise(settling)
