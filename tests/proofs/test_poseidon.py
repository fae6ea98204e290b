"""Poseidon: constants from the register, every width against the textbook, plain Python and compiled code alike."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from ctypes import Array, c_char
from pathlib import Path
from types import ModuleType

import pytest

from proofs import poseidon as poseidon_package
from proofs.poseidon import INPUTS_MAX, ROWS_BEFORE_COMPILING, R, plain_rows, poseidon, poseidon_rows
from proofs.poseidon import program as programs
from proofs.poseidon.compiled import COMPILER, Compiled, NotElement, loaded, right, samples
from proofs.poseidon.grain import constants
from proofs.poseidon.permutation import hashed
from proofs.poseidon.program import BOX, Program, program
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


def packed(values: list[int]) -> bytes:
    """Elements as rows have them."""
    return b"".join(value.to_bytes(32, "big") for value in values)


def machine() -> Compiled:
    """Of this processor."""
    found = loaded()
    assert found is not None, "the tests need llvmlite"
    return found


def played(made: Program, inputs: list[int]) -> int:
    """What the steps of a program give, played by their definition."""
    unshift, tape = pow(2**256, -1, R), [*inputs]
    for row, added, begin, count in made.steps:
        if count == BOX:
            square = tape[begin] ** 2 * unshift
            tape.append(square * square * unshift * tape[begin] * unshift % R)
        else:
            factors = made.constants[row : row + count]
            total = sum(one * other for one, other in zip(factors, tape[begin : begin + count], strict=True))
            tape.append((total * unshift + made.constants[added]) % R)
    return tape[-1]


@pytest.mark.parametrize("inputs", KNOWN)
def test_circomlibs_values(inputs: tuple[int, ...]) -> None:
    assert poseidon(inputs) == KNOWN[inputs]
    assert poseidon_rows(packed([*inputs]), len(inputs)) == packed([KNOWN[inputs]])


@pytest.mark.parametrize("width", WIDTHS)
def test_constants_are_the_registers(width: int) -> None:
    made, (added, matrix) = constants(width), textbook.constants(width)
    assert [value for row in made.rounds for value in row] == added
    assert [list(row) for row in made.matrix] == matrix


@pytest.mark.parametrize("width", WIDTHS)
def test_every_width_is_the_textbook(width: int) -> None:
    rows = sample(width - 1, width)
    wanted = [textbook.poseidon(inputs) for inputs in rows]
    assert [poseidon(inputs) for inputs in rows] == wanted
    data = packed([value for inputs in rows for value in inputs])
    assert plain_rows(data, width - 1) == packed(wanted)
    assert poseidon_rows(data, width - 1) == packed(wanted)


@pytest.mark.parametrize("inputs", range(1, programs.INPUTS_MAX + 1))
def test_a_program_is_the_textbook_before_it_is_compiled(inputs: int) -> None:
    made = program(inputs)
    for row in sample(inputs, inputs):
        assert played(made, row) == textbook.poseidon(row)
    assert made.values == inputs + len(made.steps)
    assert all(begin + max(count, 1) <= inputs + at for at, (_, _, begin, count) in enumerate(made.steps) if count)


@pytest.mark.parametrize("inputs", range(1, programs.INPUTS_MAX + 1))
def test_compiled_code_is_the_textbook(inputs: int) -> None:
    way = machine().way(inputs)
    assert way is not None
    rows = [*samples(inputs), *(row for seed in range(20) for row in sample(inputs, seed))]
    wanted = packed([textbook.poseidon(row) for row in rows])
    assert way(packed([value for row in rows for value in row])) == wanted
    assert way(b"") == b""


def test_wider_than_the_programs_is_plain() -> None:
    assert machine().way(programs.INPUTS_MAX + 1) is None


def test_threads_do_not_meet() -> None:
    way = machine().way(2)
    assert way is not None
    pieces = [packed(list(range(at, at + 400))) for at in range(8)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(way, pieces)) == [plain_rows(piece, 2) for piece in pieces]


@pytest.mark.parametrize("inputs", [1, 2, 4])
@pytest.mark.parametrize("outside", [R, 2**254, 2**256 - 1])
def test_compiled_code_names_the_row_that_is_no_element(inputs: int, outside: int) -> None:
    way = machine().way(inputs)
    assert way is not None
    values = list(range(3 * inputs))
    for at in range(len(values)):
        data = packed([outside if at == each else value for each, value in enumerate(values)])
        with pytest.raises(NotElement, match=f"row {at // inputs} "):
            way(data)


def test_vectors_are_kept() -> None:
    for row in HELD["poseidon"]:
        assert poseidon([int(one) for one in row["inputs"]]) == int(row["hash"])


def wrong(*given: object) -> int:
    """A machine that leaves zeros and is content."""
    return int(given[-1])  # type: ignore[call-overload, no-any-return] # the number of rows


def lenient(
    _steps: bytes, _count: int, _constants: bytes, data: bytes, inputs: int, room: Array[c_char], rows: int
) -> int:
    """A machine that takes what is outside the field for what it leaves."""
    values = [int.from_bytes(data[at : at + 32], "big") % R for at in range(0, len(data), 32)]
    room.raw = packed([hashed(values[at : at + inputs]) for at in range(0, len(values), inputs)])
    return rows


@pytest.mark.parametrize("machine", [wrong, lenient])
def test_code_that_answers_otherwise_is_not_used(machine: Callable[..., int]) -> None:
    made = Compiled(machine)
    for inputs in (2, 4):
        with pytest.warns(RuntimeWarning, match="is wrong here and not used"):
            assert made.way(inputs) is None
        assert made.way(inputs) is None, "decided once"
    assert right(lambda data: plain_rows(data, 2), 2), "plain Python passes"


def test_without_a_compiler_plain_python_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, COMPILER, None)
    assert loaded.__wrapped__() is None


def test_a_compiler_that_cannot_work_here_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = ModuleType(COMPILER)

    def check_jit_execution() -> None:
        raise OSError("no memory may be executed")

    broken.check_jit_execution = check_jit_execution  # type: ignore[attr-defined] # a stand-in for a foreign module
    monkeypatch.setitem(sys.modules, COMPILER, broken)
    with pytest.warns(RuntimeWarning, match="not compiled here: no memory may be executed"):
        assert loaded.__wrapped__() is None


LAZY = f"""
import sys

