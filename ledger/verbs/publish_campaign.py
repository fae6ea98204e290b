"""Publish how a seller rewards referrals. The verb; called by the book.

One campaign of a seller runs at a time, so that an order has at most one rule to be rewarded by.
"""

from __future__ import annotations

from ledger.commands import PublishCampaign
from ledger.entry import Entry
from ledger.refusals import Refused
from ledger.registry import Registry
from ledger.units import REFERRAL_BPS_MAX
from ledger.wants import Wants


def wants(command: PublishCampaign, want: Wants) -> None:
    want.merchants.add(command.merchant_id)
    want.sponsors.add(command.merchant_id)


def publish_campaign(command: PublishCampaign, entry: Entry) -> dict[str, int | str]:
    """Refusals in order: merchant-unknown, campaign-exists, campaign-empty, rewards-too-high, campaign-running."""
    registry, bps = entry.slice.registry, sum(command.level_bps)
    if command.merchant_id not in registry.merchants:
        raise Refused("merchant-unknown", "merchant_id", merchant_id=command.merchant_id)
    if command.campaign_id in registry.campaigns:
        raise Refused("campaign-exists", "campaign_id", campaign_id=command.campaign_id)
    if command.until_ms <= command.at_ms:
        raise Refused("campaign-empty", "until_ms", at_ms=command.at_ms, until_ms=command.until_ms)
    if bps > REFERRAL_BPS_MAX:
        raise Refused("rewards-too-high", "level_bps", bps=bps, bps_max=REFERRAL_BPS_MAX)
    for other in registry.campaigns_of.get(command.merchant_id, ()):
        if _overlap(registry, command, other):
            raise Refused("campaign-running", "at_ms", campaign_id=other.campaign_id)
    entry.configure(command)
    return {"campaign_id": command.campaign_id}


def _overlap(registry: Registry, fresh: PublishCampaign, other: PublishCampaign) -> bool:
    """Whether both would reward some instant; a stopped campaign ends when it was stopped."""
    end = min(other.until_ms, registry.stopped.get(other.campaign_id, other.until_ms))
    return other.at_ms < fresh.until_ms and fresh.at_ms < end
