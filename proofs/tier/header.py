"""An epoch's header: what the operator signs and the chain holds for a root, and its JSON.

    TierEpoch(uint32 allianceId,uint32 epoch,uint256 root,uint8 depth,bytes32 cohorts,bytes32 policyGrid,
              bytes32 circuitId,bytes32 vkHash,uint64 notBefore,uint64 notAfter,bytes32 previous)

Invariants: `previous` is the struct hash of the header before, zero for the first; a header read from JSON fits its
types and has a root that is in the field and not zero. Called by the sealing of epochs, the trust file and wallets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

from coincurve import PrivateKey

from proofs.json_form import hex_text
from proofs.poseidon import R
from proofs.signature import SignatureError
from proofs.tier import signing
from proofs.tier.decoding import DecodingError, Fields
from proofs.tier.statement import DEPTH, epoch_tag
from proofs.words import Typed

FIELDS: Final = (
    *("alliance_id", "epoch", "root", "depth", "cohorts", "policy_grid", "circuit_id", "vk_hash", "not_before"),
    *("not_after", "previous"),
)
GRACE_SECONDS: Final = 86_400
"""How long after its end an epoch still counts, here and on chain: requests that were under way."""


@dataclass(frozen=True, slots=True)
class EpochHeader(Typed):
    """`cohorts` and `policy_grid` are hashes of their canonical JSON; times are Unix seconds, both ends included."""

    TYPE: ClassVar[str] = (
        "TierEpoch(uint32 allianceId,uint32 epoch,uint256 root,uint8 depth,bytes32 cohorts,bytes32 policyGrid,"
        "bytes32 circuitId,bytes32 vkHash,uint64 notBefore,uint64 notAfter,bytes32 previous)"
    )

    alliance_id: int
    epoch: int
    root: int
    depth: int
    cohorts: bytes
    policy_grid: bytes
    circuit_id: bytes
    vk_hash: bytes
    not_before: int
    not_after: int
    previous: bytes

    @property
    def tag(self) -> int:
        """What the epoch's leaves carry."""
        return epoch_tag(self.alliance_id, self.epoch)

    def active(self, now: int, grace_seconds: int = GRACE_SECONDS) -> bool:
        """Whether proofs against this root count at that second."""
        return self.not_before <= now <= self.not_after + grace_seconds

    def struct_hash(self) -> bytes:
        """What the next header names as `previous`."""
        return self.hash_struct()

    def digest(self, chain_id: int, registry: bytes) -> bytes:
        """The 32 bytes that the operator signs."""
        return signing.digest_of(self.struct_hash(), chain_id, registry)

    def sign(self, key: PrivateKey, chain_id: int, registry: bytes) -> SignedHeader:
        """The header as it is published."""
        return SignedHeader(self, signing.signed(key, self.digest(chain_id, registry)))

    def to_json(self) -> dict[str, Any]:
        """The fields in order; 64 bits and more as decimal strings."""
        wide = {"root", "not_before", "not_after"}
        values = {name: getattr(self, name) for name in FIELDS}
        return {
            name: hex_text(value) if isinstance(value, bytes) else str(value) if name in wide else value
            for name, value in values.items()
        }

    @classmethod
    def from_json(cls, form: object, where: str = "header") -> Self:
        """The header whose form this is. Raises `DecodingError` naming the field."""
        fields = Fields.of(form, where, FIELDS)
        made = cls(
            alliance_id=fields.small("alliance_id"),
            epoch=fields.small("epoch"),
            root=fields.element("root"),
            depth=fields.small("depth", 8),
            cohorts=fields.raw("cohorts"),
            policy_grid=fields.raw("policy_grid"),
            circuit_id=fields.raw("circuit_id"),
            vk_hash=fields.raw("vk_hash"),
            not_before=fields.decimal("not_before", 64),
            not_after=fields.decimal("not_after", 64),
            previous=fields.raw("previous"),
        )
        if not 0 < made.root < R:
            raise DecodingError(fields.at("root"), "is zero: no tree has that root")
        if made.depth != DEPTH:
            raise DecodingError(fields.at("depth"), f"only trees of depth {DEPTH} are known")
        if made.not_after <= made.not_before:
            raise DecodingError(fields.at("not_after"), "is not after not_before")
        return made


@dataclass(frozen=True, slots=True)
class SignedHeader:
    """{"header": {..}, "signature": "0x.."}: a header and r ‖ s ‖ v over its digest."""

    header: EpochHeader
    signature: bytes

    def signer(self, chain_id: int, registry: bytes) -> bytes | None:
        """The address that signed, None when nobody did."""
        try:
            return signing.signer_of(self.header.digest(chain_id, registry), self.signature)
        except SignatureError:
            return None

    def to_json(self) -> dict[str, Any]:
        return {"header": self.header.to_json(), "signature": hex_text(self.signature)}

    @classmethod
    def from_json(cls, form: object, where: str = "epoch") -> Self:
        fields = Fields.of(form, where, ("header", "signature"))
        header = EpochHeader.from_json(fields.form["header"], fields.at("header"))
        return cls(header, fields.raw("signature", signing.SIGNATURE_BYTES))
