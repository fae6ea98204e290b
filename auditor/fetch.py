"""Check 6: the published file of a batch, from its hash on the chain to the plain bytes on the auditor's own disk.

Every step is bound to the one before: dataHash names the manifest, the manifest names the chunks, the wrapped key
opens them, and only then are they decompressed, in bounded pieces, into a file that dies with the audit. A mirror
that lacks a blob or holds wrong bytes is passed over for the next; data that nobody has is `Missing` (the audit is
incomplete), data that is false is `Substituted` (a finding). Source: protocol §3.6, RFC 9180 (HPKE).
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, cast

import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from auditor.mirrors import Folder, Mirror, blob, in_turn, keep
from proofs.json_form import hex_bytes
from proofs.lpb1 import LEAVES_MAX, NET_BYTES, NETS_MAX, RECORD_BYTES, ROW_BYTES, ROWS_MAX
from proofs.tariff import TARIFF_CONTEXT, Tariff, read_tariff

MANIFEST_BYTES_MAX = 2**20
CHUNK_BYTES_MAX = 2**20
AEAD_TAG_BYTES = 16
CHUNKS_MAX = 4_096
NONCE_BYTES = 12
TARIFF_BYTES_MAX = 2**24
PLAIN_BYTES_MAX = 2**16 + ROWS_MAX * ROW_BYTES + NETS_MAX * NET_BYTES + LEAVES_MAX * RECORD_BYTES
WINDOW_BYTES_MAX = 2**27
"""The most memory a stream may ask the decompressor for."""

WRAP_INFO = b"LPB1 tongdui batch key"
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
MANIFEST_FIELDS = frozenset({"batchNo", "chunks", "plainLen", "recipients", "tariff"})
_HASH = re.compile(r"[0-9a-f]{64}")


class Missing(Exception):
    """What the chain names cannot be had from any mirror, or was not shared with this auditor."""


class Substituted(Exception):
    """What was published is not what the chain names; `code` is the finding."""

    def __init__(self, code: str, place: str, *, expected: object, actual: object) -> None:
        self.code, self.place, self.expected, self.actual = code, place, expected, actual
        super().__init__(f"{code} at {place}")


@dataclass(frozen=True, slots=True)
class AuditorKey:
    """The X25519 key under which batches are wrapped for this auditor, and those it had before, for older batches."""

    kid: str
    private: X25519PrivateKey
    earlier: tuple[AuditorKey, ...] = ()

    def named(self, kid: str) -> AuditorKey | None:
        """The one of its keys that has this name."""
        return next((key for key in (self, *self.earlier) if key.kid == kid), None)


def load_key(path: Path) -> AuditorKey:
    """The key in a JSON file {"kid", "x25519"}, with a list of such in "earlier" after a rotation. Raises ValueError
    naming what is wrong with it.
    """
    try:
        told = json.loads(path.read_text())
        return replace(_key(told), earlier=tuple(_key(each) for each in told.get("earlier", ())))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: not an auditor key file: {error}") from error


def _key(told: dict[str, str]) -> AuditorKey:
    raw = hex_bytes(str(told["x25519"]))
    return AuditorKey(str(told["kid"]), X25519PrivateKey.from_private_bytes(raw))


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a batch's data consist of. `wrapped` is enc ‖ ciphertext for `key`, which this auditor has."""

    chunks: tuple[str, ...]
    plain_len: int
    key: AuditorKey
    wrapped: bytes
    tariff: tuple[str, bytes] | None
    """The blob that holds the tariff, and its nonce; None where none was published."""


