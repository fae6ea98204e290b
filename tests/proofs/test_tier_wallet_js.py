"""The wallet's check in JavaScript says the same as ours in Python: every refusal, and random policies in words."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from coincurve import PrivateKey

from proofs.json_form import hex_text
from proofs.signature import address_of
from proofs.tier.attributes import Attributes
from proofs.tier.cohorts import STEPS, Cohorts
from proofs.tier.consent import Declined, Known, Refusal, consent
from proofs.tier.decoding import DecodingError
from proofs.tier.grid import PolicyGrid, Predicate
from proofs.tier.header import EpochHeader
from proofs.tier.narrowing import Question
from proofs.tier.policy import AMOUNT_MAX, ANY_TIER, EPOCH_MAX, SECONDS_MAX, Metric, Policy, at_least
from proofs.tier.request import ProofRequest, SignedRequest
from proofs.tier.statement import CIRCUIT_ID, alliance_id, scope

ROOT = Path(__file__).resolve().parents[2]
NODE = Path(sys.executable).parent / "node"
CHAIN_ID, REGISTRY, EPOCH, PARTNER_ID, WINDOW = 131_277_322_940_537, b"\x77" * 20, 7, 3, 202_608
BEGINS, ENDS = 1_785_542_400, 1_788_220_799
NOW = BEGINS + 3_600
ROOT_OF_TREE = 123_456_789
PARTNER, OPERATOR, STRANGER = (PrivateKey(bytes([number]) * 32) for number in (1, 2, 3))
NAMES = ("basic", "silver", "gold", "platinum")
OWNER = Attributes(points=12_345, spend=60_000, since=1_650_000_000, valid_until=1_800_000_000, key_epoch=3, tier=2)
POLICY = Policy(tier_mask=at_least(2), valid_on=BEGINS, key_epoch_max=EPOCH)
GRID = PolicyGrid(
    tier_masks=tuple(at_least(rank) for rank in (3, 2, 1)),
    points_edges=(500, 1_000, 10_000),
    spend_edges=(5_000, 50_000),
    since_edges=(1_600_000_000, 1_700_000_000),
)
COHORTS = Cohorts({each: 50 for each in GRID.predicates() if each.tier_mask != at_least(3)})
SAMPLES = 300

Case = tuple[SignedRequest, Known, int, int]


def address(key: PrivateKey) -> bytes:
    return address_of(key.public_key)


def header(**changed: Any) -> EpochHeader:
    made = EpochHeader(
        alliance_id=alliance_id(CHAIN_ID, REGISTRY),
        epoch=EPOCH,
        root=ROOT_OF_TREE,
        depth=24,
        cohorts=COHORTS.hash(),
        policy_grid=GRID.hash(),
        circuit_id=CIRCUIT_ID,
        vk_hash=bytes(32),
        not_before=BEGINS,
        not_after=ENDS,
        previous=bytes(32),
    )
    return replace(made, **changed)


def known(of: EpochHeader | None = None, *, key: PrivateKey = OPERATOR, **changed: Any) -> Known:
    made = Known(
        chain_id=CHAIN_ID,
        registry=REGISTRY,
        partner_key=address(PARTNER),
        epoch_key=address(OPERATOR),
        anchored_root=ROOT_OF_TREE,
        epoch=(of or header()).sign(key, CHAIN_ID, REGISTRY),
        grid=GRID,
        cohorts=COHORTS,
        attributes=OWNER,
    )
    return replace(made, **changed)


def request(policy: Policy = POLICY, **changed: Any) -> ProofRequest:
    purpose = "breakfast for gold members 金卡会员早餐"
    made = ProofRequest(
        partner_id=PARTNER_ID,
        audience="Café Lindenhof",
        purpose=purpose,
        window_id=WINDOW,
        scope=scope(CHAIN_ID, REGISTRY, PARTNER_ID, purpose, WINDOW),
        policy=policy.packed(),
        epoch=EPOCH,
        circuit_id=CIRCUIT_ID,
        nonce=b"\x05" * 32,
        expires_at=NOW + 600,
        max_uses=policy.max_uses,
    )
    return replace(made, **changed)


def asking(asked: ProofRequest | None = None, *, key: PrivateKey = PARTNER) -> SignedRequest:
    return (asked or request()).sign(key, CHAIN_ID, REGISTRY)


def case(asked: SignedRequest | None = None, of: Known | None = None, now: int = NOW, use: int = 0) -> Case:
    return asked or asking(), of or known(), now, use


def beside(*before: Policy, epoch: int = EPOCH) -> Known:
    """A wallet that this partner asked these policies before."""
    return known(asked_before=[(Question.of(policy, not_before=BEGINS), epoch) for policy in before])


def for_another_registry() -> SignedRequest:
    elsewhere = b"\x78" * 20
    moved = replace(request(), scope=scope(CHAIN_ID, elsewhere, PARTNER_ID, request().purpose, WINDOW))
    return moved.sign(PARTNER, CHAIN_ID, elsewhere)


CASES: list[tuple[Declined | None, Case]] = [
    (None, case()),
    (None, case(of=known(answered_scopes=(request().scope,)))),
    (None, case(asking(request(replace(POLICY, max_uses=3))), use=2)),
    (None, case(now=ENDS - 1, asked=asking(request(expires_at=ENDS + 5)))),
    (Declined.POLICY, case(asking(request(replace(POLICY, lo=10, hi=9))))),
    (Declined.POLICY, case(asking(request(replace(POLICY, tier_mask=0))))),
    (Declined.POLICY, case(asking(request(replace(POLICY, max_uses=0))))),
    (Declined.USES, case(asking(request(max_uses=2)))),
    (Declined.SCOPE, case(asking(request(scope=1)))),
    (Declined.SCOPE, case(asking(request(partner_id=4)))),
    (Declined.SCOPE, case(asking(request(window_id=WINDOW + 1)))),
    (Declined.EXPIRED, case(now=NOW + 600)),
    (Declined.UNSIGNED, case(replace(asking(), signature=bytes(64) + b"\x1b"))),
    (Declined.UNSIGNED, case(replace(asking(), signature=asking().signature[:64] + b"\x00"))),
    (Declined.STRANGER, case(asking(key=STRANGER))),
    (Declined.STRANGER, case(of=known(partner_key=None))),
    (Declined.STRANGER, case(replace(asking(), request=request(nonce=bytes(32))))),
    (Declined.REGISTRY, case(for_another_registry())),
    (Declined.EPOCH, case(asking(request(epoch=EPOCH - 1)))),
    (Declined.EPOCH, case(asking(request(circuit_id=bytes(32))))),
    (Declined.HEADER, case(of=known(header(alliance_id=1)))),
    (Declined.HEADER, case(of=known(key=STRANGER))),
    (Declined.INACTIVE, case(now=BEGINS - 1)),
    (Declined.INACTIVE, case(now=ENDS + 1, asked=asking(request(expires_at=ENDS + 600)))),
    (Declined.ROOT, case(of=known(anchored_root=ROOT_OF_TREE + 1))),
    (Declined.ROOT, case(of=known(anchored_root=0))),
    (Declined.GRID, case(of=known(grid=replace(GRID, max_uses_max=11)))),
    (Declined.GRID, case(of=known(cohorts=Cohorts({Predicate.of(POLICY): 100})))),
    (Declined.GRID, case(asking(request(replace(POLICY, tier_mask=0b100))))),
    (Declined.GRID, case(asking(request(replace(POLICY, lo=501))))),
    (Declined.GRID, case(asking(request(replace(POLICY, lo=500, hi=9_999))))),
    (Declined.GRID, case(asking(request(replace(POLICY, valid_on=BEGINS + 1))))),
    (Declined.GRID, case(asking(request(replace(POLICY, valid_on=ENDS + 1))))),
    (Declined.GRID, case(asking(request(replace(POLICY, max_uses=13))))),
    (Declined.COHORT, case(asking(request(replace(POLICY, tier_mask=at_least(3)))))),
    (None, case(of=beside(replace(POLICY, lo=500)))),
    (None, case(of=beside(POLICY, replace(POLICY, tier_mask=at_least(1)), epoch=EPOCH - 1))),
    (None, case(of=beside(replace(POLICY, tier_mask=1), replace(POLICY, max_uses=9, valid_on=0)))),
    (Declined.CLOSING, case(of=beside(*(replace(POLICY, key_epoch_max=age) for age in (1, 2, 3, 4))))),
    (Declined.CLOSING, case(of=beside(replace(POLICY, since_max=1_600_000_000)))),
    (Declined.CLOSING, case(of=beside(POLICY, replace(POLICY, tier_mask=at_least(1))))),
    (Declined.UNMET, case(of=known(attributes=replace(OWNER, tier=1)))),
    (Declined.UNMET, case(use=1)),
]


def sent(each: Case) -> dict[str, Any]:
    """A case as the script reads it."""
    asked, of, now, use = each
    told = asdict(of.attributes)
    names = {"valid_until": "validUntil", "key_epoch": "keyEpoch"}
    world = {
        "chain_id": of.chain_id,
        "registry": hex_text(of.registry),
        "partner_key": of.partner_key and hex_text(of.partner_key),
        "epoch_key": hex_text(of.epoch_key),
        "anchored_root": str(of.anchored_root),
        "epoch": of.epoch.to_json(),
        "grid": of.grid.to_json(),
        "cohorts": of.cohorts.to_json(),
        "attributes": {names.get(name, name): str(value) for name, value in told.items()},
        "answered_scopes": [str(each) for each in of.answered_scopes],
        "asked_before": [[str(each.as_policy().packed()), epoch] for each, epoch in of.asked_before],
    }
    return {"asked": asked.to_json(), "known": world, "now": now, "use_index": use, "tier_names": NAMES}


def there(cases: Sequence[Case]) -> list[dict[str, Any]]:
    """What the wallet says, under Node."""
    script = [str(NODE), "tests/proofs/circuits/wallet.mjs"]
    asked = json.dumps([sent(each) for each in cases])
    told = subprocess.run(script, input=asked, capture_output=True, text=True, check=True, cwd=ROOT)
    verdicts: list[dict[str, Any]] = json.loads(told.stdout)
    return verdicts


def here(each: Case) -> dict[str, Any]:
    """What we say, in the wallet's form."""
    asked, of, now, use = each
    found = consent(asked, of, now=now, use_index=use, tier_names=NAMES)
    if isinstance(found, Refusal):
        detail = found.detail.split(":")[0] if found.reason is Declined.UNMET else found.detail
        return {"refused": found.reason.name.lower(), "detail": detail}
    form = asdict(found)
    names = {"partner_id": "partnerId", "expires_at": "expiresAt"}
    return {names.get(name, name): value for name, value in form.items()}


