"""Poseidon of one width written for the compiled machine of `assembly`, which knows two instructions and a tape.

    box    the next value is value[from]^5
    dot    the next value is row . values[from], values[from + 1], .. plus `added`, below R

The tape begins with the inputs; each instruction appends one value, the last one is the hash. Partial rounds append u
and y = u^5 in turn, so what the recurrence multiplies always lies together. Values are in Montgomery form, times 2^256,
between the first instructions, which bring the inputs there, and the last one, which leaves it.

Invariants: constants are those of `grain` and `recurrence`, nothing is written down here; that no sum outgrows the
machine's 512 bits and no value its 256 is computed for every instruction, not believed. Pure. Called by
`proofs.poseidon.compiled` and tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain, zip_longest
from typing import Final

from proofs.poseidon.grain import FULL_ROUNDS, Constants, R, Row, constants
from proofs.poseidon.recurrence import Recurrence, recurrence

INPUTS_MAX: Final = 4
"""The widest hash of tier proofs; with a wider state sums would need one subtraction more (`_Tape.dot`)."""
VALUES_MAX: Final = 256
WORD_BITS: Final = 256
SHIFT: Final = 2**WORD_BITS % R
UNSHIFT: Final = pow(SHIFT, -1, R)
OVERSHOOT_MAX: Final = 4
"""A sum is below so many times R before the machine subtracts 2R and then R, each where it can."""
BOX: Final = -1
"""In the place of the number of values."""

_HALF: Final = FULL_ROUNDS // 2
_OF_WORD: Final = Fraction(R, 2**WORD_BITS)

Step = tuple[int, int, int, int]
"""Where the row's constants begin, which constant is added, the first value, the number of values or BOX."""


@dataclass(frozen=True, slots=True)
class Program:
    """`constants` times 2^256, as the steps name them; `values` on the tape when the last step is done."""

    inputs: int
    steps: tuple[Step, ...]
    constants: Row
    values: int


def program(inputs: int) -> Program:
    """The program of 1 to INPUTS_MAX inputs."""
    width = inputs + 1
    made = constants(width)
    first, *others = made.rounds
    tape = _Tape([Fraction(1)] * inputs)
    state = [tape.dot((), 0, first[0]), *(tape.dot((SHIFT,), at, more) for at, more in enumerate(first[1:]))]
    for added in others[: _HALF - 1]:
        state = _full(tape, state, made, added)
    # The first element last: there the recurrence's window goes on.
    state = _full(tape, state, made, others[_HALF - 1], begin=1)
    state = _partial(tape, state, recurrence(width))
    for added in made.rounds[_HALF + made.partial_rounds + 1 :]:
        state = _full(tape, state, made, added)
    boxed = [tape.box(at) for at in state]
    tape.dot([each * UNSHIFT % R for each in made.matrix[0]], boxed[0], 0)
    return Program(inputs, tuple(tape.steps), tuple(tape.constants), len(tape.bounds))


@dataclass(slots=True)
class _Tape:
    """What is written so far; `bounds` says of each value how many times R it is below."""

    bounds: list[Fraction]
    steps: list[Step] = field(default_factory=list)
    constants: list[int] = field(default_factory=list)
    _held: dict[Row, int] = field(default_factory=dict)

    def box(self, at: int) -> int:
        """The place of the fifth power of a value."""
        one = self.bounds[at]
        square = _multiplied(one, one)
        return self._append((0, 0, at, BOX), _multiplied(_multiplied(square, square), one))

    def dot(self, row: Sequence[int], begin: int, added: int) -> int:
        """The place of the row times the values from `begin` on, plus `added`."""
        bounds = self.bounds[begin : begin + len(row)]
        total = sum((bound for factor, bound in zip(row, bounds, strict=True) if factor), Fraction(0))
        assert total * _OF_WORD**2 < 1, "a sum fits twice 256 bits"
        assert (total * _OF_WORD + 2) * _OF_WORD < 1, "what is left of it fits 256 bits"
        assert total * _OF_WORD + 2 < OVERSHOOT_MAX, "two subtractions bring it below R"
        return self._append((self._hold(tuple(row)), self._hold((added,)), begin, len(row)), Fraction(1))

    def _append(self, step: Step, bound: Fraction) -> int:
        self.steps.append(step)
        self.bounds.append(bound)
        assert len(self.bounds) <= VALUES_MAX, "the tape ends"
        return len(self.bounds) - 1

    def _hold(self, row: Row) -> int:
        """Where these constants begin; rows that come again stand once."""
        if row not in self._held:
            self._held[row] = len(self.constants)
            self.constants += [each * SHIFT % R for each in row]
        return self._held[row]


def _multiplied(one: Fraction, other: Fraction) -> Fraction:
    """The bound of a Montgomery product, which is not brought below R."""
    bound = one * other * _OF_WORD + 1
    assert bound * _OF_WORD < 1, "a product fits 256 bits"
    return bound


def _full(tape: _Tape, state: Sequence[int], made: Constants, added: Row, *, begin: int = 0) -> list[int]:
    """A round in which every element passes the box; elements are appended from number `begin` on, then the others."""
    boxed = [tape.box(at) for at in state]
    order = [*range(begin, made.width), *range(begin)]
    places = {each: tape.dot(made.matrix[each], boxed[0], added[each]) for each in order}
    return [places[each] for each in range(made.width)]


def _partial(tape: _Tape, state: Sequence[int], made: Recurrence) -> list[int]:
    """All partial rounds; see `recurrence` for what the rows mean. Windows are read oldest value first."""
    u, others = state[0], state[1]
    order = len(state) - 1
    for at, (row, more) in enumerate(zip(made.first, made.first_added, strict=True)):
        tape.box(u)
        of_y, of_others = row[: at + 1], row[at + 1 :]
        u = tape.dot([*of_others, *_woven([0] * len(of_y), of_y[::-1])], others, more)
    step = _woven(made.step[order::-1], made.step[:order:-1])
    for more in made.added:
        y = tape.box(u)
        u = tape.dot(step, y - 2 * order, more)
    last = [_woven(row[: order - 1 : -1], row[order - 1 :: -1]) for row in made.last]
    begin = u - 2 * order + 1
    return [u, *(tape.dot(row, begin, more) for row, more in zip(last, made.last_added, strict=True))]


def _woven(first: Sequence[int], second: Sequence[int]) -> list[int]:
    """Elements of both in turn."""
    return [each for each in chain.from_iterable(zip_longest(first, second)) if each is not None]
