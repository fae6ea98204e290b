"""The file in which an alliance writes down what it is founded with: TOML or JSON, read strictly, errors by field.

    chain_id = 11155111
    asset = "0x…"                                    # an ERC-20 with 6 decimals; without it a test token is deployed
    [params]                                         # what is left out has the protocol's default
    slow_window_seconds = 604800
    [[attesters]]
    address = "0x…"
    role = "auditor"                                 # or "merchant-watcher"
    weight = 2
    [collateral]                                     # base units by merchant, paid by the founding account
    1 = 10000000000
    [handover]                                       # who rules; without it the founding account keeps every role
    signers = ["0x…", "0x…", "0x…"]
    threshold = 2
    guardians = ["0x…"]
    submitter = "0x…"
    operator = "0x…"
    merchants_admin = "0x…"
    [tiers]                                          # a registry of tiers
    epoch_key = "0x…"
    circuit = "ceremony/"
    verifier = "ceremony/TierProofVerifier.json"

Invariants: merchants and terms are not in it, for the ledger has them; production takes no test token, no address whose
key everybody has, no development keys of a circuit, and no alliance that is not handed over. Pure but for reading the
file. Called by `python -m settlement deploy`.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from ledger.commands import PublishTerms
from proofs.tier.circuit_folder import CircuitUnfit
from proofs.tier.trusted import Setup
from settlement.alliance import AUDITOR, MERCHANT_WATCHER, PARAMS, Attester, Params
from settlement.chain.senders import published_test_addresses
from settlement.founding import Founding
from settlement.handover import SIGNERS_MAX, Handover
from settlement.sealing.lanes import Roster
from settlement.tiers.founding import TierFounding, read_circuit

FILE_BYTES_MAX: Final = 256 * 1024
ADDRESS_BYTES: Final = 20
ATTESTERS_MAX: Final = 64
WEIGHT_MAX: Final = 2**16 - 1
ROLES: Final[Mapping[str, int]] = {"auditor": AUDITOR, "merchant-watcher": MERCHANT_WATCHER}


class AllianceFileRefused(ValueError):
    """The file does not say what an alliance can be founded with; the message names file and field."""


def _address(value: object) -> object:
    if not isinstance(value, str) or not value.startswith("0x"):
        raise ValueError("an address is 0x and 40 hex digits")
    try:
        raw = bytes.fromhex(value[2:])
    except ValueError as error:
        raise ValueError("an address is 0x and 40 hex digits") from error
    if len(raw) != ADDRESS_BYTES or not any(raw):
        raise ValueError("an address is 0x and 40 hex digits, not all zero")
    return raw


Address = Annotated[bytes, BeforeValidator(_address)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AttesterEntry(_Strict):
    address: Address
    role: Literal["auditor", "merchant-watcher"]
    weight: int = Field(ge=1, le=WEIGHT_MAX)


class ParamsEntry(_Strict):
    """The policy's bounds, so that a file that the contract would refuse costs nothing."""

    fast_window_seconds: int = Field(default=PARAMS.fast_window_seconds, ge=2 * 3_600, lt=2**32)
    slow_window_seconds: int = Field(default=PARAMS.slow_window_seconds, ge=3 * 86_400, le=30 * 86_400)
    seal_lag_seconds_max: int = Field(default=PARAMS.seal_lag_seconds_max, ge=1, le=86_400)
    withdraw_delay_seconds: int = Field(default=PARAMS.withdraw_delay_seconds, ge=1, le=30 * 86_400)
    honest_weight: int = Field(default=PARAMS.honest_weight, ge=1, lt=2**32)
    operator_bond_min: int = Field(default=PARAMS.operator_bond_min, ge=0, lt=2**96)
    gross_cap_slow: int = Field(default=PARAMS.gross_cap_slow, ge=0, lt=2**128)
    gross_cap_fast: int = Field(default=PARAMS.gross_cap_fast, ge=0, lt=2**128)

    @model_validator(mode="after")
    def ordered(self) -> ParamsEntry:
        for low, high in (
            ("fast_window_seconds", "slow_window_seconds"),
            ("slow_window_seconds", "withdraw_delay_seconds"),
            ("gross_cap_slow", "gross_cap_fast"),
        ):
            if getattr(self, high) < getattr(self, low):
                raise ValueError(f"{high}: at least {low}, which is {getattr(self, low)}")
        return self


class HandoverEntry(_Strict):
    signers: tuple[Address, ...] = Field(default=(), max_length=SIGNERS_MAX)
    threshold: int = 0
    existing: Address | None = None
    guardians: tuple[Address, ...] = Field(min_length=1, max_length=SIGNERS_MAX)
    submitter: Address
    operator: Address
    merchants_admin: Address


