"""Who stands above whom, and what a sale is worth to them. Pure; verbs and loading call it.

At most two levels above the buyer are ever paid, a constant in code and contract (`REFERRAL_LEVELS_MAX`). A bond is
between persons: whoever was merged into another counts as that other.
"""

from __future__ import annotations

from ledger.slice import Member, Slice


def upline(state: Slice, member: Member, levels_max: int) -> list[Member]:
    """Up to `levels_max` members above `member`, nearest first; no cycle can be bound."""
    above: list[Member] = []
    while member.referrer is not None and len(above) < levels_max:
        member = state.person(member.referrer)
        above.append(member)
    return above
