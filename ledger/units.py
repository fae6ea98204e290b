"""Ids, units and the limits of a single command. No logic. Everybody may import it.

Amounts are integers: points of one issuer, AU (1 AU = 1 minor unit of the settlement currency), money in minor units.
Times are integer milliseconds since the Unix epoch, UTC. A rate is two integers. Limits keep every product and balance
inside a signed 64-bit column.
"""

from __future__ import annotations

from typing import Annotated, Final, NewType

from msgspec import Meta

from proofs.kinds import LEVELS_MAX

MerchantId = NewType("MerchantId", int)
"""Who issues and accepts points, the operator (proofs.accounts.OPERATOR_ID) and the reserve included. The settlement
contracts' merchantId.
"""

BPS: Final = 10_000
"""Basis points in one."""

AMOUNT_MAX: Final = 10**15
"""Money, points or AU of one command."""
BALANCE_MAX: Final = 2**62
"""Absolute balance of any account; a posting that would pass it is refused, so that no column overflows."""
TIME_MS_MAX: Final = 253_402_300_800_000
"""The year 10000."""
MERCHANT_ID_MAX: Final = 899_999_999
"""Ids above are reserved for the operator, the reserve and the guarantee fund."""
TERMS_ID_MAX: Final = 2**31 - 1
RATE_PART_MAX: Final = 10**9
"""Numerator or denominator of a rate."""
DURATION_MS_MAX: Final = 100 * 366 * 86_400_000
HOLD_MS_MAX: Final = 31 * 86_400_000
"""How long an authorised redemption may be held: as long as card payments are."""
NETS_MAX: Final = 512
"""Nets of one settling batch, as in the contracts."""
REFERRAL_LEVELS_MAX: Final = LEVELS_MAX
"""Paid levels above the buyer; the contracts hold the same constant."""
REFERRAL_BPS_MAX: Final = 5_000
"""Basis points of a sale that all levels of a campaign may pay together."""
UPLINE_MEMBERS_MAX: Final = 64
"""Members above one member in its chain of referrals."""
MERGED_MEMBERS_MAX: Final = 16
"""Members that may have been merged into one."""
POOL_MEMBERS_MAX: Final = 32
TIERS_MAX: Final = 16

Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]+\Z")]
"""1 to 64 printable ASCII characters without blanks: members, orders, redemptions, refunds, cycles."""
Key = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[\x20-\x7e]+\Z")]
"""An idempotency key, unique in the whole ledger."""
Millis = Annotated[int, Meta(ge=0, le=TIME_MS_MAX)]
DurationMs = Annotated[int, Meta(ge=0, le=DURATION_MS_MAX)]
Positive = Annotated[int, Meta(ge=1, le=AMOUNT_MAX)]
NotNegative = Annotated[int, Meta(ge=0, le=AMOUNT_MAX)]
RatePart = Annotated[int, Meta(ge=1, le=RATE_PART_MAX)]
BpsShare = Annotated[int, Meta(ge=0, le=BPS)]
Id = Annotated[int, Meta(ge=1, le=MERCHANT_ID_MAX)]
"""A merchant's number as commands carry it."""
CampaignNo = Annotated[int, Meta(ge=1, le=TERMS_ID_MAX)]
TermsNo = Annotated[int, Meta(ge=1, le=TERMS_ID_MAX)]
