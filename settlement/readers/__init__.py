"""Who may read the batches: auditors and attesters by the name of their key, from one batch on and perhaps up to one.

Invariants: a name is given once and for ever, so a manifest's `kid` says which key opens it; a reader is admitted from
the next batch on and never to an earlier one, because a manifest's hash stands in its header; somebody can always read.
Rotation is a new name beside the old one, which is then dismissed: the reader keeps both keys. Which keys a sealed
batch was wrapped for is stored with it, whatever changes here. Called by sealing, founding and `python -m
settlement.readers`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from psycopg.rows import class_row

from settlement import tables
from settlement.publish import Recipient
from settlement.steps import State
from settlement.tables import Conn

KID: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
READERS_MAX: Final = 64

_READERS = "SELECT kid, public_key, from_batch, until_batch FROM settlement.reader ORDER BY kid"
_ADMIT = "INSERT INTO settlement.reader (kid, public_key, from_batch) VALUES (%s, %s, %s)"
_DISMISS = "UPDATE settlement.reader SET until_batch = %s WHERE kid = %s AND until_batch IS NULL"


class ReaderRefused(ValueError):
    """The name or key cannot be taken, or nobody would be left to read; the message says which."""


@dataclass(frozen=True, slots=True)
class Reader:
    """One key: it opens batches from_batch <= n < until_batch, without end where that is None."""

    kid: str
    public_key: bytes
    from_batch: int
    until_batch: int | None

    def reads(self, batch_no: int) -> bool:
        return self.from_batch <= batch_no and (self.until_batch is None or batch_no < self.until_batch)


def readers(conn: Conn) -> list[Reader]:
    """Everybody ever admitted, by name."""
    with conn.cursor(row_factory=class_row(Reader)) as cursor:
        return cursor.execute(_READERS).fetchall()


def of_batch(conn: Conn, batch_no: int) -> list[Recipient]:
    """For whom a batch that is sealed now is wrapped."""
    return [Recipient(each.kid, bytes(each.public_key)) for each in readers(conn) if each.reads(batch_no)]


def found(conn: Conn, first: Sequence[Recipient]) -> None:
    """The readers from genesis on, unless there are some. In the caller's transaction."""
    if not readers(conn):
        for recipient in first:
            _insert(conn, recipient, 0)


def admit(conn: Conn, recipient: Recipient) -> int:
    """Let somebody read from the next batch on; its number. Raises `ReaderRefused`."""
    with conn.transaction():
        known = readers(conn)
        if any(each.kid == recipient.kid for each in known):
            raise ReaderRefused(f"{recipient.kid}: the name was given before; a new key has a new name")
        if sum(each.until_batch is None for each in known) >= READERS_MAX:
            raise ReaderRefused(f"there are {READERS_MAX} readers already")
        following = next_batch(conn)
        _insert(conn, recipient, following)
    return following


def dismiss(conn: Conn, kid: str) -> int:
    """Let somebody read no more from the next batch on; its number. What they could read they can read for ever.
    Raises `ReaderRefused`.
    """
    with conn.transaction():
        following = next_batch(conn)
        if conn.execute(_DISMISS, [following, kid]).rowcount != 1:
            raise ReaderRefused(f"{kid}: nobody of this name reads now")
        if not of_batch(conn, following):
            raise ReaderRefused(f"{kid} is the last who can read: admit another first")
    return following


def next_batch(conn: Conn) -> int:
    """The number of the batch that is sealed next."""
    last = tables.last_batch(conn)
    if last is None:
        return 0
    return last.batch_no if last.state is State.OPEN else last.batch_no + 1


def _insert(conn: Conn, recipient: Recipient, from_batch: int) -> None:
    if not KID.fullmatch(recipient.kid):
        raise ReaderRefused(f"{recipient.kid!r}: a name is 1 to 64 of a-z 0-9 . _ - and begins with a letter or digit")
    _require_key(recipient)
    conn.execute(_ADMIT, [recipient.kid, recipient.public_key, from_batch])


def _require_key(recipient: Recipient) -> None:
    """A key of low order would make a secret that everybody knows."""
    try:
        X25519PrivateKey.generate().exchange(X25519PublicKey.from_public_bytes(recipient.public_key))
    except ValueError as error:
        raise ReaderRefused(f"{recipient.kid}: not an X25519 public key") from error
