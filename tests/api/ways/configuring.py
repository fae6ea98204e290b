"""Ways to provoke what the ledger refuses about merchants, rates, campaigns and cycles."""

from __future__ import annotations

from typing import Any

from tests.api.conftest import NOON, TEA
from tests.api.ways.stage import Stage, Way, twice

FREEZE, CLOSE = f"/v1/merchants/{TEA}/freeze", f"/v1/merchants/{TEA}/close"
NEXT_YEAR = "2027-01-01T00:00:00Z"


def opened(stage: Stage, **fields: object) -> Any:
    """A second merchant that shares a number or code with the first."""
    stage.found()
    promises = {"merchant_id": 13, "code": "other", "name": "Other", "earn_points": 1, "earn_per_minor": 100}
    fees = {"redemption_fee_bps": 0, "issuance_fee_bps": 0, "refund_policy": "debt", "valid_days": 1}
    return stage.operator.ask("/v1/merchants", **promises | fees | fields)


def worse(stage: Stage) -> Any:
    """A rate that halves at once where a day's notice was promised."""
    return stage.found(notice_seconds=86_400).ask("/v1/rates", terms_id=13, au_num=1, au_den=2)


def frozen(stage: Stage) -> Any:
    return stage.operator.ask(FREEZE, reason="leaving")


def campaign(stage: Stage, number: int = 1, **fields: object) -> Any:
    body: dict[str, object] = {"campaign_id": number, "level_bps": [100, 50], "ends_at": NEXT_YEAR}
    return stage.tea.ask("/v1/campaigns", **body | fields)


def stopped(stage: Stage) -> Any:
    return stage.tea.ask("/v1/campaigns/1/stop")


WAYS: dict[str, Way] = {
    "merchant-exists": lambda s: opened(s, merchant_id=TEA),
    "code-taken": lambda s: opened(s, code="tea"),
    "merchant-frozen": lambda s: twice(
        frozen(s), lambda: s.tea.event("order.paid", member="m", order="o", amount_minor=1)
    ),
    "merchant-not-frozen": lambda s: s.operator.ask(CLOSE),
    "merchant-closed": lambda s: twice(frozen(s), lambda: twice(s.operator.ask(CLOSE), lambda: s.operator.ask(CLOSE))),
    "terms-exist": lambda s: s.tea.ask("/v1/rates", terms_id=1, au_num=1, au_den=1),
    "notice-too-short": worse,
    "cycle-charged": lambda s: twice(
        s.operator.ask("/v1/clearing/cycles", cycle="c"), lambda: s.operator.ask("/v1/clearing/cycles", cycle="c")
    ),
    "campaign-exists": lambda s: twice(campaign(s), lambda: campaign(s)),
    "campaign-empty": lambda s: campaign(s, ends_at=NOON),
    "campaign-running": lambda s: twice(campaign(s), lambda: campaign(s, 2)),
    "campaign-unknown": stopped,
    "campaign-stopped": lambda s: twice(campaign(s), lambda: twice(stopped(s), lambda: stopped(s))),
    "tiers-unordered": lambda s: s.operator.ask(
        "/v1/tiers", tiers=[{"code": "gold", "qualifying_au": 5}], window_seconds=86_400
    ),
    "rewards-too-high": lambda s: campaign(s, level_bps=[5_000, 5_000]),
}
