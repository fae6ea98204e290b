"""Bodies that the API page shows. Each is posted as it stands by a test, so the page cannot lie."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

MEMBER_JOINED: Json = {
    "type": "member.joined",
    "id": "evt-20260701-0001",
    "occurred_at": "2026-07-01T09:55:00+08:00",
    "member": "m-1001",
}
ORDER_PAID: Json = {
    "type": "order.paid",
    "id": "evt-20260701-0002",
    "occurred_at": "2026-07-01T10:00:00+08:00",
    "member": "m-1001",
    "order": "A-7788",
    "amount_minor": 12900,
}
ORDER_REFUNDED: Json = {
    "type": "order.refunded",
    "id": "evt-20260703-0009",
    "occurred_at": "2026-07-03T12:30:00+08:00",
    "member": "m-1001",
    "refund": "R-12",
    "order": "A-7788",
    "amount_minor": 2900,
}
BATCH: Json = {"events": [MEMBER_JOINED, ORDER_PAID, ORDER_REFUNDED]}
REDEMPTION: Json = {
    "occurred_at": "2026-07-04T18:20:00+08:00",
    "member": "m-1001",
    "redemption": "till-3-5561",
    "au": 60,
    "at_most": False,
}
REFUND: Json = {
    "occurred_at": "2026-07-05T11:00:00+08:00",
    "member": "m-1001",
    "refund": "R-13",
    "order": "A-7788",
    "amount_minor": 1000,
}
CAPTURE: Json = {"occurred_at": "2026-07-04T18:26:00+08:00", "au": 50}
VOID: Json = {"occurred_at": "2026-07-04T18:26:00+08:00"}
CANCEL: Json = {"occurred_at": "2026-07-05T10:00:00+08:00", "cancellation": "return-88", "au": 20}
DISPUTE: Json = {"occurred_at": "2026-07-06T09:00:00+08:00", "acceptor": 8}
RESOLVE: Json = {"occurred_at": "2026-07-08T09:00:00+08:00", "acceptor": 8, "stands": True}
MOMENT: Json = {"occurred_at": "2026-07-06T09:00:00+08:00"}
TRANSFER: Json = MOMENT | {"transfer": "gift-31", "from_member": "m-1001", "to_member": "m-1002", "points": 40}
EXCHANGE: Json = MOMENT | {"exchange": "x-9", "member": "m-1001", "from_issuer": 7, "to_issuer": 8, "points": 30}
ADJUSTMENT: Json = MOMENT | {
    "adjustment": "fix-2026-071",
    "member": "m-1001",
    "points": 25,
    "reason": "goodwill after a late delivery",
    "by": "li",
}
DECISION: Json = MOMENT | {"by": "zhao"}
OPENING_BALANCE: Json = MOMENT | {
    "source": "old-till-2026-07",
    "member": "m-1001",
    "points": 80,
    "expires_at": "2026-12-31T00:00:00+08:00",
}
NEW_MEMBER: Json = MOMENT | {"member": "m-1002"}
MERGE: Json = MOMENT | {"into": "m-1002"}
FREEZE: Json = MOMENT | {"reason": "under-review"}
NEW_POOL: Json = MOMENT | {"pool": "family-wang", "owner": "m-1001", "day_points_max": 500}
POOL_MEMBER: Json = MOMENT | {"member": "m-1002"}
RATE: Json = MOMENT | {"terms_id": 12, "au_num": 3, "au_den": 2, "starts_at": "2026-08-01T00:00:00+08:00"}
EXCHANGE_RATE: Json = MOMENT | {"from_issuer": 8, "num": 2, "den": 3}
CAMPAIGN: Json = MOMENT | {"campaign_id": 12, "level_bps": [100, 50], "ends_at": "2026-10-01T00:00:00+08:00"}
NEW_MERCHANT: Json = MOMENT | {
    "merchant_id": 12,
    "code": "noodles",
    "name": "北门面馆",
    "earn_points": 1,
    "earn_per_minor": 100,
    "hold_seconds": 604_800,
    "valid_days": 365,
    "redemption_fee_bps": 200,
    "issuance_fee_bps": 100,
    "refund_policy": "debt",
    "credit_limit_au": 80_000,
}
CYCLE_END: Json = MOMENT | {"cycle": "2026-07"}
TIERS: Json = MOMENT | {
    "tiers": [{"code": "regular", "qualifying_au": 0}, {"code": "gold", "qualifying_au": 50_000}],
    "window_seconds": 31_536_000,
    "grace_seconds": 2_592_000,
}
MOVE_CLOCK: Json = {"to": "2026-08-01T00:00:00+08:00"}
RULE: Json = MOMENT | {
    "rule": {
        "rule_id": 12,
        "version": 1,
        "trigger": "order.paid",
        "condition": {"kind": "amount", "at_least": 10_000},
        "reward": {"kind": "times_base", "num": 2, "den": 1},
        "caps": {"budget_points": 1_000_000, "member_day_times": 1},
        "stacking": {"kind": "best", "group": "weekend"},
    }
}
