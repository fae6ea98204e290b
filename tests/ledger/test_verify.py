"""Every invariant fires: each is broken on purpose, by an owner who takes the triggers away first, and is found by
name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import psycopg
import pytest

from ledger import rebuild, verify
from ledger.__main__ import BROKEN, HELD, NOT_ASKED, main
from ledger.reports import projection
from ledger.rules.caps import Caps
from ledger.store import open_store
from tests.ledger.random_commands import history
from tests.ledger.rule_scene import RuleScene
from tests.ledger.rules.making import rule

# One fault each, and the invariants that must see it (others may see it too).
FAULTS = {
    "DELETE FROM ledger.journal WHERE seq = 20": {"journal-gapless", "keys-answer-their-entries"},
    "UPDATE ledger.head SET seq = seq + 1": {"journal-gapless"},
    """UPDATE ledger.posting SET amount = amount * 2, balance = balance + amount
       WHERE family = 8 AND party = 1 AND n = 2""": {
        "debits-equal-credits",
        "running-balances-gapless",
        "postings-are-those-of-the-receipts",
    },
    "DELETE FROM ledger.posting WHERE family = 2 AND n = 1": {"running-balances-gapless", "debits-equal-credits"},
    """UPDATE ledger.posting p SET balance = balance + 5 WHERE family = 7 AND party = 1
       AND n = (SELECT max(n) FROM ledger.posting WHERE family = 7 AND party = 1)""": {"positions-sum-to-zero"},
    """UPDATE ledger.posting p SET balance = balance - 5 WHERE family = 1 AND party = 1
       AND n = (SELECT max(n) FROM ledger.posting WHERE family = 1 AND party = 1)""": {
        "members-equal-outstanding",
        "issuer-roll-forward-closes",
    },
    "UPDATE ledger.lot SET remaining = remaining - 1 WHERE open AND remaining > 1": {"lots-explain-balances"},
    "UPDATE ledger.lot SET remaining = remaining - 1 WHERE terms_id = 5 AND confirmed_at_ms > 0 AND remaining > 1": {
        "lots-explain-balances",
        "reserve-equals-positive-lots",
    },
    """UPDATE ledger.posting p SET balance = balance + 5 WHERE family = 7 AND party = 900000002
       AND n = (SELECT max(n) FROM ledger.posting WHERE family = 7 AND party = 900000002)""": {
        "reserve-equals-positive-lots"
    },
    "UPDATE ledger.lot SET remaining = 0, open = false WHERE confirmed_at_ms IS NULL AND remaining > 0": {
        "pending-lots-explain-pending"
    },
    """UPDATE ledger.record SET body = replace(body, '"held"', '"released"') WHERE body LIKE '%"state":"held"%'""": {
        "records-explain-held",
        "records-explain-promised",
    },
    "DELETE FROM ledger.claim WHERE used = 1": {"holds-resolve-once"},
    "UPDATE ledger.lot SET standing = points + 1 WHERE seq = (SELECT max(seq) FROM ledger.lot)": {"no-lot-below-zero"},
    "UPDATE ledger.lot SET points = points + 1 WHERE role = 3": {"bonuses-are-what-rules-granted"},
    """UPDATE ledger.record SET body = replace(body, '"points":25', '"points":26') WHERE kind = 40""": {
        "rules-within-budget"
    },
    "UPDATE ledger.orders SET refunded_minor = refunded_minor - 1 WHERE refunded_minor > 0": {"refunds-within-orders"},
    """INSERT INTO ledger.membership (shard, member_no, bonded, frozen, closed, merged_into, tier_since_ms, tier)
       SELECT 0, member_no, true, false, false, 1, 0, '' FROM ledger.lot WHERE open LIMIT 1
       ON CONFLICT (shard, member_no) DO UPDATE SET merged_into = 1""": {"merged-members-hold-nothing"},
    """UPDATE ledger.membership above SET bonded = true, referrer_no = below.member_no
       FROM (SELECT s.member_no, s.referrer_no FROM ledger.membership s
             JOIN ledger.person r ON r.member_no = s.referrer_no
             WHERE s.merged_into IS NULL AND r.merged_into IS NULL LIMIT 1) below
       WHERE above.member_no = below.referrer_no""": {"no-member-is-above-itself"},
    """UPDATE ledger.journal SET receipt = replace(receipt, '"level":1', '"level":3')
       WHERE receipt LIKE '%"level":1%'""": {"rewards-are-the-rule-of-their-basis"},
    """UPDATE ledger.journal SET receipt = replace(receipt, '"basis":', '"basis":9')
       WHERE receipt LIKE '%"level":1%'""": {"rewards-are-the-rule-of-their-basis"},
    r"""UPDATE ledger.journal SET receipt = regexp_replace(receipt, '("kind":3,[^}]*"points":)', '\19')
       WHERE verb = 'refund'""": {"claw-backs-within-their-legs"},
    "UPDATE ledger.answer SET key = 'other' WHERE seq = 20": {"keys-answer-their-entries"},
    """INSERT INTO ledger.answer (shard, key, command, body)
       SELECT 0, 'trace', command, '{}' FROM ledger.journal WHERE seq = 20""": {"refusals-leave-no-trace"},
    "UPDATE ledger.day SET amount = amount + 1 WHERE family = 7 AND party = 1": {"days-are-those-of-the-postings"},
    "INSERT INTO ledger.late VALUES (0, 7, 0, 1, 1, 1)": {"days-are-those-of-the-postings"},
    "UPDATE ledger.projection SET seq = seq + 1": {"days-are-those-of-the-postings"},
}


@pytest.fixture(name="conn")
def conn_(database: str) -> Iterator[psycopg.Connection]:
    """A sound ledger whose owner may do what the tables forbid."""
    with open_store(database) as store:
        store.post(history(seed=23, length=300))
        scene = RuleScene()
        promise = scene.publication(rule(caps=Caps(budget_points=25)))
        store.post([promise, *[scene.bought("m1", 100, order=f"with-bonus-{i}") for i in range(3)]])
    with psycopg.connect(database, autocommit=True) as conn:
        projection.catch_up(conn)
        conn.execute("SET session_replication_role = replica")
        conn.execute("ALTER TABLE ledger.lot DROP CONSTRAINT lot_points")
        yield conn


def broken(conn: psycopg.Connection) -> set[str]:
    return {each.name for each in verify.check(conn) if not each.held}


def test_a_sound_ledger_holds_every_invariant(conn: psycopg.Connection) -> None:
    heard: list[str] = []
    assert [each.detail for each in verify.check(conn, progress=heard.append)] == ["held"] * len(verify.STATEMENTS)
    assert heard == list(verify.STATEMENTS)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: re.sub(r"\W+", "-", fault)[:60])
def test_a_fault_is_found_by_name(conn: psycopg.Connection, fault: str) -> None:
    assert conn.execute(fault).rowcount > 0
    assert FAULTS[fault] <= broken(conn)


def test_every_invariant_is_broken_by_some_fault() -> None:
    assert set().union(*FAULTS.values()) == set(verify.STATEMENTS)


@pytest.mark.parametrize(
    ("fault", "what"),
    [
        ("UPDATE ledger.lot SET expires_at_ms = expires_at_ms + 1 WHERE open", "stored lot"),
        ("UPDATE ledger.orders SET terms_id = terms_id + 1", "stored order"),
        ("DELETE FROM ledger.claim", "follows from the journal and is not stored"),
        ("DELETE FROM ledger.lot", "follows from the journal and is not stored"),
        ("UPDATE ledger.posting SET n = n + 1 WHERE family = 8 AND party = 1", "stored account"),
        ("UPDATE ledger.journal SET receipt = replace(receipt, 'postings', 'Postings') WHERE seq = 20", "entry 20"),
    ],
)
def test_a_rebuild_finds_what_does_not_follow(conn: psycopg.Connection, fault: str, what: str) -> None:
    assert rebuild.differences(conn) == []
    conn.execute("ALTER TABLE ledger.posting DROP CONSTRAINT posting_pkey")
    assert conn.execute(fault).rowcount > 0
    found = rebuild.differences(conn)
    assert found
    assert any(what in line for line in found)
    assert len(found) <= rebuild.DIFFERENCES_MAX


def test_the_command_line(conn: psycopg.Connection, database: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--dsn", database]) == HELD
    assert "rebuild-equals-store" in capsys.readouterr().out
    conn.execute("DELETE FROM ledger.claim")
    assert main(["rebuild", "--dsn", database]) == BROKEN
    conn.execute("UPDATE ledger.head SET seq = seq + 1")
    assert main(["verify", "--dsn", database]) == BROKEN
    assert re.search(r"journal-gapless +BROKEN: ", capsys.readouterr().out)
    assert main(["verify", "--dsn", "postgresql://nobody@127.0.0.1:1/none"]) == NOT_ASKED
