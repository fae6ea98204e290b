"""Who takes part in a demonstration: the merchants' promises as named constants.

A file in the shape of the sample purchases brings its own merchants, each under the replay conditions
(`under_replay_conditions`). The generated alliance is `SMALL_ALLIANCE`: twelve trades with currencies, rates,
validities and fees of their own. No behaviour beyond making ledger commands. Who may call: the demo's phases, the
generator, tests.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ledger.commands import EarnRate, ForDays, OpenMerchant, PublishTerms

FOUNDED_MS = 946_684_800_000
"""2000-01-01T00:00:00Z: merchants open and publish their terms before the first event can have happened."""
COLLATERAL_AU = 20_000_000
"""Deposited on the chain for each merchant: 200,000 in the settlement currency, more than any net of the samples."""
PARTNERS = {3: "Café Lindenhof", 4: "Kino Nord"}
"""Who may ask members for tier proofs: the names that members are shown, by the partners' numbers."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One merchant's promise: `points` for every `per_minor` minor units, one point worth au_num/au_den AU, and the
    alliance's fees in basis points.
    """

    code: str
    name: str
    points: int = 1
    per_minor: int = 100
    au_num: int = 1
    au_den: int = 1
    validity_days: int = 365
    redemption_fee_bps: int = 200
    issuance_fee_bps: int = 100


def under_replay_conditions(code: str) -> Plan:
    """1 point per 100 minor units, 1 point = 1 AU, confirmed at once, 365 days, fees of 200 and 100 basis points,
    debts allowed, no credit limit.
    """
    return Plan(code=code, name=code)


SMALL_ALLIANCE = (
    Plan("huike", "惠客超市 Huike Supermarket"),
    Plan("lanbei", "蓝杯咖啡 Blue Cup Coffee", per_minor=500, au_num=5),
    Plan("xinghe", "星河影城 Galaxy Cinema", points=4, au_den=2, validity_days=90),
    Plan("qingfeng", "清风书店 Breeze Books", points=2, per_minor=300, au_num=3, au_den=4),
    Plan("baicao", "百草药房 Herb Pharmacy", per_minor=200, au_num=2, redemption_fee_bps=150),
    Plan("maixiang", "麦香面包 Wheat Bakery", points=3, au_den=3, validity_days=60),
    Plan("feiyu", "飞鱼体育 Flying Fish Sports", per_minor=1_000, au_num=10, issuance_fee_bps=80),
    Plan("yunlai", "云来酒店 Cloud Hotel", points=10, per_minor=1_000, au_num=2, au_den=3, validity_days=730),
    Plan("tongtong", "童童母婴 Tong Tong Baby", per_minor=150, redemption_fee_bps=250),
    Plan("lvdi", "绿地加油 Greenland Fuel", per_minor=400, au_num=7, au_den=2),
    Plan("jinjian", "金剪美发 Golden Scissors", points=5, per_minor=1_000, au_num=3, validity_days=180),
    Plan("shuma", "数码方舟 Digital Ark", per_minor=250, au_num=5, au_den=2, issuance_fee_bps=120),
)


def opening(plans: Iterable[Plan], first_id: int) -> list[OpenMerchant | PublishTerms]:
    """The commands that bring `plans` into the ledger, numbered from `first_id`; a merchant's terms bear its own
    number.
    """
    commands: list[OpenMerchant | PublishTerms] = []
    for number, plan in enumerate(plans, first_id):
        commands += [_open(plan, number), _terms(plan, number)]
    return commands


def _open(plan: Plan, number: int) -> OpenMerchant:
    return OpenMerchant(
        key=f"merchant:{plan.code}",
        at_ms=FOUNDED_MS,
        merchant_id=number,
        code=plan.code,
        name=plan.name,
        earn=EarnRate(points=plan.points, per_minor=plan.per_minor),
        hold_ms=0,
        validity=ForDays(days=plan.validity_days),
        redemption_fee_bps=plan.redemption_fee_bps,
        issuance_fee_bps=plan.issuance_fee_bps,
        refund_policy="debt",
    )


def _terms(plan: Plan, number: int) -> PublishTerms:
    return PublishTerms(
        key=f"terms:{plan.code}",
        at_ms=FOUNDED_MS,
        terms_id=number,
        issuer_id=number,
        au_num=plan.au_num,
        au_den=plan.au_den,
    )
