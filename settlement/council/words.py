"""Calls of our contracts: made from names and JSON, and read back into words, timelocks and what they carry included.

Invariants: words come from the calldata alone, by the committed ABI and the addresses of one alliance; what is not one
of its contracts, or no function of it, is shown as bytes and said to be unknown, never guessed. Pure. Called by the
council's commands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from web3 import Web3

from proofs.json_form import hex_bytes
from proofs.keccak import keccak256
from settlement.chain.contracts import ADDRESS_BYTES, Input, Name, decode_call, encode_call, inputs_of
from settlement.deployment.roles import ROLES
from settlement.networks import PARTNERS

DEPTH_MAX: Final = 4
WORD_BYTES: Final = 32
UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
ROLE_NAMES: Final[Mapping[bytes, str]] = {bytes(WORD_BYTES): "DEFAULT_ADMIN_ROLE"} | {
    keccak256(role.encode()): role for roles in ROLES.values() for role in roles if role != "DEFAULT_ADMIN_ROLE"
}
SECONDS_NAMES: Final = ("seconds", "secondsmax", "delay", "newdelay")


class CallUnfit(ValueError):
    """A contract, a function or an argument is not what the ABI says; the message names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The contracts of one alliance, by address: the name a person uses, and the artefact's."""

    chain_id: int
    council: bytes
    slow: bytes
    fast: bytes
    names: Mapping[bytes, tuple[str, Name]]

    def place(self, label: str) -> tuple[bytes, Name]:
        """Address and artefact of "policy", "hub", … or of the artefact's own name. Raises `CallUnfit`."""
        for address, (said, name) in self.names.items():
            if label in {said, name}:
                return address, name
        raise CallUnfit(
            f"{label}: no contract of this alliance; there are {', '.join(s for s, _ in self.names.values())}"
        )


def known_of(told: Mapping[str, Any]) -> Known:
    """From a file of addresses. Raises `CallUnfit`."""
    governance = (told.get("deployment") or {}).get("governance")
    if governance is None:
        raise CallUnfit("deployment.governance: the file names no council: the alliance was not handed over")
    try:
        names: dict[bytes, tuple[str, Name]] = {hex_bytes(told["hub"]): ("hub", "SettlementHub")}
        names |= {hex_bytes(told["contracts"][said]["address"]): (said, name) for said, name in PARTNERS.items()}
        if told.get("tiers"):
            names[hex_bytes(told["tiers"]["registry"]["address"])] = ("tiers", "TierRegistry")
        council, slow, fast = (hex_bytes(governance[name]["address"]) for name in ("council", "slow", "fast"))
        names |= {council: ("council", "Council"), slow: ("slow", "Timelock"), fast: ("fast", "Timelock")}
        return Known(chain_id=int(told["chainId"]), council=council, slow=slow, fast=fast, names=names)
    except (KeyError, TypeError, ValueError) as error:
        raise CallUnfit(f"not a file of addresses: {error!r}") from error


def make_call(known: Known, said: str, arguments: Sequence[Any]) -> tuple[bytes, Name, str, bytes]:
    """(target, artefact, function, calldata) of "policy.setParams" with arguments as JSON has them. Raises
    `CallUnfit`.
    """
    label, _, function = said.partition(".")
    target, name = known.place(label)
    try:
        inputs = inputs_of(name, function)
    except LookupError as error:
        raise CallUnfit(f"{said}: {name} has no such function") from error
    if len(arguments) != len(inputs):
        wanted = ", ".join(f"{each.type} {each.name}" for each in inputs)
        raise CallUnfit(f"{said}: {len(arguments)} arguments, wanted are ({wanted})")
    values = [_value(each, value, each.name) for each, value in zip(inputs, arguments, strict=True)]
    try:
        return target, name, function, encode_call(name, function, values)
    except Exception as error:
        raise CallUnfit(f"{said}: {error}") from error


def _value(kind: Input, value: Any, place: str) -> Any:
    """One JSON value as the codec wants it: structs as lists or by field, numbers as numbers or decimal strings, roles
    by name.
    """
    if kind.type.endswith("[]"):
        if not isinstance(value, list):
            raise CallUnfit(f"{place}: a list is wanted")
        one = Input(kind.name, kind.type.removesuffix("[]"), kind.parts)
        return [_value(one, each, f"{place}[{at}]") for at, each in enumerate(value)]
    if kind.parts:
        return _struct(kind, value, place)
    if kind.type.startswith(("uint", "int")):
        return _number(value, place)
    if kind.type == "address":
        return Web3.to_checksum_address(_hex(value, place, ADDRESS_BYTES))
    if kind.type.startswith("bytes"):
        size = int(kind.type.removeprefix("bytes") or 0)
        role = next((word for word, role in ROLE_NAMES.items() if role == value), None)
        return role if role is not None and size == WORD_BYTES else "0x" + _hex(value, place, size).hex()
    return value


