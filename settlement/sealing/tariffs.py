"""The tariff that goes with a batch: what its merchants had promised by its last journal entry, in the public form.

Invariants: it follows from the journal up to there alone, so a batch that is made again comes with the same one; what
merchants, campaigns and rates were is never changed in the journal, only added to. Validities are not told: points that
move between members keep their age, which leaves do not show. Pure; called by `batches`. Source: docs/decisions/0150.
"""

from __future__ import annotations

from typing import Final

from ledger.commands import PublishCampaign, PublishExchange
from ledger.registry import Registry
from proofs.kinds import BASE_UNITS_PER_AU
from proofs.tariff import NUMBER_MAX, Campaign, Fees, Rate, Tariff
from settlement.sealing.leaves import MS_PER_SECOND

RATES_PER_PAIR_MAX: Final = 400
"""The newest ones: more than a year of daily rates."""


def tariff_of(registry: Registry) -> Tariff:
    """Fees, rates and campaigns as auditors judge by them."""
    return Tariff(
        fee_unit=BASE_UNITS_PER_AU,
        fees={
            number: Fees(each.redemption_fee_bps, each.issuance_fee_bps, each.breakage_bps)
            for number, each in registry.merchants.items()
        },
        exchanges={pair: _rates(each) for pair, each in registry.exchanges.items()},
        campaigns={number: _campaign(each) for number, each in registry.campaigns.items()},
    )


def _rates(published: list[PublishExchange]) -> tuple[Rate, ...]:
    newest = published[-RATES_PER_PAIR_MAX:]
    return tuple(Rate(each.at_ms // MS_PER_SECOND, each.num, each.den) for each in newest)


def _campaign(each: PublishCampaign) -> Campaign:
    """A bucket or cap beyond what the form can say binds no purchase there is, and is left out as none."""
    cap = 0 if each.reward_au_max is None else each.reward_au_max * BASE_UNITS_PER_AU
    bucket = each.basis_bucket_minor * BASE_UNITS_PER_AU
    return Campaign(
        sponsor_id=each.merchant_id,
        level_bps=each.level_bps,
        basis_bucket=bucket if bucket <= NUMBER_MAX else 0,
        basis_min=min(each.min_basis_minor * BASE_UNITS_PER_AU, NUMBER_MAX),
        reward_max=cap if cap <= NUMBER_MAX else 0,
    )
