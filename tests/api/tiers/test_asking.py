"""Whether a request may be asked, beside what was asked before: decided on made-up epochs, without a door."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from api.tiers import asking
from api.tiers.asking import History, Place, Published, TooFew
from api.tiers.rows import Partner
from proofs.signature import address_of
from proofs.tier.cohorts import Cohorts
from proofs.tier.grid import PolicyGrid, Predicate
from proofs.tier.header import EpochHeader
from proofs.tier.narrowing import Question
from proofs.tier.policy import Policy, at_least
from proofs.tier.request import ProofRequest, SignedRequest
from proofs.tier.statement import CIRCUIT_ID, DEPTH, scope
from tests.api.tiers.alliance import key_of
from tests.settlement.tiers.paper import ADDRESS, CHAIN_ID

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BEGIN = int(NOW.replace(hour=0).timestamp())
GOLD, SILVER = Policy(tier_mask=at_least(2)), Policy(tier_mask=at_least(1))
GRID = PolicyGrid(tier_masks=(at_least(2), at_least(1)))
PARTNER = Partner(3, "tea.example", address_of(key_of(3).public_key), GRID, 10, 3, NOW)
APART, TOGETHER = {GOLD: 200, SILVER: 1_000}, {GOLD: 200, SILVER: 200}
"""Certainly fifty who are silver and not gold; and perhaps none."""


def epoch(members: dict[Policy, int]) -> Published:
    header = EpochHeader(
        alliance_id=1,
        epoch=7,
        root=1,
        depth=DEPTH,
        cohorts=bytes(32),
        policy_grid=bytes(32),
        circuit_id=CIRCUIT_ID,
        vk_hash=bytes(32),
        not_before=BEGIN,
        not_after=BEGIN + 86_399,
        previous=bytes(32),
    )
    return Published(header, GRID, Cohorts({Predicate.of(policy): count for policy, count in members.items()}))


def signed(policy: Policy) -> SignedRequest:
    request = ProofRequest(
        partner_id=3,
        audience="tea.example",
        purpose="tea",
        window_id=1,
        scope=scope(CHAIN_ID, ADDRESS, 3, "tea", 1),
        policy=policy.packed(),
        epoch=7,
        circuit_id=CIRCUIT_ID,
        nonce=bytes(32),
        expires_at=int(NOW.timestamp()) + 60,
        max_uses=policy.max_uses,
    )
    return request.sign(key_of(3), CHAIN_ID, ADDRESS)


def ask(policy: Policy, members: dict[Policy, int], *, before: list[Policy], in_epoch: list[Policy]) -> int:
    known = [Question.of(each) for each in before]
    history = History(None, known, [Question.of(each) for each in in_epoch], nonce_used=False)
    cohort, question = asking.check(signed(policy), PARTNER, Place(CHAIN_ID, ADDRESS), epoch(members), history, now=NOW)
    assert question == Question.of(policy)
    return cohort


def test_a_question_of_an_earlier_epoch_is_compared_with_those_of_this_one() -> None:
    """Gold and silver could be asked side by side; in the epoch of today hardly anybody is silver alone. Whoever asks
    either again is asking about them, although both were asked before.
    """
    both = [GOLD, SILVER]
    assert ask(SILVER, APART, before=[GOLD], in_epoch=[GOLD]) == 1_000
    assert ask(SILVER, APART, before=both, in_epoch=[GOLD]) == 1_000
    assert ask(GOLD, TOGETHER, before=both, in_epoch=[]) == 200, "either alone"
    assert ask(GOLD, TOGETHER, before=both, in_epoch=[GOLD]) == 200
    for policy, other in ((SILVER, GOLD), (GOLD, SILVER)):
        with pytest.raises(TooFew):
            ask(policy, TOGETHER, before=both, in_epoch=[other])
