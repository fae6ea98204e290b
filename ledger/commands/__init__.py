"""What can be asked of the ledger: one frozen command per verb. No behaviour. Callers of the poster build them; the
verbs decide them.

A command is data: its canonical JSON (`canonical`) is what is validated, compared on replay, kept in the journal and
played again by a rebuild. Every command carries `key`, the idempotency key, unique in the whole ledger, and `at_ms`,
when it happened (valid time); the journal position is when it was recorded. Ranges are in the types (`ledger.units`)
and are checked when the command arrives; state is checked by the verb, in its documented order.
"""

from __future__ import annotations

import msgspec

from ledger.commands.command import Command
from ledger.commands.configuring import (
    CloseMerchant,
    EarnRate,
    ForDays,
    FreezeMerchant,
    OpenMerchant,
    PublishCampaign,
    PublishExchange,
    PublishTerms,
    SetCollateral,
    SetTiers,
    StopCampaign,
    Tier,
    UnfreezeMerchant,
    Until,
)
from ledger.commands.earning import (
    Adjust,
    ApproveAdjustment,
    CancelPending,
    Confirm,
    Earn,
    OpenBalance,
    Refund,
    RejectAdjustment,
)
from ledger.commands.moving import Exchange, Expire, Transfer
from ledger.commands.people import (
    BindReferral,
    CloseMember,
    Enrol,
    EvaluateTier,
    FreezeMember,
    JoinPool,
    LeavePool,
    Merge,
    OpenPool,
    UnfreezeMember,
    Unmerge,
)
from ledger.commands.rewarding import Observe, Particulars, PublishRule, WithdrawRule
from ledger.commands.settling import ChargeFees, Net, SettleNets
from ledger.commands.spending import (
    Authorize,
    CancelRedemption,
    Capture,
    Dispute,
    LapseHold,
    Redeem,
    ResolveDispute,
    Void,
)

__all__ = [
    "Adjust",
    "AnyCommand",
    "ApproveAdjustment",
    "Authorize",
    "BindReferral",
    "CancelPending",
    "CancelRedemption",
    "Capture",
    "ChargeFees",
    "CloseMember",
    "CloseMerchant",
    "Command",
    "Configuring",
    "Confirm",
    "Dispute",
    "Earn",
    "EarnRate",
    "Enrol",
    "EvaluateTier",
    "Exchange",
    "Expire",
    "ForDays",
    "FreezeMember",
    "FreezeMerchant",
    "JoinPool",
    "LapseHold",
    "LeavePool",
    "Merge",
    "Net",
    "Observe",
    "OpenBalance",
    "OpenMerchant",
    "OpenPool",
    "Particulars",
    "PublishCampaign",
    "PublishExchange",
    "PublishRule",
    "PublishTerms",
    "Redeem",
    "Refund",
    "RejectAdjustment",
    "ResolveDispute",
    "SetCollateral",
    "SetTiers",
    "SettleNets",
    "StopCampaign",
    "Tier",
    "Transfer",
    "UnfreezeMember",
    "UnfreezeMerchant",
    "Unmerge",
    "Until",
    "Void",
    "WithdrawRule",
    "canonical",
    "parse",
]

Configuring = (
    OpenMerchant
    | PublishTerms
    | PublishExchange
    | PublishCampaign
    | StopCampaign
    | PublishRule
    | WithdrawRule
    | SetTiers
    | SetCollateral
    | FreezeMerchant
    | UnfreezeMerchant
    | CloseMerchant
)
"""Commands that the registry is made of."""
AnyCommand = (
    Configuring
    | Enrol
    | BindReferral
    | FreezeMember
    | UnfreezeMember
    | CloseMember
    | Merge
    | Unmerge
    | OpenPool
    | JoinPool
    | LeavePool
    | EvaluateTier
    | Earn
    | Observe
    | Confirm
    | CancelPending
    | Refund
    | OpenBalance
    | Adjust
    | ApproveAdjustment
    | RejectAdjustment
    | Redeem
    | Authorize
    | Capture
    | Void
    | LapseHold
    | CancelRedemption
    | Dispute
    | ResolveDispute
    | Transfer
    | Exchange
    | Expire
    | ChargeFees
    | SettleNets
)

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[AnyCommand] = msgspec.json.Decoder(AnyCommand)


def canonical(command: Command) -> bytes:
    """The command as JSON with its fields in declared order: one byte string per command, whoever wrote it."""
    return _encoder.encode(command)


def parse(canonical: bytes) -> AnyCommand:
    """The command of `canonical` bytes. Raises msgspec.ValidationError, which names the field, when a value is outside
    its type.
    """
    return _decoder.decode(canonical)
