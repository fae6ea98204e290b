"""Publication of a batch: compressed, cut, encrypted, named by hash, with the key wrapped for each auditor.

    file -> zstd -> chunks of 1 MiB -> AES-256-GCM -> blobs, listed in a manifest whose SHA-256 is the header's dataHash

    blobs/<sha256>      the manifests and the encrypted chunks of all batches; any mirror may hold them
    headers/<n>.json    the finished header, so that attesters can work before the chain has it
    headers/<n>/<hash>.json
                        the same under its hash: every incarnation of a batch that was ever published, for whoever has
                        a hash from the chain and finds another incarnation under the number

`pack` is pure: data key, file and wrapped keys give the same manifest. Wrapping draws at random, so what `wrap_for`
made is stored with the header; then dataHash is part of what can be made again.
The content key is derived from the batch's data key and the header that commits to the whole content; another content
is another key, so an AES-GCM nonce never meets two texts under one key. `publish` may be repeated at any time: on every
mirror it writes what is missing and reads everything back; only when all of them hold all of it are the header files
put in place. Called by the orchestration; auditors read what is here with code of their own. Source: docs/protocol
§3.6.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Final

import rfc8785
import structlog
import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from proofs.json_form import from_json, to_json
from proofs.messages import BatchHeader
from proofs.tariff import TARIFF_CONTEXT, Tariff
from proofs.words import ZERO_WORD
from settlement.mirrors import Mirror, MirrorDown, MirrorError, MirrorWrong
from settlement.sealing.seal import Sealed

CHUNK_BYTES_MAX: Final = 2**20
AEAD_TAG_BYTES: Final = 16
BLOB_BYTES_MAX: Final = CHUNK_BYTES_MAX + AEAD_TAG_BYTES
"""Of chunks; a manifest is smaller: 64 letters a chunk and a few hundred a recipient."""
HEADER_FILE_BYTES_MAX: Final = 2**16
ZSTD_LEVEL: Final = 3
NONCE_BYTES: Final = 12
INFO: Final = b"LPB1 tongdui batch key"
"""What HPKE binds the wrapped key to, followed by batchNo as 8 bytes."""
ENC_BYTES: Final = 32
_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
log = structlog.get_logger(__name__)


class PublicationError(ValueError):
    """The file does not decrypt, the header is not the package's, or another header already stands under this number.
    The message says which.
    """


class NotOnEveryMirror(PublicationError):
    """Some mirrors are down or wrong, so the batch is not published. `failed` has each one's own words."""

    def __init__(self, batch_no: int, failed: Sequence[MirrorError]) -> None:
        super().__init__(f"batch {batch_no} is not on every mirror: " + "; ".join(map(str, failed)))
        self.failed = tuple(failed)


@dataclass(frozen=True, slots=True)
class Recipient:
    """Someone who may read all batches: the name of their key and the X25519 public key (32 bytes)."""

    kid: str
    public_key: bytes


@dataclass(frozen=True, slots=True)
class Wrapped:
    """One batch's keys for one recipient: content key ‖ batch secret, by HPKE (RFC 9180) for its public key."""

    kid: str
    enc: bytes
    ciphertext: bytes


@dataclass(frozen=True, slots=True)
class Package:
    """All bytes of one publication: the manifest, and the encrypted chunks by SHA-256 in hex, in the order of the
    file.
    """

    batch_no: int
    manifest: bytes
    chunks: Mapping[str, bytes]
    wrapped: Sequence[Wrapped]

    @property
    def data_hash(self) -> bytes:
        """SHA-256 of the manifest: the header's dataHash."""
        return sha256(self.manifest).digest()

    @property
    def blobs(self) -> dict[str, bytes]:
        """Everything that goes into the folder of blobs."""
        return {**self.chunks, self.data_hash.hex(): self.manifest}


def wrap_for(sealed: Sealed, *, data_key: bytes, recipients: Sequence[Recipient]) -> list[Wrapped]:
    """The keys of a sealed batch for `recipients` (at least one, key names distinct), drawn anew at every call.
    `data_key`: 32 secret bytes of this batch.
    """
    if not recipients or len({recipient.kid for recipient in recipients}) != len(recipients):
        raise ValueError("a batch is published for at least one recipient, each under a name of its own")
    keys = _content_key(data_key, sealed.header.hash_struct()) + sealed.batch_secret
    info = INFO + sealed.header.batch_no.to_bytes(8, "big")
    return [_wrap(keys, recipient, info) for recipient in sorted(recipients, key=lambda recipient: recipient.kid)]


