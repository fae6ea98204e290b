"""Publication of a batch: compressed, cut, encrypted, named by hash, with the key wrapped for each auditor.

    file -> zstd -> chunks of 1 MiB -> AES-256-GCM -> blobs, listed in a manifest whose SHA-256 is the header's dataHash

    <folder>/blobs/<sha256>      the manifests and the encrypted chunks of all batches; any mirror may hold them
    <folder>/headers/<n>.json    the finished header, so that attesters can work before the chain has it

`pack` is pure: data key, file and recipients give the same manifest, so dataHash is part of the reproducible header.
The content key is derived from the batch's data key and the header that commits to the whole content; another content
is another key, so an AES-GCM nonce never meets two texts under one key. `publish` may be repeated at any time: it
writes what is missing, reads everything back and checks it, and puts the header file in place last. Called by the
orchestration; auditors read what is here with code of their own. Source: docs/protocol §3.6.
"""

from __future__ import annotations

import hmac
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import rfc8785
import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from proofs.json_form import from_json, to_json
from proofs.messages import BatchHeader
from proofs.tariff import TARIFF_CONTEXT, Tariff
from proofs.words import ZERO_WORD
from settlement.hpke import wrap
from settlement.seal import Sealed

CHUNK_BYTES_MAX: Final = 2**20
ZSTD_LEVEL: Final = 3
NONCE_BYTES: Final = 12
INFO: Final = b"LPB1 tongdui batch key"
"""What HPKE binds the wrapped key to, followed by batchNo as 8 bytes."""


class PublicationError(ValueError):
    """A blob is missing or is not what its name says, the file does not decrypt, or another header already stands
    under this number. The message says which.
    """


@dataclass(frozen=True, slots=True)
class Recipient:
    """Someone who may read all batches: the name of their key and the X25519 public key (32 bytes)."""

    kid: str
    public_key: bytes


@dataclass(frozen=True, slots=True)
class Package:
    """All bytes of one publication: the manifest, and the encrypted chunks by SHA-256 in hex, in the order of the
    file.
    """

    batch_no: int
    manifest: bytes
    chunks: Mapping[str, bytes]

    @property
    def data_hash(self) -> bytes:
        """SHA-256 of the manifest: the header's dataHash."""
        return sha256(self.manifest).digest()

    @property
    def blobs(self) -> dict[str, bytes]:
        """Everything that goes into the folder of blobs."""
        return {**self.chunks, self.data_hash.hex(): self.manifest}


def pack(sealed: Sealed, *, data_key: bytes, recipients: Sequence[Recipient], tariff: Tariff | None = None) -> Package:
    """The publication of a sealed batch, readable by `recipients` (at least one, key names distinct). `data_key`: 32
    secret bytes of this batch; `tariff` is what the batch's fees, exchanges and rewards follow from.
    """
    if not recipients or len({recipient.kid for recipient in recipients}) != len(recipients):
        raise ValueError("a batch is published for at least one recipient, each under a name of its own")
    draft, plain = sealed.header.hash_struct(), sealed.file()
    key, batch_no = _content_key(data_key, draft), sealed.header.batch_no
    chunks = _encrypt(zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(plain), key)
    manifest: dict[str, Any] = {
        "batchNo": batch_no,
        "chunks": list(chunks),
        "plainLen": len(plain),
        "recipients": [
            _wrapped(
                recipient,
                key + sealed.batch_secret,
                batch_no,
                seed=_derive(data_key, b"ephemeral", draft + recipient.public_key),
            )
            for recipient in sorted(recipients, key=lambda recipient: recipient.kid)
        ],
    }
    if tariff is None:
        return Package(batch_no, rfc8785.dumps(manifest), chunks)
    nonce, sealed_tariff = _sealed_tariff(tariff, key)
    blob = sha256(sealed_tariff).hexdigest()
    manifest["tariff"] = {"blob": blob, "nonce": nonce.hex()}
    return Package(batch_no, rfc8785.dumps(manifest), {**chunks, blob: sealed_tariff})


def _sealed_tariff(tariff: Tariff, key: bytes) -> tuple[bytes, bytes]:
    """(nonce, ciphertext). The nonce follows from key and text: one text, one nonce; its first bit keeps it apart from
    the numbers of chunks.
    """
    plain = tariff.to_bytes()
    drawn = hmac.digest(key, TARIFF_CONTEXT + plain, sha256)[:NONCE_BYTES]
    nonce = bytes([drawn[0] | 0x80]) + drawn[1:]
    return nonce, AESGCM(key).encrypt(nonce, plain, TARIFF_CONTEXT)


