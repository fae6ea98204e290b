"""Typed structs as runs of 32-byte words: the one encoding that Solidity, Python and JavaScript hash alike.

Every message of the protocol is a struct of static fields, so `abi.encode` of it is a contiguous run of words and
hashStruct(X) = keccak256(TYPEHASH ‖ words). A subclass of `Typed` states its EIP-712 type string once; the packing is
derived from it, ranges included: a value that does not fit its type raises `WordError`, in either direction. Nothing
here knows what the fields mean.

Source: EIP-712 and the Solidity ABI specification for static types. Used by every module of this room.
"""

from __future__ import annotations

import operator
import re
import struct
from typing import ClassVar, Self

from proofs.keccak import keccak256

WORD_BYTES = 32
ZERO_WORD = bytes(WORD_BYTES)
INT128_MIN, INT128_MAX = -(2**127), 2**127 - 1

_FORMATS = {
    "uint8": "31xB",
    "uint32": "28xI",
    "uint64": "24xQ",
    "uint128": "16x16s",
    "int128": "32s",
    "uint256": "32s",
    "bytes32": "32s",
    "address": "12x20s",
}


class WordError(ValueError):
    """A value does not fit its word, or bytes are not the one canonical encoding of a struct."""


def uint_word(value: int) -> bytes:
    """A word holding `value`, 0 <= value < 2^256. Raises `WordError`."""
    try:
        return value.to_bytes(WORD_BYTES, "big")
    except OverflowError as error:
        raise WordError(f"{value} does not fit uint256") from error


def int_word(value: int) -> bytes:
    """A word holding a signed 128-bit `value`, sign-extended as the ABI does."""
    if not INT128_MIN <= value <= INT128_MAX:
        raise WordError(f"{value} does not fit int128")
    return value.to_bytes(WORD_BYTES, "big", signed=True)


def _wide_uint(value: int) -> bytes:
    try:
        return value.to_bytes(16, "big")
    except OverflowError as error:
        raise WordError(f"{value} does not fit uint128") from error


def int_of(word: bytes) -> int:
    """The signed 128-bit value of a word. In that range a word has one sign extension, so no other word passes."""
    value = int.from_bytes(word, "big", signed=True)
    if not INT128_MIN <= value <= INT128_MAX:
        raise WordError(f"{value} does not fit int128")
    return value


def padding_of(layout: str) -> int:
    """The bits that `layout` (a struct format of `x`, `s`, `B`, `I`, `Q`) passes over, as a mask: all must be zero."""
    widths = {"B": 1, "I": 4, "Q": 8}
    mask = b"".join(
        b"\xff" * int(count or 1) if kind == "x" else bytes(widths.get(kind) or int(count))
        for count, kind in re.findall(r"(\d*)([a-zA-Z])", layout)
    )
    return int.from_bytes(mask, "big")


def _unsigned(data: bytes) -> int:
    return int.from_bytes(data, "big")


_ENCODE = {"uint128": _wide_uint, "int128": int_word, "uint256": uint_word}
_DECODE = {"uint128": _unsigned, "int128": int_of, "uint256": _unsigned}


class Typed:
    """Base of the protocol's structs.

    Subclasses are frozen, slotted dataclasses whose fields follow `TYPE` in order.
    """

    __slots__ = ()

    TYPE: ClassVar[str] = ""
    TYPEHASH: ClassVar[bytes]
    WORDS: ClassVar[int]
    _codec: ClassVar[struct.Struct]
    _padding: ClassVar[int]
    _get: ClassVar[operator.attrgetter[tuple[int | bytes, ...]]]
    _wide: ClassVar[tuple[tuple[int, str], ...]]

    def __init_subclass__(cls) -> None:
        types = [field.split(" ")[0] for field in cls.TYPE[cls.TYPE.index("(") + 1 : -1].split(",")]
        names = [snake(field.split(" ")[1]) for field in cls.TYPE[cls.TYPE.index("(") + 1 : -1].split(",")]
        cls.TYPEHASH = keccak256(cls.TYPE.encode())
        cls.WORDS = len(types)
        layout = "".join(_FORMATS[kind] for kind in types)
        cls._codec = struct.Struct(">" + layout)
        cls._padding = padding_of(layout)
        cls._get = operator.attrgetter(*names)
        cls._wide = tuple((at, kind) for at, kind in enumerate(types) if kind in _ENCODE)

    def words(self) -> bytes:
        """`abi.encode` of the fields: `WORDS` words of 32 bytes. Raises `WordError` for a value outside its type."""
        values = list(self._get(self))
        for at, kind in self._wide:
            values[at] = _ENCODE[kind](values[at])  # type: ignore[arg-type] # the type string says this field is an integer
        try:
            packed = self._codec.pack(*values)
        except struct.error as error:
            raise WordError(f"{type(self).__name__}: {error}") from error
        return packed

    def hash_struct(self) -> bytes:
        """keccak256(TYPEHASH ‖ words), 32 bytes."""
        return keccak256(self.TYPEHASH + self.words())

    @classmethod
    def from_words(cls, data: bytes) -> Self:
        """The struct whose `words()` are exactly `data`.

        Raises `WordError` when the bytes are short, long or not canonical.
        """
        try:
            values = list(cls._codec.unpack(data))
        except struct.error as error:
            raise WordError(f"{cls.__name__}: {error}") from error
        for at, kind in cls._wide:
            values[at] = _DECODE[kind](values[at])
        if int.from_bytes(data, "big") & cls._padding:
            raise WordError(f"{cls.__name__}: a word has bits outside its type")
        return cls(*values)


def snake(name: str) -> str:
    """The Python spelling of a Solidity field: merchantId is merchant_id, sigVS is sig_vs."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
