"""Poseidon, its constants and the tree by their definitions, one bit and one element at a time: what ours is held to.

Shares the field's order and the round numbers with ours, and no code.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import islice

from proofs.poseidon.grain import FULL_ROUNDS, PARTIAL_ROUNDS, R

BITS = 254


def register(width: int, partial_rounds: int) -> Iterator[int]:
    """The bits of the Grain register in its self-shrinking mode."""
    state = [int(bit) for bit in f"01{0:04b}{BITS:012b}{width:012b}{FULL_ROUNDS:010b}{partial_rounds:010b}" + "1" * 30]

    def step() -> int:
        bit = state[62] ^ state[51] ^ state[38] ^ state[23] ^ state[13] ^ state[0]
        state.pop(0)
        state.append(bit)
        return bit

    for _ in range(160):
        step()
    while True:
        first, second = step(), step()
        if first:
            yield second


@cache
def constants(width: int) -> tuple[list[int], list[list[int]]]:
    """Round constants in one run, and the matrix."""
    partial_rounds = PARTIAL_ROUNDS[width - 2]
    bits = register(width, partial_rounds)

    def number() -> int:
        return int("".join(map(str, islice(bits, BITS))), 2)

    found: list[int] = []
    while len(found) < (FULL_ROUNDS + partial_rounds) * width:
        if (value := number()) < R:
            found.append(value)
    points = [number() % R for _ in range(2 * width)]
    return found, [[pow(x + y, -1, R) for y in points[width:]] for x in points[:width]]


def poseidon(inputs: Sequence[int]) -> int:
    """Add, box, mix, for each round."""
    state = [0, *inputs]
    width = len(state)
    added, matrix = constants(width)
    rounds = FULL_ROUNDS + PARTIAL_ROUNDS[width - 2]
    for number in range(rounds):
        state = [(value + added[number * width + at]) % R for at, value in enumerate(state)]
        full = number < FULL_ROUNDS // 2 or number >= rounds - FULL_ROUNDS // 2
        state = [pow(value, 5, R) if full or at == 0 else value for at, value in enumerate(state)]
        state = [sum(m * value for m, value in zip(row, state, strict=True)) % R for row in matrix]
    return state[0]


@cache
def empty(level: int) -> int:
    """A subtree without a leaf."""
    return 0 if level == 0 else poseidon([empty(level - 1)] * 2)


def root(leaves: Sequence[int], level: int) -> int:
    """A subtree of that height over the leaves there are."""
    if not leaves:
        return empty(level)
    if level == 0:
        return leaves[0]
    half = 1 << (level - 1)
    return poseidon([root(leaves[:half], level - 1), root(leaves[half:], level - 1)])


def path(leaves: Sequence[int], level: int, index: int) -> list[int]:
    """The siblings from the leaf up."""
    if level == 0:
        return []
    half = 1 << (level - 1)
    if index < half:
        return [*path(leaves[:half], level - 1, index), root(leaves[half:], level - 1)]
    return [*path(leaves[half:], level - 1, index - half), root(leaves[:half], level - 1)]
