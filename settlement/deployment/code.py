"""Whether the code on a chain is the compiled one, byte for byte but for immutables; and what stands in their places.

Invariants: the artefacts of `proofs/abi` say where immutables are (a test compiles the sources and compares); nothing
else is left out of the comparison, the compiler's trailing metadata neither. Pure. Called by the check of a deployment.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from proofs.json_form import hex_bytes
from settlement.chain.contracts import Name, artifact

SHOWN_MAX: Final = 4
SHORT_STRING_MAX: Final = 31


def compiled(name: Name) -> bytes:
    """The runtime code of the artefact, zeros where immutables go."""
    return hex_bytes(artifact(name)["deployedBytecode"])


def _places(name: Name) -> Iterator[slice]:
    for each in artifact(name)["immutableReferences"]:
        yield slice(each["start"], each["start"] + each["length"])


def differences(name: Name, code: bytes) -> str:
    """In words, how `code` differs from the artefact; "" if it does not."""
    wanted = compiled(name)
    if not code:
        return "there is no code"
    if len(code) != len(wanted):
        return f"{len(code):,} bytes, but {name} has {len(wanted):,}"
    masked = bytearray(code)
    for place in _places(name):
        masked[place] = bytes(place.stop - place.start)
    apart = [at for at, (is_there, should) in enumerate(zip(masked, wanted, strict=True)) if is_there != should]
    shown = ", ".join(f"byte {at:,} is 0x{masked[at]:02x} and not 0x{wanted[at]:02x}" for at in apart[:SHOWN_MAX])
    more = f", and {len(apart) - SHOWN_MAX:,} more" if len(apart) > SHOWN_MAX else ""
    return shown + more


def immutables(name: Name, code: bytes) -> set[bytes]:
    """The values that the constructor has put into the code, as words."""
    return {code[place] for place in _places(name)}


def short_string(text: str) -> bytes:
    """A word that holds up to 31 bytes of text and their number, as OpenZeppelin's ShortStrings keeps it."""
    raw = text.encode()
    assert len(raw) <= SHORT_STRING_MAX, "longer texts are kept elsewhere"
    return raw.ljust(SHORT_STRING_MAX, b"\0") + bytes([len(raw)])
