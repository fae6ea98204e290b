"""The operator of `bench.day`: a process of its own that may be killed anywhere and goes on where it was.

    python -m bench.day_operator DSN URL FOLDER EVENTS LINKS --until BATCH [--die-at POINT:BATCH]

The plan is a list of batches; what is done of it is read from the database and the chain alone. A quarter of an hour of
the day is one log batch, attested as soon as it is published, for a commit waits for its quorum; after the eighth (the
cut-off at 02:00) and after the last a settling batch follows. With `--die-at` it ends itself with SIGKILL at that
checkpoint while it works on that batch. Started by `bench.day`.
"""

from __future__ import annotations

import argparse
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import psycopg

from api.demo.founding import found
from api.demo.merchants import under_replay_conditions
from api.demo.purchases import Purchase, Rejects, read_links, read_purchases, survey
from api.demo.replay import replay
from api.demo.settling import Keys, Settling, attest_all, found_settlement
from ledger import queries
from ledger.commands import ChargeFees
from ledger.poster import Poster
from ledger.store import open_store
from settlement.batches import seal_next
from settlement.chain.client import Chain
from settlement.chain.outbox import Outbox
from settlement.status import status
from settlement.submitter import drive
from tests.settlement.chain.anvil import Anvil

QUARTERS = 96
QUARTER_SECONDS = 900
CUT_OFF_QUARTER = 8
PLAN = [
    quarter for quarter in range(1, QUARTERS + 1) for _ in range(2 if quarter in {CUT_OFF_QUARTER, QUARTERS} else 1)
]
"""The quarter of each batch, the first one's first; the second of a pair settles."""
NOWHERE = "nowhere:0"


@dataclass(frozen=True, slots=True)
class Day:
    """The events of the file, cut into quarters, and where they go."""

    poster: Poster
    merchants: dict[str, int]
    quarters: Sequence[Sequence[Purchase]]
    origins: dict[str, str]
    rejects: Rejects
    source: str

    def play(self, quarter: int) -> None:
        """The events of one quarter of an hour; playing them again adds nothing."""
        replay(
            iter(self.quarters[quarter - 1]),
            post=self.poster.post,
            merchant_ids=self.merchants,
            origins=self.origins,
            rejects=self.rejects,
            source=self.source,
            progress=lambda _: None,
        )

    def charge_fees(self, batch_no: int) -> None:
        """The end of a cycle, named by the batch that settles it."""
        cycle = f"day-{batch_no}"
        at_ms = int(datetime.now(UTC).timestamp()) * 1_000
        self.poster.post([ChargeFees(key=f"fees:{cycle}", at_ms=at_ms, cycle=cycle)])


def settles(batch_no: int) -> bool:
    """Whether the plan's batch of that number carries nets."""
    return batch_no > 1 and PLAN[batch_no - 1] == PLAN[batch_no - 2]


def cut(purchases: Iterator[Purchase], events: int) -> list[list[Purchase]]:
    """As many portions as the day has quarters, as equal as they can be, in order."""
    sizes = [events * (quarter + 1) // QUARTERS - events * quarter // QUARTERS for quarter in range(QUARTERS)]
    return [list(islice(purchases, size)) for size in sizes]


@contextmanager
def operating(dsn: str, url: str, folder: Path, files: tuple[Path, Path]) -> Iterator[tuple[Day, Settling]]:
    """The alliance of the file, founded on first use, and its settlement on the node."""
    now = datetime.now(UTC)
    surveyed = survey(files[0], now)
    plans = tuple(map(under_replay_conditions, surveyed.merchants))
    with (
        Rejects(folder / "rejects.jsonl") as rejects,
        psycopg.connect(dsn, autocommit=True) as conn,
        Poster(open_store(dsn)) as poster,
    ):
        known = {merchant.code: merchant.merchant_id for merchant in queries.merchants(conn)}
        numbers = found(poster.post, known=known, plans=plans, members=surveyed.members, progress=lambda _: None)
        settling = found_settlement(conn, poster, Chain(url), Keys(folder / "keys"), folder)
        purchases = read_purchases(files[0], rejects, currency=surveyed.currency, latest=now)
        quarters = cut(purchases, surveyed.events)
        yield Day(poster, numbers, quarters, read_links(files[1], rejects), rejects, files[0].name), settling


def work(day: Day, settling: Settling, until: int) -> None:
    """Batch after batch of the plan up to `until`, whatever of it was done before. The last one's commit is in a block
    that is not final yet.
    """
    s = settling.settlement
    attest_all(settling)
    drive(s)
    while (last := status(s.conn)[-1]).batch_no < until:
        Anvil(s.alliance.chain.url).finalise()
        batch_no = last.batch_no + 1
        if settles(batch_no):
            day.charge_fees(batch_no)
        else:
            day.play(PLAN[batch_no - 1])
            s.alliance.chain.advance_time(max(0, (last.sealed_at or 0) + QUARTER_SECONDS - s.alliance.chain.now()))
        seal_next(s, settling=settles(batch_no))
        attest_all(settling)
        drive(s)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("dsn", "url"):
        parser.add_argument(name)
    for name in ("folder", "events", "links"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--until", type=int, default=len(PLAN))
    parser.add_argument("--die-at", default=NOWHERE)
    chosen = parser.parse_args()
    point, _, number = chosen.die_at.partition(":")
    with operating(chosen.dsn, chosen.url, chosen.folder, (chosen.events, chosen.links)) as (day, settling):
        conn = settling.settlement.conn

        def die_here(reached: str) -> None:
            if reached == point and status(conn)[-1].batch_no == int(number):
                os.kill(os.getpid(), signal.SIGKILL)

        chain, signer = settling.settlement.alliance.chain, settling.keys.operator()
        outbox = Outbox(conn, chain, signer, checkpoint=die_here)
        watched = replace(settling.settlement, outbox=outbox, checkpoint=die_here)
        work(day, replace(settling, settlement=watched), chosen.until)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
