"""The alliance that random commands are played on: issuers that differ in everything, at awkward rates.

Plain dictionaries with the ledger's field names; what is left out takes the command's default. No randomness here.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

DAY_MS = 86_400_000
ON_REDEMPTION, ON_ISSUANCE = 0, 1
MERCHANTS = (1, 2, 3, 4, 5, 6)
LEAVING = 6
"""The merchant that is frozen and closed sooner or later."""
MEMBERS = tuple(f"m{number}" for number in range(8))
RATES = {1: (7, 3), 2: (1, 2), 3: (5, 1), 4: (3, 1000), 5: (2, 3), 6: (1, 3)}
MODES = {1: ON_REDEMPTION, 2: ON_ISSUANCE, 3: ON_REDEMPTION, 4: ON_ISSUANCE, 5: ON_ISSUANCE, 6: ON_REDEMPTION}

CROWD_RULES, CROWD_MEMBERS, POOLED, MERGED = 62, 65, 31, 16

Plain = dict[str, Any]


def merchant(number: int, **changes: Any) -> Plain:
    usual = {
        "verb": "open_merchant",
        "merchant_id": number,
        "code": f"c{number}",
        "name": f"Merchant {number}",
        "earn": {"points": 1, "per_minor": 100},
        "hold_ms": 0,
        "validity": {"kind": "days", "days": 5},
        "redemption_fee_bps": 200,
        "issuance_fee_bps": 100,
        "refund_policy": "debt",
        "transfers": "all",
    }
    return usual | changes


def terms(number: int, issuer: int, rate: tuple[int, int], **changes: Any) -> Plain:
    num, den = rate
    usual = {"verb": "publish_terms", "terms_id": number, "issuer_id": issuer, "au_num": num, "au_den": den}
    return usual | {"mode": MODES[issuer]} | changes


def campaign(merchant_id: int, *level_bps: int, **changes: Any) -> Plain:
    usual = {"verb": "publish_campaign", "campaign_id": merchant_id, "merchant_id": merchant_id}
    return usual | {"level_bps": level_bps, "until_ms": 30 * DAY_MS} | changes


def rule(number: int, merchant_id: int, trigger: str, reward: Plain, **changes: Any) -> Plain:
    usual = {"rule_id": number, "trigger": trigger, "reward": reward}
    return {"verb": "publish_rule", "merchant_id": merchant_id, "rule": usual | changes}


def rules() -> list[Plain]:
    """Groups, small budgets, caps by member and by day, streaks, tasks, a condition in a condition."""
    red, blue = {"kind": "best", "group": "red"}, {"kind": "first", "group": "blue"}
    table = {"kind": "per_streak_day", "points": (5, 0, 9), "then": "again"}
    busy = {"kind": "not", "of": {"kind": "hour", "from_hour": 22, "until_hour": 6, "utc_offset_minutes": 60}}
    coupon = {"kind": "any", "of": ({"kind": "coupon", "among": ("TEN",)}, busy)}
    both = ({"trigger": "order.paid"}, {"trigger": "checkin", "times": 2, "daily": True})
    return [
        rule(101, 1, "order.paid", {"kind": "times_base", "num": 3, "den": 2}, stacking=red),
        rule(102, 1, "order.paid", fixed(20), stacking=red, caps={"member_times": 4}),
        rule(103, 1, "order.paid", fixed(30), condition={"kind": "first_order"}),
        rule(104, 2, "checkin", fixed(40), caps={"budget_points": 130}),
        rule(105, 2, "task.completed", fixed(50), steps=both),
        rule(106, 3, "birthday", fixed(60), caps={"member_times": 1}, hold_ms=DAY_MS // 4),
        rule(107, 3, "order.paid", {"kind": "per_amount", "points": 1, "per_minor": 100}, condition=coupon),
        rule(108, 4, "order.paid", fixed(70), caps={"member_day_times": 1, "member_points": 350}),
        rule(109, 5, "checkin", table, stacking=blue),
        rule(110, 5, "checkin", fixed(3), stacking=blue | {"rank": 1}, caps={"member_day_points": 3}),
    ]


def crowd() -> list[Plain]:
    """To be added to the opening where limits are to be met: nearly as many rules as a merchant may have, for events
    that hardly happen; a chain of members as deep as may be; a family nearly full; somebody known by many names.
    """
    chain = [f"c{number}" for number in range(CROWD_MEMBERS)]
    names = [f"d{number}" for number in range(MERGED)]
    commands = [
        *[rule(number, 6, "referral.bound", fixed(1)) for number in range(201, 201 + CROWD_RULES)],
        *[{"verb": "enrol", "member": member} for member in (*names, *chain)],
        *[{"verb": "bind_referral", "member": low, "referrer": high} for high, low in pairwise(chain)],
        {"verb": "open_pool", "pool": "crowd", "owner": chain[0], "day_points_max": 100},
        *[{"verb": "join_pool", "pool": "crowd", "member": member} for member in chain[1:POOLED]],
        *[{"verb": "merge", "member": member, "into": names[0]} for member in names[1:]],
    ]
    return [{"key": f"crowd {i}", "at_ms": 0, **command} for i, command in enumerate(commands)]


def fixed(points: int) -> Plain:
    return {"kind": "fixed", "points": points}


def tiers() -> Plain:
    reached = {"regular": 0, "gold": 700, "diamond": 2_500}
    return {
        "verb": "set_tiers",
        "tiers": [{"code": code, "qualifying_au": au} for code, au in reached.items()],
        "window_ms": 4 * DAY_MS,
        "grace_ms": DAY_MS,
        "downgrade": "one",
    }


def opening() -> list[Plain]:
    """What is there before anything happens."""
    commands = [
        merchant(1, redemption_fee_bps=333, adjust_alone_max=50, credit_limit_au=300, haircut_bps=9_000),
        merchant(2, earn={"points": 3, "per_minor": 70}, hold_ms=DAY_MS, issuance_fee_bps=777, breakage_bps=2_000),
        merchant(
            3,
            hold_ms=DAY_MS // 2,
            refund_policy="within_balance",
            validity={"kind": "until", "until_ms": 15 * DAY_MS},
            credit_limit_au=600,
            haircut_bps=5_000,
        ),
        merchant(
            4,
            earn={"points": 9, "per_minor": 1},
            validity={"kind": "days", "days": 2},
            transfers="pool",
            adjust_alone_max=9,
        ),
        merchant(5, refund_policy="only_pending", credit_limit_au=900, haircut_bps=9_000, transfers="none"),
        merchant(6, earn={"points": 2, "per_minor": 100}, breakage_bps=5_000, notice_ms=DAY_MS),
        *[terms(number, number, RATES[number]) for number in MERCHANTS],
        campaign(1, 100, 50),
        campaign(2, 777, basis_bucket_minor=1_000, min_basis_minor=2_000),
        campaign(4, 333, 1_111, reward_au_max=40),
        tiers(),
        *rules(),
        *[{"verb": "enrol", "member": member} for member in MEMBERS],
        {"verb": "bind_referral", "member": "m1", "referrer": "m0"},
        {"verb": "bind_referral", "member": "m2", "referrer": "m1"},
        {"verb": "bind_referral", "member": "m3", "referrer": "m2"},
        {"verb": "publish_exchange", "from_issuer_id": 1, "to_issuer_id": 3, "num": 3, "den": 7},
        {"verb": "publish_exchange", "from_issuer_id": 2, "to_issuer_id": 1, "num": 1, "den": 4},
        {"verb": "publish_exchange", "from_issuer_id": 3, "to_issuer_id": 4, "num": 1_000, "den": 1},
        {"verb": "open_pool", "pool": "family", "owner": "m4", "day_points_max": 300},
        {"verb": "join_pool", "pool": "family", "member": "m5"},
    ]
    return [{"key": f"opening {i}", "at_ms": 0, **command} for i, command in enumerate(commands)]
