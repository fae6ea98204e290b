"""Keys of the demonstration: made once, for the owner's eyes, the same ever after."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from api.demo.keys import reader, signer


def test_a_signing_key_is_made_once_and_kept_private(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "attester.key"
    made = signer(path)
    assert signer(path).secret == made.secret
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert [file.name for file in path.parent.iterdir()] == ["attester.key"]
    assert signer(tmp_path / "other.key").secret != made.secret


def test_a_data_key_answers_its_public_half(tmp_path: Path) -> None:
    path = tmp_path / "auditor.key"
    public = reader(path, "auditor")
    assert reader(path, "auditor") == public
    assert X25519PublicKey.from_public_bytes(public).public_bytes_raw() == public
    assert path.stat().st_mode & 0o777 == 0o600
