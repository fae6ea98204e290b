"""The kill switch of a seller's referral campaign. The verb; called by the book.

Orders paid before keep the campaign that they locked.
"""

from __future__ import annotations

from ledger.commands import StopCampaign
from ledger.entry import Entry
from ledger.refusals import Refused
from ledger.wants import Wants


def wants(command: StopCampaign, want: Wants) -> None:
    """Nothing: campaigns are held whole."""


def stop_campaign(command: StopCampaign, entry: Entry) -> dict[str, int | str]:
    """Refusals in order: campaign-unknown, campaign-stopped."""
    registry = entry.slice.registry
    if command.campaign_id not in registry.campaigns:
        raise Refused("campaign-unknown", "campaign_id", campaign_id=command.campaign_id)
    if command.campaign_id in registry.stopped:
        raise Refused("campaign-stopped", "campaign_id", stopped_at_ms=registry.stopped[command.campaign_id])
    entry.configure(command)
    return {"campaign_id": command.campaign_id}
