"""The July cycle's variation "race", on a real store: two writers, one member's last points."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg

from ledger import verify
from ledger.answers import Receipt
from ledger.poster import Poster
from ledger.store import open_store
from tests.ledger.scene import B, C, Scene
from tests.ledger.test_july import EVENTS, alliance, commands_of, ms


def test_variation_race(database: str) -> None:
    """m3 has 500 A when the cycle is over: two merchants ask for them at once, and exactly one is paid."""
    cycle = [command for event in EVENTS.values() for command in commands_of(event)]
    at = ms("2026-07-26T00:00:00+08:00")
    with Poster(open_store(database)) as one, Poster(open_store(database)) as other:
        assert all(isinstance(answer.outcome, Receipt) for answer in one.post([*alliance(), *cycle]))
        scene = Scene()
        asked = [scene.redeem("m3", merchant, 500, at=at) for merchant in (B, C)]
        with ThreadPoolExecutor() as threads:
            answers = list(threads.map(lambda poster, command: poster.post([command])[0], (one, other), asked))
    assert sorted(getattr(answer.outcome, "code", "done") for answer in answers) == ["balance-too-low", "done"]
    with psycopg.connect(database, autocommit=True) as conn:
        assert all(each.held for each in verify.check(conn))
