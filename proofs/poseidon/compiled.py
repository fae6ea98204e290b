"""Poseidon over whole arrays by code that LLVM compiles for this processor, where the extra `poseidon` is installed.

The compiler is llvmlite, which is loaded by the first caller with many rows and by nobody else: whoever checks a proof
or a path hashes a little, in plain Python. Compiling takes a tenth of a second and leaves nothing behind: no cache
on disk that could be read-only, stale or somebody else's. Invariants: a number of inputs is hashed here only after the
code gave our hash of samples and refused what is no element; whatever fails on the way, plain Python is complete and
takes over, with a warning. The interpreter's lock is free while rows are hashed. Called by `proofs.poseidon` alone.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from ctypes import CFUNCTYPE, c_char_p, c_int64, create_string_buffer
from functools import cache
from hashlib import shake_256
from importlib import import_module
from itertools import product
from struct import pack
from typing import Any, Final

from proofs.poseidon.assembly import NAME, assembly
from proofs.poseidon.grain import R
from proofs.poseidon.permutation import hashed
from proofs.poseidon.program import INPUTS_MAX, Program, program

COMPILER: Final = "llvmlite.binding"
WORD_BYTES: Final = 32
OPTIMISED: Final = 3
EDGES: Final = (0, 1, R - 1)
SAMPLES: Final = 8

_PROTOTYPE: Final = CFUNCTYPE(c_int64, c_char_p, c_int64, c_char_p, c_char_p, c_int64, c_char_p, c_int64)

HashRows = Callable[..., int]
"""The machine of `assembly`: (steps, number of steps, constants, rows, inputs, room for hashes, number of rows)."""


class NotElement(ValueError):
    """Something to be hashed is outside the field."""


class Compiled:
    """One machine and the programs of the widths that were asked for. The code lives as long as its `engine`."""

    def __init__(self, machine: HashRows, engine: object = None) -> None:
        self._machine, self._engine = machine, engine
        self._ways: dict[int, _Way | None] = {}

    def way(self, inputs: int) -> _Way | None:
        """How rows of so many inputs are hashed; None where plain Python has to. Decided at the first."""
        if inputs not in self._ways:
            self._ways[inputs] = self._decided(inputs)
        return self._ways[inputs]

    def _decided(self, inputs: int) -> _Way | None:
        if inputs > INPUTS_MAX:
            return None
        made = _Way(self._machine, program(inputs))
        if right(made, inputs):
            return made
        warnings.warn(f"compiled Poseidon of {inputs} inputs is wrong here and not used", RuntimeWarning, stacklevel=2)
        return None


class _Way:
    """Rows of one width by the machine."""

    def __init__(self, machine: HashRows, made: Program) -> None:
        self._machine, self._inputs = machine, made.inputs
        self._count = len(made.steps)
        self._steps = b"".join(pack("<4i", *step) for step in made.steps)
        self._constants = b"".join(each.to_bytes(WORD_BYTES, "little") for each in made.constants)

    def __call__(self, data: bytes) -> bytes:
        """The hash of each row. Raises `NotElement`."""
        rows = len(data) // (self._inputs * WORD_BYTES)
        room = create_string_buffer(rows * WORD_BYTES)
        done = self._machine(self._steps, self._count, self._constants, data, self._inputs, room, rows)
        if done != rows:
            raise NotElement(f"row {done} holds no element of the field")
        return room.raw


def right(way: Callable[[bytes], bytes], inputs: int) -> bool:
    """Whether a way gives our hashes of samples, all at once, and refuses what is outside the field at each place."""
    rows = list(samples(inputs))
    if way(b"".join(map(_row, rows))) != _row([hashed(row) for row in rows]):
        return False
    for at, outside in product(range(inputs), (R, 2**256 - 1)):
        try:
            way(_row([outside if at == each else 1 for each in range(inputs)]))
        except NotElement:
            continue
        return False
    return True


def samples(inputs: int) -> Iterator[list[int]]:
    """Rows of the field's edges, then rows of anything."""
    for begin in range(len(EDGES)):
        yield [EDGES[begin]] * inputs
        yield [EDGES[(begin + at) % len(EDGES)] for at in range(inputs)]
    drawn = shake_256(b"samples of Poseidon").digest(SAMPLES * inputs * WORD_BYTES)
    numbers = [int.from_bytes(drawn[at : at + WORD_BYTES], "big") % R for at in range(0, len(drawn), WORD_BYTES)]
    for at in range(0, len(numbers), inputs):
        yield numbers[at : at + inputs]


def _row(values: list[int]) -> bytes:
    return b"".join(value.to_bytes(WORD_BYTES, "big") for value in values)


@cache
def loaded() -> Compiled | None:
    """The machine of this process, compiled at the first call; None where there is no compiler, or none that works."""
    try:
        llvm = import_module(COMPILER)
    except ImportError:
        return None
    try:
        return Compiled(*_machine(llvm))
    except Exception as error:  # noqa: BLE001 - whatever is wrong with a compiler, plain Python does the work
        warnings.warn(f"Poseidon is not compiled here: {error}", RuntimeWarning, stacklevel=2)
        return None


def _machine(llvm: Any) -> tuple[HashRows, object]:
    if sys.byteorder != "little":
        raise NotImplementedError("words have their most significant byte first")
    llvm.check_jit_execution()
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=OPTIMISED
    )
    module = llvm.parse_assembly(assembly())
    module.triple, module.data_layout = target.triple, str(target.target_data)
    module.verify()  # no passes over it: they took three times as long as the rest and made the code slower
    engine = llvm.create_mcjit_compiler(module, target)
    engine.finalize_object()
    return _PROTOTYPE(engine.get_function_address(NAME)), engine
