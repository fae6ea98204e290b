"""What is random in an epoch, all of it from one secret: the salt of each leaf and the order of the leaves.

Invariants: the same secret gives the same salts and the same order on every machine, so a sealing that was killed comes
to the same root and a witness can be made again; without the secret nothing of an epoch can be guessed from its root or
its leaves, and nothing of one epoch says anything about another. A salt also needs the blind of the member's
commitment: erasing that one takes this member's leaves alone out of reach. Pure. Called by `snapshot`, `trees`,
`witness` and `forgetting`.
"""

from __future__ import annotations

import hmac
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import shake_256
from itertools import count
from struct import unpack
from typing import Final

SALT_BYTES: Final = 31
"""248 bits are below the order of the field."""
_WORD_BYTES: Final = 8
_CHUNK_WORDS: Final = 2**12


@dataclass(frozen=True, slots=True)
class EpochSecret:
    """32 bytes that the vault keeps while an epoch's witnesses may be asked for."""

    secret: bytes = field(repr=False)

    def salt(self, commitment: bytes, blind: bytes) -> int:
        """The salt of the leaf of this commitment: a field element."""
        return int.from_bytes(self.salt_word(commitment, blind), "big")

    def salt_word(self, commitment: bytes, blind: bytes) -> bytes:
        """The same in 32 bytes, the most significant first."""
        return b"\0" + hmac.digest(self.secret, b"tongdui tier salt" + blind + commitment, "sha256")[:SALT_BYTES]

    def order(self, members: int) -> array[int]:
        """Where the n-th of `members` stands in the tree: a shuffle (Fisher-Yates) drawn from the secret."""
        places = array("I", range(members))
        for at, word in zip(range(members - 1, 0, -1), self._words(), strict=False):
            # A word has 64 bits and at most 2^24 places: the bias of the remainder is below 2^-40.
            other = word % (at + 1)
            places[at], places[other] = places[other], places[at]
        return places

    def _words(self) -> Iterator[int]:
        for chunk in count():
            seed = hmac.digest(self.secret, b"tongdui tier order" + chunk.to_bytes(4, "big"), "sha256")
            drawn = shake_256(seed).digest(_CHUNK_WORDS * _WORD_BYTES)
            yield from unpack(f"<{_CHUNK_WORDS}Q", drawn)