def test_every_refusal_is_the_same() -> None:
    cases = [each for _, each in CASES]
    ours = [here(each) for each in cases]
    assert [found.get("refused") for found in ours] == [reason and reason.name.lower() for reason, _ in CASES]
    assert {reason for reason, _ in CASES} == {None, *Declined}
    assert there(cases) == ours


def anything(chance: Random) -> Policy:
    """A policy of which every part is at an edge or off it."""
    edge = chance.choice([0, 499, 500, 999, 1_000, 5_000, 49_999, AMOUNT_MAX])
    return Policy(
        lo=chance.choice([0, 0, 500, 1_000, 5_000, edge]),
        hi=chance.choice([AMOUNT_MAX, AMOUNT_MAX, 999, 9_999, 49_999, edge]),
        since_max=chance.choice([SECONDS_MAX, 1_600_000_000, 1_700_000_000, 1_700_000_001]),
        valid_on=chance.choice([0, BEGINS, BEGINS + 86_400, BEGINS + 5]),
        key_epoch_max=chance.choice([EPOCH_MAX, EPOCH, 2]),
        tier_mask=chance.choice([ANY_TIER, at_least(1), at_least(2), at_least(3), 0b1010, 1, 0b1111, 1 << 15]),
        metric=chance.choice([Metric.POINTS, Metric.SPEND]),
        max_uses=chance.choice([1, 2, 12]),
    )


