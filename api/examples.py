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
