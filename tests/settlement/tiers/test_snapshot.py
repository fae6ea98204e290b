"""What an epoch says of its members is what the ledger tells each of them; who is in it, and by which key."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from ledger import queries
from ledger.commands import Merge, UnfreezeMember, Unmerge
from ledger.standing import explain_tier
from proofs.tier.attributes import Attributes
from proofs.tier.cohorts import Cohorts
from proofs.tier.policy import SECONDS_MAX, Policy
from settlement.tiers import forgetting, rows
from settlement.tiers.commitments import (
    CommitmentTaken,
    EnrolmentHangs,
    MemberAbsent,
    NotCommitment,
    TooManyKeys,
    all_in,
    current,
    enrol,
    keys_of,
)
from settlement.tiers.rows import State
from tests.ledger.scene import A, Scene, small_alliance
from tests.ledger.tier_scene import tiers
from tests.settlement.tiers.ground import BEGIN, CLOCK, NOW, Ground, public

MEMBERS = ("m1", "m2", "m3", "m4", "graced", "two", "idle")
EVERYBODY = (*MEMBERS, "icy")
Conn = psycopg.Connection[Any]


_SAID = """
SELECT name, attributes, commitment FROM settlement.tier_leaf JOIN ledger.member USING (shard, member_no)
WHERE epoch = %s
"""


def said(conn: Conn, epoch: int) -> dict[str, Attributes]:
    """What an epoch's rows say, by member."""
    found = conn.execute(_SAID, [epoch])
    return {name: Attributes.unpacked(int.from_bytes(packed, "big")) for name, packed, _ in found}


def in_epoch(conn: Conn, epoch: int) -> dict[str, bytes]:
    return {name: bytes(each) for name, _, each in conn.execute(_SAID, [epoch])}


