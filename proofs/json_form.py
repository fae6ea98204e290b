"""The JSON form of the protocol's structs, one for headers, receipts and vectors alike: integers are decimal strings,
everything else is 0x-hex.

Field names are those of the type string. Reading is strict: a missing or additional field, another spelling of the
same number, upper-case hex or a value outside its type is refused, so two different texts never stand for one struct.
Used by whoever writes or reads published headers and receipts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from proofs.words import Typed, WordError, snake

S = TypeVar("S", bound=Typed)

_DECIMAL = re.compile(r"0|-?[1-9][0-9]{0,77}")
_HEX = re.compile(r"0x(?:[0-9a-f]{2})*")


class JsonFormError(ValueError):
    """A field is missing, unknown, or not written in the one form it has. `field` names it."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field


def to_json(struct: Typed) -> dict[str, str]:
    """The fields of `struct` in order, each as a string."""
    return {name: _text(getattr(struct, snake(name))) for _, name in _fields(type(struct))}


def from_json(kind: type[S], form: Mapping[str, Any]) -> S:
    """The struct whose `to_json` is `form`. Raises `JsonFormError` naming the field."""
    fields = _fields(kind)
    unknown = sorted(set(form) - {name for _, name in fields})
    if unknown:
        raise JsonFormError(unknown[0], f"{kind.__name__} has no such field")
    values = {snake(name): _value(form, name, abi_type) for abi_type, name in fields}
    made = kind(**values)
    try:
        made.words()
    except WordError as error:
        raise JsonFormError(kind.__name__, str(error)) from error
    return made


def integer(form: Mapping[str, Any], name: str) -> int:
    """The integer that the decimal string `form[name]` stands for."""
    text = form.get(name)
    if not isinstance(text, str) or not _DECIMAL.fullmatch(text):
        raise JsonFormError(name, f"a decimal string is wanted, not {text!r}")
    return int(text)


def raw(form: Mapping[str, Any], name: str, size: int = 32) -> bytes:
    """The `size` bytes that the lower-case 0x-hex string `form[name]` stands for."""
    text = form.get(name)
    if not isinstance(text, str) or not _HEX.fullmatch(text) or len(text) != 2 + 2 * size:
        raise JsonFormError(name, f"0x and {2 * size} lower-case hex digits are wanted, not {text!r}")
    return bytes.fromhex(text[2:])


def hex_text(data: bytes) -> str:
    """0x and lower-case hex."""
    return "0x" + data.hex()


def hex_bytes(text: str) -> bytes:
    """The bytes of hex in either case, with 0x or without. Raises ValueError. For what people and nodes write: what we
    publish has one spelling (`raw`).
    """
    return bytes.fromhex(text.removeprefix("0x"))


def _fields(kind: type[Typed]) -> list[tuple[str, str]]:
    """(type, name) of each field in the order of the type string."""
    inside = kind.TYPE[kind.TYPE.index("(") + 1 : -1]
    pairs = (field.split(" ") for field in inside.split(","))
    return [(abi_type, name) for abi_type, name in pairs]


def _text(value: int | bytes) -> str:
    return hex_text(value) if isinstance(value, bytes) else str(int(value))


def _value(form: Mapping[str, Any], name: str, abi_type: str) -> int | bytes:
    if abi_type == "bytes32":
        return raw(form, name)
    return raw(form, name, 20) if abi_type == "address" else integer(form, name)