@dataclass(frozen=True, slots=True)
class Plain:
    """A batch's file in the clear, on disk, with the secret that salts its hashes."""

    path: Path
    batch_secret: bytes
    plain_bytes: int
    sealed_bytes: int
    tariff: Tariff | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """Mirrors in the order in which they are asked, the auditor's key, a folder for plain files, and one in which the
    auditor keeps what it fetched, if it wants to; that is asked first.
    """

    mirrors: Sequence[Mirror]
    key: AuditorKey
    scratch: Path
    kept: Path | None = None

    def fetch(self, batch_no: int, data_hash: bytes) -> Plain:
        """The file that `data_hash` names, verified and decrypted. Raises `Missing` or `Substituted`."""
        manifest = self._manifest(batch_no, data_hash)
        data_key, batch_secret = self._unwrap(batch_no, manifest)
        sealed_bytes = 0
        with tempfile.NamedTemporaryFile(dir=self.scratch, prefix=f"{batch_no}-", delete=False) as target:
            path = Path(target.name)
            bounded = _Bounded(target, manifest.plain_len)
            decompressor = zstandard.ZstdDecompressor(max_window_size=WINDOW_BYTES_MAX)
            try:
                with decompressor.stream_writer(cast("IO[bytes]", bounded), closefd=False) as stream:
                    for piece in self._pieces(manifest, data_key):
                        sealed_bytes += len(piece)
                        stream.write(piece)
            except zstandard.ZstdError as error:
                raise Substituted("undecipherable", "stream", expected="zstd", actual=error) from error
        if bounded.length != manifest.plain_len:
            raise Substituted("file-length", "plainLen", expected=manifest.plain_len, actual=bounded.length)
        return Plain(path, batch_secret, bounded.length, sealed_bytes, self._tariff(manifest, data_key))

    def _tariff(self, manifest: Manifest, data_key: bytes) -> Tariff | None:
        if manifest.tariff is None:
            return None
        name, nonce = manifest.tariff
        sealed = self._blob(name, "tariff", TARIFF_BYTES_MAX)
        try:
            return read_tariff(AESGCM(data_key).decrypt(nonce, sealed, TARIFF_CONTEXT))
        except (InvalidTag, ValueError) as error:
            raise Substituted("tariff-malformed", "tariff", expected="a tariff", actual=repr(error)) from error

    def _manifest(self, batch_no: int, data_hash: bytes) -> Manifest:
        raw = self._blob(data_hash.hex(), "manifest", MANIFEST_BYTES_MAX)
        try:
            told = json.loads(raw)
            assert_that(set(told) <= MANIFEST_FIELDS, "fields", "those of LPB1", sorted(set(told) - MANIFEST_FIELDS))
            assert_that(told["batchNo"] == batch_no, "batchNo", batch_no, told["batchNo"])
            chunks = tuple(told["chunks"])
            assert_that(all(isinstance(c, str) and _HASH.fullmatch(c) for c in chunks), "chunks", "hashes", chunks[:3])
            assert_that(len(chunks) <= CHUNKS_MAX, "chunks", f"at most {CHUNKS_MAX}", len(chunks))
            plain_len = told["plainLen"]
            assert_that(
                isinstance(plain_len, int) and 0 < plain_len <= PLAIN_BYTES_MAX, "plainLen", "a length", plain_len
            )
            mine = [(key, each) for each in told["recipients"] if (key := self.key.named(each["kid"])) is not None]
            wrapped = bytes.fromhex(mine[0][1]["enc"] + mine[0][1]["wrapped"]) if mine else None
            tariff = _tariff_place(told.get("tariff"))
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise Substituted(
                "manifest-malformed", "manifest", expected="an LPB1 manifest", actual=repr(error)
            ) from error
        if wrapped is None:
            raise Missing(f"batch {batch_no} was not wrapped for auditor {self.key.kid}")
        return Manifest(chunks, plain_len, mine[0][0], wrapped, tariff)

    def _unwrap(self, batch_no: int, manifest: Manifest) -> tuple[bytes, bytes]:
        try:
            plain = _SUITE.decrypt(manifest.wrapped, manifest.key.private, WRAP_INFO + batch_no.to_bytes(8, "big"))
        except (InvalidTag, ValueError) as error:
            raise Substituted("undecipherable", "wrapped key", expected="a key", actual=repr(error)) from error
        if len(plain) != 64:  # noqa: PLR2004 - data key and batch secret, 32 bytes each
            raise Substituted("undecipherable", "wrapped key", expected="64 bytes", actual=len(plain))
        return plain[:32], plain[32:]

    def _pieces(self, manifest: Manifest, data_key: bytes) -> Iterator[bytes]:
        cipher = AESGCM(data_key)
        for index, name in enumerate(manifest.chunks):
            sealed = self._blob(name, f"chunk {index}", CHUNK_BYTES_MAX + AEAD_TAG_BYTES)
            try:
                yield cipher.decrypt(index.to_bytes(12, "big"), sealed, None)
            except (InvalidTag, ValueError) as error:
                raise Substituted("undecipherable", f"chunk {index}", expected="AES-256-GCM", actual=name) from error

    def _blob(self, name: str, place: str, bytes_max: int) -> bytes:
        wrong = None
        own = None if self.kept is None else Folder(self.kept)
        for each in (own, *in_turn(self.mirrors)) if own else in_turn(self.mirrors):
            data = each.read(blob(name), bytes_max=bytes_max)
            if data is None:
                continue
            digest = sha256(data).hexdigest()
            if digest == name and len(data) <= bytes_max:
                if own and each is not own:
                    keep(own, name, data)
                return data
            wrong = wrong or digest
        if wrong is None:
            raise Missing(f"{place}: no mirror has {name}")
        raise Substituted("blob-substituted", place, expected=name, actual=wrong)


def _tariff_place(told: Any) -> tuple[str, bytes] | None:
    if told is None:
        return None
    name, nonce = told["blob"], bytes.fromhex(told["nonce"])
    assert_that(_HASH.fullmatch(name) is not None and len(nonce) == NONCE_BYTES, "tariff", "blob and nonce", told)
    return name, nonce


def assert_that(held: bool, place: str, expected: object, actual: object) -> None:  # noqa: FBT001 - reads as a sentence
    """Raise the finding of a malformed manifest unless it held."""
    if not held:
        raise Substituted("manifest-malformed", f"manifest.{place}", expected=expected, actual=actual)


class _Bounded:
    """A file that refuses to grow past the length the manifest announced: no stream fills the auditor's disk."""

    def __init__(self, target: IO[bytes], bytes_max: int) -> None:
        self._target, self._bytes_max = target, bytes_max
        self.length = 0

    def write(self, data: bytes) -> int:
        """Append, or raise `Substituted`."""
        self.length += len(data)
        if self.length > self._bytes_max:
            raise Substituted("file-length", "plainLen", expected=self._bytes_max, actual=f"at least {self.length}")
        return self._target.write(data)
