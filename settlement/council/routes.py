"""Which way a call has to go: at once by the council, or through the timelock that holds the role it takes.

Invariants: the table says what `settlement.handover` gives to whom; a call of which nobody in governance has the role
(a guardian's pause, the submitter's commit) has no way here and is refused. Pure. Called by the council's commands.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final

from settlement.chain.contracts import Name
from settlement.council.words import CallUnfit


class Route(Enum):
    """How a call is made."""

    AT_ONCE = "council"
    FAST = "fast"
    SLOW = "slow"


_OF_ROLE: Final[Mapping[str, Route]] = {
    "DEFAULT_ADMIN_ROLE": Route.SLOW,
    "CHARTER_ROLE": Route.SLOW,
    "GOVERNOR_ROLE": Route.FAST,
    "REGISTRAR_ROLE": Route.AT_ONCE,
    "RISK_ROLE": Route.AT_ONCE,
}
_TAKES: Final[Mapping[tuple[Name, str], str]] = {
    ("SettlementHub", "grantRole"): "DEFAULT_ADMIN_ROLE",
    ("SettlementHub", "revokeRole"): "DEFAULT_ADMIN_ROLE",
    ("SettlementHub", "beginWindDown"): "DEFAULT_ADMIN_ROLE",
    ("AlliancePolicy", "grantRole"): "DEFAULT_ADMIN_ROLE",
    ("AlliancePolicy", "revokeRole"): "DEFAULT_ADMIN_ROLE",
    ("AlliancePolicy", "setHonestWeight"): "CHARTER_ROLE",
    ("AlliancePolicy", "setCampaignRules"): "CHARTER_ROLE",
    ("AlliancePolicy", "setAttesters"): "CHARTER_ROLE",
    ("AlliancePolicy", "setParams"): "GOVERNOR_ROLE",
    ("AlliancePolicy", "setDisputeParams"): "GOVERNOR_ROLE",
    ("AlliancePolicy", "addReceiptSigner"): "GOVERNOR_ROLE",
    ("AlliancePolicy", "retireReceiptSigner"): "GOVERNOR_ROLE",
    ("AlliancePolicy", "advanceRulesVersion"): "GOVERNOR_ROLE",
    ("AlliancePolicy", "unpause"): "GOVERNOR_ROLE",
    ("AlliancePolicy", "setFloor"): "RISK_ROLE",
    ("MerchantRegistry", "grantRole"): "DEFAULT_ADMIN_ROLE",
    ("MerchantRegistry", "revokeRole"): "DEFAULT_ADMIN_ROLE",
    ("MerchantRegistry", "addMerchants"): "REGISTRAR_ROLE",
    ("MerchantRegistry", "setStatus"): "REGISTRAR_ROLE",
    ("TierRegistry", "grantRole"): "DEFAULT_ADMIN_ROLE",
    ("TierRegistry", "revokeRole"): "DEFAULT_ADMIN_ROLE",
    ("TierRegistry", "registerCircuit"): "CHARTER_ROLE",
    ("TierRegistry", "setEpochKey"): "GOVERNOR_ROLE",
    ("TierRegistry", "setPartner"): "REGISTRAR_ROLE",
    ("Council", "addSigners"): "REGISTRAR_ROLE",
    ("Council", "removeSigners"): "REGISTRAR_ROLE",
    ("Council", "setThreshold"): "REGISTRAR_ROLE",
    ("Timelock", "cancel"): "REGISTRAR_ROLE",
}
"""The council calls itself, and what it scheduled it may call off, without notice: as what takes REGISTRAR."""
_OF_ITSELF: Final = frozenset({"updateDelay", "grantRole", "revokeRole"})
"""What a timelock lets nobody do but itself."""


def route(name: Name, function: str, label: str) -> Route:
    """The way of a call; `label` tells the two timelocks apart. Raises `CallUnfit`."""
    if name == "Timelock" and function in _OF_ITSELF:
        return Route(label)
    role = _TAKES.get((name, function))
    if role is None:
        raise CallUnfit(f"{label}.{function}: is no call of the council's")
    return _OF_ROLE[role]
