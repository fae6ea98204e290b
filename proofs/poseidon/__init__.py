"""Poseidon over the scalar field of BN254, equal to circomlib's: the hash of everything that a circuit has to know.

One hash is plain Python, always. Many at once (`poseidon_rows`) are hashed by compiled code where the extra `poseidon`
is installed, and by plain Python elsewhere, which takes many times as long. Invariants: an input outside the field is
refused and never reduced, so no two inputs share a hash by being written differently; both ways give the same values
(tests at every width). Called by `proofs.tier`, the sealing of epochs and whoever checks a path.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from proofs.poseidon.compiled import WORD_BYTES, Compiled, NotElement, loaded
from proofs.poseidon.grain import WIDTH_MAX, R
from proofs.poseidon.permutation import hashed, pair_hash

__all__ = ["INPUTS_MAX", "WORD_BYTES", "R", "poseidon", "poseidon_rows"]

INPUTS_MAX: Final = WIDTH_MAX - 1
ROWS_BEFORE_COMPILING: Final = 1_000
"""Plain Python hashes about as many in the time that a compiler takes to be loaded."""

PAIR: Final = 2


def poseidon(inputs: Sequence[int]) -> int:
    """The hash of 1 to 16 field elements. Raises `ValueError` for anything else."""
    if not 0 < len(inputs) <= INPUTS_MAX:
        raise ValueError(f"1 to {INPUTS_MAX} inputs are hashed, not {len(inputs)}")
    for value in inputs:
        if type(value) is not int or not 0 <= value < R:
            raise ValueError("an input is no element of the field")
    return pair_hash()(*inputs) if len(inputs) == PAIR else hashed(inputs)


def poseidon_rows(data: bytes, inputs: int) -> bytes:
    """The hash of each row of so many elements, 32 bytes each, the most significant first; so is what is answered.

    Raises `ValueError` for elements outside the field, for bytes that are not whole rows and for 0 or above 16 inputs.
    """
    if not 0 < inputs <= INPUTS_MAX:
        raise ValueError(f"1 to {INPUTS_MAX} inputs are hashed, not {inputs}")
    rows, more = divmod(len(data), inputs * WORD_BYTES)
    if more:
        raise ValueError(f"whole rows of {inputs} inputs are hashed, and {more} bytes are over")
    made = _process.compiled(rows)
    way = None if made is None else made.way(inputs)
    return plain_rows(data, inputs) if way is None else way(data)


def plain_rows(data: bytes, inputs: int) -> bytes:
    """`poseidon_rows` in plain Python. Raises `ValueError` for elements outside the field."""
    values = [int.from_bytes(data[at : at + WORD_BYTES], "big") for at in range(0, len(data), WORD_BYTES)]
    if values and max(values) >= R:
        raise NotElement("an input is no element of the field")
    found = map(_plain(inputs), *(values[at::inputs] for at in range(inputs)))
    return b"".join([value.to_bytes(WORD_BYTES, "big") for value in found])


def _plain(inputs: int) -> Callable[..., int]:
    return pair_hash() if inputs == PAIR else lambda *row: hashed(row)


class _Process:
    """How much this process has hashed in rows: a compiler is worth its while once that has been plenty."""

    def __init__(self) -> None:
        self._rows = 0

    def compiled(self, rows: int) -> Compiled | None:
        self._rows += rows
        return loaded() if self._rows >= ROWS_BEFORE_COMPILING else None


_process: Final = _Process()
