"""What a partner trusts: trusted.json, with the circuits' keys by their hashes and the epochs' signed headers.

    {"chain_id": 31337, "registry": "0x..", "alliance_id": 7,
     "circuits": [{"circuit_id": "0x..", "setup": "dev|ceremony", "verification_key": {..}, "vk_hash": "0x.."}],
     "epochs": [{"header": {..}, "signature": "0x.."}],
     "epoch_keys": ["0x.."], "revoked_epochs": [3]}                                   # these two may be left out

Invariants: a key is the one its hash says and well formed; a development key is refused unless it was asked for, and
the one of this repository is one whatever the file calls it; every header is of this alliance and of a pinned key,
signed (by one of `epoch_keys` where they are named: the operator changes its key now and then), and names the header
before it where that is there too. Called by the verifier's command line and by the doors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Self

from proofs.groth16 import VerificationKey
from proofs.json_form import hex_text
from proofs.tier.decoding import DecodingError, Fields, decode, raw, shown, small
from proofs.tier.header import EpochHeader, SignedHeader
from proofs.tier.request import chain_number
from proofs.tier.statement import alliance_id

TRUSTED_BYTES_MAX: Final = 1_048_576
CIRCUITS_MAX: Final = 16
EPOCHS_MAX: Final = 1_000
EPOCH_KEYS_MAX: Final = 16

DEVELOPMENT_KEY: Final = bytes.fromhex("a5b26c78495d68c94ee96cd42bc8710cc75082ad386c2a582729acc6768d3b8a")
"""The hash of the verification key in proofs/circuits/dev: everybody knows what it was made from, and can forge."""

_FIELDS: Final = ("chain_id", "registry", "alliance_id", "circuits", "epochs")
_OPTIONAL: Final = ("epoch_keys", "revoked_epochs")


class Setup(StrEnum):
    """Where a circuit's keys come from."""

    DEV = "dev"
    """Made by one machine: whoever ran it could forge proofs. For trying out."""
    CEREMONY = "ceremony"
    """Made by many, of whom one honest one suffices."""


class TrustError(ValueError):
    """The trust file reads well and is not to be trusted as it stands."""


def setup_of(told: str, vk_hash: bytes) -> Setup:
    """Where a key comes from, by what is told of it; of the key that everybody can make nothing is believed.

    Raises ValueError for another word.
    """
    setup = Setup(told)
    return Setup.DEV if vk_hash == DEVELOPMENT_KEY else setup


@dataclass(frozen=True, slots=True)
class Circuit:
    """A circuit with its key; `vk_hash` is the key's hash, as headers name it."""

    circuit_id: bytes
    setup: Setup
    key: VerificationKey
    vk_hash: bytes

    @classmethod
    def from_json(cls, form: object, where: str) -> Self:
        """Raises `DecodingError` for another form, `TrustError` for a key that is bad or not the one of its hash."""
        fields = Fields.of(form, where, ("circuit_id", "setup", "verification_key", "vk_hash"))
        setup, pinned = fields.form["setup"], fields.raw("vk_hash")
        if setup not in [each.value for each in Setup]:
            raise DecodingError(fields.at("setup"), f"dev or ceremony is wanted, not {shown(setup)}")
        if not isinstance(fields.form["verification_key"], Mapping):
            raise DecodingError(fields.at("verification_key"), "an object is wanted")
        try:
            key = VerificationKey.from_json(fields.form["verification_key"])
        except ValueError as error:
            raise TrustError(f"{fields.at('verification_key')}: {shown(str(error), 200)}") from error
        if key.hash() != pinned:
            raise TrustError(f"{fields.at('verification_key')}: its hash is {hex_text(key.hash())}, not vk_hash")
        return cls(fields.raw("circuit_id"), setup_of(setup, pinned), key, pinned)


