"""Deferred revenue of points under IFRS 15 and CAS 14: what a cohort's sales defer, and what has been earned. Pure.

A sale with points promises two things. Its price is split by stand-alone prices: what was paid, and what the points are
worth times the share of them expected to be used when they were issued. The points' part is a liability and becomes
revenue as they are used, in proportion to the points now expected to be used in total: points that never will be used
(breakage) earn with the others, never on issue. When nothing of a cohort is left, the rest is earned.

Rounding: every figure is computed from cumulative amounts and rounded half up once; what remains is taken by
subtraction, so that products + points = sales and Σ periods = total, to the unit. Source: rulebook, "Clearing" 8.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from ledger.commands import PublishTerms
from ledger.units import BPS

Role = Literal["principal", "agent"]


class Cohort(Struct, kw_only=True):
    """Orders of one issuer paid in one month (UTC) under one set of terms, and the points they gave their buyers.

    sales          minor units paid, less refunds
    issued         points given, pending ones included; taken back: clawed_back, repaid (went to a debt), adjusted
    used_*         points redeemed on us or with others, less cancelled; paid_au is what the others were paid for them
    remaining      points still in lots or held
    """

    issuer: int
    month: str
    terms_id: int
    sales: int = 0
    issued: int = 0
    clawed_back: int = 0
    repaid: int = 0
    adjusted: int = 0
    used_on_us: int = 0
    used_elsewhere: int = 0
    paid_au: int = 0
    expired: int = 0
    remaining: int = 0

    @property
    def granted(self) -> int:
        """Points that the sales still promise."""
        return self.issued - self.clawed_back - self.repaid - self.adjusted

    @property
    def used(self) -> int:
        return self.used_on_us + self.used_elsewhere


class Estimate(Struct, frozen=True, kw_only=True):
    """The share of granted points expected to be used, in basis points: as estimated at issue, and as estimated now."""

    at_issue_bps: int
    now_bps: int


class Revenue(Struct, frozen=True, kw_only=True):
    """What follows from a cohort and an estimate, in minor units: products + deferred = sales, recognised + liability =
    deferred. Of `recognised`, `elsewhere` is for points used with others, who were paid `paid_au`; `reported` is what
    the issuer shows as revenue from points: all of it as principal, less `paid_au` as agent.
    """

    month: str
    terms_id: int
    sales: int
    granted: int
    expected: int
    used: int
    expired: int
    remaining: int
    products: int
    deferred: int
    recognised: int
    liability: int
    elsewhere: int
    paid_au: int
    reported: int


def half_up(numerator: int, denominator: int) -> int:
    """The nearest integer to numerator/denominator, halves up; numerator >= 0, denominator > 0."""
    return (2 * numerator + denominator) // (2 * denominator)


def products(sales: int, *, points: int, terms: PublishTerms, expected_bps: int) -> int:
    """The part of `sales` that is for the products: sales · sales / (sales + stand-alone price of the points)."""
    alone = points * terms.au_num * expected_bps
    scale = terms.au_den * BPS
    return half_up(sales * sales * scale, sales * scale + alone) if sales > 0 else 0


def recognised(deferred: int, *, used: int, granted: int, expected_bps: int, over: bool) -> int:
    """How much of `deferred` is earned so far: in proportion to the points expected to be used, all when it is over."""
    expected = granted * expected_bps
    if over or used * BPS >= expected:
        return deferred if over or used > 0 else 0
    return half_up(deferred * used * BPS, expected)


def revenue(cohort: Cohort, terms: PublishTerms, estimate: Estimate, *, elsewhere: Role) -> Revenue:
    """The report's line for one cohort; `elsewhere` says what the issuer is for points used with others."""
    granted = cohort.granted
    for_products = products(cohort.sales, points=granted, terms=terms, expected_bps=estimate.at_issue_bps)
    deferred = max(0, cohort.sales) - for_products
    earned = recognised(
        deferred,
        used=cohort.used,
        granted=granted,
        expected_bps=estimate.now_bps,
        over=cohort.remaining == 0 and granted > 0,
    )
    with_others = half_up(earned * cohort.used_elsewhere, cohort.used) if cohort.used > 0 else 0
    return Revenue(
        month=cohort.month,
        terms_id=cohort.terms_id,
        sales=cohort.sales,
        granted=granted,
        expected=granted * estimate.now_bps // BPS,
        used=cohort.used,
        expired=cohort.expired,
        remaining=cohort.remaining,
        products=for_products,
        deferred=deferred,
        recognised=earned,
        liability=deferred - earned,
        elsewhere=with_others,
        paid_au=cohort.paid_au,
        reported=earned - (cohort.paid_au if elsewhere == "agent" else 0),
    )
