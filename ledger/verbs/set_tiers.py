"""Set the alliance's tiers. The verb; called by the book. What members have is judged anew when they are evaluated."""

from __future__ import annotations

from ledger.commands import SetTiers
from ledger.entry import Entry
from ledger.members import tiers
from ledger.refusals import Refused
from ledger.wants import Wants


def wants(command: SetTiers, want: Wants) -> None:
    want.tier_spans_ms.append(tiers.span_ms(command))


def set_tiers(command: SetTiers, entry: Entry) -> dict[str, int | str]:
    """Refusals: tiers-unordered."""
    thresholds = [tier.qualifying_au for tier in command.tiers]
    codes = {tier.code for tier in command.tiers}
    if thresholds[0] or thresholds != sorted(set(thresholds)) or len(codes) < len(thresholds):
        raise Refused("tiers-unordered", "tiers")
    entry.configure(command)
    return {"tiers": len(command.tiers)}