class TiersEntry(_Strict):
    epoch_key: Address
    circuit: Path
    verifier: Path
    partners: dict[int, Address] = Field(default_factory=dict)


class AllianceFile(_Strict):
    """What the file says. Amounts are base units of the asset."""

    chain_id: int = Field(ge=1)
    asset: Address | None = None
    params: ParamsEntry = ParamsEntry()
    attesters: tuple[AttesterEntry, ...] = Field(default=(), max_length=ATTESTERS_MAX)
    collateral: dict[int, Annotated[int, Field(ge=1, lt=2**128)]] = Field(default_factory=dict)
    handover: HandoverEntry | None = None
    tiers: TiersEntry | None = None

    @property
    def addresses(self) -> Iterator[tuple[str, bytes]]:
        """Everybody who is to have a say, by field."""
        for at, attester in enumerate(self.attesters):
            yield f"attesters[{at}].address", attester.address
        if self.tiers is not None:
            yield "tiers.epoch_key", self.tiers.epoch_key
        if (to := self.handover) is None:
            return
        for name, several in (("signers", to.signers), ("guardians", to.guardians)):
            yield from ((f"handover.{name}[{at}]", each) for at, each in enumerate(several))
        for name in ("submitter", "operator", "merchants_admin"):
            yield f"handover.{name}", getattr(to, name)


def read_alliance_file(path: Path) -> AllianceFile:
    """The file, checked. Raises `AllianceFileRefused`, OSError."""
    if path.stat().st_size > FILE_BYTES_MAX:
        raise AllianceFileRefused(f"{path}: larger than {FILE_BYTES_MAX} bytes")
    try:
        told = json.loads(path.read_bytes()) if path.suffix == ".json" else tomllib.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise AllianceFileRefused(f"{path}: {error}") from error
    try:
        return AllianceFile.model_validate(told)
    except ValidationError as error:
        raise AllianceFileRefused("; ".join(f"{path}: {each}" for each in _sentences(error))) from error


def _sentences(error: ValidationError) -> Iterator[str]:
    for each in error.errors(include_url=False):
        words = each["msg"].removeprefix("Value error, ")
        place = _place(each["loc"])
        yield f"{place}: {words}" if place else words


def _place(location: Sequence[int | str]) -> str:
    """`attesters[2].address`."""
    words = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return words.removeprefix(".")


def require_production(told: AllianceFile, path: Path) -> None:
    """What is good enough for development only. Raises `AllianceFileRefused`."""
    if told.asset is None:
        raise AllianceFileRefused(f"{path}: asset: production settles in an asset of its own, not in a test token")
    if told.handover is None:
        raise AllianceFileRefused(f"{path}: handover: in production the founding account does not stay in power")
    everybodys = published_test_addresses()
    for field, address in told.addresses:
        if address in everybodys:
            raise AllianceFileRefused(f"{path}: {field}: everybody has the key of 0x{address.hex()}")
    tiers = _tiers(told, path)
    if tiers is not None and tiers.circuit.setup is Setup.DEV:
        raise AllianceFileRefused(f"{path}: tiers.circuit: development keys, with which everybody can forge")


def founding_of(
    told: AllianceFile, path: Path, *, merchants: Sequence[int], roster: Roster, terms: Sequence[PublishTerms]
) -> Founding:
    """What the file and the ledger say together. Raises `AllianceFileRefused`."""
    for merchant in told.collateral:
        if merchant not in merchants:
            raise AllianceFileRefused(f"{path}: collateral.{merchant}: the ledger has no such merchant")
    to = told.handover
    return Founding(
        merchants=merchants,
        roster=roster,
        terms=terms,
        attesters=[Attester(each.address, ROLES[each.role], each.weight) for each in told.attesters],
        collateral=told.collateral,
        asset=told.asset,
        params=Params(**told.params.model_dump()),
        tiers=_tiers(told, path),
        handover=None if to is None else Handover(**to.model_dump()),
    )


def _tiers(told: AllianceFile, path: Path) -> TierFounding | None:
    if (tiers := told.tiers) is None:
        return None
    try:
        circuit = read_circuit(path.parent / tiers.circuit, path.parent / tiers.verifier)
    except CircuitUnfit as error:
        raise AllianceFileRefused(f"{path}: tiers: {error}") from error
    return TierFounding(epoch_key=tiers.epoch_key, circuit=circuit, partners=tiers.partners)
