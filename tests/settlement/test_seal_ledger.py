"""The real ledger, on a real database, sealed: what comes out of the journal becomes batches, and both books agree."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
import psycopg
import pytest

from auditor.report import checks
from ledger import journal, queries
from ledger.answers import Receipt
from ledger.commands import Earn, Net, OpenMerchant, PublishTerms, Redeem, Refund, SettleNets
from ledger.store import open_store
from proofs.accounts import CASH, POINTS
from proofs.kinds import Kind
from proofs.messages import PointsEvent
from settlement.sealing.tariffs import tariff_of
from tests.attacks.forge import found
from tests.settlement.ledger_traffic import BUCKET, LEVEL_BPS, MEMBERS, RATES, START_MS, founding, traffic
from tests.settlement.sealer import read_all, seal_all


def assert_rewards_follow_their_rule(events: list[PointsEvent]) -> None:
    """From the leaves and the registered rule alone, in base units: what each reward must be, once a purchase and
    level.
    """
    earned = {event.event_id: event for event in events if event.kind == Kind.EARN}
    rewards = [event for event in events if event.kind == Kind.REFERRAL]
    assert {event.level for event in rewards} == {1, 2}
    assert len({(event.ref_event_id, event.level) for event in rewards}) == len(rewards)
    for event in rewards:
        num, den = RATES[event.issuer_id]
        value = event.basis * LEVEL_BPS[event.level - 1] // 10_000
        assert event.basis % (BUCKET * 10_000) == 0
        assert event.points == value * den // (num * 10_000)
        assert earned[event.ref_event_id].issuer_id == event.issuer_id == event.campaign_id


def published() -> list[PublishTerms]:
    return [command for command in founding() if isinstance(command, PublishTerms)]


@pytest.mark.parametrize("seed", [1, 2])
def test_both_books_agree_and_the_auditor_with_them(database: str, seed: int, tmp_path: Path) -> None:
    with open_store(database) as store:
        answers = store.post(founding())
        assert all(isinstance(answer.outcome, Receipt) for answer in answers)
        answers = store.post(list(traffic(random.Random(seed))))
        taken = [answer.outcome for answer in answers if isinstance(answer.outcome, Receipt)]
    with psycopg.connect(database) as connection:
        entries = read_all(connection)
        assert entries[-1].seq == journal.head_seq(connection)
        sealer, batches = seal_all(entries, published(), tariff_of(queries.registry(connection)))
        assert sum(batch.header.leaf_count for batch in batches) == sum(len(receipt.legs) for receipt in taken)
        positions, issued = queries.positions(connection), queries.outstanding(connection)
    kinds = {record.event.kind for batch in batches for record in batch.records}
    assert kinds == {
        Kind.EARN,
        Kind.REDEEM,
        Kind.REFUND_EARN,
        Kind.REFUND_REDEEM,
        Kind.REFERRAL,
        Kind.EXPIRE,
        Kind.EXCHANGE_OUT,
        Kind.EXCHANGE_IN,
        Kind.ADJUST_UP,
        Kind.ADJUST_DOWN,
        Kind.FEE,
        Kind.TRANSFER_OUT,
        Kind.TRANSFER_IN,
    }
    assert_rewards_follow_their_rule([record.event for batch in batches for record in batch.records])
    closing = batches[-1]
    for row in closing.rows:
        party = int.from_bytes(row.account[1:5], "big")
        if row.account[0] == CASH and party in positions:
            assert row.balance == positions[party].cash * 10_000
        if row.account[0] == POINTS:
            assert row.balance == issued[party].outstanding
    assert closing.header.total_points == sum(points.outstanding for points in issued.values())
    assert dict(closing.nets) == {party: each.cash * 10_000 for party, each in positions.items() if each.cash}
    assert sum(amount for _, amount in closing.nets) == 0
    assert len(closing.nets) >= 4
    outcome = sealer.world(tmp_path).audit()
    assert (found(outcome), outcome.incomplete, len(outcome.batches)) == (set(), [], len(sealer.published))
    held = {each["check"]: each["state"] for each in checks(outcome, anchored=False)}
    assert [held[number] for number in (20, 22, 23, 24)] == ["held"] * 4, "by the ledger's own tariff"
    debts = -sum(tip.balance for tip in sealer.tips.values() if tip.balance < 0)
    assert (outcome.points, outcome.debts) == (closing.header.total_points, debts)
    assert debts, "no debt came about: the traffic is too tame"


def test_what_becomes_a_debt_moves_no_cash_on_issuance(database: str, tmp_path: Path) -> None:
    """As the rule book says: what becomes a debt returns nothing to its issuer, and the auditor knows why."""
    member, at_ms = MEMBERS[0], START_MS
    founded = [
        msgspec.structs.replace(command, refund_policy="debt") if isinstance(command, OpenMerchant) else command
        for command in founding()
    ]
    with open_store(database) as store:
        store.post(founded)
        answers = store.post(
            [
                Earn(key="e", at_ms=at_ms, merchant_id=5, member=member, order="o", amount_minor=100),
                Redeem(key="r", at_ms=at_ms, merchant_id=1, member=member, redemption="r", au=100),
                Refund(key="f", at_ms=at_ms, merchant_id=5, member=member, refund="f", order="o", amount_minor=100),
            ]
        )
        assert all(isinstance(answer.outcome, Receipt) for answer in answers)
    with psycopg.connect(database) as connection:
        entries = read_all(connection)
    sealer, batches = seal_all(entries, published())
    claw_back = batches[-1].records[-1]
    assert claw_back.member is not None
    assert (claw_back.event.kind, claw_back.event.settle_amount, claw_back.member.balance) == (
        Kind.REFUND_EARN,
        500_000,
        -20,
    )
    outcome = sealer.world(tmp_path).audit()
    assert (found(outcome), outcome.incomplete) == (set(), [])


def test_what_the_chain_moved_leaves_no_leaf(database: str) -> None:
    with open_store(database) as store:
        store.post(
            [*founding(), Earn(key="e", at_ms=START_MS, merchant_id=1, member=MEMBERS[0], order="o", amount_minor=500)]
        )
        store.post([Redeem(key="r", at_ms=START_MS, merchant_id=2, member=MEMBERS[0], redemption="r", au=70)])
        store.post([SettleNets(key="s", at_ms=START_MS, batch_no=1, nets=(Net(1, -70), Net(2, 70)))])
    with psycopg.connect(database) as connection:
        entries = read_all(connection)
    assert entries[-1].verb == "settle_nets"
    assert entries[-1].postings
    assert entries[-1].legs == ()
    _, [batch] = seal_all(entries, published())
    assert batch.nets == [(1, -700_000), (2, 700_000)]