def counted_somehow(chance: Random) -> Known:
    """Cohorts of any size, and a partner that asked this and that before, in this epoch or another."""
    cohorts = Cohorts({each: chance.choice(STEPS[:8]) for each in COHORTS.members if chance.random() < 0.9})
    before = [Question.of(anything(chance), not_before=BEGINS) for _ in range(chance.choice([0, 0, 1, 2, 6]))]
    asked = [(each, chance.choice([EPOCH, EPOCH - 1])) for each in before]
    return known(header(cohorts=cohorts.hash()), cohorts=cohorts, asked_before=asked)


def test_random_policies_are_judged_and_said_alike() -> None:
    chance = Random(11)
    cases = [
        case(asking(request(anything(chance))), counted_somehow(chance), use=chance.choice([0, 1]))
        for _ in range(SAMPLES)
    ]
    ours = [here(each) for each in cases]
    assert there(cases) == ours
    assert {found.get("refused") for found in ours} >= {None, "policy", "grid", "cohort", "closing", "unmet"}
    assert {found["detail"] for found in ours if found.get("refused") == "closing"} == {"cohort", "policies"}


def any_mask(chance: Random) -> int:
    """One of those that people name, or any."""
    ranks = chance.choice([at_least(chance.randrange(16)), 1 << chance.randrange(16), chance.randrange(1 << 16)])
    return chance.choice([ranks, ranks & 0b1111])