def pack(
    sealed: Sealed,
    *,
    data_key: bytes,
    recipients: Sequence[Recipient] = (),
    wrapped: Sequence[Wrapped] = (),
    tariff: Tariff | None = None,
) -> Package:
    """The publication of a sealed batch: for `recipients`, or again with the keys as they were `wrapped` before.
    `tariff` is what the batch's fees, exchanges and rewards follow from.
    """
    plain, key = sealed.file(), _content_key(data_key, sealed.header.hash_struct())
    wrapped = wrapped or wrap_for(sealed, data_key=data_key, recipients=recipients)
    chunks = _encrypt(zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(plain), key)
    manifest: dict[str, Any] = {
        "batchNo": sealed.header.batch_no,
        "chunks": list(chunks),
        "plainLen": len(plain),
        "recipients": [{"kid": each.kid, "enc": each.enc.hex(), "wrapped": each.ciphertext.hex()} for each in wrapped],
    }
    if tariff is not None:
        nonce, sealed_tariff = _sealed_tariff(tariff, key)
        blob = sha256(sealed_tariff).hexdigest()
        manifest["tariff"] = {"blob": blob, "nonce": nonce.hex()}
        chunks |= {blob: sealed_tariff}
    return Package(sealed.header.batch_no, rfc8785.dumps(manifest), chunks, wrapped)


def _sealed_tariff(tariff: Tariff, key: bytes) -> tuple[bytes, bytes]:
    """(nonce, ciphertext). The nonce follows from key and text: one text, one nonce; its first bit keeps it apart from
    the numbers of chunks.
    """
    plain = tariff.to_bytes()
    drawn = hmac.digest(key, TARIFF_CONTEXT + plain, sha256)[:NONCE_BYTES]
    nonce = bytes([drawn[0] | 0x80]) + drawn[1:]
    return nonce, AESGCM(key).encrypt(nonce, plain, TARIFF_CONTEXT)


def publish(
    package: Package, header: BatchHeader, mirrors: Sequence[Mirror], *, supersedes: Collection[bytes] = ()
) -> None:
    """Put a package and its finished header on every mirror, and check what stands there. Safe to repeat.

    A different header under the same number is only replaced if its hash is one of `supersedes`: all incarnations that
    ever were, for a mirror that was down may have any of them. Raises `PublicationError`;
    `NotOnEveryMirror` when a mirror is down or wrong, and then no mirror got this header from this call.
    """
    if header.batch_no != package.batch_no or header.data_hash != package.data_hash:
        raise PublicationError(
            f"batch {package.batch_no}: the header names another manifest than the one to be published"
        )

    def blobs(mirror: Mirror) -> None:
        _check_header_place(mirror, header, supersedes)
        for name, blob in package.blobs.items():
            keep_blob(mirror, name, blob)
        for name in package.blobs:
            read_blob([mirror], name)

    _on_every(mirrors, header.batch_no, blobs)
    _on_every(mirrors, header.batch_no, lambda mirror: keep_header(mirror, header))


def _on_every(mirrors: Sequence[Mirror], batch_no: int, do: Callable[[Mirror], None]) -> None:
    """Do it on each, whatever happens to the others, so that one that is down delays as little as it can."""
    assert mirrors, "a batch is published somewhere"
    failed: list[MirrorError] = []
    for mirror in mirrors:
        try:
            do(mirror)
        except MirrorError as error:
            log.warning("mirror", batch_no=batch_no, mirror=error.mirror, problem=error.problem)
            failed.append(error)
    if failed:
        raise NotOnEveryMirror(batch_no, failed)


def fetch(mirrors: Sequence[Mirror], header: BatchHeader, *, data_key: bytes) -> bytes:
    """The LPB1 file of a published batch, for the operator's own reading; `header` is the finished one. What one mirror
    lacks is taken from the next. Raises `PublicationError`.
    """
    cipher = AESGCM(_content_key(data_key, replace(header, data_hash=ZERO_WORD).hash_struct()))
    try:
        manifest: dict[str, Any] = json.loads(read_blob(mirrors, header.data_hash.hex()))
        parts = [
            cipher.decrypt(_nonce(index), read_blob(mirrors, name), None)
            for index, name in enumerate(manifest["chunks"])
        ]
        plain = zstandard.ZstdDecompressor().decompress(b"".join(parts), max_output_size=manifest["plainLen"])
    except MirrorError as error:
        raise PublicationError(f"batch {header.batch_no}: {error}") from error
    except (InvalidTag, zstandard.ZstdError) as error:
        raise PublicationError(
            f"batch {header.batch_no}: the published chunks do not decrypt with this batch's key"
        ) from error
    if len(plain) != manifest["plainLen"]:
        raise PublicationError(f"batch {header.batch_no}: {len(plain)} bytes, the manifest says {manifest['plainLen']}")
    return plain


