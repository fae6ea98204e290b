"""Look at a member's qualifying AU and record the tier that follows. The verb; called by the book.

Every evaluation is a journal entry, so the history of a member's tiers is in the journal; `ledger.standing` reads it.
"""

from __future__ import annotations

from ledger.commands import EvaluateTier
from ledger.entry import Entry
from ledger.members import membership, tiers
from ledger.refusals import Refused
from ledger.wants import Wants


def wants(command: EvaluateTier, want: Wants) -> None:
    want.members.add(command.member)
    want.evaluated.append((command.member, command.at_ms))


def evaluate_tier(command: EvaluateTier, entry: Entry) -> dict[str, int | str]:
    """Refusals in order: member-unknown, member-closed, tiers-missing."""
    member, state = membership.known(entry.slice, command.member), entry.slice
    settings = state.registry.tiers
    if settings is None:
        raise Refused("tiers-missing")
    was = member.tier
    over_time = tiers.sums(settings, state.bought_by(member), state.registry.terms)
    judged = tiers.judge(settings, member, over_time, command.at_ms)
    if judged.tier != was:
        member.tier, member.tier_since_ms = judged.tier, judged.since_ms
        entry.change_member(member)
    told: dict[str, int | str] = {
        "tier": judged.tier,
        "was": was,
        "reached": judged.reached,
        "qualifying_au": judged.qualifying_au,
    }
    return told if judged.kept_until_ms is None else told | {"kept_until_ms": judged.kept_until_ms}
