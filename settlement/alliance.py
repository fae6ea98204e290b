"""One alliance on one chain: its contracts, its parameters, and the proof that they are still the ones we settled on.

Invariants: `attach` compares genesis block and runtime code with the anchor row before anything is read or sent; a
wiped chain, another chain or replaced code is an error that says what to do, never a fresh start. Called by every entry
point that talks to the chain.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from proofs.headers import config_hash
from proofs.keccak import keccak256
from settlement import tables
from settlement.carrying import under_way
from settlement.chain.client import Chain
from settlement.chain.contracts import Contract
from settlement.tables import Anchor, Conn
from settlement.tiers.place import registry_place

AUDITOR, MERCHANT_WATCHER = 1, 2
UNIT = 10**6
"""Base units of one unit of the settlement asset."""


class AllianceError(RuntimeError):
    """Root: `NotFounded`, `OtherChain`, `OtherCode`, `BetweenHubs`."""


class NotFounded(AllianceError):
    """This database has no contracts yet: deployment was not run, or not to its end."""


class OtherChain(AllianceError):
    """The node serves another chain than the one this database settled on: wiped, or a wrong address."""


class OtherCode(AllianceError):
    """The address of the hub, or of the registry of tiers, holds other code than was deployed."""


class BetweenHubs(AllianceError):
    """The next hub is being founded, or was founded since; nobody works on the one before any more."""


class Params(NamedTuple):
    """The hub's parameters in the policy's order; bounds are in the contract. Seconds, weights, base units."""

    fast_window_seconds: int
    slow_window_seconds: int
    seal_lag_seconds_max: int
    withdraw_delay_seconds: int
    honest_weight: int
    operator_bond_min: int
    gross_cap_slow: int
    gross_cap_fast: int


PARAMS = Params(6 * 3_600, 7 * 86_400, 6 * 3_600, 7 * 86_400, 3, 50_000 * UNIT, 100_000 * UNIT, 2_000_000 * UNIT)
"""Protocol §4.1's defaults."""

FOUNDING_CONFIG = config_hash(rules_version=1, attester_set_version=1, params_version=1)
"""The configuration a fresh policy starts with."""


class Attester(NamedTuple):
    """Someone whose signature over a header counts, and in whose interest they verify."""

    address: bytes
    role: int
    weight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Alliance:
    """The contracts in force."""

    anchor: Anchor
    chain: Chain
    tiers_at: bytes | None = None
    """Address of the registry of tiers, if the alliance has one."""
    second: Chain | None = None
    """Another node of the same chain, asked about what is final (`second_node`)."""

    def by_second(self) -> Alliance:
        """The same contracts as the second node shows them."""
        assert self.second is not None, "there is one"
        return replace(self, chain=self.second, second=None)

    def require_in_force(self, conn: Conn) -> None:
        """Make sure that the ledger did not go on to another hub since it was attached to this one. Raises
        `BetweenHubs`.
        """
        now = in_force(conn)
        if now != self.anchor:
            raise BetweenHubs(f"the ledger went on to hub 0x{now.hub.hex()}: attach again")

    def require_same_chain(self) -> None:
        """Make sure the node still serves the chain that was attached: addresses move between networks. Raises
        `OtherChain`.
        """
        serves = self.chain.chain_id()
        if serves != self.anchor.chain_id:
            raise OtherChain(f"{self.chain.place} now serves chain {serves}, no longer {self.anchor.chain_id}")

    @property
    def hub(self) -> Contract:
        return Contract(self.chain, "SettlementHub", self.anchor.hub)

    @property
    def registry(self) -> Contract:
        return Contract(self.chain, "MerchantRegistry", self.anchor.registry)

    @property
    def policy(self) -> Contract:
        return Contract(self.chain, "AlliancePolicy", self.anchor.policy)

    @property
    def fund(self) -> Contract:
        """The hub's guarantee fund, fixed in the hub for ever."""
        return Contract(self.chain, "GuaranteeFund", bytes.fromhex(self.hub.read("guaranteeFund")[2:]))

    @property
    def queue(self) -> Contract:
        """The hub's forced queue, fixed in the hub for ever."""
        return Contract(self.chain, "ForcedQueue", bytes.fromhex(self.hub.read("forcedQueue")[2:]))

    @property
    def contracts(self) -> list[Contract]:
        """Those whose events tell the history of its money."""
        return [self.hub, self.registry, self.policy, self.fund, self.queue]

    @property
    def tiers(self) -> Contract | None:
        """The registry of tiers, which knows nothing of the hub, nor the hub of it."""
        return None if self.tiers_at is None else Contract(self.chain, "TierRegistry", self.tiers_at)

    @property
    def token(self) -> Contract:
        return Contract(self.chain, "TestToken", self.anchor.token)


def in_force(conn: Conn) -> Anchor:
    """Where the ledger settles now. Raises `NotFounded`, `BetweenHubs`."""
    anchor = tables.anchor(conn)
    if anchor is None:
        raise NotFounded("no contracts are recorded in this database; run the deployment")
    if (opening := under_way(conn)) is not None and opening > anchor.first_batch:
        raise BetweenHubs(f"batch {opening} opens another hub that is being founded: run carry-over to its end")
    return anchor


def attach(conn: Conn, chain: Chain, *, second: Chain | None = None) -> Alliance:
    """The alliance of this database on this chain. Raises `NotFounded`, `OtherChain`, `OtherCode`, `BetweenHubs`.

    The `second` node is asked nothing here: where it serves another chain its blocks are not those of the first.
    """
    anchor = in_force(conn)
    chain_id, genesis_hash = chain.chain_id(), chain.genesis_hash()
    if (chain_id, genesis_hash) != (anchor.chain_id, anchor.genesis_hash):
        raise OtherChain(
            f"{chain.place} serves chain {chain_id} with genesis {genesis_hash.hex()}, but this database settled on "
            f"{anchor.chain_id} with {anchor.genesis_hash.hex()}: the chain was wiped or the address is wrong. "
            "Restore the chain, or start both anew (make reset)."
        )
    if keccak256(chain.code(anchor.hub)) != anchor.code_hash:
        raise OtherCode(f"0x{anchor.hub.hex()} does not hold the hub that was deployed there")
    place = registry_place(conn)
    if place is not None and keccak256(chain.code(place.address)) != place.code_hash:
        raise OtherCode(f"0x{place.address.hex()} does not hold the registry of tiers that was deployed there")
    return Alliance(anchor=anchor, chain=chain, tiers_at=None if place is None else place.address, second=second)
