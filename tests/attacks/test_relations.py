"""Attacks that no leaf shows by itself: refunds, exchanges, transfers, fees, rewards, expiries. Each is signed, posted
and totalled as it should be; only together with an earlier leaf, or with the tariff, is it false.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from auditor.audit import Means, audit
from auditor.fetch import AuditorKey
from auditor.figures import DORMANT_DAYS
from auditor.mirrors import Folder
from auditor.outcome import Outcome
from auditor.progress import Watch
from auditor.report import checks
from proofs.accounts import member_account, member_ref
from proofs.kinds import Kind, effects
from proofs.lpb1 import Record, Step
from proofs.messages import PointsEvent, event_id
from proofs.tariff import Campaign, Fees, Rate, Tariff
from settlement.sealing.lanes import BACK_OFFICE, DELEGATED, POS
from tests.attacks import alliance
from tests.attacks.forge import KID, PRIVATE, World, found, resigned

UNIT = 10_000
EARNED_BY_Y = event_id(merchant_id=2, key_id=POS, nonce=1)
REDEEMED_BY_X = event_id(merchant_id=2, key_id=POS, nonce=2)
HONEST = Tariff(
    fee_unit=UNIT,
    fees={2: Fees(redemption_bps=1_000), 3: Fees(redemption_bps=50)},
    exchanges={(1, 2): (Rate(0, 3, 2),)},
    campaigns={
        7: Campaign(sponsor_id=2, level_bps=(500, 100), basis_bucket=1_000_000, basis_min=0, reward_max=2_500_000)
    },
    validity_days={1: 0},
)


def told(world: World, tariff: Tariff = HONEST) -> None:
    """The tariff published with every batch."""
    for batch in world.batches:
        batch.tariff = tariff
    world.rechain()


def append(world: World, batch_no: int, kind: Kind, signer: int, key_id: int, **fields: Any) -> Record:
    """One more leaf at the end of a batch, signed by its lane and posted as its kind asks; all figures follow."""
    member = fields.pop("member", None)
    events = (record.event for batch in world.batches for record in batch.records)
    lane = [event.nonce for event in events if (event.merchant_id, event.key_id) == (signer, key_id)]
    issuer, points = fields.get("issuer_id", 0), fields.get("points", 0)
    made: dict[str, Any] = dict.fromkeys(("issuer_id", "points", "settle_amount", "campaign_id", "level", "basis"), 0)
    made |= dict.fromkeys(("member_ref", "ref_event_id", "detail_hash"), bytes(32))
    made |= {"merchant_id": signer, "key_id": key_id, "nonce": max(lane, default=0) + 1}
    made |= {"occurred_at": world.batches[batch_no].header.sealed_at, "terms_id": issuer if points else 0}
    if member:
        made["member_ref"] = member_ref(alliance.secret_of(member), signer, 2027 * 12)
    event = PointsEvent(kind=kind, **made | fields)
    due = effects(event, 0)
    tag = member_account(alliance.secret_of(member), issuer) if member else b""
    legs = (due.issuer, due.debtor, due.creditor, None if due.member is None else (tag, due.member))
    issuers, debtors, creditors, members = (None if leg is None else Step(leg[0], 0, 0, leg[1], 0) for leg in legs)
    unsigned = Record(event, bytes(32), bytes(32), issuers, debtors, creditors, members, 0, 0, 0)
    record = resigned(unsigned, event)
    world.batches[batch_no].records.append(record)
    world.relink(batch_no)
    world.rehead(batch_no)
    return record


def last(kind: Kind, signer: int, key_id: int = POS, **fields: Any) -> Callable[[World], object]:
    """An attack by one more leaf in the last batch."""
    return lambda world: append(world, 4, kind, signer, key_id, **fields)


def both(*attacks: Callable[[World], object]) -> Callable[[World], object]:
    return lambda world: [attack(world) for attack in attacks]


def exchange(given: int, taken: int = 20) -> Callable[[World], object]:
    """Member x gives points of merchant 1 and gets some of merchant 2."""

    def attack(world: World) -> None:
        cash = alliance.UNITS_PER_POINT[1] * taken
        out = append(
            world, 4, Kind.EXCHANGE_OUT, 2, BACK_OFFICE, issuer_id=1, member="x", points=taken, settle_amount=cash
        )
        ref = out.event.event_id
        append(world, 4, Kind.EXCHANGE_IN, 2, BACK_OFFICE, issuer_id=2, member="x", points=given, ref_event_id=ref)

    return attack


def transfer(given: int, arrived: int) -> Callable[[World], object]:
    def attack(world: World) -> None:
        out = append(world, 4, Kind.TRANSFER_OUT, 1, DELEGATED, issuer_id=1, member="x", points=given)
        ref = out.event.event_id
        append(world, 4, Kind.TRANSFER_IN, 1, DELEGATED, issuer_id=1, member="y", points=arrived, ref_event_id=ref)

    return attack


def strayed(world: World) -> None:
    """Points of merchant 1 leave a member; merchant 2 gives its own for them, as if they were its points."""
    out = append(world, 4, Kind.TRANSFER_OUT, 1, DELEGATED, issuer_id=1, member="x", points=5)
    ref = out.event.event_id
    append(world, 4, Kind.TRANSFER_IN, 2, DELEGATED, issuer_id=2, member="x", points=5, ref_event_id=ref)


def reward(points: int = 1, **fields: Any) -> Callable[[World], object]:
    """Points to member x as the second level of what y earned; one is what the rule gives."""
    given = {"campaign_id": 7, "level": 2, "basis": 1_000_000, "ref_event_id": EARNED_BY_Y} | fields
    return last(Kind.REFERRAL, 2, BACK_OFFICE, issuer_id=2, member="x", points=points, **given)


def charge(amount: int) -> Callable[[World], object]:
    """The fee of merchant 2 in batch 2 is another one, signed and posted."""

    def attack(world: World) -> None:
        fee = world.batches[2].records[3]
        assert fee.debtor is not None
        assert fee.creditor is not None
        other = resigned(fee, replace(fee.event, settle_amount=amount))
        debtor, creditor = replace(fee.debtor, delta=-amount), replace(fee.creditor, delta=amount)
        world.batches[2].records[3] = replace(other, debtor=debtor, creditor=creditor)
        world.relink(2)
        world.rehead(2)

    return attack


def refund(points: int, signer: int = 2, ref: bytes = REDEEMED_BY_X) -> Callable[[World], object]:
    cash = alliance.UNITS_PER_POINT[1] * points
    return last(
        Kind.REFUND_REDEEM, signer, issuer_id=1, member="x", points=points, settle_amount=cash, ref_event_id=ref
    )


def claw_back(points: int, ref: bytes = EARNED_BY_Y) -> Callable[[World], object]:
    return last(Kind.REFUND_EARN, 2, issuer_id=2, member="y", points=points, ref_event_id=ref)


def refunded_before(world: World) -> None:
    """A return names the number that the redemption is going to have."""
    events = (record.event for batch in world.batches for record in batch.records)
    newest = max(event.nonce for event in events if (event.merchant_id, event.key_id) == (2, POS))
    refund(5, ref=event_id(merchant_id=2, key_id=POS, nonce=newest + 2))(world)
    cash = alliance.UNITS_PER_POINT[1] * 5
    append(world, 4, Kind.REDEEM, 2, POS, issuer_id=1, member="x", points=5, settle_amount=cash)


LEVEL_1: dict[str, Any] = {"campaign_id": 7, "level": 1}
NEVER = event_id(merchant_id=2, key_id=POS, nonce=99)
CASES: dict[str, tuple[Callable[[World], object], set[str]]] = {
    "more returned than was redeemed": (refund(151), {"refund-too-much"}),
    "a return of what was never redeemed": (refund(5, ref=NEVER), {"refund-reference"}),
    "a return of what was earned": (refund(5, ref=EARNED_BY_Y), {"refund-reference"}),
    "a return of what is redeemed later": (refunded_before, {"refund-reference"}),
    "a return at another merchant": (refund(5, signer=3), {"refund-of-another"}),
    "more clawed back than was earned": (claw_back(201), {"refund-too-much"}),
    "a claw-back of a redemption": (claw_back(5, ref=REDEEMED_BY_X), {"refund-reference"}),
    "an exchange that keeps a point": (exchange(29), {"exchange-rate"}),
    "an exchange that gives too many": (exchange(31), {"exchange-rate"}),
    "an exchange that takes too many": (exchange(30, taken=22), {"exchange-rate"}),
    "a transfer that grows on its way": (transfer(5, 6), {"pair-differs"}),
    "a transfer that shrinks on its way": (transfer(6, 5), {"pair-differs"}),
    "a transfer that never arrives": (
        lambda world: append(world, 3, Kind.TRANSFER_OUT, 1, DELEGATED, issuer_id=1, member="x", points=5),
        {"pair-open"},
    ),
    "a transfer that arrives twice": (
        both(
            transfer(5, 5),
            lambda world: append(
                world,
                4,
                Kind.TRANSFER_IN,
                1,
                DELEGATED,
                issuer_id=1,
                member="y",
                points=5,
                ref_event_id=world.batches[4].records[-2].event.event_id,
            ),
        ),
        {"pair-twice"},
    ),
    "a transfer in of what nobody gave": (
        last(Kind.TRANSFER_IN, 1, DELEGATED, issuer_id=1, member="y", points=5, ref_event_id=NEVER),
        {"pair-reference"},
    ),
    "a transfer in of what another merchant's member gave": (strayed, {"pair-differs", "pair-of-another"}),
    "an expiry of what was redeemed": (
        last(Kind.EXPIRE, 1, DELEGATED, issuer_id=1, member="x", points=5, ref_event_id=REDEEMED_BY_X),
        {"expiry-reference", "reference-for-kind"},
    ),
    "a fee that is padded": (charge(170_000), {"fee-too-high"}),
    "a reward for one purchase twice": (both(reward(), reward()), {"referral-twice"}),
    "a reward in cash for a purchase rewarded before": (
        last(
            Kind.REFERRAL_CASH,
            2,
            BACK_OFFICE,
            campaign_id=7,
            level=1,
            ref_event_id=EARNED_BY_Y,
            member_ref=b"\x0a" * 32,
        ),
        {"referral-twice"},
    ),
    "a reward for no purchase": (reward(ref_event_id=NEVER), {"referral-reference"}),
    "a reward above its rule": (reward(2), {"referral-rule"}),
    "a reward on a basis outside the buckets": (reward(basis=1_500_000), {"referral-rule"}),
    "a reward of a campaign nobody published": (reward(campaign_id=8), {"campaign-unknown"}),
}
HONEST_CASES = {
    "a return of the rest": refund(150),
    "a claw-back of the rest": claw_back(200),
    "an exchange": exchange(30),
    "a transfer": transfer(5, 5),
    "a reward": reward(),
    "the whole fee": charge(160_000),
}


@pytest.mark.parametrize("name", CASES)
def test_attack_on_relations_is_found(world: World, name: str) -> None:
    attack, codes = CASES[name]
    told(world)
    attack(world)
    outcome = world.audit()
    assert set(outcome.findings.counts) == codes
    assert not outcome.incomplete


@pytest.mark.parametrize("name", HONEST_CASES)
def test_what_is_right_is_not_found(world: World, name: str) -> None:
    told(world)
    HONEST_CASES[name](world)
    assert found(world.audit()) == set()


def test_points_that_expire_too_early(world: World) -> None:
    told(world, replace(HONEST, validity_days={1: 365}))
    assert set(world.audit().findings.counts) == {"expiry-early"}


def test_a_campaign_of_another_sponsor(world: World) -> None:
    told(world, replace(HONEST, campaigns={7: replace(HONEST.campaigns[7], sponsor_id=3)}))
    assert set(world.audit().findings.counts) == {"campaign-unknown"}


def test_an_exchange_at_no_rate(world: World) -> None:
    told(world, replace(HONEST, exchanges={}))
    exchange(30)(world)
    assert set(world.audit().findings.counts) == {"exchange-rate"}


def test_a_tariff_that_is_none(world: World) -> None:
    class Spoiled(Tariff):
        def to_bytes(self) -> bytes:
            return b"{}"

    told(world, Spoiled())
    assert set(world.audit().findings.counts) == {"tariff-malformed"}


def states(world: World, first: int = 0) -> dict[int, str]:
    outcome = audit_from(world, first)
    return {each["check"]: each["state"] for each in checks(outcome, anchored=False)}


def audit_from(world: World, first: int) -> Outcome:
    chain = world.chain()
    means = Means([Folder(world.folder)], AuditorKey(KID, PRIVATE), 1, Watch(quiet=True))
    return audit(chain, chain.commits, means, first=first)


def test_without_a_tariff_what_follows_from_it_is_not_checked(world: World) -> None:
    assert {number: states(world)[number] for number in range(20, 25)} == {
        20: "held",
        21: "not checked",
        22: "held",
        23: "not checked",
        24: "not checked",
    }


def test_with_a_tariff_it_is(world: World) -> None:
    told(world)
    held = states(world)
    assert [held[number] for number in (20, 22, 23, 24)] == ["held"] * 4
    assert held[21] == "not checked", "an expiry names no earning"


def test_what_points_before_the_range_is_not_held(world: World) -> None:
    """Batch 2 refunds what batch 1 redeemed."""
    told(world)
    outcome = audit_from(world, 2)
    assert found(outcome) == set()
    assert states(world, 2)[20] == "not checked"


# what proves nothing, but shows


def test_a_sleeping_member_who_suddenly_spends_is_told(world: World) -> None:
    """Operator and acceptor invent a redemption: everything fits, and only a person can ask the member."""
    later = world.batches[4].header.sealed_at + (DORMANT_DAYS + 1) * 86_400
    world.batches[4].forced = {"sealed_at": later}
    cash = alliance.UNITS_PER_POINT[1] * 5
    append(world, 4, Kind.REDEEM, 2, POS, issuer_id=1, member="y", points=5, settle_amount=cash)
    outcome = world.audit()
    assert found(outcome) == set()
    assert (outcome.figures.dormant_redemptions, outcome.figures.dormant_points) == (1, 5)


def test_points_minted_by_their_issuer_are_paid_by_their_issuer(world: World) -> None:
    """Operator and issuer mint points and redeem them elsewhere: no lie, and the issuer's own net pays for it."""
    before = dict(world.batches[4].nets)
    append(world, 4, Kind.EARN, 1, POS, issuer_id=1, member="y", points=700)
    cash = alliance.UNITS_PER_POINT[1] * 700
    append(world, 4, Kind.REDEEM, 2, POS, issuer_id=1, member="y", points=700, settle_amount=cash)
    assert found(world.audit()) == set()
    after = dict(world.batches[4].nets)
    assert (after[1] - before[1], after[2] - before[2]) == (-cash, cash)
