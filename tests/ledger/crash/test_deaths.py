"""A short run of the crash driver: every kind of death is likely, and the judge sees that it can find something."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import psycopg
import pytest
from rich.console import Console
from rich.progress import Progress

from ledger.store import open_store
from tests.ledger.crash import drive
from tests.ledger.crash.stream import DONE, commands, key, opening
from tests.ledger.crash.writer import batch_size

CYCLES, COMMANDS = 8, 3_000


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_whoever_dies_nothing_is_lost_doubled_or_half_done(tmp_path: Path) -> None:
    record, found = drive.run(
        tmp_path / "postgres", cycles=CYCLES, commands=COMMANDS, seed=7, console=Console(quiet=True)
    )
    assert found == []
    assert record["cycles"] == sum(dict(record["deaths"]).values())  # type: ignore[call-overload]
    assert DONE - dict(record["done"]).keys() == set(), "each verb was done at least once"  # type: ignore[call-overload]
    assert dict(record["done"])["referral rewards"] > 0  # type: ignore[call-overload]


def judged(database: str, acknowledged: list[tuple[int, int, str]]) -> list[str]:
    return drive.judge(database, [drive.Writer(1, acknowledged)], Progress(console=Console(quiet=True)))


def test_the_judge_finds_what_was_lost_changed_half_done_or_never_asked(database: str) -> None:
    size = batch_size(1, 0)
    with open_store(database) as store:
        store.post(opening())
        answers = store.post(commands(1, 0, size))
    digest = sha256(b"".join([answer.body for answer in answers])).hexdigest()
    assert judged(database, [(0, size, digest)]) == []
    assert "are there" in judged(database, [(0, size, "0" * 64)])[0], "other bytes"
    assert judged(database, []) == [], "a batch that was done and not acknowledged"
    with open_store(database) as store:
        store.post(commands(1, size, 1))
    assert "never asked" in judged(database, [])[0]
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute("SET session_replication_role = replica")
        conn.execute("DELETE FROM ledger.answer WHERE key = %s", [key(1, 1)])
    assert f"{size - 1} are there" in judged(database, [(0, size, digest)])[0], "one is lost"
    assert f"{size - 1} of the {size}" in judged(database, [])[0], "half a batch"
