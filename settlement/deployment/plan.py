"""What founding is going to do, transaction by transaction, before anything is paid for.

Invariants: purposes, order and gas limits are those that `settlement.deploy` then uses (a test compares the two), and
so an interrupted founding shows what is done; an address that is foretold follows from the founding account and its
nonce; money is what the gas limits cost at most. Pure. Called by `python -m settlement deploy`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from settlement.alliance import FOUNDING_CONFIG
from settlement.chain.contracts import Name, deployment_data
from settlement.chain.gas import Fees
from settlement.chain.transactions import CALL_GAS, created, creation_gas
from settlement.deploy import MONEY_GAS, NOTHING_CARRIED, registrations
from settlement.founding import Founding
from settlement.handover import (
    ANYBODY,
    DELAYS_S,
    Handover,
    MerchantSeat,
    council_arguments,
    given_up,
    role_purpose,
    seats,
)
from settlement.tiers.founding import REGISTER_GAS, TierFounding

WEI_PER_GWEI = 10**9
ETHER_DIGITS = 18
PURPOSE_COLUMNS = 46
NOBODY = bytes(20)
NO_WORD = bytes(32)
GENESIS = 0, NO_WORD, NO_WORD, 0, NO_WORD, NOTHING_CARRIED
"""In the place of header 0, which has as many bytes whatever it says."""


class Recorded(NamedTuple):
    """A purpose that the outbox knows already: its nonce, and whether it is in a block."""

    nonce: int
    mined: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One transaction. `address` is where a contract is or is going to be, `gas` the limit."""

    purpose: str
    nonce: int
    gas: int
    address: bytes | None
    recorded: Recorded | None


class _Draft(NamedTuple):
    purpose: str
    gas: int
    creates: bool = False


@dataclass(slots=True)
class _Line:
    """Nonces in order: those that are taken stay, the next ones are the account's next."""

    founder: bytes
    next_nonce: int
    recorded: Mapping[str, Recorded]

    def step(self, draft: _Draft) -> Step:
        held = self.recorded.get(draft.purpose)
        nonce = self.next_nonce if held is None else held.nonce
        self.next_nonce += held is None
        address = created(self.founder, nonce) if draft.creates else None
        return Step(purpose=draft.purpose, nonce=nonce, gas=draft.gas, address=address, recorded=held)


def plan(founding: Founding, founder: bytes, *, next_nonce: int, recorded: Mapping[str, Recorded]) -> list[Step]:
    """Every transaction in founding order. Raises `TermsOutOfOrder`."""
    line = _Line(founder, next_nonce, recorded)
    steps = [line.step(draft) for draft in _contracts(founding, founder)]
    if founding.tiers is not None:
        steps += [line.step(draft) for draft in _tiers(founding.tiers, founder)]
    if founding.handover is not None:
        steps += _handover(founding, founding.handover, founder, line)
    return steps


def _contracts(founding: Founding, founder: bytes) -> Iterator[_Draft]:
    """Asset, registry and who is in it, policy, fund, queue, hub; then the money."""
    if founding.asset is None:
        yield _creation("TestToken")
    yield _creation("MerchantRegistry", founder)
    for each in registrations(founding, founder):
        yield _Draft(each.purpose, each.gas)
    attesters = [tuple(attester) for attester in founding.attesters]
    yield _creation("AlliancePolicy", NOBODY, founder, tuple(founding.params), attesters, FOUNDING_CONFIG)
    yield _creation("GuaranteeFund", NOBODY)
    yield _creation("ForcedQueue", NOBODY)
    yield _creation("SettlementHub", NOBODY, NOBODY, NOBODY, NOBODY, founder, GENESIS)
    yield _Draft("bind-hub", CALL_GAS)
    if founding.asset is None:
        yield _Draft("mint:founding", CALL_GAS)
    yield _Draft("approve:founding", CALL_GAS)
    if founding.params.operator_bond_min:
        yield _Draft("bond:founding", MONEY_GAS)
    for merchant_id in sorted(founding.collateral):
        yield _Draft(f"deposit:{merchant_id}:founding", MONEY_GAS)
    for merchant_id, seat in sorted(founding.seats.items()):
        yield _Draft(seat.purpose(merchant_id), CALL_GAS)


def _creation(name: Name, *arguments: object, purpose: str | None = None) -> _Draft:
    return _Draft(purpose or f"deploy:{name}", creation_gas(deployment_data(name, *arguments)), creates=True)