def published_header(mirror: Mirror, batch_no: int) -> BatchHeader | None:
    """The header that stands on a mirror under this number, None if there is none. Raises `MirrorError`."""
    return _header_at(mirror, header_path(batch_no))


def _header_at(mirror: Mirror, path: str) -> BatchHeader | None:
    told = mirror.read(path, bytes_max=HEADER_FILE_BYTES_MAX)
    if told is None:
        return None
    try:
        return from_json(BatchHeader, json.loads(told))
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise MirrorWrong(mirror.name, f"{path} holds no header") from error


def header_with(mirror: Mirror, batch_no: int, header_hash: bytes) -> BatchHeader | None:
    """The header with this hash, whichever incarnation stands under the number now; None where the mirror has it not.
    Raises `MirrorDown`.
    """
    for path in (header_path(batch_no), incarnation_path(batch_no, header_hash)):
        with suppress(MirrorWrong):
            found = _header_at(mirror, path)
            if found is not None and found.hash_struct() == header_hash:
                return found
    return None


def header_path(batch_no: int) -> str:
    """Where a mirror keeps the header of a batch."""
    return f"headers/{batch_no}.json"


def incarnation_path(batch_no: int, header_hash: bytes) -> str:
    """Where a mirror keeps the header with this hash for good."""
    return f"headers/{batch_no}/{header_hash.hex()}.json"


def blob_path(name: str) -> str:
    """Where a mirror keeps the blob with this SHA-256 (hex)."""
    return f"blobs/{name}"


def read_blob(mirrors: Sequence[Mirror], name: str) -> bytes:
    """A blob that is what its name says, from the first mirror that has it whole.

    Raises the `MirrorError` of the first that has not.
    """
    problem: MirrorError | None = None
    for mirror in mirrors:
        try:
            blob = mirror.read(blob_path(name), bytes_max=BLOB_BYTES_MAX)
        except MirrorDown as error:
            problem = problem or error
            continue
        if blob is None:
            problem = problem or MirrorWrong(mirror.name, f"blob {name} is missing")
        elif sha256(blob).hexdigest() != name:
            problem = problem or MirrorWrong(mirror.name, f"blob {name} holds other bytes than its name says")
        else:
            return blob
    assert problem is not None, "somewhere has to be asked"
    raise problem


def keep_blob(mirror: Mirror, name: str, blob: bytes) -> None:
    """Write a blob unless it stands there whole; one that was damaged is replaced. Raises `MirrorDown`."""
    if mirror.read(blob_path(name), bytes_max=len(blob)) != blob:
        mirror.write(blob_path(name), blob)


def keep_header(mirror: Mirror, header: BatchHeader) -> None:
    """Put the header file in place, under its hash and under its number, and read both back. Raises `MirrorError`."""
    keep_incarnation(mirror, header)
    _keep_text(mirror, header_path(header.batch_no), header)


def keep_incarnation(mirror: Mirror, header: BatchHeader) -> None:
    """The same under its hash alone, for a header whose number another incarnation has. Raises `MirrorError`."""
    _keep_text(mirror, incarnation_path(header.batch_no, header.hash_struct()), header)


def header_text(header: BatchHeader) -> bytes:
    """The header as it stands on a mirror."""
    return (json.dumps(to_json(header), indent=1) + "\n").encode()


def _keep_text(mirror: Mirror, path: str, header: BatchHeader) -> None:
    text = header_text(header)
    if mirror.read(path, bytes_max=len(text)) != text:
        mirror.write(path, text)
        if mirror.read(path, bytes_max=len(text)) != text:
            raise MirrorWrong(mirror.name, f"{path} does not hold what was put there")


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


def _wrap(keys: bytes, recipient: Recipient, info: bytes) -> Wrapped:
    """Raises ValueError for a public key that is none."""
    sealed = _SUITE.encrypt(keys, X25519PublicKey.from_public_bytes(recipient.public_key), info)
    return Wrapped(recipient.kid, sealed[:ENC_BYTES], sealed[ENC_BYTES:])


def _check_header_place(mirror: Mirror, header: BatchHeader, supersedes: Collection[bytes]) -> None:
    """Another header is never written over; a file that holds none is damage, and is replaced."""
    try:
        standing = published_header(mirror, header.batch_no)
    except MirrorWrong:
        return
    if standing is not None and standing.hash_struct() not in {header.hash_struct(), *supersedes}:
        raise PublicationError(
            f"{mirror.name}: another header stands under batch {header.batch_no}, {standing.hash_struct().hex()}"
        )