def test_attributes_are_what_each_member_is_told(ground: Ground) -> None:
    ground.enrol(*EVERYBODY)
    ground.drive()
    begin_ms = CLOCK.begins(BEGIN) * 1_000
    with ground.conn() as conn:
        found = said(conn, BEGIN)
        assert sorted(found) == sorted(MEMBERS), "who is frozen is left out"
        codes = rows.epochs(conn)[0].tiers
        assert codes is not None
        for member, attributes in found.items():
            told = explain_tier(conn, member, begin_ms)
            assert told is not None
            assert codes[attributes.tier] == told.judged.tier
            assert attributes.spend == told.judged.qualifying_au
            assert attributes.since == -(-told.judged.since_ms // 1_000)
            until = told.kept_until_ms
            assert attributes.valid_until == (SECONDS_MAX if until is None else until // 1_000)
            available = sum(each.available_au for each in queries.member_balances(conn, member, begin_ms))
            assert attributes.points == available
            assert (attributes.key_epoch, attributes.programme) == (BEGIN, 1)
    assert {name: each.tier for name, each in found.items()} == {
        "m1": 3,
        "m2": 2,
        "m3": 1,
        "m4": 0,
        "graced": 2,
        "two": 2,
        "idle": 0,
    }, "the tests' members are of every kind"
    assert found["graced"].spend < 100, "kept by grace alone"
    assert found["graced"].valid_until < SECONDS_MAX


def test_a_commitment_takes_effect_in_the_next_epoch_and_a_newer_one_takes_its_place(ground: Ground) -> None:
    ground.enrol("m1", "m2")
    ground.drive()
    ground.enrol("m1", now=NOW, key=2)
    ground.enrol("m3", now=NOW)
    tomorrow = NOW + 86_400
    ground.drive(tomorrow)
    with ground.conn() as conn:
        assert in_epoch(conn, BEGIN) == {name: public(name) for name in ("m1", "m2")}
        assert in_epoch(conn, BEGIN + 1) == {"m1": public("m1", 2), "m2": public("m2"), "m3": public("m3")}
        assert {name: each.key_epoch for name, each in said(conn, BEGIN + 1).items()} == {
            "m1": BEGIN + 1,
            "m2": BEGIN,
            "m3": BEGIN + 1,
        }


def test_a_clock_behind_the_sealers_registers_nothing_for_an_epoch_that_is_taken(ground: Ground) -> None:
    ground.enrol("m1")
    ground.drive()
    with ground.conn() as conn:
        late = enrol(conn, CLOCK, "m2", public("m2"), now=CLOCK.begins(BEGIN) - 2)
    assert late.from_epoch == BEGIN + 1


def test_a_key_that_is_enrolled_while_an_epoch_is_taken_is_in_it_or_of_the_next(ground: Ground) -> None:
    """By a door whose clock is behind, in a transaction that ends late: else m2 could show its old key in this epoch,
    and the new one, which says that it is as old, in the next.
    """
    ground.enrol("m1")
    with ground.conn() as conn, ThreadPoolExecutor(1) as sealer:
        with conn.transaction():
            late = enrol(conn, CLOCK, "m2", public("m2"), now=CLOCK.begins(BEGIN) - 2)
            with ground.conn() as another, pytest.raises(EnrolmentHangs):
                all_in(another, wait_ms_max=20)
            driven = sealer.submit(ground.drive)
            while not driven.done() and not _waiting(ground):
                time.sleep(0.01)
        driven.result()
        (found,) = conn.execute(
            "SELECT count(*) FROM settlement.tier_leaf WHERE epoch = %s AND commitment = %s", (BEGIN, late.commitment)
        ).fetchone() or (0,)
    assert found or late.from_epoch > BEGIN


def _waiting(ground: Ground) -> bool:
    with ground.conn() as conn:
        row = conn.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted").fetchone()
    return bool(row and row[0])


def test_refusals_of_a_commitment(ground: Ground) -> None:
    with ground.conn() as conn:
        first = enrol(conn, CLOCK, "m1", public("m1"), now=NOW)
        assert enrol(conn, CLOCK, "m1", public("m1"), now=NOW + 9) == first, "asked again, the same answer"
        for value in (b"", bytes(32), b"\xff" * 32, b"\x01" * 31):
            with pytest.raises(NotCommitment):
                enrol(conn, CLOCK, "m1", value, now=NOW)
        for nobody in ("nobody", "gone"):
            with pytest.raises(MemberAbsent):
                enrol(conn, CLOCK, nobody, public("x"), now=NOW)
        with pytest.raises(CommitmentTaken):
            enrol(conn, CLOCK, "m2", public("m1"), now=NOW)
        for key in (2, 3, 4):
            enrol(conn, CLOCK, "m1", public("m1", key), now=NOW)
        with pytest.raises(CommitmentTaken):
            enrol(conn, CLOCK, "m1", public("m1", 2), now=NOW)
        with pytest.raises(TooManyKeys):
            enrol(conn, CLOCK, "m1", public("m1", 5), now=NOW)
        enrol(conn, CLOCK, "m1", public("m1", 5), now=NOW + 86_400)


def test_commitments_are_append_only(ground: Ground) -> None:
    ground.enrol("m1")
    with ground.conn() as conn:
        for statement in (
            "UPDATE settlement.tier_commitment SET from_epoch = 1",
            "DELETE FROM settlement.tier_commitment",
            "TRUNCATE settlement.tier_commitment CASCADE",
            "DELETE FROM settlement.tier_epoch",
        ):
            with pytest.raises(psycopg.errors.RestrictViolation):
                conn.execute(statement)


def test_one_person_has_one_leaf_whatever_was_merged(ground: Ground) -> None:
    """m4 into m3, each with a key: m3's own counts. idle into m5, who has none: idle's. Unmerged they are two again."""
    ground.enrol("m3", "m4", "idle", "two")
    ground.post(
        Merge(key="a", at_ms=NOW * 1_000, member="m4", into="m3"),
        Merge(key="b", at_ms=NOW * 1_000, member="idle", into="m5"),
    )
    ground.drive()
    with ground.conn() as conn:
        keys = in_epoch(conn, BEGIN)
        assert keys == {"m3": public("m3"), "m5": public("idle"), "two": public("two")}
        for name, commitment in keys.items():
            held = current(keys_of(conn, name), BEGIN)
            assert held is not None
            assert held.commitment == commitment, "Python chooses as SQL does"
        assert current(keys_of(conn, "m4"), BEGIN) == current(keys_of(conn, "m3"), BEGIN)
    ground.post(Unmerge(key="c", at_ms=NOW * 1_000, member="m4"))
    ground.drive(NOW + 86_400)
    with ground.conn() as conn:
        assert in_epoch(conn, BEGIN + 1) == {
            "m3": public("m3"),
            "m4": public("m4"),
            "m5": public("idle"),
            "two": public("two"),
        }


def test_who_withdraws_is_in_no_later_epoch_until_a_new_key(ground: Ground) -> None:
    seen: list[list[str]] = []

    def look(now: int) -> None:
        ground.drive(now)
        with ground.conn() as conn:
            seen.append(sorted(in_epoch(conn, CLOCK.epoch_at(now))))

    ground.enrol("m1", "m2")
    look(NOW)
    with ground.conn() as conn:
        assert forgetting.withdraw(conn, "m1", now=NOW) == 1
        assert forgetting.withdraw(conn, "m1", now=NOW) == 0
    look(NOW + 86_400)
    ground.enrol("m1", now=NOW + 86_400, key=2)
    look(NOW + 2 * 86_400)
    assert seen == [["m1", "m2"], ["m2"], ["m1", "m2"]]


def test_who_is_unfrozen_comes_back(ground: Ground) -> None:
    ground.enrol("icy", "m1")
    ground.drive()
    ground.post(UnfreezeMember(key="warm", at_ms=NOW * 1_000, member="icy"))
    ground.drive(NOW + 86_400)
    with ground.conn() as conn:
        assert [sorted(in_epoch(conn, BEGIN + at)) for at in range(2)] == [["m1"], ["icy", "m1"]]


def test_cohorts_count_whom_a_predicate_fits(bare: Ground) -> None:
    """Sixty members of whom fifty-five have silver or gold: counts are published in steps, fewer than fifty not."""
    scene, names = Scene(), [f"p{number}" for number in range(60)]
    bare.post(*small_alliance(), tiers(), *[scene.enrol(name) for name in names])
    bare.post(*[scene.earn(name, A, 5_000, at=38 * 86_400_000) for name in names[:55]])
    bare.enrol(*names)
    bare.drive()
    with bare.conn() as conn:
        (epoch,) = rows.epochs(conn)
        assert (epoch.state, epoch.members) == (State.ANCHORED, 60)
        assert epoch.cohorts is not None
        cohorts = Cohorts.from_json(epoch.cohorts)
    assert cohorts.of(Policy()) == 50
    assert cohorts.of(Policy(tier_mask=0b110)) == 50
    assert cohorts.of(Policy(tier_mask=0b1000)) == 0
    assert cohorts.of(Policy(lo=100, metric=1)) == 0