def _struct(kind: Input, value: Any, place: str) -> tuple[Any, ...]:
    names = [part.name for part in kind.parts]
    if isinstance(value, dict):
        if sorted(value) != sorted(names):
            raise CallUnfit(f"{place}: the fields are {', '.join(names)}")
        value = [value[name] for name in names]
    if not isinstance(value, list) or len(value) != len(kind.parts):
        raise CallUnfit(f"{place}: {len(names)} values are wanted, {', '.join(names)}")
    return tuple(_value(part, each, f"{place}.{part.name}") for part, each in zip(kind.parts, value, strict=True))


def _number(value: Any, place: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise CallUnfit(f"{place}: a whole number is wanted")
    try:
        return int(value)
    except ValueError as error:
        raise CallUnfit(f"{place}: a whole number is wanted, not {value!r}") from error


def _hex(value: Any, place: str, size: int) -> bytes:
    """`size` bytes, or any number of them where it is 0."""
    try:
        data = hex_bytes(str(value))
    except ValueError as error:
        raise CallUnfit(f"{place}: 0x-hex is wanted, not {value!r}") from error
    if size and len(data) != size:
        raise CallUnfit(f"{place}: {size} bytes are wanted, not {len(data)}")
    return data


def words(known: Known, target: bytes, data: bytes, *, depth: int = 0) -> Iterator[str]:
    """A call, a line for each argument; what a timelock or the council carries is decoded inside it."""
    indent = "  " * depth
    label, name = known.names.get(target, ("", None))
    decoded = None if name is None else decode_call(name, data)
    if name is None or decoded is None:
        yield f"{indent}UNKNOWN call of 0x{target.hex()}{f' ({label})' if label else ''}: 0x{data.hex()}"
        return
    function, inputs, values = decoded
    yield f"{indent}{label} ({name} 0x{target.hex()}): {function}"
    carried = _carried(name, function, values) if depth < DEPTH_MAX else []
    for kind, value in zip(inputs, values, strict=True):
        if not (carried and kind.name in {"target", "targets", "data", "payload", "payloads"}):
            yield from _argument(known, kind, value, indent + "  ")
    for inner_target, inner_data in carried:
        yield f"{indent}  carries out:"
        yield from words(known, inner_target, inner_data, depth=depth + 2)


def _carried(name: Name, function: str, values: Sequence[Any]) -> list[tuple[bytes, bytes]]:
    """The calls inside a call."""
    if name == "Timelock" and function in {"schedule", "execute"}:
        return [(hex_bytes(values[0]), bytes(values[2]))]
    if name == "Timelock" and function in {"scheduleBatch", "executeBatch"}:
        return [(hex_bytes(target), bytes(data)) for target, data in zip(values[0], values[2], strict=True)]
    return []


def _argument(known: Known, kind: Input, value: Any, indent: str) -> Iterator[str]:
    if kind.type.endswith("[]"):
        one = Input(kind.name, kind.type.removesuffix("[]"), kind.parts)
        yield f"{indent}{kind.name}: {len(value)}"
        for each in value:
            yield from _argument(known, one, each, indent + "  ")
    elif kind.parts:
        yield f"{indent}{kind.name}:"
        for part, each in zip(kind.parts, value, strict=True):
            yield from _argument(known, part, each, indent + "  ")
    else:
        yield f"{indent}{kind.name} = {_shown(known, kind, value)}"


def _shown(known: Known, kind: Input, value: Any) -> str:
    """One value, with what it stands for."""
    if kind.type == "address":
        label = known.names.get(hex_bytes(value), ("",))[0]
        return f"{value.lower()}{f' ({label})' if label else ''}"
    if isinstance(value, bytes):
        role = ROLE_NAMES.get(value) if kind.name == "role" else None
        return f"0x{value.hex()}{f' ({role})' if role else ''}"
    if isinstance(value, int) and kind.name.lower().endswith(SECONDS_NAMES):
        return f"{value:,} ({duration(value)})"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def duration(seconds: int) -> str:
    """Seconds in days, hours, minutes and seconds, as far as there are any."""
    parts = []
    for size, unit in UNITS:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts) or "0 s"
