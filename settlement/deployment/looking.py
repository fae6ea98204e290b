"""What a chain says of an alliance that a file of addresses names: one question after the other, nothing judged.

Invariants: everything is asked of the node alone; where one contract has other code than was compiled, nothing further
is asked, for its answers would say nothing. Called by the check of a deployment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from proofs.headers import Predecessor
from proofs.json_form import JsonFormError, from_json, hex_bytes
from proofs.messages import BatchHeader
from settlement.chain.client import Chain
from settlement.chain.contracts import Contract, Name, Refused
from settlement.deployment.code import differences
from settlement.deployment.roles import ROLES, Governance, Holding, governance_of, holders
from settlement.networks import PARTNERS, RECORD, NotAddresses, read_told

COUNCIL_SIGNERS_MAX: Final = 64
BINDINGS: Final[Sequence[tuple[Name, str, str]]] = (
    ("SettlementHub", "asset", "asset"),
    ("SettlementHub", "policy", "AlliancePolicy"),
    ("SettlementHub", "registry", "MerchantRegistry"),
    ("SettlementHub", "guaranteeFund", "GuaranteeFund"),
    ("SettlementHub", "forcedQueue", "ForcedQueue"),
    ("AlliancePolicy", "registry", "MerchantRegistry"),
    ("GuaranteeFund", "registry", "MerchantRegistry"),
    ("GuaranteeFund", "hub", "SettlementHub"),
    ("ForcedQueue", "hub", "SettlementHub"),
    ("MerchantRegistry", "hub", "SettlementHub"),
)
"""Contract, the view that names a partner, and who that has to be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A file of addresses, taken apart. `places` are our contracts by name, and the asset under "asset"."""

    path: Path
    chain_id: int
    genesis_hash: str
    deploy_block: int
    places: Mapping[str, bytes]
    code_hashes: Mapping[str, str]
    header: BatchHeader
    header_hash: str
    verifiers: Mapping[str, tuple[bytes, str]]
    record: Mapping[str, Any]
    carried: Predecessor | None = None

    @property
    def ours(self) -> dict[Name, bytes]:
        """Contracts with an artefact and one instance."""
        names: tuple[Name, ...] = ("SettlementHub", *PARTNERS.values(), "TierRegistry")
        return {name: self.places[name] for name in names if name in self.places}

    @property
    def founder(self) -> bytes | None:
        text = self.record.get("deployer")
        return None if text is None else hex_bytes(text)


@dataclass(slots=True, kw_only=True)
class Seen:
    """What the chain says, by contract and view."""

    chain_id: int
    genesis_hash: bytes
    now: int
    """The chain's time, Unix seconds."""
    codes: dict[str, bytes] = field(default_factory=dict)
    answers: dict[tuple[str, str], Any] = field(default_factory=dict)
    roles: list[Holding] = field(default_factory=list)
    governance: Governance | None = None
    lock_roles: dict[str, list[Holding]] = field(default_factory=dict)
    lock_delays_s: dict[str, int] = field(default_factory=dict)
    council_code: bytes = b""
    signers: list[bytes] = field(default_factory=list)
    threshold: int = 0


def read_addresses(path: Path) -> Told:
    """The file. Raises `NotAddresses` naming what is missing, OSError."""
    told = read_told(path)
    try:
        places = {PARTNERS.get(name, name): hex_bytes(each["address"]) for name, each in told["contracts"].items()}
        hashes = {PARTNERS.get(name, name): str(each["codeHash"]) for name, each in told["contracts"].items()}
        tiers = told.get("tiers") or {}
        if tiers:
            places["TierRegistry"], hashes["TierRegistry"] = (
                hex_bytes(tiers["registry"]["address"]),
                tiers["registry"]["codeHash"],
            )
        return Told(
            path=path,
            chain_id=int(told["chainId"]),
            genesis_hash=told["genesisBlockHash"],
            deploy_block=int(told["deployBlock"]),
            places=places | {"SettlementHub": hex_bytes(told["hub"])},
            code_hashes=hashes | {"SettlementHub": told["codeHash"]},
            header=from_json(BatchHeader, told["genesisHeader"]),
            header_hash=told["genesisHeaderHash"],
            verifiers={
                key: (hex_bytes(each["address"]), each["codeHash"]) for key, each in tiers.get("verifiers", {}).items()
            },
            record=told.get(RECORD) or {},
            carried=_carried(told.get("carried")),
        )
    except (KeyError, TypeError, AttributeError, ValueError, JsonFormError) as error:
        raise NotAddresses(f"{path}: not a file of addresses: {error!r}") from error


