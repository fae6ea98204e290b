"""What the forced queue takes for sound is what `proofs.kinds` takes for sound: random events, asked of both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random

import pytest

from proofs.accounts import OPERATOR_ID
from proofs.kinds import CAMPAIGN, Kind, Terms, broken_rules
from proofs.messages import PointsEvent
from settlement.batches import Settlement
from settlement.chain.outbox import Intent
from tests.settlement.chain.field import Field

EVENTS = 300
FORCEABLE = (Kind.EARN, Kind.REFERRAL, Kind.VOID, Kind.REFERRAL_CASH)
NONE, KIND, CAMPAIGN_UNKNOWN, RESERVE = 0, 1, 6, 10


@pytest.fixture
def s(field: Field) -> Iterator[Settlement]:
    """Beside each merchant's terms: some of merchant 1 that are paid on issuance, and some that are at an end."""
    with field.settlement() as made:
        registry = made.alliance.registry
        ended = registry.read("termsCount") + 2
        more = [(1, 0, 10_000, 1, 1), (1, 0, 10_000, 1, 0)]
        made.outbox.complete(Intent("terms", registry.address, registry.data("addTerms", more), 500_000))
        made.outbox.complete(Intent("end", registry.address, registry.data("endTerms", ended), 300_000))
        yield made


def sound(kind: Kind, merchant: int, now: int) -> PointsEvent:
    points, campaign = kind in {Kind.EARN, Kind.REFERRAL}, kind in CAMPAIGN
    return PointsEvent(
        kind=int(kind),
        merchant_id=merchant,
        key_id=1,
        nonce=1,
        occurred_at=now,
        issuer_id=merchant if points else 0,
        member_ref=bytes(32) if kind == Kind.VOID else b"\x11" * 32,
        points=500 if points else 0,
        terms_id=merchant if points else 0,
        settle_amount=0,
        ref_event_id=b"\x22" * 32 if campaign else bytes(32),
        campaign_id=7 if campaign else 0,
        level=1 if campaign else 0,
        basis=60 if campaign else 0,
        detail_hash=bytes(32),
    )


def changed(event: PointsEvent, luck: Random, terms: list[object]) -> PointsEvent:
    """The event, with a few fields as they may or may not be, its terms more often than others."""
    choices: dict[str, list[object]] = {
        "kind": [int(kind) for kind in Kind] + [0, 16],
        "merchant_id": [0, 1, 2],
        "key_id": [0, 3],
        "nonce": [0, 9],
        "issuer_id": [0, 1, 2, OPERATOR_ID],
        "member_ref": [bytes(32), b"\x12" * 32],
        "points": [0, 1],
        "terms_id": terms,
        "settle_amount": [0, 1, 5_000_000],
        "ref_event_id": [bytes(32), b"\x23" * 32],
        "campaign_id": [0, 7],
        "level": [0, 1, 2, 3],
        "basis": [0, 1],
    }
    names = luck.sample(sorted(choices), luck.choice([0, 1, 1, 2]))
    for name in [*names, *luck.choice([[], [], [], ["terms_id"]])]:
        event = replace(event, **{name: luck.choice(choices[name])})
    return event


def test_the_queue_and_the_rules_of_kinds_say_the_same_of_every_event(s: Settlement) -> None:
    queue, registry, now = s.alliance.queue, s.alliance.registry, s.alliance.chain.now()
    count = registry.read("termsCount")
    known = {number: Terms(number, *order(registry.read("terms", number))) for number in range(1, count + 1)}
    luck, seen = Random(7), set()
    for _ in range(EVENTS):
        event = changed(
            sound(luck.choice(FORCEABLE), luck.choice([1, 1, 2, 3]), now - 60),
            luck,
            [0, *known, count + 1, *[count - 1] * 4],
        )
        batch_no = luck.choice([1, 2, 3])
        fault = queue.read("faultOf", event, batch_no)
        terms = known.get(event.terms_id)
        broken = list(broken_rules(event, terms, batch_no))
        if event.kind not in FORCEABLE:
            assert fault == KIND, event
        elif fault == RESERVE:
            assert terms is not None
            assert terms.mode == 1
        elif fault == CAMPAIGN_UNKNOWN:
            assert (broken, event.kind in CAMPAIGN) == ([], True), event
        else:
            assert bool(broken) == (fault != NONE), (event, broken, fault)
        seen.add(fault)
    assert seen >= {0, 1, 2, 4, 5, 6, 10}, "every fault that a field can have was met"


def order(terms: tuple[int, ...]) -> tuple[int, int, int, int, int, int, int]:
    """From the registry's order to that of `Terms`."""
    issuer, acceptor, from_batch, to_batch, mode, num, den = terms
    return issuer, acceptor, num, den, mode, from_batch, to_batch
