"""The tariff: what an alliance charges, exchanges, rewards and lets expire, published with each batch for its auditors.

Rates of merchants between each other are on the chain as terms; fees, exchange rates, campaigns and validities are not,
so that rivals do not read them. The tariff says them to auditors, under the batch's own key, and its hash stands in the
manifest, hence under dataHash in the header: an operator that charges by another tariff contradicts the chain. Amounts
are base units, times Unix seconds; the form is RFC 8785 JSON of whole numbers. Written by the publisher, read by the
auditor. Source: docs/decisions/0150.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

BPS = 10_000
NUMBER_MAX = 2**53 - 1
TARIFF_CONTEXT = b"LPB1 tongdui tariff"
"""What the encrypted tariff is bound to."""


class TariffError(ValueError):
    """The bytes are not a tariff; the message says what is wrong with them."""


@dataclass(frozen=True, slots=True)
class Fees:
    """What one merchant pays the operator, in basis points: of what others pay it for redemptions, of what its points
    are worth when they are earned, and of what comes back to it for points that are over.
    """

    redemption_bps: int = 0
    issuance_bps: int = 0
    breakage_bps: int = 0


NO_FEES = Fees()


@dataclass(frozen=True, slots=True)
class Campaign:
    """What a sponsor gives for a referred purchase: `level_bps` of the basis for the first and the second level.

    The basis is rounded down to `basis_bucket`; below `basis_min` there is nothing; one reward is worth at most
    `reward_max`, 0 meaning no such limit.
    """

    sponsor_id: int
    level_bps: tuple[int, ...]
    basis_bucket: int
    basis_min: int
    reward_max: int

    def form(self) -> dict[str, Any]:
        """As it stands in a tariff, and in a finding about it."""
        return {
            "basisBucket": self.basis_bucket,
            "basisMin": self.basis_min,
            "levelBps": list(self.level_bps),
            "rewardMax": self.reward_max,
            "sponsorId": self.sponsor_id,
        }


class Rate(NamedTuple):
    """`num` points for `den` from the second `since` on, until another rate of the pair begins."""

    since: int
    num: int
    den: int


@dataclass(frozen=True, slots=True)
class Tariff:
    """All of it. `fee_unit` is the least amount that fees are charged in; `exchanges` are the rates by (from, to), in
    the order in which they began; `validity_days` the days that an issuer's points are good for.
    """

    fee_unit: int = 1
    fees: Mapping[int, Fees] = field(default_factory=dict)
    exchanges: Mapping[tuple[int, int], tuple[Rate, ...]] = field(default_factory=dict)
    campaigns: Mapping[int, Campaign] = field(default_factory=dict)
    validity_days: Mapping[int, int] = field(default_factory=dict)

    def fee(self, amount: int, bps: int) -> int:
        """The fee on `amount` base units: both rounded down to whole fee units."""
        return amount // self.fee_unit * bps // BPS * self.fee_unit

    def rates_at(self, source: int, target: int, at: int) -> list[Rate]:
        """The rates of a pair at second `at`: the one in force when it began, and all that began within it."""
        begun = [rate for rate in self.exchanges.get((source, target), ()) if rate.since <= at]
        before = [rate for rate in begun if rate.since < at]
        return before[-1:] + begun[len(before) :]

    def to_bytes(self) -> bytes:
        """The canonical JSON of it: names in order, no blanks."""
        form = {
            "campaigns": [{"campaignId": number, **each.form()} for number, each in sorted(self.campaigns.items())],
            "exchanges": [
                {"den": rate.den, "from": source, "num": rate.num, "since": rate.since, "to": target}
                for (source, target), rates in sorted(self.exchanges.items())
                for rate in sorted(rates, key=lambda rate: rate.since)
            ],
            "feeUnit": self.fee_unit,
            "fees": [
                {
                    "breakageBps": each.breakage_bps,
                    "issuanceBps": each.issuance_bps,
                    "merchantId": merchant,
                    "redemptionBps": each.redemption_bps,
                }
                for merchant, each in sorted(self.fees.items())
            ],
            "validities": [{"days": days, "issuerId": issuer} for issuer, days in sorted(self.validity_days.items())],
        }
        return json.dumps(form, sort_keys=True, separators=(",", ":")).encode()


def reward_value(campaign: Campaign, level: int, basis: int) -> tuple[int, int]:
    """What a reward is worth in base units, as (numerator, denominator): exact, so that it is rounded down once, in
    points.
    """
    if not 1 <= level <= len(campaign.level_bps) or basis < campaign.basis_min:
        return 0, BPS
    value = basis * campaign.level_bps[level - 1]
    return (min(value, campaign.reward_max * BPS) if campaign.reward_max else value), BPS


def read_tariff(data: bytes) -> Tariff:
    """The tariff whose `to_bytes` are `data`. Raises `TariffError`."""
    try:
        form = json.loads(data)
        made = Tariff(
            fee_unit=_number(form, "feeUnit"),
            fees={_number(e, "merchantId"): _fees(e) for e in form["fees"]},
            exchanges=_exchanges(form["exchanges"]),
            campaigns={_number(e, "campaignId"): _campaign(e) for e in form["campaigns"]},
            validity_days={_number(e, "issuerId"): _number(e, "days") for e in form["validities"]},
        )
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise TariffError(f"not a tariff: {error!r}") from error
    if made.to_bytes() != data or made.fee_unit < 1 or not _divisible(made):
        raise TariffError("a tariff that is not in its canonical form, or that divides by zero")
    return made


def _campaign(form: Mapping[str, Any]) -> Campaign:
    levels = tuple(form["levelBps"])
    if not all(type(each) is int and 0 <= each <= BPS for each in levels):
        raise TariffError(f"levels of {levels}")
    names = ("sponsorId", "basisBucket", "basisMin", "rewardMax")
    sponsor, bucket, least, most = (_number(form, name) for name in names)
    return Campaign(sponsor, levels, bucket, least, most)


def _exchanges(forms: Iterable[Mapping[str, Any]]) -> dict[tuple[int, int], tuple[Rate, ...]]:
    made: dict[tuple[int, int], tuple[Rate, ...]] = {}
    for form in forms:
        source, target, since, num, den = (_number(form, name) for name in ("from", "to", "since", "num", "den"))
        made[source, target] = (*made.get((source, target), ()), Rate(since, num, den))
    return made


def _divisible(tariff: Tariff) -> bool:
    return all(rate.den > 0 for rates in tariff.exchanges.values() for rate in rates)


def _fees(form: Mapping[str, Any]) -> Fees:
    return Fees(_bps(form, "redemptionBps"), _bps(form, "issuanceBps"), _bps(form, "breakageBps"))


def _number(form: Mapping[str, Any], name: str) -> int:
    value = form[name]
    if type(value) is not int or not 0 <= value <= NUMBER_MAX:
        raise TariffError(f"{name}: {value!r}")
    return value


def _bps(form: Mapping[str, Any], name: str) -> int:
    value = _number(form, name)
    if value > BPS:
        raise TariffError(f"{name}: {value}")
    return value