def _tiers(tiers: TierFounding, founder: bytes) -> Iterator[_Draft]:
    key = tiers.circuit.vk_hash.hex()[:16]
    yield _creation("TierRegistry", founder, tiers.epoch_key, tiers.grace_s)
    yield _Draft(f"deploy:TierProofVerifier:{key}", creation_gas(tiers.circuit.verifier), creates=True)
    yield _Draft(f"registerCircuit:{key}", REGISTER_GAS)
    for partner_id, partner in sorted(tiers.partners.items()):
        yield _Draft(f"setPartner:{partner_id}:{partner.hex()}", CALL_GAS)


def _handover(founding: Founding, to: Handover, founder: bytes, line: _Line) -> Iterator[Step]:
    """The council and its timelocks, the merchants, then role after role."""
    council = to.existing
    if council is None:
        made = line.step(_creation("Council", *council_arguments(to)))
        council = made.address
        yield made
    locks: dict[str, bytes | None] = {}
    for name, delay in DELAYS_S.items():
        lock = line.step(_creation("Timelock", delay, [NOBODY], [ANYBODY], purpose=f"deploy:Timelock:{name}"))
        locks[name] = lock.address
        yield lock
    host = MerchantSeat(to.merchants_admin, to.merchants_admin)
    for merchant_id in founding.parties:
        if merchant_id not in founding.seats:
            yield line.step(_Draft(host.purpose(merchant_id), CALL_GAS))
    slow, fast = locks["slow"], locks["fast"]
    assert council is not None, "what is created has an address"
    assert slow is not None, "what is created has an address"
    assert fast is not None, "what is created has an address"
    filled = list(seats(to, council=council, slow=slow, fast=fast, tiers=founding.tiers is not None))
    for seat in filled:
        yield line.step(_Draft(role_purpose("grantRole", seat, seat.holder), CALL_GAS))
    for seat in given_up(filled):
        yield line.step(_Draft(role_purpose("renounceRole", seat, founder), CALL_GAS))


def gas_left(steps: Sequence[Step]) -> int:
    """The gas limits of everything that is in no block yet."""
    return sum(step.gas for step in steps if step.recorded is None or not step.recorded.mined)


def money_of(founding: Founding) -> int:
    """Base units of the asset that the founding account pays in."""
    return founding.params.operator_bond_min + sum(founding.collateral.values())


def step_lines(steps: Sequence[Step]) -> Iterator[str]:
    """A table: nonce, what for, gas, address, state."""
    yield f"{'nonce':>6}  {'transaction':<{PURPOSE_COLUMNS}}  {'gas at most':>11}  address"
    for step in steps:
        where = "" if step.address is None else f"0x{step.address.hex()}"
        state = "" if step.recorded is None else "  (in a block)" if step.recorded.mined else "  (has its nonce)"
        yield f"{step.nonce:>6}  {_short(step.purpose):<{PURPOSE_COLUMNS}}  {step.gas:>11,}  {where}{state}".rstrip()


def _short(purpose: str) -> str:
    """Accounts in purposes by their first digits, so that a line stays a line."""
    return purpose if len(purpose) <= PURPOSE_COLUMNS else f"{purpose[: PURPOSE_COLUMNS - 1]}…"


def cost_lines(gas: int, *, fees: Fees, base_fee_wei: int, balance_wei: int) -> Iterator[str]:
    """What the gas costs, and whether the account has it."""
    now = (base_fee_wei + fees.tip_wei) * gas
    yield f"gas at most {gas:,}: {ether(now)} at the price of now ({gwei(base_fee_wei + fees.tip_wei)} gwei), "
    yield f"  and never more than {ether(gas * fees.max_fee_wei)} ({gwei(fees.max_fee_wei)} gwei are offered)"
    yield f"the account has {ether(balance_wei)}" + ("" if balance_wei >= now else ": NOT ENOUGH")


def ether(wei: int) -> str:
    """Wei as a decimal fraction, without rounding."""
    whole, rest = divmod(wei, 10**ETHER_DIGITS)
    fraction = f"{rest:018d}".rstrip("0")
    return f"{whole}.{fraction or '0'} ETH"


def gwei(wei: int) -> str:
    """Wei in billions, without rounding."""
    whole, rest = divmod(wei, WEI_PER_GWEI)
    return f"{whole}" + (f".{rest:09d}".rstrip("0") if rest else "")
