"""Attacks on a member by requests and published forms that are not what they seem. Each names what is declined."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from coincurve import PrivateKey

from proofs.tier.cohorts import Cohorts
from proofs.tier.consent import Consent, Declined, Known, Refusal, consent
from proofs.tier.grid import PolicyGrid, Predicate
from proofs.tier.header import SignedHeader
from proofs.tier.narrowing import Question
from proofs.tier.policy import Metric, Policy, at_least
from proofs.tier.request import SignedRequest
from proofs.tier.statement import scope
from tests.attacks.tier import HEADER, NOW, asked, request
from tests.proofs.tier.vectors import ATTRIBUTES, CHAIN_ID, EPOCH_KEY, NOT_AFTER, PARTNER_KEY, REGISTRY, VECTORS, word

HELD: dict[str, Any] = json.loads(VECTORS.read_text())
GRID = PolicyGrid.from_json(HELD["policy_grid"]["form"])
COHORTS = Cohorts.from_json(HELD["cohorts"]["form"])
SIGNED = HEADER.sign(PrivateKey(EPOCH_KEY), CHAIN_ID, REGISTRY)
DAY = 86_400

KNOWN = Known(
    chain_id=CHAIN_ID,
    registry=REGISTRY,
    partner_key=request().signer(),
    epoch_key=SIGNED.signer(CHAIN_ID, REGISTRY) or b"",
    anchored_root=HEADER.root,
    epoch=SIGNED,
    grid=GRID,
    cohorts=COHORTS,
    attributes=ATTRIBUTES[0],
)
NAMES = ("Basic", "Silver", "Gold", "Platinum", "Diamond")


def policy(**fields: Any) -> SignedRequest:
    """The honest request with another policy, signed by the partner."""
    other = replace(request().request.predicate, **fields)
    return asked(policy=other.packed(), max_uses=other.max_uses)


def headed(**fields: Any) -> SignedHeader:
    """Another header, signed by the operator."""
    return replace(HEADER, **fields).sign(PrivateKey(EPOCH_KEY), CHAIN_ID, REGISTRY)


def stolen_scope() -> SignedRequest:
    """Partner 3 asks in the scope of partner 4, to learn who was there."""
    form = request().request
    return asked(scope=scope(CHAIN_ID, REGISTRY, 4, form.purpose, form.window_id))


def posing() -> SignedRequest:
    """Partner 3's request with partner 4's number and scope, signed by partner 3."""
    form = request().request
    return asked(partner_id=4, scope=scope(CHAIN_ID, REGISTRY, 4, form.purpose, form.window_id))


def small_cohorts() -> Known:
    """Published cohorts without the one that is asked for; the header names them."""
    asks = Predicate.of(request().request.predicate)
    fewer = Cohorts({each: count for each, count in COHORTS.members.items() if each != asks})
    return replace(KNOWN, cohorts=fewer, epoch=headed(cohorts=fewer.hash()))


def closing_in() -> list[tuple[Question, int]]:
    """The same policy over four ages of keys: no door saw any, and each alone is allowed."""
    honest = request().request
    ages = [replace(honest.predicate, key_epoch_max=age) for age in range(1, 5)]
    return [(Question.of(each, not_before=HEADER.not_before), honest.epoch) for each in ages]


REQUESTS: list[tuple[str, Callable[[], SignedRequest], Declined, str]] = [
    ("unsigned", lambda: replace(request(), signature=b""), Declined.UNSIGNED, ""),
    ("expired", lambda: asked(expires_at=NOW), Declined.EXPIRED, ""),
    (
        "changed after signing",
        lambda: replace(request(), request=asked(audience="Else").request),
        Declined.STRANGER,
        "",
    ),
    ("another's scope", stolen_scope, Declined.SCOPE, ""),
    ("a purpose that the scope is not of", lambda: asked(purpose="something else"), Declined.SCOPE, ""),
    ("bit 249", lambda: asked(policy=1 << 249), Declined.POLICY, ""),
    ("a policy nobody meets", lambda: policy(lo=2, hi=1), Declined.POLICY, ""),
    ("more uses than the policy has", lambda: asked(max_uses=9), Declined.USES, ""),
    ("another chain", lambda: request().request.sign(PrivateKey(PARTNER_KEY), 1, REGISTRY), Declined.SCOPE, ""),
    ("an epoch to come", lambda: asked(epoch=8), Declined.EPOCH, ""),
    ("an epoch past", lambda: asked(epoch=6), Declined.EPOCH, ""),
    ("another circuit", lambda: asked(circuit_id=bytes(32)), Declined.EPOCH, ""),
    ("one member's tier and no other's", lambda: policy(tier_mask=0b1000), Declined.GRID, "tier_mask"),
    ("one amount", lambda: policy(lo=12_345, hi=12_345), Declined.GRID, "lo"),
    ("a band between bands", lambda: policy(lo=1_000, hi=12_345), Declined.GRID, "hi"),
    ("spend by the edges of points", lambda: policy(lo=500, metric=Metric.SPEND), Declined.GRID, "lo"),
    ("a second of joining", lambda: policy(since_max=1_600_000_001), Declined.GRID, "since_max"),
    ("a second of validity", lambda: policy(valid_on=NOW), Declined.GRID, "valid_on"),
    (
        "validity beyond the epoch",
        lambda: policy(valid_on=NOT_AFTER // DAY * DAY + 2 * DAY),
        Declined.GRID,
        "valid_on is after the epoch",
    ),
    ("too many uses", lambda: policy(max_uses=200), Declined.GRID, "max_uses"),
    (
        "a small cohort",
        lambda: policy(tier_mask=0b0110, lo=10_000, since_max=1_600_000_000),
        Declined.COHORT,
        "",
    ),
    ("what the owner is not", lambda: policy(lo=0, hi=9_999), Declined.UNMET, "high"),
]


@pytest.mark.parametrize(("make", "reason", "detail"), [row[1:] for row in REQUESTS], ids=[row[0] for row in REQUESTS])
def test_requests(make: Callable[[], SignedRequest], reason: Declined, detail: str) -> None:
    found = consent(make(), KNOWN, now=NOW)
    assert isinstance(found, Refusal)
    assert (found.reason, found.detail[: len(detail)]) == (reason, detail)


FORMS: list[tuple[str, Callable[[], Known], Declined]] = [
    ("a partner that the registry does not know", lambda: replace(KNOWN, partner_key=None), Declined.STRANGER),
    ("a partner whose key was changed", lambda: replace(KNOWN, partner_key=bytes(20)), Declined.STRANGER),
    ("a wallet of another registry", lambda: replace(KNOWN, registry=bytes(20)), Declined.REGISTRY),
    ("a header of nobody", lambda: replace(KNOWN, epoch=replace(SIGNED, signature=bytes(65))), Declined.HEADER),
    ("a header of another key", lambda: replace(KNOWN, epoch_key=word("stranger")[12:]), Declined.HEADER),
    ("a header of another alliance", lambda: replace(KNOWN, epoch=headed(alliance_id=1)), Declined.HEADER),
    ("a root of its own for one member", lambda: replace(KNOWN, epoch=headed(root=HEADER.root + 1)), Declined.ROOT),
    ("no root on the chain", lambda: replace(KNOWN, anchored_root=0), Declined.ROOT),
    ("an epoch that is over", lambda: replace(KNOWN, epoch=headed(not_after=NOW - 1)), Declined.INACTIVE),
    ("an epoch that has not begun", lambda: replace(KNOWN, epoch=headed(not_before=NOW + 1)), Declined.INACTIVE),
    ("a finer grid for one partner", lambda: replace(KNOWN, grid=replace(GRID, max_uses_max=13)), Declined.GRID),
    ("cohorts made to look larger", lambda: replace(KNOWN, cohorts=Cohorts({})), Declined.GRID),
    ("a cohort too small to be published", small_cohorts, Declined.COHORT),
    ("a partner that closes in", lambda: replace(KNOWN, asked_before=closing_in()), Declined.CLOSING),
]


@pytest.mark.parametrize(("make", "reason"), [row[1:] for row in FORMS], ids=[row[0] for row in FORMS])
def test_what_a_wallet_is_told(make: Callable[[], Known], reason: Declined) -> None:
    found = consent(request(), make(), now=NOW)
    assert isinstance(found, Refusal)
    assert found.reason is reason


def test_another_partners_name() -> None:
    """Signed with the key of the one who poses, when the registry has another for the one who is named."""
    found = consent(posing(), replace(KNOWN, partner_key=word("partner-4")[12:]), now=NOW)
    assert isinstance(found, Refusal)
    assert found.reason is Declined.STRANGER


def test_the_owner_is_asked_in_plain_words() -> None:
    found = consent(request(), KNOWN, now=NOW, tier_names=NAMES)
    form = request().request
    assert found == Consent(
        partner_id=3,
        audience="Café Lindenhof",
        purpose="breakfast for gold members",
        predicate="tier Platinum or higher; the tier still holds on 2026-08-01; the key is of epoch 7 or before."
        " Can be shown once for this purpose in this window.",
        linkable=False,
        cohort=1_000,
        expires_at=form.expires_at,
    )
    again = consent(request(), replace(KNOWN, answered_scopes={form.scope}), now=NOW)
    assert isinstance(again, Consent)
    assert again.linkable


def test_a_wallet_takes_no_grace() -> None:
    """The verifier takes what was under way; a wallet begins nothing against a root that is over."""
    over = replace(KNOWN, epoch=headed(not_after=NOW - 1, not_before=NOW - 2))
    found = consent(request(), over, now=NOW)
    assert isinstance(found, Refusal)
    assert found.reason is Declined.INACTIVE


def test_a_used_use_is_not_shown_again() -> None:
    found = consent(request(), KNOWN, now=NOW, use_index=1)
    assert isinstance(found, Refusal)
    assert (found.reason, found.detail[:3]) == (Declined.UNMET, "use")


def test_every_reason_is_provoked() -> None:
    assert {row[2] for row in REQUESTS} | {row[2] for row in FORMS} == set(Declined)
    assert Policy(tier_mask=at_least(3)).tier_mask in GRID.tier_masks
