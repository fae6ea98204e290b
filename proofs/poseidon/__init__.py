"""Poseidon over the scalar field of BN254, equal to circomlib's: the hash of everything that a circuit has to know.

A wheel does the work where one is installed (`native`); otherwise plain Python, six times slower. Invariants: an input
outside the field is refused and never reduced, so no two inputs share a hash by being written differently; both ways
give the same values (tests at every width). Called by `proofs.tier`, the sealing of epochs and whoever checks a path.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from proofs.poseidon.grain import WIDTH_MAX, R
from proofs.poseidon.native import native
from proofs.poseidon.permutation import hashed, pair_hash

__all__ = ["INPUTS_MAX", "R", "poseidon", "poseidon_pairs"]

INPUTS_MAX = WIDTH_MAX - 1

Hash = Callable[[Sequence[int]], int]
Level = Callable[[Sequence[int]], list[int]]
Ways = tuple[Hash, Level]
"""One hash of a row of elements, and of each two neighbours in a row; neither checks what it is given."""


def plain_ways() -> Ways:
    """Ours; nothing is made before the first hash."""
    return hashed, lambda values: list(map(pair_hash(), values[::2], values[1::2]))


def native_ways() -> Ways | None:
    """Those of the wheel, None where none is installed."""
    found = native()
    return None if found is None else (found.hash, found.pairs)


_hash, _level = native_ways() or plain_ways()


def poseidon(inputs: Sequence[int]) -> int:
    """The hash of 1 to 16 field elements. Raises `ValueError` for anything else."""
    if not 0 < len(inputs) <= INPUTS_MAX:
        raise ValueError(f"1 to {INPUTS_MAX} inputs are hashed, not {len(inputs)}")
    _check(inputs)
    return _hash(inputs)


def poseidon_pairs(values: Sequence[int]) -> list[int]:
    """The level above: the hash of each two neighbours. Raises `ValueError` for an odd number of them, or values
    outside the field.
    """
    if len(values) % 2:
        raise ValueError("a level has an even number of values")
    _check(values)
    return _level(values)


def _check(values: Sequence[int]) -> None:
    for value in values:
        if type(value) is not int or not 0 <= value < R:
            raise ValueError("an input is no element of the field")
