"""Epochs from drawn to retired: one root whatever dies where, one worker at a time, grace, revocation, giving up."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from proofs.signature import address_of
from proofs.tier.cohorts import Cohorts
from proofs.tier.grid import PolicyGrid
from proofs.tier.statement import alliance_id
from proofs.tier.trusted import DEVELOPMENT_KEY
from settlement.chain.senders import KeyRefused
from settlement.tables import StateMoved
from settlement.tiers import epoch_secrets, forgetting, proving, rows, signing_keys, steps
from settlement.tiers.clock import EpochClock
from settlement.tiers.commitments import enrol
from settlement.tiers.epochs import drive
from settlement.tiers.registry import NO_HASH, Registry
from settlement.tiers.rows import State
from settlement.tiers.steps import Do, Observation, Retire, Wait, next_step
from settlement.tiers.witness import witness
from settlement.watch.alerts import alerts
from tests.settlement.tiers.driver import killed_at
from tests.settlement.tiers.ground import BEGIN, CLOCK, GRID, NOW, VAULT, Ground, public
from tests.settlement.tiers.paper import ADDRESS, CHAIN_ID, EPOCH_KEY, SIGNER, Paper
from tests.settlement.tiers.reference import root_of_rows

DAY = 86_400
MEMBERS = ("m1", "m2", "m3", "m4", "graced", "two", "idle")
ON_THE_WAY = ["drawn", "taken", "snapshotted", "hashing", "hashed", "built", "signed", "published", "anchored"]
AT_THE_END = ["erasing", "retired"]


def states(ground: Ground) -> dict[int, str]:
    with ground.conn() as conn:
        return {each.epoch: each.state.name for each in rows.epochs(conn)}


def leaves(conn: psycopg.Connection[Any], epoch: int) -> int:
    row = conn.execute("SELECT count(*) FROM settlement.tier_leaf WHERE epoch = %s", [epoch]).fetchone()
    return int(row[0]) if row else 0


def test_an_epoch_goes_all_the_way_in_one_drive(ground: Ground) -> None:
    ground.enrol(*MEMBERS)
    (standing,) = ground.drive()
    assert (standing.epoch, standing.state, standing.alarm) == (BEGIN, State.ANCHORED, "")
    (signed,) = ground.registry.published()
    with ground.conn() as conn:
        (epoch,) = rows.epochs(conn)
        assert epoch.root_element == root_of_rows(conn, BEGIN) == signed.header.root
    assert signed.signer(CHAIN_ID, ADDRESS) == SIGNER
    assert epoch.cohorts is not None
    assert signed.header.cohorts == Cohorts.from_json(epoch.cohorts).hash()
    assert signed.header.policy_grid == GRID.hash() == PolicyGrid.from_json(epoch.policy_grid).hash()
    assert (signed.header.alliance_id, signed.header.previous) == (alliance_id(CHAIN_ID, ADDRESS), NO_HASH)
    assert (signed.header.not_before, signed.header.not_after) == (CLOCK.begins(BEGIN), CLOCK.begins(BEGIN + 1) - 1)
    assert [each.state for each in ground.drive()] == [State.ANCHORED], "asked again, nothing happens"
    assert len(ground.registry.published()) == 1


def test_headers_are_chained_and_old_epochs_erased(ground: Ground) -> None:
    ground.enrol(*MEMBERS)
    for days in (0, 1, 4, 5):
        ground.drive(NOW + days * DAY)
    headers = [signed.header for signed in ground.registry.published()]
    assert [header.epoch for header in headers] == [BEGIN, BEGIN + 1, BEGIN + 4, BEGIN + 5]
    assert [header.previous for header in headers] == [NO_HASH, *(header.struct_hash() for header in headers[:-1])]
    assert len({header.root for header in headers}) == 4
    assert states(ground) == {
        BEGIN: "RETIRED",
        BEGIN + 1: "RETIRED",
        BEGIN + 4: "ANCHORED",
        BEGIN + 5: "ANCHORED",
    }
    with ground.conn() as conn:
        assert [leaves(conn, epoch) for epoch in states(ground)] == [0, 0, len(MEMBERS), len(MEMBERS)]
        with pytest.raises(epoch_secrets.Erased):
            epoch_secrets.opened(conn, VAULT, BEGIN)
        epoch_secrets.opened(conn, VAULT, BEGIN + 5)
    files = [path.name for path in sorted(ground.trees.folder.iterdir())]
    assert files == [f"epoch-{BEGIN + 4}.tree", f"epoch-{BEGIN + 5}.tree"]


@pytest.mark.parametrize("point", ON_THE_WAY)
def test_a_kill_on_the_way_leaves_one_epoch_with_one_root(ground: Ground, point: str) -> None:
    ground.enrol(*MEMBERS)
    assert killed_at(ground, NOW, point)
    with ground.conn() as conn:
        before = rows.epoch(conn, BEGIN)
        secret = epoch_secrets.opened(conn, VAULT, BEGIN)
    assert before is not None
    ground.drive()
    with ground.conn() as conn:
        (epoch,) = rows.epochs(conn)
        assert epoch.state is State.ANCHORED
        assert epoch.root_element == root_of_rows(conn, BEGIN)
        assert epoch_secrets.opened(conn, VAULT, BEGIN) == secret, "what was drawn before the kill is what counts"
        assert before.root in {None, epoch.root}
        assert leaves(conn, BEGIN) == len(MEMBERS)
    (published,) = ground.registry.published()
    assert published == epoch.signed


@pytest.mark.parametrize("point", AT_THE_END)
def test_a_kill_while_erasing_leaves_nothing_half(ground: Ground, point: str) -> None:
    ground.enrol("m1")
    ground.drive()
    over = NOW + 3 * DAY
    assert killed_at(ground, over, point)
    with ground.conn() as conn:
        row = rows.epoch(conn, BEGIN)
        assert row is not None
        gone = row.state is State.RETIRED
        assert gone == (point == "retired")
        assert leaves(conn, BEGIN) == (0 if gone else 1)
        secrets = conn.execute("SELECT count(*) FROM vault.tier_secret WHERE epoch = %s", [BEGIN]).fetchone()
        assert secrets == ((0 if gone else 1),)
    ground.drive(over)
    assert states(ground)[BEGIN] == "RETIRED"
    assert not ground.trees.path(BEGIN).exists()


@pytest.mark.parametrize("point", ["taken", "hashing", "built"])
def test_two_workers_at_once_make_one_epoch(ground: Ground, point: str) -> None:
    """The second comes while the first is in the middle; whoever is overtaken says so and has written nothing."""
    ground.enrol(*MEMBERS)
    inside, go = threading.Event(), threading.Event()

    def wait_here(reached: str) -> None:
        if reached == point:
            inside.set()
            assert go.wait(60)

    def driven(**changes: Any) -> str:
        try:
            ground.drive(**changes)
        except (StateMoved, psycopg.errors.SerializationFailure) as error:
            return type(error).__name__
        return "done"

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(driven, checkpoint=wait_here)
        assert inside.wait(60)
        second = pool.submit(driven)
        if point == "taken":
            go.set()  # the second waits for the first's snapshot
        said = [second.result()]
        go.set()
        said.append(first.result())
    assert "done" in said
    assert [each.state for each in ground.drive()] == [State.ANCHORED]
    with ground.conn() as conn:
        (epoch,) = rows.epochs(conn)
        assert epoch.root_element == root_of_rows(conn, BEGIN)
        assert leaves(conn, BEGIN) == len(MEMBERS)
    assert len(ground.registry.published()) == 1


def test_a_clock_that_jumps_back_renumbers_nothing(ground: Ground) -> None:
    """Whatever was drawn stays as it is, what was signed goes out, and no number comes twice."""
    ground.enrol(*MEMBERS[:-1])
    slow = Paper(ground.registry.file, slow=True)
    ground.drive(registry=slow)
    (signed,) = ground.registry.published()
    assert [each.state for each in ground.drive(NOW - 3 * DAY)] == [State.ANCHORED], "its header says when it counts"
    ground.enrol(MEMBERS[-1], now=NOW - 3 * DAY)
    ground.drive(NOW - 3 * DAY)
    assert states(ground) == {BEGIN: "ANCHORED"}
    assert ground.registry.published() == [signed]
    ground.drive(NOW + 2 * DAY)
    ground.drive(NOW + DAY)
    assert list(states(ground)) == [BEGIN, BEGIN + 2], "the number in between is never given"
    with ground.conn() as conn:
        assert leaves(conn, BEGIN + 2) == len(MEMBERS), "who enrolled by the wrong clock is in the next one"


def test_a_slow_chain_is_waited_for_and_the_next_header_with_it(ground: Ground) -> None:
    ground.enrol(*MEMBERS)
    slow = Paper(ground.registry.file, slow=True)
    (first,) = ground.drive(registry=slow)
    assert (first.state, first.reason) == (State.SIGNED, "sent, not final yet")
    waiting = ground.drive(NOW + DAY - 10, registry=slow)
    assert [each.state for each in waiting] == [State.SIGNED]
    assert ground.drive(NOW + DAY - 9)[0].state is State.ANCHORED


def test_an_epoch_that_never_came_to_the_chain_is_given_up_and_the_next_goes_on(ground: Ground) -> None:
    ground.enrol(*MEMBERS)
    with ground.desk() as desk:
        desk.conn.execute("DELETE FROM vault.tier_key")
        (stuck,) = drive(desk)
    assert (stuck.state, stuck.alarm) == (State.BUILT, "tier-epoch-stuck")
    with ground.conn() as conn:
        (alert,) = alerts(conn)
        assert (alert.code, alert.source) == ("tier-epoch-stuck", "tiers")
    standings = ground.drive(NOW + DAY)
    assert [(each.epoch, each.state) for each in standings] == [(BEGIN, State.RETIRED), (BEGIN + 1, State.ANCHORED)]
    with ground.conn() as conn:
        assert [each.ended_as for each in rows.epochs(conn)] == [steps.LATE, None]
        assert alerts(conn) == [], "what is over alarms nobody"
    (published,) = ground.registry.published()
    assert published.header.previous == NO_HASH


def test_a_revoked_epoch_is_taken_back_on_the_chain_and_erased(ground: Ground) -> None:
    ground.enrol(*MEMBERS)
    ground.drive()
    with ground.conn() as conn:
        assert [rows.revoke(conn, BEGIN, now=NOW) for _ in range(2)] == [True, False]
    ground.drive()
    assert states(ground) == {BEGIN: "RETIRED"}
    assert ground.registry.read()["revoked"] == [BEGIN]
    ground.drive(NOW + DAY)
    assert states(ground) == {BEGIN: "RETIRED", BEGIN + 1: "ANCHORED"}


def test_an_epoch_revoked_on_the_chain_alone_is_erased_here(ground: Ground) -> None:
    ground.enrol(*MEMBERS)
    ground.drive()
    ground.registry.revoke(BEGIN)
    ground.drive()
    with ground.conn() as conn:
        (epoch,) = rows.epochs(conn)
    assert (epoch.state, epoch.ended_as) == (State.RETIRED, steps.REVOKED)


def test_nothing_is_drawn_for_nobody_or_without_tiers(bare: Ground, ground: Ground) -> None:
    assert ground.drive() == []
    with bare.conn() as conn:
        assert rows.epochs(conn) == []


def test_an_epoch_of_the_frozen_alone_ends_at_once(ground: Ground) -> None:
    ground.enrol("icy")
    ground.drive()
    with ground.conn() as conn:
        (epoch,) = rows.epochs(conn)
    assert (epoch.state, epoch.ended_as) == (State.RETIRED, steps.EMPTY)


def test_production_takes_no_test_key_and_no_development_circuit(ground: Ground) -> None:
    with ground.conn() as conn, pytest.raises(KeyRefused):
        signing_keys.keep(conn, VAULT, EPOCH_KEY, now=0, production=True)
    with ground.conn() as conn, pytest.raises(KeyRefused):
        signing_keys.keep(conn, VAULT, (7).to_bytes(32, "big"), now=0, production=True)
    ground.enrol("m1")
    (standing,) = ground.drive(production=True)
    assert (standing.state, standing.alarm) == (State.BUILT, "tier-epoch-stuck")
    assert "DevelopmentCircuit" in standing.reason
    named = Paper(ground.registry.file, development=False, vk_hash=DEVELOPMENT_KEY)
    (standing,) = ground.drive(production=True, registry=named)
    assert "DevelopmentCircuit" in standing.reason, "whatever the contract was told of it"
    (standing,) = ground.drive(production=True, registry=Paper(ground.registry.file, development=False))
    assert standing.state is State.BUILT
    assert "published test key" in standing.reason
    assert ground.registry.published() == []
    with ground.conn() as conn:
        address = signing_keys.make(conn, VAULT, now=1)
        assert signing_keys.newest(conn) == address
        key = signing_keys.signer(conn, VAULT, address, production=True)
    assert address_of(key.public_key) == address


def test_the_clock_numbers_every_second_once() -> None:
    clock = EpochClock(seconds=60, start=1_000)
    assert [clock.epoch_at(now) for now in (0, 999, 1_000, 1_059, 1_060)] == [0, 0, 1, 1, 2]
    assert [(clock.begins(n), clock.ends(n)) for n in (1, 2)] == [(1_000, 1_059), (1_060, 1_119)]


def seen(**changes: Any) -> Observation:
    usual: dict[str, Any] = {
        "state": State.SIGNED,
        "now": 100,
        "not_after": 200,
        "grace_seconds": 50,
        "revoked": False,
        "epoch": 7,
        "members": 3,
        "header_hash": b"\x01" * 32,
        "held_hash": NO_HASH,
        "held_revoked": False,
        "last_on_chain": 6,
        "earlier_undecided": False,
    }
    return Observation(**usual | changes)


@pytest.mark.parametrize(
    ("changes", "step"),
    [
        ({"state": State.DRAWN}, Do.SNAPSHOT),
        ({"state": State.DRAWN, "last_on_chain": 7}, Retire(steps.OVERTAKEN)),
        ({"state": State.SNAPSHOTTED, "now": 201}, Retire(steps.LATE)),
        ({"state": State.SNAPSHOTTED, "revoked": True}, Retire(steps.REVOKED)),
        ({"state": State.BUILT, "now": 200}, Do.SIGN),
        ({"held_hash": b"\x01" * 32, "now": 999}, Do.RECORD),
        ({"now": 201}, Retire(steps.LATE)),
        ({"now": 201, "revoked": True}, Retire(steps.REVOKED)),
        ({"last_on_chain": 8}, Retire(steps.OVERTAKEN)),
        ({"last_on_chain": 7}, Do.PUBLISH),
        ({"state": State.ANCHORED, "now": 251}, Retire(steps.OVER)),
        ({"state": State.ANCHORED, "now": 250, "revoked": True}, Do.REVOKE),
        ({"state": State.ANCHORED, "now": 251, "revoked": True}, Retire(steps.REVOKED)),
        ({"state": State.ANCHORED, "held_revoked": True}, Retire(steps.REVOKED)),
    ],
)
def test_the_next_step(changes: dict[str, Any], step: object) -> None:
    assert next_step(seen(**changes)) == step


@pytest.mark.parametrize(
    ("changes", "alarm"),
    [
        ({"held_hash": b"\x02" * 32}, steps.CONFLICT),
        ({"revoked": True}, ""),
        ({"state": State.BUILT, "earlier_undecided": True}, ""),
        ({"state": State.ANCHORED, "now": 250, "held_hash": b"\x01" * 32}, ""),
        ({"state": State.ANCHORED, "now": 250}, steps.GONE),
        ({"state": State.RETIRED}, ""),
    ],
)
def test_where_an_epoch_waits(changes: dict[str, Any], alarm: str) -> None:
    step = next_step(seen(**changes))
    assert isinstance(step, Wait)
    assert step.alarm == alarm


def test_the_paper_registry_is_a_registry(ground: Ground) -> None:
    port: Registry = ground.registry
    assert port.last() == (0, NO_HASH)


def test_the_rooms_own_role_may_do_all_of_it_and_the_doors_role_may_enrol(ground: Ground) -> None:
    with ground.desk() as desk:
        desk.conn.execute("SET ROLE tongdui_app")
        for member in MEMBERS:
            enrol(desk.conn, CLOCK, member, public(member), now=NOW - DAY)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            epoch_secrets.opened(desk.conn, VAULT, BEGIN)
        desk.conn.execute("SET ROLE tongdui_settlement")
        assert [each.state for each in drive(desk)] == [State.ANCHORED]
        witness(desk.conn, VAULT, ground.trees, "m1")
        forgetting.erase(desk.conn, VAULT, "m2", now=NOW)
        proving.ready(desk.conn, VAULT, now=NOW)
        rows.revoke(desk.conn, BEGIN, now=NOW)
        assert [each.state for each in drive(desk)] == [State.RETIRED]
