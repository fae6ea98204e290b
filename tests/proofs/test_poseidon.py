"""Poseidon: constants from the register, every width against the textbook, plain Python and the wheel alike."""

from __future__ import annotations

import json
import random
from pathlib import Path
from types import ModuleType

import pytest

from proofs import poseidon as poseidon_package
from proofs.poseidon import INPUTS_MAX, R, native_ways, plain_ways, poseidon, poseidon_pairs
from proofs.poseidon.grain import constants
from proofs.poseidon.native import Native
from proofs.poseidon.permutation import hashed
from tests.proofs.tier import textbook
from tests.proofs.tier.vectors import VECTORS

HELD = json.loads(VECTORS.read_text())
WIDTHS = range(2, INPUTS_MAX + 2)
EDGES = (0, 1, R - 1, 2**253, R // 2)

KNOWN = {
    (1, 2): 7853200120776062878684798364095072458815029376092732009249414926327459813530,
    (1, 2, 3): 6542985608222806190361240322586112750744169038454362455181422643027100751666,
    (1, 2, 3, 4): 18821383157269793795438455681495246036402687001665670618754263018637548127333,
    (1, 2, 3, 4, 5): 6183221330272524995739186171720101788151706631170188140075976616310159254464,
}
"""What circomlib answers."""


def sample(count: int, seed: int) -> list[list[int]]:
    """Rows of field elements, the field's edges among them."""
    chance = random.Random(seed)
    return [
        [chance.choice(EDGES) if chance.random() < 0.3 else chance.randrange(R) for _ in range(count)] for _ in range(4)
    ]


@pytest.mark.parametrize("inputs", KNOWN)
def test_circomlibs_values(inputs: tuple[int, ...]) -> None:
    assert poseidon(inputs) == KNOWN[inputs]
    assert plain_ways()[0](inputs) == KNOWN[inputs]


@pytest.mark.parametrize("width", WIDTHS)
def test_constants_are_the_registers(width: int) -> None:
    made, (added, matrix) = constants(width), textbook.constants(width)
    assert [value for row in made.rounds for value in row] == added
    assert [list(row) for row in made.matrix] == matrix


@pytest.mark.parametrize("width", WIDTHS)
def test_every_width_is_the_textbook(width: int) -> None:
    plain, native = plain_ways(), native_ways()
    assert native is not None, "the tests need the wheel light-poseidon-python"
    for inputs in sample(width - 1, width):
        wanted = textbook.poseidon(inputs)
        assert plain[0](inputs) == wanted
        assert native[0](inputs) == wanted
        assert poseidon(inputs) == wanted


def test_vectors_are_kept() -> None:
    for row in HELD["poseidon"]:
        assert poseidon([int(one) for one in row["inputs"]]) == int(row["hash"])


class Wrong:
    """A wheel that answers something else, or nothing."""

    def __init__(self, count: int) -> None:
        if count > 2:
            raise ValueError("pairs only")

    def hash(self, inputs: list[int]) -> str:
        return str(sum(inputs))


class Numbers:
    """A wheel of pairs that are given as numbers and answered as decimals."""

    def __init__(self, count: int) -> None:
        if count != 2:
            raise ValueError("pairs only")

    def hash(self, inputs: list[int]) -> str:
        return str(textbook.poseidon(inputs))


@pytest.mark.parametrize("hasher", [Wrong, Numbers])
def test_what_a_wheel_cannot_do_is_done_here(hasher: type[Wrong | Numbers]) -> None:
    wheel = ModuleType("wheel")
    wheel.Hasher = hasher  # type: ignore[attr-defined] # a stand-in for a foreign module
    made = Native(wheel)
    assert (made.way(2) is hashed) == (hasher is Wrong)
    assert made.way(4) is hashed
    for inputs in ([5], [5, 6], [5, 6, 7]):
        assert made.hash(inputs) == textbook.poseidon(inputs)
    assert made.pairs([1, 2, 3, 4]) == [textbook.poseidon([1, 2]), textbook.poseidon([3, 4])]


def test_a_level_is_its_pairs() -> None:
    values = [value for row in sample(16, 1) for value in row]
    wanted = [textbook.poseidon(values[at : at + 2]) for at in range(0, len(values), 2)]
    native = native_ways()
    assert native is not None
    for _, pairs in (plain_ways(), native):
        assert pairs(values) == wanted
    assert poseidon_pairs(values) == wanted
    assert poseidon_pairs([]) == []


@pytest.mark.parametrize("bad", [[R], [R + 1, 0], [-1], [0, 2**256], [], [0] * 17, [True], ["1"], [1.0], [None]])
def test_what_is_no_element_is_refused(bad: list[int]) -> None:
    with pytest.raises(ValueError, match=r"field|inputs"):
        poseidon(bad)


@pytest.mark.parametrize("bad", [[R, 0], [1], [0, 0, 0], [0, -1]])
def test_a_bad_level_is_refused(bad: list[int]) -> None:
    with pytest.raises(ValueError, match=r"field|even"):
        poseidon_pairs(bad)


def test_constants_are_not_written_down() -> None:
    """Made from the register, never copied: no number as long as a constant stands in the source but the order."""
    folder = Path(poseidon_package.__file__).parent
    text = "".join(path.read_text() for path in sorted(folder.glob("*.py")))
    assert str(R) in text
    assert str(constants(3).rounds[0][0]) not in text
    assert f"{constants(3).rounds[0][0]:x}" not in text