def _carried(told: Mapping[str, Any] | None) -> Predecessor | None:
    """The header that the hub's first one follows."""
    return (
        None
        if told is None
        else Predecessor(int(told["chainId"]), hex_bytes(told["hub"]), hex_bytes(told["headerHash"]))
    )


def look(chain: Chain, told: Told) -> Seen:
    """Everything that is judged. Raises `ChainError`."""
    seen = Seen(chain_id=chain.chain_id(), genesis_hash=chain.genesis_hash(), now=chain.now())
    seen.codes = {name: chain.code(address) for name, address in told.places.items()}
    seen.codes |= {key: chain.code(address) for key, (address, _) in told.verifiers.items()}
    if seen.chain_id != told.chain_id or any(differences(name, seen.codes[name]) for name in told.ours):
        return seen
    contracts = {name: Contract(chain, name, address) for name, address in told.ours.items()}
    for name, view, *arguments in _questions(told):
        seen.answers[name, view] = _answer(contracts[name], view, *arguments)
    asset = Contract(chain, "TestToken", told.places["asset"])  # of whose functions only ERC-20's are called
    seen.answers["asset", "decimals"] = _answer(asset, "decimals") if seen.codes["asset"] else "no contract"
    for name, contract in contracts.items():
        if name in ROLES:
            seen.roles += holders(contract, first=told.deploy_block)
    seen.governance = governance_of(chain, seen.roles, first=told.deploy_block)
    if seen.governance is not None:
        _look_at_rulers(chain, told, seen, seen.governance)
    return seen


def _questions(told: Told) -> list[tuple[Any, ...]]:
    asked: list[tuple[Any, ...]] = [(name, view) for name, view, _ in BINDINGS]
    asked += [("SettlementHub", view) for view in ("domainSeparator", "operatorBond", "nextBatchNo", "windDownAt")]
    asked += [("SettlementHub", "headerHash", told.header.batch_no)]
    asked += [("AlliancePolicy", view) for view in ("params", "quorum", "versions", "pausedUntil")]
    if "TierRegistry" in told.places:
        asked += [("TierRegistry", view) for view in ("graceSeconds", "epochKey")]
    return asked


def _answer(contract: Contract, view: str, *arguments: Any) -> Any:
    """What a view says; the refusal's words where it reverts, which no wanted answer is."""
    try:
        return contract.read(view, *arguments)
    except Refused as refused:
        return str(refused)


def _look_at_rulers(chain: Chain, told: Told, seen: Seen, governance: Governance) -> None:
    for name, address in (("slow", governance.slow), ("fast", governance.fast)):
        lock = Contract(chain, "Timelock", address)
        seen.codes[name] = chain.code(address)
        seen.lock_roles[name] = holders(lock, first=told.deploy_block)
        seen.lock_delays_s[name] = lock.read("getMinDelay")
    seen.council_code = chain.code(governance.council)
    if differences("Council", seen.council_code):  # a multisig of another make
        return
    council = Contract(chain, "Council", governance.council)
    seen.threshold = council.read("threshold")
    seen.signers = [bytes(each) for each in council.read("getSigners", 0, COUNCIL_SIGNERS_MAX)]