def loaded():
    return [name for name in ("llvmlite", "numpy", "numba") if name in sys.modules]

import api.serve, auditor.__main__, proofs.tier.__main__, proofs.tier.verify, settlement.tasks.works
from proofs.poseidon import poseidon, poseidon_rows

assert poseidon([1, 2]) and loaded() == [], loaded()
few = poseidon_rows(bytes(64), 2)
assert loaded() == [], loaded()
many = poseidon_rows(bytes(64) * {ROWS_BEFORE_COMPILING}, 2)
assert loaded() == ["llvmlite"], loaded()
assert many == few * {ROWS_BEFORE_COMPILING}
"""


def test_the_compiler_is_loaded_by_plenty_of_rows_and_by_nothing_else() -> None:
    root = Path(poseidon_package.__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", LAZY], cwd=root, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("bad", [[R], [R + 1, 0], [-1], [0, 2**256], [], [0] * 17, [True], ["1"], [1.0], [None]])
def test_what_is_no_element_is_refused(bad: list[int]) -> None:
    with pytest.raises(ValueError, match=r"field|inputs"):
        poseidon(bad)


@pytest.mark.parametrize(("data", "inputs"), [(b"\0" * 63, 2), (b"\0" * 64, 4), (b"\0" * 32, 0), (b"\0" * 544, 17)])
def test_what_is_not_rows_is_refused(data: bytes, inputs: int) -> None:
    with pytest.raises(ValueError, match="inputs"):
        poseidon_rows(data, inputs)


@pytest.mark.parametrize("rows", [poseidon_rows, plain_rows])
def test_rows_outside_the_field_are_refused(rows: Callable[[bytes, int], bytes]) -> None:
    for outside in (R, 2**256 - 1):
        with pytest.raises(ValueError, match="no element of the field"):
            rows(packed([1, 2, 3, outside]), 2)


def test_constants_are_not_written_down() -> None:
    """Made from the register, never copied: no number as long as a constant stands in the source but the order."""
    folder = Path(poseidon_package.__file__).parent
    text = "".join(path.read_text() for path in sorted(folder.glob("*.py")))
    assert str(R) in text
    assert str(constants(3).rounds[0][0]) not in text
    assert f"{constants(3).rounds[0][0]:x}" not in text