def test_any_policy_is_said_in_the_same_words() -> None:
    """Off the grid too, under any number of names: what a wallet shows is what the partner and the operator read."""
    chance = Random(12)
    policies = [replace(anything(chance), tier_mask=any_mask(chance)) for _ in range(SAMPLES)]
    named = [(policy, list(NAMES[: chance.randrange(5)])) for policy in policies]
    asked = json.dumps([{"policy": str(policy.packed()), "tier_names": names} for policy, names in named])
    script = [str(NODE), "tests/proofs/circuits/words.mjs"]
    told = subprocess.run(script, input=asked, capture_output=True, text=True, check=True, cwd=ROOT)
    assert json.loads(told.stdout) == [policy.in_words(names) for policy, names in named]


UNSHOWN = ["a\nb", "a\u202eb", "a\u200db", "a\u00a0b", "a\x00b", "e\u0301", "\u2028", "a\u3000b", "x" * 201, ""]
SHOWN = ["金卡会员 100%", "Café Lindenhof", "🎫", "a b"]


def test_a_line_that_cannot_be_shown_is_read_by_neither() -> None:
    """Letters that turn the others around would let a partner write what the owner reads as the wallet's own words."""
    cases = [sent(case(asking(request(purpose=purpose)))) for purpose in (*UNSHOWN, *SHOWN)]
    script = [str(NODE), "tests/proofs/circuits/wallet.mjs"]
    told = subprocess.run(script, input=json.dumps(cases), capture_output=True, text=True, check=True, cwd=ROOT)
    assert [each.get("unread") for each in json.loads(told.stdout)] == [
        *["request.purpose"] * len(UNSHOWN),
        *[None] * len(SHOWN),
    ]
    for each in cases[: len(UNSHOWN)]:
        with pytest.raises(DecodingError, match="purpose"):
            SignedRequest.from_json(each["asked"])
    for each, purpose in zip(cases[len(UNSHOWN) :], SHOWN, strict=True):
        assert SignedRequest.from_json(each["asked"]).request.purpose == purpose
