"""Who holds which role of the contracts, by the chain's own events, and who rules: the council behind two timelocks.

Invariants: holders come from RoleGranted and RoleRevoked in chain order and are then asked of the contract one by one,
so neither an event that a node left out nor one that it made up passes unseen. A timelock is what holds the right to
grant roles, has the timelock's compiled code, and says how long it waits; a name in a file makes nothing a timelock.
Reading only. Called by deployment, its check and the council's commands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from settlement.chain.client import Chain, ChainUnclear
from settlement.chain.contracts import Contract, Name
from settlement.deployment.code import differences

ROLES: Final[Mapping[Name, tuple[str, ...]]] = {
    "SettlementHub": ("DEFAULT_ADMIN_ROLE", "SUBMITTER_ROLE", "OPERATOR_ROLE", "COURT_ROLE"),
    "AlliancePolicy": ("DEFAULT_ADMIN_ROLE", "CHARTER_ROLE", "GOVERNOR_ROLE", "GUARDIAN_ROLE", "RISK_ROLE"),
    "MerchantRegistry": ("DEFAULT_ADMIN_ROLE", "REGISTRAR_ROLE"),
    "TierRegistry": (
        "DEFAULT_ADMIN_ROLE",
        "CHARTER_ROLE",
        "GOVERNOR_ROLE",
        "REGISTRAR_ROLE",
        "PUBLISHER_ROLE",
        "GUARDIAN_ROLE",
    ),
    "Timelock": ("DEFAULT_ADMIN_ROLE", "PROPOSER_ROLE", "EXECUTOR_ROLE", "CANCELLER_ROLE"),
}


class Holding(NamedTuple):
    """One holder of one role of one contract."""

    contract: str
    role: str
    holder: bytes


@dataclass(frozen=True, slots=True)
class Governance:
    """Who rules: addresses of the council and of the two timelocks that it acts through."""

    council: bytes
    slow: bytes
    fast: bytes


def holdings(chain: Chain, contracts: Mapping[Name, bytes], *, first: int) -> list[Holding]:
    """Every holder of every role, sorted. Raises `ChainUnclear` where events and contract contradict each other."""
    return sorted(
        held for name, address in contracts.items() for held in holders(Contract(chain, name, address), first=first)
    )


def holders(contract: Contract, *, first: int) -> list[Holding]:
    """As `holdings`, of one contract; a role that it should not have is shown by its number."""
    names = {contract.read(role): role for role in ROLES[contract.name]}
    events = [*contract.events("RoleGranted", first=first), *contract.events("RoleRevoked", first=first)]
    held: set[tuple[bytes, bytes]] = set()
    for event in sorted(events, key=lambda each: (each.log.block_number, each.log.log_index)):
        seat = bytes(event.fields["role"]), bytes.fromhex(event.fields["account"][2:])
        if event.name == "RoleGranted":
            held.add(seat)
        else:
            held.discard(seat)
    for role, account in held:
        if not contract.read("hasRole", role, account):
            raise ChainUnclear(f"{contract.name}: by its events 0x{account.hex()} has a role that it does not have")
    return [Holding(contract.name, names.get(role, f"0x{role.hex()}"), account) for role, account in sorted(held)]


def of(found: Sequence[Holding], contract: str, role: str) -> set[bytes]:
    """Who holds one role."""
    return {held.holder for held in found if (held.contract, held.role) == (contract, role)}


def governance_of(chain: Chain, found: Sequence[Holding], *, first: int) -> Governance | None:
    """Council and timelocks, None while the founding account (or anything but a timelock) has the right to grant."""
    slow, fast = (
        _only(of(found, "SettlementHub", "DEFAULT_ADMIN_ROLE")),
        _only(of(found, "AlliancePolicy", "GOVERNOR_ROLE")),
    )
    if slow is None or fast is None or not (is_timelock(chain, slow) and is_timelock(chain, fast)):
        return None
    council = _only(of(holders(Contract(chain, "Timelock", slow), first=first), "Timelock", "PROPOSER_ROLE"))
    return None if council is None else Governance(council, slow, fast)


def is_timelock(chain: Chain, address: bytes) -> bool:
    """Whether the compiled Timelock is there."""
    return not differences("Timelock", chain.code(address))


def _only(found: set[bytes]) -> bytes | None:
    return next(iter(found)) if len(found) == 1 else None