@dataclass(frozen=True, slots=True)
class Trusted:
    """Checked when it was read; `epochs` by number."""

    chain_id: int
    registry: bytes
    alliance: int
    circuits: Mapping[bytes, Circuit]
    epochs: Mapping[int, EpochHeader]
    revoked: frozenset[int] = field(default=frozenset())

    @classmethod
    def from_json(cls, form: object, *, allow_dev: bool = False, where: str = "trusted.json") -> Self:
        """What the form says, checked. Raises `DecodingError` or `TrustError`."""
        fields = Fields.of(form, where, _FIELDS, _OPTIONAL)
        chain_id, registry = chain_number(fields), fields.raw("registry", 20)
        alliance = fields.small("alliance_id")
        if alliance != alliance_id(chain_id, registry):
            raise TrustError(
                f"{fields.at('alliance_id')}: this registry's alliance is {alliance_id(chain_id, registry)}"
            )
        circuits = _circuits(fields, allow_dev=allow_dev)
        signed = [
            SignedHeader.from_json(item, f"{fields.at('epochs')}[{at}]")
            for at, item in enumerate(fields.items("epochs", EPOCHS_MAX))
        ]
        revoked = fields.items("revoked_epochs", EPOCHS_MAX) if "revoked_epochs" in fields.form else []
        made = cls(
            chain_id=chain_id,
            registry=registry,
            alliance=alliance,
            circuits=circuits,
            epochs={each.header.epoch: each.header for each in signed},
            revoked=frozenset(small(number, fields.at("revoked_epochs")) for number in revoked),
        )
        _check_signers(fields, signed, chain_id, registry)
        if len(made.epochs) != len(signed):
            raise TrustError(f"{fields.at('epochs')}: an epoch stands twice")
        for each in made.epochs.values():
            made.check(each)
        return made

    @classmethod
    def decode(cls, data: bytes, *, allow_dev: bool = False, where: str = "trusted.json") -> Self:
        """What the bytes of a trust file say. Raises `DecodingError` or `TrustError`."""
        form = decode(data, where, bytes_max=TRUSTED_BYTES_MAX)
        return cls.from_json(form, allow_dev=allow_dev, where=where)

    def check(self, header: EpochHeader) -> None:
        """See that a header belongs here. Raises `TrustError` saying why it does not."""
        circuit, before = self.circuits.get(header.circuit_id), self.epochs.get(header.epoch - 1)
        checks = (
            (header.alliance_id == self.alliance, "is of another alliance"),
            (circuit is not None, "is of a circuit that is not pinned"),
            (circuit is not None and header.vk_hash == circuit.vk_hash, "is of another verification key"),
            (before is None or header.previous == before.struct_hash(), "does not follow the epoch before it"),
        )
        for fine, finding in checks:
            if not fine:
                raise TrustError(f"epoch {header.epoch} {finding}")


def _circuits(fields: Fields, *, allow_dev: bool) -> dict[bytes, Circuit]:
    read = [
        Circuit.from_json(item, f"{fields.at('circuits')}[{at}]")
        for at, item in enumerate(fields.items("circuits", CIRCUITS_MAX))
    ]
    if len({each.circuit_id for each in read}) != len(read):
        raise TrustError(f"{fields.at('circuits')}: a circuit stands twice")
    if not allow_dev and any(each.setup is Setup.DEV for each in read):
        raise TrustError(f"{fields.at('circuits')}: a development key, whose maker can forge proofs, was not asked for")
    return {each.circuit_id: each for each in read}


def _check_signers(fields: Fields, signed: list[SignedHeader], chain_id: int, registry: bytes) -> None:
    """Each header is signed, and by a key that is named if any is."""
    named = fields.items("epoch_keys", EPOCH_KEYS_MAX) if "epoch_keys" in fields.form else None
    keys = None if named is None else {raw(key, fields.at("epoch_keys"), 20) for key in named}
    for each in signed:
        signer = each.signer(chain_id, registry)
        if signer is None or (keys is not None and signer not in keys):
            raise TrustError(f"epoch {each.header.epoch} is not signed by any of epoch_keys")
