"""Published folders: reproducible, idempotent, readable by whom they are for, and by nobody else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import rfc8785
import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from proofs.lpb1 import open_file
from settlement.mirrors.folder import FolderMirror
from settlement.publish import Package, PublicationError, Recipient, fetch, pack, publish, published_header
from tests.settlement import rfc9180
from tests.settlement.test_seal_ex1 import seal_example

AUDITOR = X25519PrivateKey.from_private_bytes(b"auditor-one".ljust(32, b"\x01"))
SECOND = X25519PrivateKey.from_private_bytes(b"auditor-two".ljust(32, b"\x02"))
RECIPIENTS = [
    Recipient("beta", SECOND.public_key().public_bytes_raw()),
    Recipient("alpha", AUDITOR.public_key().public_bytes_raw()),
]
DATA_KEY = bytes(range(32))
SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def package() -> Package:
    return pack(seal_example(), data_key=DATA_KEY, recipients=RECIPIENTS)


def read_as(key: X25519PrivateKey, kid: str, made: Package) -> tuple[bytes, bytes]:
    """(file, batch secret) as a stranger with only a library, the manifest and a private key gets them."""
    manifest = json.loads(made.manifest)
    entry = next(entry for entry in manifest["recipients"] if entry["kid"] == kid)
    info = b"LPB1 tongdui batch key" + manifest["batchNo"].to_bytes(8, "big")
    keys = SUITE.decrypt(bytes.fromhex(entry["enc"] + entry["wrapped"]), key, info=info)
    cipher = AESGCM(keys[:32])
    parts = [
        cipher.decrypt(at.to_bytes(12, "big"), made.blobs[name], None) for at, name in enumerate(manifest["chunks"])
    ]
    return zstandard.ZstdDecompressor().decompress(b"".join(parts), max_output_size=manifest["plainLen"]), keys[32:]


def test_each_recipient_reads_the_file_and_the_secret() -> None:
    sealed, made = seal_example(), package()
    for key, kid in ((AUDITOR, "alpha"), (SECOND, "beta")):
        assert read_as(key, kid, made) == (sealed.file(), sealed.batch_secret)


def test_others_read_nothing() -> None:
    with pytest.raises(InvalidTag):
        read_as(SECOND, "alpha", package())


def test_manifest_is_canonical_and_sorted() -> None:
    made = package()
    manifest = json.loads(made.manifest)
    assert rfc8785.dumps(manifest) == made.manifest
    assert [entry["kid"] for entry in manifest["recipients"]] == ["alpha", "beta"]


def test_packing_again_with_the_kept_keys_gives_the_same_bytes() -> None:
    first = package()
    second = pack(seal_example(), data_key=DATA_KEY, wrapped=first.wrapped)
    assert (first.manifest, first.chunks) == (second.manifest, second.chunks)
    fresh = package()
    assert fresh.chunks == first.chunks
    assert fresh.manifest != first.manifest, "the library draws its keys anew"


def test_another_content_never_shares_a_key() -> None:
    sealed = seal_example()
    later = replace(sealed, header=replace(sealed.header, sealed_at=sealed.header.sealed_at + 1))
    keys = set()
    for batch in (sealed, later):
        made = pack(batch, data_key=DATA_KEY, recipients=RECIPIENTS)
        entry = json.loads(made.manifest)["recipients"][0]
        info = b"LPB1 tongdui batch key" + (1).to_bytes(8, "big")
        keys.add(SUITE.decrypt(bytes.fromhex(entry["enc"] + entry["wrapped"]), AUDITOR, info=info)[:32])
    assert len(keys) == 2


def test_recipients_are_needed_and_distinct() -> None:
    for wrong in ([], [RECIPIENTS[0], RECIPIENTS[0]]):
        with pytest.raises(ValueError, match="recipient"):
            pack(seal_example(), data_key=DATA_KEY, recipients=wrong)


def test_published_folder_reads_back(tmp_path: Path) -> None:
    made = package()
    header = seal_example().finish(made.data_hash)
    mirrors = [FolderMirror(tmp_path / "one"), FolderMirror(tmp_path / "two")]
    publish(made, header, mirrors)
    publish(made, header, mirrors)
    for mirror in mirrors:
        assert published_header(mirror, 1) == header
        assert fetch([mirror], header, data_key=DATA_KEY) == seal_example().file()
        assert sorted(path.name for path in (mirror.root / "blobs").iterdir()) == sorted(made.blobs)
    assert open_file(fetch(mirrors, header, data_key=DATA_KEY)).leaf_count == 6


def test_a_damaged_blob_is_found_and_repaired(tmp_path: Path) -> None:
    made = package()
    header = seal_example().finish(made.data_hash)
    publish(made, header, [FolderMirror(tmp_path)])
    blob = tmp_path / "blobs" / next(iter(made.chunks))
    blob.write_bytes(b"\x00" + blob.read_bytes()[1:])
    with pytest.raises(PublicationError, match="other bytes"):
        fetch([FolderMirror(tmp_path)], header, data_key=DATA_KEY)
    blob.unlink()
    with pytest.raises(PublicationError, match="missing"):
        fetch([FolderMirror(tmp_path)], header, data_key=DATA_KEY)
    publish(made, header, [FolderMirror(tmp_path)])
    assert fetch([FolderMirror(tmp_path)], header, data_key=DATA_KEY) == seal_example().file()


def test_another_header_is_not_overwritten_unless_named(tmp_path: Path) -> None:
    made = package()
    header = seal_example().finish(made.data_hash)
    publish(made, header, [FolderMirror(tmp_path)])
    sealed = seal_example()
    later = replace(sealed, header=replace(sealed.header, sealed_at=sealed.header.sealed_at + 1))
    again = pack(later, data_key=DATA_KEY, recipients=RECIPIENTS)
    with pytest.raises(PublicationError, match="another header"):
        publish(again, later.finish(again.data_hash), [FolderMirror(tmp_path)])
    assert published_header(FolderMirror(tmp_path), 1) == header
    publish(again, later.finish(again.data_hash), [FolderMirror(tmp_path)], supersedes=[header.hash_struct()])
    assert published_header(FolderMirror(tmp_path), 1) == later.finish(again.data_hash)


def test_the_header_must_name_the_manifest(tmp_path: Path) -> None:
    with pytest.raises(PublicationError, match="another manifest"):
        publish(package(), seal_example().header, [FolderMirror(tmp_path)])
    assert not list(tmp_path.iterdir())


def test_a_wrong_key_does_not_open_the_folder(tmp_path: Path) -> None:
    made = package()
    header = seal_example().finish(made.data_hash)
    publish(made, header, [FolderMirror(tmp_path)])
    with pytest.raises(PublicationError, match="do not decrypt"):
        fetch([FolderMirror(tmp_path)], header, data_key=bytes(32))


def test_another_implementation_of_the_rfc_opens_what_the_library_wrapped() -> None:
    sealed, made = seal_example(), package()
    info = b"LPB1 tongdui batch key" + (1).to_bytes(8, "big")
    for key, wrapped in zip((AUDITOR, SECOND), made.wrapped, strict=True):
        keys = rfc9180.open_for(key, wrapped.enc, info).read(wrapped.ciphertext)
        assert keys[32:] == sealed.batch_secret
        assert keys == SUITE.decrypt(wrapped.enc + wrapped.ciphertext, key, info)


def test_that_implementation_gives_the_example_of_the_rfc() -> None:
    """RFC 9180, appendix A.1.1: base mode with AES-128-GCM, first message."""
    receiver = rfc9180.derive_key(bytes.fromhex("6db9df30aa07dd42ee5e8181afdb977e538f5e1fec8a06223f33f7013e525037"))
    assert receiver.private_bytes_raw().hex() == "4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8"
    enc = bytes.fromhex("37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431")
    opened = rfc9180.open_for(receiver, enc, b"Ode on a Grecian Urn", rfc9180.AES_128_GCM)
    assert opened.shared.hex() == "fe0e18c9f024ce43799ae393c7e8fe8fce9d218875e8227b0187c04e7d2ea1fc"
    assert (opened.key.hex(), opened.nonce.hex()) == ("4531685d41d65f03dc48f6b8302c05b0", "56d890e5accaaf011cff4b7d")
    ciphertext = "f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a"
    assert opened.read(bytes.fromhex(ciphertext), b"Count-0") == b"Beauty is truth, truth beauty"


def test_a_public_key_that_is_none_is_refused() -> None:
    for key in (bytes(32), b"short"):
        with pytest.raises(ValueError, match=r"."):
            pack(seal_example(), data_key=DATA_KEY, recipients=[Recipient("zero", key)])
