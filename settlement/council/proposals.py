"""The file that signers send one another: one call of the council, and the signatures that it has so far.

    {"chainId": 31337, "council": "0x…", "nonce": "0", "deadline": "1770000000", "target": "0x…", "data": "0x…",
     "signatures": [{"signer": "0x…", "signature": "0x…"}]}

Invariants: the digest is computed here from the six fields (EIP-712, domain "TongduiCouncil"/"1"), never read; every
signature in a file is recovered and must be its signer's over this very call; a file is replaced whole. Whether a
signer counts, only the contract knows. Pure but for reading and writing the file. Called by the council's commands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from eth_abi.abi import encode

from proofs.json_form import hex_text
from proofs.keccak import keccak256
from proofs.messages import domain_separator, signed_digest
from proofs.signature import SignatureError, recover
from proofs.words import WORD_BYTES, uint_word
from settlement.networks import NotAddresses, read_told, replace_told

FIELDS: Final = ("chainId", "council", "nonce", "deadline", "target", "data", "signatures")
CALL_TYPEHASH: Final = keccak256(b"CouncilCall(address target,bytes data,uint256 nonce,uint256 deadline)")
DOMAIN: Final = "TongduiCouncil"
ADDRESS_BYTES: Final = 20
SIGNATURE_BYTES: Final = 65
PARITIES: Final[Mapping[int, int]] = {27: 0, 28: 0x80}
"""The last byte of a signature, and the bit above s that says the same in the compact form."""
SIGNATURES_MAX: Final = 64
WORD_MAX: Final = 2**256 - 1
DECIMAL: Final = re.compile(r"[0-9]{1,78}")
HEX: Final = re.compile(r"0x(?:[0-9a-f]{2})*")


class ProposalUnfit(ValueError):
    """The file is none of ours, a field is not what it has to be, or a signature is of something else; it is named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A call and who has signed it. `deadline` is the last Unix second at which it may be made."""

    chain_id: int
    council: bytes
    nonce: int
    deadline: int
    target: bytes
    data: bytes
    signatures: Mapping[bytes, bytes]

    @property
    def digest(self) -> bytes:
        """What is signed."""
        separator = domain_separator(chain_id=self.chain_id, hub=self.council, name=DOMAIN, version="1")
        words = bytes(12) + self.target + keccak256(self.data) + uint_word(self.nonce) + uint_word(self.deadline)
        return signed_digest(separator, keccak256(CALL_TYPEHASH + words))

    def signed_by(self, signer: bytes, signature: bytes) -> Proposal:
        """With one more signature. Raises `ProposalUnfit`."""
        _require_signature(self.digest, signer, signature, place=f"signature of {hex_text(signer)}")
        return replace(self, signatures={**self.signatures, signer: signature})

    def joined(self, others: Iterable[Proposal]) -> Proposal:
        """With the signatures of other files of the same call. Raises `ProposalUnfit`."""
        signatures = dict(self.signatures)
        for other in others:
            if other.digest != self.digest:
                raise ProposalUnfit("the files are of different calls")
            signatures |= other.signatures
        return replace(self, signatures=signatures)

    def packed(self, signers: Iterable[bytes]) -> bytes:
        """The signatures of these, as the council takes them: ascending by the hash of the signer."""
        ordered = sorted(signers, key=keccak256)
        return encode(["bytes[]", "bytes[]"], [ordered, [self.signatures[each] for each in ordered]])


def read_proposal(path: Path) -> Proposal:
    """The file, every signature checked. Raises `ProposalUnfit`, OSError."""
    try:
        told = read_told(path)
    except NotAddresses as error:
        raise ProposalUnfit(str(error).replace("a file of addresses", "a proposal")) from error
    for name in FIELDS:
        if name not in told:
            raise ProposalUnfit(f"{path}: {name}: is missing")
    if unknown := sorted(set(told) - set(FIELDS)):
        raise ProposalUnfit(f"{path}: {unknown[0]}: no field of a proposal")
    try:
        return _proposal(told)
    except ProposalUnfit as error:
        raise ProposalUnfit(f"{path}: {error}") from error


def _proposal(told: Mapping[str, Any]) -> Proposal:
    bare = Proposal(
        chain_id=_number(told, "chainId"),
        council=_bytes(told, "council", ADDRESS_BYTES),
        nonce=_number(told, "nonce"),
        deadline=_number(told, "deadline"),
        target=_bytes(told, "target", ADDRESS_BYTES),
        data=_bytes(told, "data"),
        signatures={},
    )
    entries = told["signatures"]
    if not isinstance(entries, list) or len(entries) > SIGNATURES_MAX:
        raise ProposalUnfit(f"signatures: a list of at most {SIGNATURES_MAX} is wanted")
    signatures: dict[bytes, bytes] = {}
    for at, entry in enumerate(entries):
        if not isinstance(entry, dict) or set(entry) != {"signer", "signature"}:
            raise ProposalUnfit(f"signatures[{at}]: signer and signature are wanted")
        place = f"signatures[{at}]."
        signer = _bytes(entry, "signer", ADDRESS_BYTES, place)
        signature = _bytes(entry, "signature", SIGNATURE_BYTES, place)
        _require_signature(bare.digest, signer, signature, place=f"{place}signature")
        signatures[signer] = signature
    return replace(bare, signatures=signatures)


def _require_signature(digest: bytes, signer: bytes, signature: bytes, *, place: str) -> None:
    """As the contract checks it: v is 27 or 28, s in the lower half."""
    r, s, parity = signature[:WORD_BYTES], signature[WORD_BYTES:-1], PARITIES.get(signature[-1])
    if parity is None:
        raise ProposalUnfit(f"{place}: is no signature, it ends in {signature[-1]}")
    try:
        found = recover(digest, r, bytes([s[0] | parity]) + s[1:])
    except SignatureError as error:
        raise ProposalUnfit(f"{place}: is no signature") from error
    if found != signer:
        raise ProposalUnfit(f"{place}: is not {hex_text(signer)}'s over this call")


def _number(told: Mapping[str, Any], name: str) -> int:
    """A JSON number or a decimal string."""
    value = told[name]
    if isinstance(value, bool) or not isinstance(value, int | str) or not DECIMAL.fullmatch(str(value)):
        raise ProposalUnfit(f"{name}: a whole number is wanted")
    if int(value) > WORD_MAX:
        raise ProposalUnfit(f"{name}: larger than a word")
    return int(value)


def _bytes(told: Mapping[str, Any], name: str, size: int | None = None, place: str = "") -> bytes:
    value = told[name]
    if not isinstance(value, str) or not HEX.fullmatch(value):
        raise ProposalUnfit(f"{place}{name}: 0x-hex is wanted")
    data = bytes.fromhex(value[2:])
    if size is not None and len(data) != size:
        raise ProposalUnfit(f"{place}{name}: {size} bytes are wanted, not {len(data)}")
    return data


def write_proposal(path: Path, proposal: Proposal) -> None:
    """Put the file in place, whole."""
    told = {
        "chainId": proposal.chain_id,
        "council": hex_text(proposal.council),
        "nonce": str(proposal.nonce),
        "deadline": str(proposal.deadline),
        "target": hex_text(proposal.target),
        "data": hex_text(proposal.data),
        "signatures": [
            {"signer": hex_text(signer), "signature": hex_text(signature)}
            for signer, signature in sorted(proposal.signatures.items())
        ],
    }
    replace_told(path, told)


def text_of(proposal: Proposal) -> str:
    """For comparing by voice: the digest in groups of eight digits."""
    digits = proposal.digest.hex()
    return " ".join(digits[at : at + 8] for at in range(0, len(digits), 8))
