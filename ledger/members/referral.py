"""Who stands above whom, and what a sale is worth to them. Pure; verbs, `ledger.points.orders` and loading call it.

At most two levels above the buyer are ever paid, a constant in code and contract (`REFERRAL_LEVELS_MAX`). A bond is
between persons: whoever was merged into another counts as that other. A reward follows from campaign, terms, level and
sale alone, so that anybody can compute it again from its leaf.
"""

from __future__ import annotations

from collections.abc import Iterator

from ledger.commands import PublishCampaign, PublishTerms
from ledger.slice import Member, Order, Role, Slice
from ledger.units import BPS, REFERRAL_LEVELS_MAX

LEVEL_OF: dict[int, int] = {Role.LEVEL_1.value: 1, Role.LEVEL_2.value: 2}
"""How far above the buyer a lot's owner stood, for the roles that are rewards."""
_ROLES = (Role.LEVEL_1, Role.LEVEL_2)


def above(state: Slice, member: Member) -> Iterator[Member]:
    """Everybody above `member`, nearest first; no cycle can be bound."""
    while member.referrer is not None:
        member = state.person(member.referrer)
        yield member


def upline(state: Slice, member: Member, levels_max: int) -> list[Member]:
    """Up to `levels_max` members above `member`, nearest first."""
    return [each for each, _ in zip(above(state, member), range(levels_max), strict=False)]


def basis_minor(campaign: PublishCampaign, amount_minor: int) -> int:
    """What of a sale counts: rounded down to the campaign's bucket."""
    return amount_minor - amount_minor % campaign.basis_bucket_minor


def reward_points(campaign: PublishCampaign, terms: PublishTerms, *, level: int, amount_minor: int) -> int:
    """Points for whoever stands `level` above the buyer of a sale: floor(min(basis · bps, cap · 10000) · den /
    (num · 10000)), none where the basis is below the campaign's least.
    """
    basis = basis_minor(campaign, amount_minor)
    if level > len(campaign.level_bps) or basis < campaign.min_basis_minor:
        return 0
    value = basis * campaign.level_bps[level - 1]
    if campaign.reward_au_max is not None:
        value = min(value, campaign.reward_au_max * BPS)
    return value * terms.au_den // (terms.au_num * BPS)


def rewards(state: Slice, order: Order, buyer: Member) -> list[tuple[Member, Role, int]]:
    """(who, role, points) for those above the buyer of a fresh order; who has left is passed over and not replaced."""
    campaign = state.registry.campaigns.get(order.campaign_id)
    if campaign is None or buyer.referrer is None:
        return []
    terms = state.registry.terms[order.terms_id]
    found = [
        (each, role, reward_points(campaign, terms, level=LEVEL_OF[role], amount_minor=order.amount_minor))
        for each, role in zip(upline(state, buyer, REFERRAL_LEVELS_MAX), _ROLES, strict=False)
        if not each.closed
    ]
    return [reward for reward in found if reward[2]]
