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
from typing import NamedTuple

from settlement.alliance import Alliance
from settlement.chain.contracts import Contract, Name
from settlement.chain.outbox import Outbox
from settlement.chain.transactions import call, create

SLOW_DELAY_S = 14 * 86_400
FAST_DELAY_S = 48 * 3_600
DELAYS_S = {"slow": SLOW_DELAY_S, "fast": FAST_DELAY_S}
RULED: tuple[Name, ...] = ("SettlementHub", "AlliancePolicy", "MerchantRegistry")
ANYBODY = bytes(20)
"""As a timelock's executor: what was scheduled and is ripe, anybody may carry out."""
SIGNERS_MAX = 32
THRESHOLD_MIN = 2


class HandoverUnfit(ValueError):
    """Too many signers, the same one twice, a threshold that one signer or not even all of them reach, no guardian, or
    the founding account itself among those who are to rule.
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


class MerchantSeat(NamedTuple):
    """Who administers a merchant, and who receives its payouts: addresses."""

    admin: bytes
    payout: bytes

    def purpose(self, merchant_id: int) -> str:
        """The name in the outbox of handing it over."""
        return f"setAddresses:{merchant_id}:{self.admin.hex()}"


class Seat(NamedTuple):
    """One role of one contract, and who is to hold it."""

    contract: Name
    role: str
    holder: bytes


def hand_over(alliance: Alliance, outbox: Outbox, to: Handover) -> Governance:
    """Everything that is still missing of the hand-over. Raises `HandoverUnfit` before anything is done."""
    require_fit(to, outbox.sender)
    governance = _rulers(alliance, outbox, to)
    slow, fast = governance.slow.address, governance.fast.address
    filled = list(seats(to, council=governance.council, slow=slow, fast=fast, tiers=alliance.tiers is not None))
    _hand_merchants(alliance, outbox, to.merchants_admin)
    for seat in filled:
        _role_call(alliance, outbox, seat, "grantRole", seat.holder)
    for seat in given_up(filled):
        _role_call(alliance, outbox, seat, "renounceRole", outbox.sender)
    return governance


def require_fit(to: Handover, founder: bytes) -> None:
    """Raises `HandoverUnfit`."""
    if founder in {*to.signers, *to.guardians, to.submitter, to.operator, to.merchants_admin, to.existing}:
        raise HandoverUnfit(f"0x{founder.hex()} founds the alliance and hands it over; it cannot stay")
    if not to.guardians:
        raise HandoverUnfit("no guardian: the founding account would stay the only one that can pause")
    if to.existing is not None:
        return
    distinct = len(set(to.signers)) == len(to.signers)
    if not distinct or not THRESHOLD_MIN <= to.threshold <= len(to.signers) <= SIGNERS_MAX:
        raise HandoverUnfit(f"{to.threshold} of {len(to.signers)} signers, at most {SIGNERS_MAX} and each once")


def _rulers(alliance: Alliance, outbox: Outbox, to: Handover) -> Governance:
    council = to.existing
    if council is None:
        made, _ = create(alliance.chain, outbox, "Council", *council_arguments(to))
        council = made.address
    slow, fast = (
        create(alliance.chain, outbox, "Timelock", delay, [council], [ANYBODY], purpose=f"deploy:Timelock:{name}")[0]
        for name, delay in DELAYS_S.items()
    )
    return Governance(council, slow, fast)


def council_arguments(to: Handover) -> tuple[list[str], int]:
    """The council knows its signers by their bytes; as bytes of that length the codec would take them for addresses."""
    return ["0x" + signer.hex() for signer in to.signers], to.threshold


def seats(to: Handover, *, council: bytes, slow: bytes, fast: bytes, tiers: bool) -> Iterator[Seat]:
    """In the order in which roles are given and renounced: the right to grant is last."""
    yield Seat("SettlementHub", "SUBMITTER_ROLE", to.submitter)
    yield Seat("SettlementHub", "OPERATOR_ROLE", to.operator)
    yield Seat("AlliancePolicy", "CHARTER_ROLE", slow)
    yield Seat("AlliancePolicy", "GOVERNOR_ROLE", fast)
    for guardian in to.guardians:
        yield Seat("AlliancePolicy", "GUARDIAN_ROLE", guardian)
    yield Seat("AlliancePolicy", "RISK_ROLE", council)
    yield Seat("MerchantRegistry", "REGISTRAR_ROLE", council)
    if tiers:
        yield from _tier_seats(to, council=council, slow=slow, fast=fast)
    for contract in RULED:
        yield Seat(contract, "DEFAULT_ADMIN_ROLE", slow)


def _tier_seats(to: Handover, *, council: bytes, slow: bytes, fast: bytes) -> Iterator[Seat]:
    """Verifiers wait out the long lock, the key of epochs the short one; partners join without notice."""
    yield Seat("TierRegistry", "PUBLISHER_ROLE", to.submitter)
    yield Seat("TierRegistry", "CHARTER_ROLE", slow)
    yield Seat("TierRegistry", "GOVERNOR_ROLE", fast)
    yield Seat("TierRegistry", "REGISTRAR_ROLE", council)
    for guardian in to.guardians:
        yield Seat("TierRegistry", "GUARDIAN_ROLE", guardian)
    yield Seat("TierRegistry", "DEFAULT_ADMIN_ROLE", slow)


def given_up(filled: Sequence[Seat]) -> Iterator[Seat]:
    """One seat for each role that the founding account then renounces."""
    for _, same in groupby(filled, key=lambda seat: (seat.contract, seat.role)):
        yield next(same)


def _hand_merchants(alliance: Alliance, outbox: Outbox, admin: bytes) -> None:
    """The hosted merchants to another administrator, who also receives their payouts until it says otherwise."""
    events = alliance.registry.events("MerchantSet", first=alliance.anchor.deploy_block)
    for merchant_id in sorted({event.fields["merchantId"] for event in events}):
        hand_merchant(alliance, outbox, merchant_id, MerchantSeat(admin, admin))


def hand_merchant(alliance: Alliance, outbox: Outbox, merchant_id: int, to: MerchantSeat) -> None:
    """To another administrator, if the founding account still is it."""
    held, *_ = alliance.registry.read("merchant", merchant_id)
    if bytes.fromhex(held[2:]) == outbox.sender:
        call(outbox, to.purpose(merchant_id), alliance.registry, "setAddresses", merchant_id, *to)


def role_purpose(function: str, seat: Seat, account: bytes) -> str:
    """The name in the outbox of giving a role, or giving it up."""
    return f"{function}:{seat.contract}:{seat.role}:{account.hex()}"


def _role_call(alliance: Alliance, outbox: Outbox, seat: Seat, function: str, account: bytes) -> None:
    ruled = [alliance.hub, alliance.policy, alliance.registry, *([alliance.tiers] if alliance.tiers else [])]
    contract = next(each for each in ruled if each.name == seat.contract)
    call(outbox, role_purpose(function, seat, account), contract, function, contract.read(seat.role), account)