def publish(package: Package, header: BatchHeader, folders: Sequence[Path], *, supersedes: bytes | None = None) -> None:
    """Put a package and its finished header into every folder and check what stands there. Safe to repeat.

    A different header under the same number is only replaced if `supersedes` is its hash. Raises `PublicationError`,
    and OSError where a folder fails.
    """
    if header.batch_no != package.batch_no or header.data_hash != package.data_hash:
        raise PublicationError(
            f"batch {package.batch_no}: the header names another manifest than the one to be published"
        )
    for folder in folders:
        _check_header_place(_header_path(folder, header.batch_no), header, supersedes)
        for name, blob in package.blobs.items():
            _write_missing(folder / "blobs" / name, blob)
        for name in package.blobs:
            _read_blob(folder, name)
        _write(_header_path(folder, header.batch_no), (json.dumps(to_json(header), indent=1) + "\n").encode())


def fetch(folder: Path, header: BatchHeader, *, data_key: bytes) -> bytes:
    """The LPB1 file of a published batch, for the operator's own reading; `header` is the finished one. Raises
    `PublicationError`.
    """
    manifest: dict[str, Any] = json.loads(_read_blob(folder, header.data_hash.hex()))
    cipher = AESGCM(_content_key(data_key, replace(header, data_hash=ZERO_WORD).hash_struct()))
    try:
        parts = [
            cipher.decrypt(_nonce(index), _read_blob(folder, name), None)
            for index, name in enumerate(manifest["chunks"])
        ]
        plain = zstandard.ZstdDecompressor().decompress(b"".join(parts), max_output_size=manifest["plainLen"])
    except (InvalidTag, zstandard.ZstdError) as error:
        raise PublicationError(
            f"batch {header.batch_no}: the published chunks do not decrypt with this batch's key"
        ) from error
    if len(plain) != manifest["plainLen"]:
        raise PublicationError(f"batch {header.batch_no}: {len(plain)} bytes, the manifest says {manifest['plainLen']}")
    return plain


def published_header(folder: Path, batch_no: int) -> BatchHeader | None:
    """The header that stands in a folder under this number, None if there is none."""
    path = _header_path(folder, batch_no)
    return from_json(BatchHeader, json.loads(path.read_bytes())) if path.exists() else None


def _content_key(data_key: bytes, draft_hash: bytes) -> bytes:
    return _derive(data_key, b"content", draft_hash)


def _derive(data_key: bytes, purpose: bytes, context: bytes) -> bytes:
    return hmac.digest(data_key, b"LPB1 " + purpose + b"\x00" + context, sha256)


def _nonce(index: int) -> bytes:
    return index.to_bytes(12, "big")


def _encrypt(stream: bytes, key: bytes) -> dict[str, bytes]:
    """The encrypted pieces of the compressed stream by their names, in order."""
    cipher, chunks = AESGCM(key), {}
    for index, at in enumerate(range(0, len(stream), CHUNK_BYTES_MAX)):
        chunk = cipher.encrypt(_nonce(index), stream[at : at + CHUNK_BYTES_MAX], None)
        chunks[sha256(chunk).hexdigest()] = chunk
    return chunks


def _wrapped(recipient: Recipient, keys: bytes, batch_no: int, *, seed: bytes) -> dict[str, str]:
    enc, text = wrap(keys, recipient=recipient.public_key, seed=seed, info=INFO + batch_no.to_bytes(8, "big"))
    return {"kid": recipient.kid, "enc": enc.hex(), "wrapped": text.hex()}


def _header_path(folder: Path, batch_no: int) -> Path:
    return folder / "headers" / f"{batch_no}.json"


def _check_header_place(path: Path, header: BatchHeader, supersedes: bytes | None) -> None:
    standing = published_header(path.parents[1], header.batch_no)
    if standing is not None and standing.hash_struct() not in {header.hash_struct(), supersedes}:
        raise PublicationError(f"{path}: another header stands here, {standing.hash_struct().hex()}")


def _read_blob(folder: Path, name: str) -> bytes:
    """A blob read back and checked against its name."""
    try:
        blob = (folder / "blobs" / name).read_bytes()
    except FileNotFoundError as error:
        raise PublicationError(f"{folder}: blob {name} is missing") from error
    if sha256(blob).hexdigest() != name:
        raise PublicationError(f"{folder}: blob {name} holds other bytes than its name says")
    return blob


def _write_missing(path: Path, data: bytes) -> None:
    """Write a blob unless it stands there whole; one that was damaged is replaced."""
    if not (path.exists() and path.stat().st_size == len(data) and sha256(path.read_bytes()).hexdigest() == path.name):
        _write(path, data)


def _write(path: Path, data: bytes) -> None:
    """Aside, flushed, renamed: a reader finds the whole file or none, also after a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    with aside.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    aside.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
