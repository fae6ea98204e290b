"""How a command is given a key: a keystore file and its password from a prompt, a file descriptor or a file; or a
signer elsewhere. Never from the command line or the environment, which other processes can read.

Invariants: a password file that anybody but its owner may read is refused; a password is asked for without echo and
never shown, logged or kept; in production a key that everybody has is refused. Called by the commands that sign.
"""

from __future__ import annotations

import argparse
import getpass
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from settlement.chain.secret_files import SECRET_BYTES_MAX, SecretRefused, line_of, secret_line
from settlement.chain.senders import KeyRefused, LocalSigner, RemoteSigner, TransactionSigner, unlock

ADDRESS_BYTES: Final = 20

Prompt = Callable[[str], str]


def add_keystore(command: argparse.ArgumentParser, *, required: bool = False) -> None:
    """The options that name a keystore and where its password comes from."""
    command.add_argument("--keystore", type=Path, required=required, help="a V3 keystore file")
    password = command.add_mutually_exclusive_group()
    password.add_argument("--password-file", type=Path, help="a file that only you may read; else you are asked")
    password.add_argument("--password-fd", type=int, metavar="N", help="an open file descriptor that has the password")


def add_signer(command: argparse.ArgumentParser) -> None:
    """As `add_keystore`, and a signer elsewhere in its place."""
    add_keystore(command)
    command.add_argument("--signer", metavar="URL", help="a signer that speaks eth_signTransaction, and no keystore")
    command.add_argument("--signer-address", metavar="0x..", help="the account it signs for")


def opened_keystore(asked: argparse.Namespace, *, prompt: Prompt = getpass.getpass) -> LocalSigner:
    """The key in --keystore. Raises `KeyRefused`, OSError."""
    if asked.keystore is None:
        raise KeyRefused("--keystore: no key is named")
    return unlock(asked.keystore, password_of(asked, prompt=prompt))


def asked_signer(asked: argparse.Namespace, *, prompt: Prompt = getpass.getpass) -> TransactionSigner:
    """Who pays and signs. Raises `KeyRefused`, OSError."""
    if asked.signer is None:
        return opened_keystore(asked, prompt=prompt)
    if asked.keystore is not None:
        raise KeyRefused("--signer and --keystore: one of them")
    try:
        address = bytes.fromhex((asked.signer_address or "").removeprefix("0x"))
    except ValueError as error:
        raise KeyRefused("--signer-address: 0x and 40 hex digits") from error
    if len(address) != ADDRESS_BYTES:
        raise KeyRefused("--signer-address: 0x and 40 hex digits")
    return RemoteSigner(asked.signer, address)


def password_of(asked: argparse.Namespace, *, prompt: Prompt = getpass.getpass) -> str:
    """The password of --keystore. Raises `KeyRefused`, OSError."""
    try:
        if asked.password_fd is not None:
            with os.fdopen(asked.password_fd, "rb") as stream:
                return line_of(stream.read(SECRET_BYTES_MAX + 1), f"--password-fd {asked.password_fd}")
        if asked.password_file is not None:
            return secret_line(asked.password_file)
    except SecretRefused as error:
        raise KeyRefused(str(error)) from error
    return prompt(f"Password of {asked.keystore}: ")
