"""Poseidon by a wheel that was compiled from Rust, where one is installed and answers as ours does.

Two wheels bring the module light_poseidon_python. light-poseidon takes bytes and hashes 1 to 12 inputs;
light-poseidon-python takes numbers and hashes pairs. What a wheel does not hash is ours to hash. Invariants: a number
of inputs goes to the wheel only after it gave our hash of a sample; inputs are field elements (the caller checks),
because a wheel would reduce others. Called by `proofs.poseidon` alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from types import ModuleType
from typing import Any

from proofs.poseidon.grain import R
from proofs.poseidon.permutation import hashed, pair_hash

Hash = Callable[[Sequence[int]], int]
WORD_BYTES = 32
SAMPLE_STEP = R // 7


def wheel() -> ModuleType | None:
    """The module of either wheel, None where neither is installed."""
    try:
        import light_poseidon_python as found  # noqa: PLC0415 - a wheel may be missing for this platform
    except ImportError:
        return None
    return found  # type: ignore[no-any-return] # the wheel has no types


class Native:
    """Hashes by the wheel where it can, by ours where it cannot."""

    def __init__(self, found: ModuleType) -> None:
        self._make = found.Hasher
        self._of_bytes = hasattr(found.Hasher, "hash_bytes_be")
        self._ways: dict[int, Hash] = {}

    def hash(self, inputs: Sequence[int]) -> int:
        """The hash of 1 to 16 field elements."""
        return self.way(len(inputs))(inputs)

    def pairs(self, values: Sequence[int]) -> list[int]:
        """The hash of each two neighbours."""
        way = self.way(2)
        if way is hashed:
            return list(map(pair_hash(), values[::2], values[1::2]))
        return list(map(way, zip(values[::2], values[1::2], strict=True)))

    def way(self, count: int) -> Hash:
        """How so many inputs are hashed; decided at the first."""
        if count not in self._ways:
            self._ways[count] = self._decided(count)
        return self._ways[count]

    def _decided(self, count: int) -> Hash:
        sample = [(at + 1) * SAMPLE_STEP % R for at in range(count)]
        try:
            one = self._make(count)
            way = of_bytes(one) if self._of_bytes else of_numbers(one)
            return way if way(sample) == hashed(sample) else hashed
        except ValueError:
            return hashed


def of_bytes(one: Any) -> Hash:
    """By light-poseidon, which answers in hex."""
    call = one.hash_bytes_be
    return lambda inputs: int(call([value.to_bytes(WORD_BYTES, "big") for value in inputs]), 16)


def of_numbers(one: Any) -> Hash:
    """By light-poseidon-python, which answers in decimals."""
    call = one.hash
    return lambda inputs: int(call(list(inputs)))


@cache
def native() -> Native | None:
    """The wheel that is installed."""
    found = wheel()
    return None if found is None else Native(found)
