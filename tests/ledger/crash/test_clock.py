"""The clock jumps: the ledger reads none; its order is the journal's, its verdicts follow from what it is told."""

from __future__ import annotations

import psycopg

from ledger import journal, rebuild, verify
from ledger.answers import Receipt, Refusal
from ledger.store import open_store
from tests.ledger.scene import DAY, A, B, Scene, small_alliance

YEAR = 366 * DAY


def test_a_clock_that_jumps_back_and_forth_changes_no_order_and_no_balance(database: str) -> None:
    scene = Scene()
    alliance = small_alliance(hold_ms=DAY)
    asked = [
        scene.earn("m1", A, 10_000, at=YEAR, order="first"),
        scene.earn("m1", A, 20_000, at=DAY, order="back"),
        scene.confirm(A, "back", at=2 * DAY),
        scene.confirm(A, "first", at=DAY),
        scene.confirm(A, "first", at=YEAR + DAY),
        scene.redeem("m1", B, 50, at=DAY),
        scene.redeem("m1", B, 250, at=3 * YEAR),
    ]
    with open_store(database) as store:
        store.post(alliance)
        outcomes = [store.post([command])[0].outcome for command in asked]
    codes = [outcome.code if isinstance(outcome, Refusal) else "done" for outcome in outcomes]
    assert codes == ["done", "done", "done", "hold-not-over", "done", "done", "balance-too-low"]
    with psycopg.connect(database, autocommit=True) as conn:
        entries = journal.read(conn, len(alliance))
        done = [outcome for outcome in outcomes if isinstance(outcome, Receipt)]
        assert [(entry.seq, entry.at_ms) for entry in entries] == [(receipt.seq, receipt.at_ms) for receipt in done]
        assert [entry.at_ms for entry in entries] != sorted(entry.at_ms for entry in entries), "recorded as it came"
        assert [each for each in verify.check(conn) if not each.held] == []
        assert rebuild.differences(conn) == []
