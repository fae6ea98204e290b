"""Where a keystore's password comes from, and where it must not."""

import argparse
import json
import os
from pathlib import Path

import pytest
from eth_account import Account

from settlement.chain.passwords import add_signer, asked_signer, opened_keystore
from settlement.chain.senders import KeyRefused, RemoteSigner
from tests.settlement.chain.tiny import ADDRESS, SENDER

PASSWORD = "correct horse battery staple"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "key.json"
    path.write_text(json.dumps(Account.encrypt(SENDER.key, PASSWORD, kdf="pbkdf2", iterations=1)))
    return path


def asked(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_signer(parser)
    return parser.parse_args(arguments)


def never(_: str) -> str:
    raise AssertionError("nobody is to be asked")


def test_a_file_for_its_owner_a_descriptor_or_a_person(store: Path, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text(PASSWORD + "\n")
    secret.chmod(0o600)
    named = asked("--keystore", str(store), "--password-file", str(secret))
    assert opened_keystore(named, prompt=never).address == ADDRESS
    secret.chmod(0o640)
    with pytest.raises(KeyRefused, match="others may read this file"):
        opened_keystore(named, prompt=never)
    reading, writing = os.pipe()
    os.write(writing, PASSWORD.encode() + b"\n")
    os.close(writing)
    by_number = asked("--keystore", str(store), "--password-fd", str(reading))
    assert opened_keystore(by_number, prompt=never).address == ADDRESS
    assert opened_keystore(asked("--keystore", str(store)), prompt=lambda _: PASSWORD).address == ADDRESS


def test_what_is_wrong_is_told_without_the_password(store: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyRefused) as refused:
        opened_keystore(asked("--keystore", str(store)), prompt=lambda _: "wrong horse")
    assert "does not open" in str(refused.value)
    assert "horse" not in str(refused.value)
    empty = tmp_path / "password"
    empty.touch(0o600)
    with pytest.raises(KeyRefused, match="is empty"):
        opened_keystore(asked("--keystore", str(store), "--password-file", str(empty)), prompt=never)
    with pytest.raises(KeyRefused, match="--keystore: no key is named"):
        asked_signer(asked(), prompt=never)


def test_a_signer_elsewhere_takes_a_keystores_place(store: Path) -> None:
    signer = asked_signer(asked("--signer", "http://127.0.0.1:9000", "--signer-address", "0x" + ADDRESS.hex()))
    assert isinstance(signer, RemoteSigner)
    assert signer.address == ADDRESS
    for address in ("0x12", "0x" + "zz" * 20):
        with pytest.raises(KeyRefused, match="--signer-address"):
            asked_signer(asked("--signer", "http://127.0.0.1:9000", "--signer-address", address))
    with pytest.raises(KeyRefused, match="one of them"):
        asked_signer(asked("--signer", "http://127.0.0.1:9000", "--keystore", str(store)))
