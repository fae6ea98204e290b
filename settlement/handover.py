"""Hand an alliance over: a council of several signers rules it through two timelocks, and the founding account nothing.

Invariants: every step has a purpose in the outbox, so a hand-over that was cut goes on where it was; the founding
account gives a role away before it renounces its own, and renounces the right to grant roles last; what could take a
merchant's exit away (roles, courts, attesters, quorum) waits out the long lock, parameters within their bounds the
short one. Nothing here can be undone by the founding account. Without a hand-over (development) it keeps every role.
Called by deployment.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from settlement.alliance import Alliance
from settlement.chain.contracts import Contract
from settlement.chain.outbox import Outbox
from settlement.chain.transactions import call, create

SLOW_DELAY_S = 14 * 86_400
FAST_DELAY_S = 48 * 3_600
ANYBODY = bytes(20)
"""As a timelock's executor: what was scheduled and is ripe, anybody may carry out."""
SIGNERS_MAX = 32
THRESHOLD_MIN = 2


class HandoverUnfit(ValueError):
    """Too many signers, the same one twice, a threshold that one signer or not even all of them reach, or the founding
    account itself among those who are to rule.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """Who rules from now on: `threshold` of `signers` make the council; `existing` is a multisig to be used in its
    place. The council schedules what the timelocks carry out, keeps merchants' floors and registers merchants.
    """

    signers: Sequence[bytes] = ()
    threshold: int = 0
    existing: bytes | None = None
    guardians: Sequence[bytes]
    submitter: bytes
    operator: bytes
    merchants_admin: bytes
    """Administers the hosted merchants, which the founding account did."""


@dataclass(frozen=True, slots=True)
class Governance:
    """Who rules: the council and the two timelocks it acts through."""

    council: bytes
    slow: Contract
    fast: Contract


@dataclass(frozen=True, slots=True)
class Grant:
    """One role of one contract, and its next holder."""

    contract: Contract
    role: str
    holder: bytes


def hand_over(alliance: Alliance, outbox: Outbox, to: Handover) -> Governance:
    """Everything that is still missing of the hand-over. Raises `HandoverUnfit` before anything is done."""
    _require_fit(to, outbox.sender)
    governance = _rulers(alliance, outbox, to)
    grants = list(_grants(alliance, governance, to))
    _hand_merchants(alliance, outbox, to.merchants_admin)
    for grant in grants:
        role = grant.contract.read(grant.role)
        _role_call(outbox, grant, "grantRole", role, grant.holder)
    for _, same in groupby(grants, key=lambda grant: (grant.contract.name, grant.role)):
        grant = next(same)
        _role_call(outbox, grant, "renounceRole", grant.contract.read(grant.role), outbox.sender)
    return governance


def _require_fit(to: Handover, founder: bytes) -> None:
    if founder in {*to.signers, *to.guardians, to.submitter, to.operator, to.merchants_admin, to.existing}:
        raise HandoverUnfit(f"0x{founder.hex()} founds the alliance and hands it over; it cannot stay")
    if to.existing is not None:
        return
    distinct = len(set(to.signers)) == len(to.signers)
    if not distinct or not THRESHOLD_MIN <= to.threshold <= len(to.signers) <= SIGNERS_MAX:
        raise HandoverUnfit(f"{to.threshold} of {len(to.signers)} signers, at most {SIGNERS_MAX} and each once")


def _rulers(alliance: Alliance, outbox: Outbox, to: Handover) -> Governance:
    council = to.existing
    if council is None:
        # The council knows its signers by their bytes; as bytes of that length the codec would take them for addresses.
        signers = ["0x" + signer.hex() for signer in to.signers]
        made, _ = create(alliance.chain, outbox, "Council", signers, to.threshold)
        council = made.address
    slow, fast = (
        create(alliance.chain, outbox, "Timelock", delay, [council], [ANYBODY], purpose=f"deploy:Timelock:{name}")[0]
        for name, delay in (("slow", SLOW_DELAY_S), ("fast", FAST_DELAY_S))
    )
    return Governance(council, slow, fast)


def _grants(alliance: Alliance, governance: Governance, to: Handover) -> Iterator[Grant]:
    """In the order in which they are given and renounced: the right to grant is last."""
    hub, policy, registry = alliance.hub, alliance.policy, alliance.registry
    yield Grant(hub, "SUBMITTER_ROLE", to.submitter)
    yield Grant(hub, "OPERATOR_ROLE", to.operator)
    yield Grant(policy, "CHARTER_ROLE", governance.slow.address)
    yield Grant(policy, "GOVERNOR_ROLE", governance.fast.address)
    for guardian in to.guardians:
        yield Grant(policy, "GUARDIAN_ROLE", guardian)
    yield Grant(policy, "RISK_ROLE", governance.council)
    yield Grant(registry, "REGISTRAR_ROLE", governance.council)
    if alliance.tiers is not None:
        yield from _tier_grants(alliance.tiers, governance, to)
    for contract in (hub, policy, registry):
        yield Grant(contract, "DEFAULT_ADMIN_ROLE", governance.slow.address)


def _tier_grants(tiers: Contract, governance: Governance, to: Handover) -> Iterator[Grant]:
    """Verifiers wait out the long lock, the key of epochs the short one; partners join without notice."""
    yield Grant(tiers, "PUBLISHER_ROLE", to.submitter)
    yield Grant(tiers, "CHARTER_ROLE", governance.slow.address)
    yield Grant(tiers, "GOVERNOR_ROLE", governance.fast.address)
    yield Grant(tiers, "REGISTRAR_ROLE", governance.council)
    for guardian in to.guardians:
        yield Grant(tiers, "GUARDIAN_ROLE", guardian)
    yield Grant(tiers, "DEFAULT_ADMIN_ROLE", governance.slow.address)


def _hand_merchants(alliance: Alliance, outbox: Outbox, admin: bytes) -> None:
    """The hosted merchants to another administrator, who also receives their payouts until it says otherwise."""
    events = alliance.registry.events("MerchantSet", first=alliance.anchor.deploy_block)
    for merchant_id in sorted({event.fields["merchantId"] for event in events}):
        held, *_ = alliance.registry.read("merchant", merchant_id)
        if bytes.fromhex(held[2:]) == outbox.sender:
            purpose = f"setAddresses:{merchant_id}:{admin.hex()}"
            call(outbox, purpose, alliance.registry, "setAddresses", merchant_id, admin, admin)


def _role_call(outbox: Outbox, grant: Grant, function: str, role: bytes, account: bytes) -> None:
    purpose = f"{function}:{grant.contract.name}:{grant.role}:{account.hex()}"
    call(outbox, purpose, grant.contract, function, role, account)
