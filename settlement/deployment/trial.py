"""Whether a network can hold the alliance at all, tried by calls that cost nothing.

Invariants: nothing is signed here; what the contracts would refuse is found before the first transaction, for a
founding that stops in the middle has cost money and holds nothing. Reading only. Called by `python -m settlement
deploy`.
"""

from __future__ import annotations

from typing import Final

from settlement.alliance import FOUNDING_CONFIG
from settlement.chain.client import Chain, NodeRefused
from settlement.chain.contracts import Contract, Refused, deployment_data
from settlement.deployment.plan import money_of
from settlement.founding import Founding

CANCUN_PROBE: Final = bytes.fromhex("5f5f5d5f5c505f5f5f5e60015f5360015ff3")
"""Creates one byte of code, 0x01, by way of PUSH0, TSTORE, TLOAD and MCOPY, which the contracts are compiled with."""
PROBED: Final = b"\x01"
ASSET_DECIMALS: Final = 6


class Unfit(RuntimeError):
    """The network, the account or the asset does not do; the message says which and what was expected."""


def require_fit_network(chain: Chain, founding: Founding, founder: bytes) -> None:
    """Raises `Unfit`, `ChainUnclear`."""
    _require_evm(chain, founder)
    _require_policy(chain, founding, founder)
    if founding.asset is not None:
        _require_asset(Contract(chain, "TestToken", founding.asset), founding, founder)


def _require_evm(chain: Chain, founder: bytes) -> None:
    try:
        made = chain.call(None, CANCUN_PROBE, sender=founder)
    except NodeRefused as error:
        raise Unfit(
            f"{chain.place}: its EVM is older than Cancun, for which the contracts are compiled: {error}"
        ) from error
    if made != PROBED:
        raise Unfit(f"{chain.place}: a trial of the EVM left 0x{made.hex()} and not 0x{PROBED.hex()}")


def _require_policy(chain: Chain, founding: Founding, founder: bytes) -> None:
    """Parameters and attesters within the bounds of the policy's own code."""
    attesters = [tuple(attester) for attester in founding.attesters]
    arguments = founder, founder, tuple(founding.params), attesters, FOUNDING_CONFIG
    data = deployment_data("AlliancePolicy", *arguments)
    try:
        Contract(chain, "AlliancePolicy", b"").try_creation(data, sender=founder)
    except Refused as refused:
        raise Unfit(f"the policy refuses: {refused}") from refused


def _require_asset(asset: Contract, founding: Founding, founder: bytes) -> None:
    place = f"0x{asset.address.hex()}"
    if not asset.chain.code(asset.address):
        raise Unfit(f"asset: there is no contract at {place}")
    try:
        decimals, held = asset.read("decimals"), asset.read("balanceOf", founder)
    except Refused as refused:
        raise Unfit(f"asset: {place} does not answer like an ERC-20: {refused}") from refused
    if decimals != ASSET_DECIMALS:
        raise Unfit(f"asset: {place} has {decimals} decimals, not {ASSET_DECIMALS}")
    if held < (needed := money_of(founding)):
        raise Unfit(
            f"asset: the founding account has {held} base units of {place}, but bond and collateral are {needed}"
        )
