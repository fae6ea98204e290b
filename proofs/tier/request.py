"""A partner's request for a proof: the EIP-712 struct it signs, its digest, the challenge in it, and its JSON.

    ProofRequest(uint32 partnerId,string audience,string purpose,uint32 windowId,uint256 scope,uint256 policy,
                 uint32 epoch,bytes32 circuitId,bytes32 nonce,uint64 expiresAt,uint8 maxUses,address recipient)

    request.json: {"request": {.. the fields in snake_case ..}, "chain_id": 31337, "registry": "0x..",
                   "signature": "0x.."}

Invariants: a request that was read from JSON fits its types; whether it makes sense (scope of the asking partner, not
expired, uses that agree) is `flaw`. `recipient` is zero unless the proof is to be taken on chain. Called by partners,
doors, wallets and the verifier.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self

from coincurve import PrivateKey

from proofs.json_form import hex_text
from proofs.keccak import keccak256
from proofs.poseidon import R
from proofs.signature import SignatureError
from proofs.tier import signing, statement
from proofs.tier.decoding import DecodingError, Fields, decode
from proofs.tier.packing import PackingError
from proofs.tier.policy import Policy
from proofs.words import WordError, uint_word

REQUEST_BYTES_MAX: Final = 8_192
JSON_INTEGER_BITS_MAX: Final = 32
CHAIN_BITS: Final = 53
NOBODY: Final = bytes(20)

TYPE: Final = (
    "ProofRequest(uint32 partnerId,string audience,string purpose,uint32 windowId,uint256 scope,uint256 policy,"
    "uint32 epoch,bytes32 circuitId,bytes32 nonce,uint64 expiresAt,uint8 maxUses,address recipient)"
)
TYPEHASH: Final = keccak256(TYPE.encode())

FIELDS: Final = (
    *("partner_id", "audience", "purpose", "window_id", "scope", "policy", "epoch", "circuit_id", "nonce"),
    *("expires_at", "max_uses", "recipient"),
)
_BITS: Final = {
    **dict.fromkeys(("partner_id", "window_id", "epoch"), 32),
    **dict.fromkeys(("scope", "policy"), 256),
    "expires_at": 64,
    "max_uses": 8,
}
_SIZES: Final = {"circuit_id": 32, "nonce": 32, "recipient": 20}


class Flaw(StrEnum):
    """Why a request is not to be answered, whoever reads it."""

    POLICY = "the policy is not one of 249 bits that can be met"
    USES = "the request and its policy name different numbers of uses"
    SCOPE = "the scope is not bound to this partner, purpose, window and registry"
    EXPIRED = "the request has expired"
    UNSIGNED = "nobody signed the request"
    STRANGER = "the request is not signed with the partner's key"


@dataclass(frozen=True, slots=True)
class ProofRequest:
    """`policy` is packed; `scope` is as `statement.scope` makes it."""

    partner_id: int
    audience: str
    purpose: str
    window_id: int
    scope: int
    policy: int
    epoch: int
    circuit_id: bytes
    nonce: bytes
    expires_at: int
    max_uses: int
    recipient: bytes = NOBODY

    def __post_init__(self) -> None:
        for name, bits in _BITS.items():
            if not 0 <= getattr(self, name) < 1 << bits:
                raise WordError(f"{name} does not fit {bits} bits")
        for name, size in _SIZES.items():
            if len(getattr(self, name)) != size:
                raise WordError(f"{name} has {size} bytes")

    @property
    def predicate(self) -> Policy:
        """The policy unpacked. Raises `PackingError` when it has more bits than a policy."""
        return Policy.unpacked(self.policy)

    def struct_hash(self) -> bytes:
        """keccak256(TYPEHASH ‖ one word for each field); texts go in as the hash of their bytes."""
        words = (
            uint_word(self.partner_id),
            keccak256(self.audience.encode()),
            keccak256(self.purpose.encode()),
            *(uint_word(value) for value in (self.window_id, self.scope, self.policy, self.epoch)),
            self.circuit_id,
            self.nonce,
            uint_word(self.expires_at),
            uint_word(self.max_uses),
            bytes(12) + self.recipient,
        )
        return keccak256(TYPEHASH + b"".join(words))

    def digest(self, chain_id: int, registry: bytes) -> bytes:
        """The 32 bytes that the partner signs."""
        return signing.digest_of(self.struct_hash(), chain_id, registry)

    def challenge(self, chain_id: int, registry: bytes) -> int:
        """The public signal that binds a proof to this request and no other."""
        return statement.truncated(keccak256(self.digest(chain_id, registry)))

    def sign(self, key: PrivateKey, chain_id: int, registry: bytes) -> SignedRequest:
        """The request as it is sent."""
        return SignedRequest(self, chain_id, registry, signing.signed(key, self.digest(chain_id, registry)))

    def to_json(self) -> dict[str, Any]:
        """The fields in order; 64 bits and more as decimal strings."""
        return {name: _written(name, getattr(self, name)) for name in FIELDS}

    @classmethod
    def from_json(cls, form: object, where: str = "request") -> Self:
        """The request whose form this is. Raises `DecodingError` naming the field."""
        fields = Fields.of(form, where, FIELDS)
        return cls(
            partner_id=fields.small("partner_id"),
            audience=fields.text("audience"),
            purpose=fields.text("purpose"),
            window_id=fields.small("window_id"),
            scope=fields.element("scope"),
            policy=fields.decimal("policy", Policy.BITS),
            epoch=fields.small("epoch"),
            circuit_id=fields.raw("circuit_id"),
            nonce=fields.raw("nonce"),
            expires_at=fields.decimal("expires_at", 64),
            max_uses=fields.small("max_uses", 8),
            recipient=fields.raw("recipient", 20),
        )


def _written(name: str, value: int | str | bytes) -> int | str:
    if isinstance(value, bytes):
        return hex_text(value)
    return str(value) if _BITS.get(name, 0) > JSON_INTEGER_BITS_MAX else value


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request with the chain and registry it is for, and the partner's signature (empty when there is none)."""

    request: ProofRequest
    chain_id: int
    registry: bytes
    signature: bytes = b""

    @property
    def digest(self) -> bytes:
        return self.request.digest(self.chain_id, self.registry)

    @property
    def challenge(self) -> int:
        return self.request.challenge(self.chain_id, self.registry)

    def signer(self) -> bytes | None:
        """The address that signed, None when nobody did."""
        try:
            return signing.signer_of(self.digest, self.signature)
        except SignatureError:
            return None

    def flaw(self, *, now: int, partner_key: bytes | None = None) -> Flaw | None:
        """The first thing wrong with the request by itself; `partner_key` is the address that the registry holds for
        the partner, None when the caller cannot know it.
        """
        asked = self.request
        try:
            policy = asked.predicate
        except PackingError:
            return Flaw.POLICY
        bound = statement.scope(self.chain_id, self.registry, asked.partner_id, asked.purpose, asked.window_id)
        signer = self.signer()
        checks = (
            (policy.lo <= policy.hi and policy.tier_mask and policy.max_uses, Flaw.POLICY),
            (asked.max_uses == policy.max_uses, Flaw.USES),
            (asked.scope == bound and bound < R, Flaw.SCOPE),
            (now < asked.expires_at, Flaw.EXPIRED),
            (signer is not None, Flaw.UNSIGNED),
            (partner_key is None or signer == partner_key, Flaw.STRANGER),
        )
        return next((flaw for fine, flaw in checks if not fine), None)

    def to_json(self) -> dict[str, Any]:
        """The content of request.json."""
        return {
            "request": self.request.to_json(),
            "chain_id": self.chain_id,
            "registry": hex_text(self.registry),
            "signature": hex_text(self.signature),
        }

    @classmethod
    def from_json(cls, form: object, where: str = "request.json") -> Self:
        """The signed request whose form this is; a signature of no bytes is read, and found to be none later."""
        fields = Fields.of(form, where, ("request", "chain_id", "registry", "signature"))
        unsigned = fields.form["signature"] == "0x"
        return cls(
            request=ProofRequest.from_json(fields.form["request"], fields.at("request")),
            chain_id=chain_number(fields),
            registry=fields.raw("registry", 20),
            signature=b"" if unsigned else fields.raw("signature", signing.SIGNATURE_BYTES),
        )

    @classmethod
    def decode(cls, data: bytes, where: str = "request.json") -> Self:
        """The signed request in the bytes of a file or a body. Raises `DecodingError`."""
        return cls.from_json(decode(data, where, bytes_max=REQUEST_BYTES_MAX), where)


def chain_number(fields: Fields) -> int:
    """The chain's number: a JSON integer that JavaScript reads exactly; the embedded chain's has 15 digits."""
    number = fields.small("chain_id", CHAIN_BITS)
    if not number:
        raise DecodingError(fields.at("chain_id"), "is not zero")
    return number
