"""Strict reading of what strangers send: JSON of a bounded size and depth, every field in the one spelling it has.

Numbers up to 32 bits, and chains' numbers, are JSON integers; wider ones are decimal strings; bytes are 0x and
lower-case hex. Refused are other spellings of the same number (signs, leading zeros, blanks, underscores, other
scripts' digits), floats, NaN, booleans, duplicate keys, missing and unknown fields. Invariants: an error names its
field and never repeats more than a few letters of what was sent; the time is linear in the size, which is bounded
first. Called by every reader of `proofs.tier`.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from proofs.poseidon import R

DEPTH_MAX = 8
INTEGER_DIGITS_MAX = 16
TEXT_LETTERS_MAX = 200
SHOWN_LETTERS_MAX = 24

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,77}")
_HEX = re.compile(r"0x[0-9a-f]*")
# A string that does not end is one to the end of the text: so no letter is looked at twice.
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"?', re.DOTALL)


class DecodingError(ValueError):
    """What was sent is not in the one form it has. `field` names the place, as in request.policy."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field


def decode(data: bytes, what: str, *, bytes_max: int) -> Any:
    """The JSON value in `data`; `what` names it in errors. Numbers are integers of up to 16 digits."""
    if len(data) > bytes_max:
        raise DecodingError(what, f"{len(data)} bytes, at most {bytes_max} are read")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise DecodingError(what, "is not UTF-8") from error
    if _depth(text) > DEPTH_MAX:
        raise DecodingError(what, f"is nested deeper than {DEPTH_MAX}")
    try:
        return json.loads(
            text,
            object_pairs_hook=_unique,
            parse_int=_integer,
            parse_float=_refused("a number with a point or an exponent"),
            parse_constant=_refused("no number"),
        )
    except DecodingError as error:
        raise DecodingError(what, str(error)) from error
    except ValueError as error:
        raise DecodingError(what, f"is not JSON: {shown(str(error), 80)}") from error


def _depth(text: str) -> int:
    """How deep brackets are nested, outside of strings."""
    deepest = depth = 0
    for letter in re.sub(r"[^\[\]{}]", "", _STRING.sub("", text)):
        depth += 1 if letter in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in pairs:
        if name in made:
            raise DecodingError(shown(name), "stands twice")
        made[name] = value
    return made


def _integer(digits: str) -> int:
    if len(digits) > INTEGER_DIGITS_MAX or digits.startswith("-"):
        raise DecodingError(shown(digits), f"integers are not negative and have at most {INTEGER_DIGITS_MAX} digits")
    return int(digits)


def _refused(what: str) -> Callable[[str], NoReturn]:
    def refuse(spelling: str) -> NoReturn:
        raise DecodingError(shown(spelling), f"is {what}")

    return refuse


def shown(value: object, letters_max: int = SHOWN_LETTERS_MAX) -> str:
    """The beginning of a value, fit to be printed."""
    text = value if isinstance(value, str) else type(value).__name__
    plain = "".join(letter if letter.isprintable() else "?" for letter in text[:letters_max])
    return plain + ("…" if len(text) > letters_max else "")


@dataclass(frozen=True, slots=True)
class Fields:
    """A JSON object that is being read. `where` is its place."""

    where: str
    form: Mapping[str, Any]

    @classmethod
    def of(cls, form: object, where: str, names: Collection[str], optional: Collection[str] = ()) -> Fields:
        """The object, if it has exactly these fields."""
        if not isinstance(form, Mapping):
            raise DecodingError(where, f"an object is wanted, not {type(form).__name__}")
        for name in form:
            if name not in names and name not in optional:
                raise DecodingError(f"{where}.{shown(name)}", "there is no such field")
        for name in names:
            if name not in form:
                raise DecodingError(f"{where}.{name}", "is missing")
        return cls(where, form)

    def at(self, name: str) -> str:
        return f"{self.where}.{name}"

    def small(self, name: str, bits: int = 32) -> int:
        """A JSON integer of up to 32 bits."""
        return small(self.form[name], self.at(name), bits)

    def decimal(self, name: str, bits: int = 256) -> int:
        """A decimal string of so many bits at most."""
        return decimal(self.form[name], self.at(name), bits)

    def element(self, name: str) -> int:
        """A decimal string below the order of the field."""
        value = self.decimal(name)
        if value >= R:
            raise DecodingError(self.at(name), "is not below the order of the field")
        return value

    def raw(self, name: str, size: int = 32) -> bytes:
        """0x and hex of exactly `size` bytes."""
        return raw(self.form[name], self.at(name), size)

    def text(self, name: str) -> str:
        """A line that a person can be shown."""
        return line(self.form[name], self.at(name))

    def items(self, name: str, items_max: int) -> list[Any]:
        """A list no longer than `items_max`."""
        value = self.form[name]
        if not isinstance(value, list) or len(value) > items_max:
            raise DecodingError(self.at(name), f"a list of at most {items_max} is wanted")
        return value


def small(value: object, where: str, bits: int = 32) -> int:
    """A JSON integer of so many bits at most; true and false are none."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise DecodingError(where, f"an integer is wanted, not {shown(value)}")
    if value < 0 or value >> bits:
        raise DecodingError(where, f"does not fit {bits} bits")
    return value


def decimal(value: object, where: str, bits: int = 256) -> int:
    """The number that a decimal string stands for."""
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        raise DecodingError(where, f"a decimal string is wanted, not {shown(value)}")
    number = int(value)
    if number >> bits:
        raise DecodingError(where, f"does not fit {bits} bits")
    return number


def line(value: object, where: str) -> str:
    """A line that a person can be shown: letters that print, in composed form, no longer than is read."""
    if not isinstance(value, str) or not 0 < len(value) <= TEXT_LETTERS_MAX:
        raise DecodingError(where, f"a text of 1 to {TEXT_LETTERS_MAX} letters is wanted")
    if not value.isprintable() or unicodedata.normalize("NFC", value) != value:
        raise DecodingError(where, "holds letters that do not print, or are not composed (NFC)")
    return value


def raw(value: object, where: str, size: int = 32) -> bytes:
    """The bytes that 0x and lower-case hex stand for."""
    if not isinstance(value, str) or len(value) != 2 + 2 * size or not _HEX.fullmatch(value):
        raise DecodingError(where, f"0x and {2 * size} lower-case hex digits are wanted, not {shown(value)}")
    return bytes.fromhex(value[2:])


def canonical(form: object) -> bytes:
    """The one text of a JSON value that is hashed: keys sorted, no blanks, letters of ASCII only."""
    return json.dumps(form, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode()
