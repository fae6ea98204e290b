"""`python -m auditor new-key`: the keys an auditor or attester makes for itself, on its own machine.

Invariants: a key exists in a file of its owner's alone and is never shown; a file that is there is never overwritten;
what is printed is public: what the operator is told, so that batches are wrapped for this reader, and what the
alliance's file names as an attester. Called by the command line.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from pathlib import Path
from typing import Any, Final

from coincurve import PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from proofs.signature import address_of

KID: Final = re.compile(r"[a-z0-9._-]{1,64}")
OWNER_ONLY: Final = 0o600


class KeyNotMade(Exception):
    """A name that is none, or a file that is there already. The message says which."""


def new_reader(path: Path, kid: str) -> bytes:
    """Make a data key under the name; its public half. Raises `KeyNotMade`."""
    if not KID.fullmatch(kid):
        raise KeyNotMade(f"--kid: {kid!r} is not 1 to 64 of a-z 0-9 . _ -")
    key = X25519PrivateKey.generate()
    _keep(path, json.dumps({"kid": kid, "x25519": key.private_bytes_raw().hex()}))
    return key.public_key().public_bytes_raw()


def new_signer(path: Path) -> bytes:
    """Make an attester's key; its address. Raises `KeyNotMade`."""
    key = PrivateKey()
    _keep(path, key.secret.hex())
    return address_of(key.public_key)


def _keep(path: Path, line: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    except FileExistsError as error:
        raise KeyNotMade(f"{path}: is there already; a key is never overwritten") from error
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        stream.write(f"{line}\n")
        stream.flush()
        os.fsync(stream.fileno())


def make(options: argparse.Namespace) -> None:
    """What was asked for, and what others are told of it. Raises `KeyNotMade`."""
    if options.reader is None and options.signer is None:
        raise KeyNotMade("--reader, --signer: at least one of them")
    if options.reader is not None:
        public = new_reader(options.reader, options.kid)
        sys.stdout.write(f'reader "{options.kid}": "{public.hex()}"\n')
    if options.signer is not None:
        sys.stdout.write(f"attester 0x{new_signer(options.signer).hex()}\n")


def add_command(commands: Any, *, epilog: str) -> None:
    """The command with its options; it asks no node."""
    says = "make keys of your own and print what others are told"
    command = commands.add_parser("new-key", epilog=epilog, help=says, description=says)
    command.set_defaults(run=make, rpc=None, rpc2=None)
    command.add_argument("--kid", default="auditor", help="the reader's name, given once and never again")
    command.add_argument("--reader", type=Path, metavar="FILE", help="where the data key goes, which opens batches")
    command.add_argument("--signer", type=Path, metavar="FILE", help="where the key goes that signs headers")
