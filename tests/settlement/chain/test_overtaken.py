"""What changes on the chain between an event and its commit: defaults, revocations. No honest batch is made faulty."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ledger.answers import Refusal
from ledger.commands import Earn
from proofs.kinds import BASE_UNITS_PER_AU, Kind
from settlement.alliance import PARAMS
from settlement.batches import Settlement
from settlement.chain.outbox import Intent
from settlement.chain.transactions import call
from settlement.deploy import deposit
from settlement.sealing import desk
from settlement.sealing.self_signed import IntakeRefused, Why
from settlement.status import status
from settlement.steps import State
from settlement.submitter import drive
from settlement.watch.restrictions import freeze_restricted
from settlement.watch.watcher import watch
from tests.settlement.chain.field import AT_MS, Field, attest, day
from tests.settlement.chain.test_self_signed import (
    LANE,
    PARKED,
    compared,
    count,
    judged,
    lane_of,
    register,
    sealed,
    sign_all,
    signed,
    take_in,
)
from tests.settlement.chain.test_settling import HOURS_6, KEYS, sealed_hashes

DEFAULTER = 1
EARNS_OF_DEFAULTER = f"""
SELECT count(*) FROM settlement.batch_leaf WHERE substr(event_id, 1, 4) = '\\x{DEFAULTER:08x}'::bytea AND batch_no = 3
"""


def is_clean(field: Field, s: Settlement) -> None:
    outcome = judged(field, s)
    assert (dict(outcome.findings.counts), outcome.incomplete) == ({}, [])


def attest_all(field: Field, s: Settlement) -> None:
    attest(s, field.folder, sealed_hashes(s), KEYS)


@pytest.fixture
def poor(unfounded: Field) -> Field:
    """Merchant 1 will owe 666 AU of the first day, and has 2."""
    params = PARAMS._replace(operator_bond_min=0)
    return replace(unfounded, collateral=2 * BASE_UNITS_PER_AU, params=params)


def test_a_default_between_an_earn_and_its_commit_makes_no_batch_faulty(poor: Field) -> None:
    poor.post(day(1))
    with poor.settlement() as s:
        sealed(s, settling=True)
        attest_all(poor, s)
        drive(s)
        s.alliance.chain.advance_time(HOURS_6 - 600)
    poor.post(day(2))
    with poor.settlement() as s:
        sealed(s)
    poor.post(day(3))
    with poor.settlement() as s:
        assert sealed(s).batch_no == 3
        assert count(s, EARNS_OF_DEFAULTER) > 0
        is_clean(poor, s)
        s.alliance.chain.advance_time(700)
        drive(s)
        assert s.alliance.registry.read("statusAt", DEFAULTER, 2) == 1
        assert s.alliance.registry.read("statusAt", DEFAULTER, 3) == 2
        assert [(batch.batch_no, batch.incarnation) for batch in status(s.conn, first=2)] == [(2, 0), (3, 1)]
        assert 0 < count(s, PARKED) < 30
        assert compared(s) == [], "what waits is no difference"
        is_clean(poor, s)
        attest_all(poor, s)
        assert [standing.state for standing in drive(s)] == [State.CONFIRMED] * 2
        frozen_in_the_ledger(s)
        repaid(s)
        assert s.alliance.registry.read("merchant", DEFAULTER)[2] == 1
    poor.post(day(4)[3:])
    with poor.settlement() as s:
        sealed(s)
        sealed(s, settling=True)
        assert count(s, PARKED) == 0, "all that waited has been sealed"
        assert compared(s) == []
        is_clean(poor, s)


def frozen_in_the_ledger(s: Settlement) -> None:
    watch(s.conn, s.alliance)
    for _ in range(2):
        assert [(each.code, each.place) for each in freeze_restricted(s)] == [("merchant-restricted", "merchant 1")]
    order = Earn(key="x", at_ms=AT_MS, merchant_id=DEFAULTER, member="ann", order="x", amount_minor=100)
    (answer,) = s.ledger.post([order])
    assert isinstance(answer.outcome, Refusal)
    assert answer.outcome.code == "merchant-frozen"


def repaid(s: Settlement) -> None:
    """What comes to a defaulter repays its creditors first; then it is active again."""
    amount = 10_000 * BASE_UNITS_PER_AU
    call(s.outbox, "mint:again", s.alliance.token, "mint", s.outbox.sender, amount)
    deposit(s.alliance, s.outbox, merchant_id=DEFAULTER, amount=amount, reference="again")


def test_a_key_that_is_revoked_before_the_commit(field: Field) -> None:
    """Two batches are sealed ahead; the second holds what the key signed and comes too late for it."""
    with field.settlement() as s:
        register(s)
        sealed(s, settling=True)
    field.post(day(1))
    with field.settlement() as s:
        sealed(s)
        assert sign_all(s) > 2
        third = sealed(s)
        revoke(s)
        assert lane_row_end(s) == 2
        assert third.batch_no == 3
        drive(s)
        assert [batch.incarnation for batch in status(s.conn, first=1)] == [0, 0, 1]
        is_clean(field, s)
        attest_all(field, s)
        assert {standing.state for standing in drive(s)} == {State.CONFIRMED}
        assert compared(s) == []


def test_a_suspended_merchants_own_key_signs_refunds_only(field: Field) -> None:
    with field.settlement() as s:
        register(s)
        sealed(s, settling=True)
        attest_all(field, s)
        drive(s)
        set_status(s, 3)
    field.post(day(1))
    with field.settlement() as s:
        sealed(s)
        asked = [(source, event) for source, event in desk.waiting(s.conn, lane_of(s)) if event is not None]
        source, event = next(each for each in asked if each[1].kind == Kind.EARN)
        with pytest.raises(IntakeRefused) as refused:
            take_in(s, signed(s, replace(event, nonce=1), source))
        assert (refused.value.why, refused.value.place) == (Why.LANE_UNKNOWN, "kind")
        is_clean(field, s)
        attest_all(field, s)
        drive(s)
        set_status(s, 1)
        attest_all(field, s)
        sealed(s, settling=True)
        assert sign_all(s) > 2
        sealed(s)
        is_clean(field, s)


def set_status(s: Settlement, to: int) -> None:
    data = s.alliance.registry.data("setStatus", LANE.merchant_id, to)
    s.outbox.complete(Intent(f"status-{to}", s.alliance.registry.address, data, 300_000))


def revoke(s: Settlement) -> None:
    data = s.alliance.registry.data("revokeKey", *LANE)
    s.outbox.complete(Intent("revoke", s.alliance.registry.address, data, 300_000))


def lane_row_end(s: Settlement) -> int:
    (event,) = s.alliance.registry.events("KeyRevoked", first=s.alliance.anchor.deploy_block)
    return int(event.fields["toBatch"])
