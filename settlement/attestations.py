"""Attesters' signatures: taken from their files, verified, kept, weighed.

Invariants: only a signature that recovers to the address that claims it, over the header hash of a live batch, is kept,
and only from an attester of the policy's set: one foreign signature would make the hub refuse them all. The weighing
here only decides how long to wait; the contract weighs again. Called by the entry points and the submitter.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from proofs.json_form import JsonFormError, hex_bytes, raw
from proofs.messages import domain_separator, signed_digest
from proofs.signature import SignatureError, recover
from proofs.words import WORD_BYTES
from settlement import tables
from settlement.alliance import AUDITOR, MERCHANT_WATCHER, Alliance
from settlement.batches import Settlement
from settlement.chain.answers import parsed
from settlement.tables import Batch, Conn

FILE_BYTES_MAX = 16 * 1024 * 1024
ADDRESS_BYTES = 20


class AttestationRefused(ValueError):
    """A file of attestations is malformed, or a signature in it is not its attester's. Names the file and the place."""


def take_attestations(s: Settlement, path: Path) -> int:
    """Keep what one attester's file says of live batches; how many signatures were new.

    Attestations of unknown or replaced headers are left out, for an attester may be ahead of us or behind. Raises
    `AttestationRefused`.
    """
    attester, entries = _read(path)
    if s.alliance.policy.read("attesterOf", attester)[0] not in {AUDITOR, MERCHANT_WATCHER}:
        raise AttestationRefused(f"{path}: 0x{attester.hex()} is not in the set of attesters")
    anchor = s.alliance.anchor
    separator = domain_separator(chain_id=anchor.chain_id, hub=anchor.hub)
    verified = [_verified(path, attester, separator, entry) for entry in entries]
    return sum(tables.add_attestation(s.conn, header_hash=hash_, attester=attester, sig=sig) for hash_, sig in verified)


def has_quorum(conn: Conn, alliance: Alliance, batch: Batch) -> bool:
    """Whether what is kept would give the batch its short window: enough weight, an auditor and a merchant watcher."""
    weight, roles = 0, set()
    for attester, _ in tables.attestations(conn, batch.header_hash):
        role, own_weight = alliance.policy.read("attesterOf", attester)
        weight += own_weight
        if role == AUDITOR and batch.done.settling and alliance.registry.read("administeredBy", attester):
            role = MERCHANT_WATCHER
        roles.add(role)
    quorum_weight, _ = alliance.policy.read("quorum")
    return bool(weight >= quorum_weight and {AUDITOR, MERCHANT_WATCHER} <= roles)


def wire_form(sig: bytes) -> tuple[bytes, bytes]:
    """(r, vs) as the hub takes it."""
    return sig[:WORD_BYTES], sig[WORD_BYTES:]


def _read(path: Path) -> tuple[bytes, list[Any]]:
    if path.stat().st_size > FILE_BYTES_MAX:
        raise AttestationRefused(f"{path}: larger than {FILE_BYTES_MAX} bytes")
    try:
        said = parsed(path.read_bytes())
        attester = hex_bytes(said["attester"])
        entries = list(said["attestations"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise AttestationRefused(f"{path}: not a file of attestations: {error!r}") from error
    if len(attester) != ADDRESS_BYTES:
        raise AttestationRefused(f"{path}: attester is not an address")
    return attester, entries


def _verified(path: Path, attester: bytes, separator: bytes, entry: Any) -> tuple[bytes, bytes]:
    """(header hash, r ‖ vs) of one entry."""
    try:
        header_hash, r, vs = (raw(entry, name) for name in ("headerHash", "r", "vs"))
        signer = recover(signed_digest(separator, header_hash), r, vs)
    except (JsonFormError, SignatureError, AttributeError, TypeError) as error:
        raise AttestationRefused(f"{path}: {error}") from error
    if signer != attester:
        raise AttestationRefused(f"{path}: a signature over {header_hash.hex()} is by 0x{signer.hex()}")
    return header_hash, r + vs
