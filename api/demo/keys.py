"""The demonstration's own keys, made once under var/keys: of the attesters, the auditor and whoever pays for gas.

Invariants: a key file is readable by its owner alone and never overwritten; nothing here is for production, where keys
come from a keystore or a signing service of the merchants' and auditors' own. Who may call: the demo's run and tests.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from secrets import token_bytes

from coincurve import PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

OWNER_ONLY = 0o600


def signer(path: Path) -> PrivateKey:
    """The secp256k1 key of `path` (one line of hex), made if there is none."""
    if not path.exists():
        keep(path, PrivateKey().secret.hex() + "\n")
    return PrivateKey(bytes.fromhex(path.read_text(encoding="ascii").strip()))


def reader(path: Path, kid: str) -> bytes:
    """The public X25519 key of the data key in `path` (JSON: kid, x25519, note), made if there is none."""
    if not path.exists():
        key = {"kid": kid, "x25519": token_bytes(32).hex(), "note": "made by the demonstration, of no value elsewhere"}
        keep(path, json.dumps(key) + "\n")
    private = bytes.fromhex(json.loads(path.read_text(encoding="ascii"))["x25519"])
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def keep(path: Path, content: str) -> None:
    """Put `content` into a file of the owner's.

    Written under another name first, so that an interruption leaves no half key.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(
        os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, OWNER_ONLY), "w", encoding="ascii"
    ) as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    unfinished.rename(path)
