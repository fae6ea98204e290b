"""Statements with proofs, true and false, and what other verifiers say of each: the differential suite of `groth16`.

    python -m tests.proofs.groth16_vectors     makes them, asks, and writes proofs/vectors/groth16.json


The file holds true proofs in full and every other vector as the numbers in which it differs from one. Verdicts are one
sign a vector: 1 accepted, 0 refused. Asking py_ecc takes about ten minutes of one core (WORKERS=2 takes two); it is
done once, here, and the tests ask it again about a sample only.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from py_ecc import optimized_bn128 as theirs

from proofs import groth16_reference
from tests.proofs.trapdoor import COFACTOR_PRIMES, Form, P, R, form1, form2, of_order, on_twist, plus, trapdoor

VECTORS = Path(__file__).parents[2] / "proofs" / "vectors" / "groth16.json"
IN_NODE = Path(__file__).parent / "circuits" / "verdicts.mjs"
SEED = 20_260_701
SIGNAL_COUNTS = (1, 2, 6)
TRUE_OF_EACH_KEY = 60
DOORS = tuple(trapdoor(SEED + count, count) for count in SIGNAL_COUNTS)

Numbers = list[int]
"""A proof and its signals in a row: Ax, Ay, Bx (real, imaginary), By (the same), Cx, Cy, then the signals."""
Change = Callable[[Numbers, random.Random], dict[int, int]]
"""Which of the numbers become what."""


class Vector(NamedTuple):
    case: str
    key: Form
    signals: list[int]
    proof: Form


def true_proofs() -> Iterator[tuple[int, Numbers]]:
    """(key, numbers) of each; signals small, large and in between."""
    chance = random.Random(SEED)
    for key, door in enumerate(DOORS):
        for _ in range(TRUE_OF_EACH_KEY):
            signals = [chance.choice((0, 1, R - 1, chance.randrange(2**64), chance.randrange(R))) for _ in door.ic[1:]]
            yield key, numbers_of(door.prove(signals, chance), signals)


def numbers_of(form: Form, signals: list[int]) -> Numbers:
    (b0, b1) = form["pi_b"]
    return [*map(int, (*form["pi_a"], *b0, *b1, *form["pi_c"])), *signals]


def form_of(numbers: Numbers) -> Form:
    ax, ay, x0, x1, y0, y1, cx, cy = map(str, numbers[:8])
    return {"pi_a": [ax, ay], "pi_b": [[x0, x1], [y0, y1]], "pi_c": [cx, cy]}


def _at(*places: int, value: Callable[[int], int]) -> Change:
    """The numbers at these places, each by itself."""
    return lambda numbers, _: {at: value(numbers[at]) for at in places}


def _one_of(low: int, high: int, value: Callable[[int], int]) -> Change:
    """One number among places low to high − 1, by chance; 0 for high is the end."""

    def change(numbers: Numbers, chance: random.Random) -> dict[int, int]:
        at = chance.randrange(low, high or len(numbers))
        return {at: value(numbers[at])}

    return change


def _put(first: int, numbers: Any) -> dict[int, int]:
    return dict(enumerate(map(int, numbers), first))


def _b_plus(point: Callable[[random.Random], Any]) -> Change:
    def change(numbers: Numbers, chance: random.Random) -> dict[int, int]:
        x, y = plus(form_of(numbers)["pi_b"], point(chance))
        return _put(2, (*x, *y))

    return change


def _anywhere(_: Numbers, chance: random.Random) -> dict[int, int]:
    x, y = form2(on_twist(chance))
    return _put(2, (*x, *y))


def _rescaled(numbers: Numbers, chance: random.Random) -> dict[int, int]:
    """(k·A, k⁻¹·B, C)."""
    k = chance.randrange(2, R)
    x, y = (theirs.FQ2(numbers[at : at + 2]) for at in (2, 4))
    b0, b1 = form2(theirs.multiply((x, y, theirs.FQ2.one()), pow(k, -1, R)))
    return _put(0, (*form1(_times(numbers[:2], k)), *b0, *b1))


def _mixed(numbers: Numbers, chance: random.Random) -> dict[int, int]:
    """A at a multiple that B does not undo."""
    return _put(0, form1(_times(numbers[:2], chance.randrange(2, R))))


def _times(point: Numbers, scalar: int) -> Any:
    return theirs.multiply((theirs.FQ(point[0]), theirs.FQ(point[1]), theirs.FQ(1)), scalar)


def _exchanged(*pairs: tuple[int, int]) -> Change:
    return lambda numbers, _: {at: numbers[of] for one, other in pairs for at, of in ((one, other), (other, one))}


CHANGES: dict[str, Change] = {
    "minus A and minus B": _at(1, 4, 5, value=lambda y: P - y),
    "k·A and k⁻¹·B": _rescaled,
    "a signal plus 1": _one_of(8, 0, lambda s: (s + 1) % R),
    "a signal plus r": _one_of(8, 0, lambda s: s + R),
    "a signal negated": _one_of(8, 0, lambda s: (1 - s) % R),
    "minus A": _at(1, value=lambda y: P - y),
    "minus B": _at(4, 5, value=lambda y: P - y),
    "minus C": _at(7, value=lambda y: P - y),
    "k·A": _mixed,
    "A by a cube root of 1": _at(0, value=lambda x: x * pow(3, (P - 1) // 3, P) % P),
    "A and C exchanged": _exchanged((0, 6), (1, 7)),
    "the limbs of B exchanged": _exchanged((2, 3), (4, 5)),
    "the limbs of B's x exchanged": _exchanged((2, 3)),
    "B conjugated": _at(3, 5, value=lambda y: P - y),
    "a coordinate plus p": _one_of(0, 8, lambda x: x + P),
    "a coordinate plus 1": _one_of(0, 8, lambda x: (x + 1) % P),
    "A zero": _at(0, 1, value=lambda _: 0),
    "B zero": _at(2, 3, 4, 5, value=lambda _: 0),
    "C zero": _at(6, 7, value=lambda _: 0),
    "all zero": _at(*range(8), value=lambda _: 0),
    "B anywhere on the twist": _anywhere,
    "B plus anything on the twist": _b_plus(on_twist),
    **{f"B plus order {prime}": _b_plus(partial(of_order, prime)) for prime in COFACTOR_PRIMES},
}
CHANGED_OF_EACH = 36


def make() -> dict[str, Any]:
    """The file without verdicts."""
    bases, chance = list(true_proofs()), random.Random(SEED + 1)
    vectors: list[tuple[str, int, dict[int, int]]] = [("true", at, {}) for at in range(len(bases))]
    for case, change in CHANGES.items():
        sample = chance.sample(range(len(bases)), CHANGED_OF_EACH)
        vectors += [(case, at, change(bases[at][1], chance)) for at in sample]
    cases = ["true", *CHANGES]
    return {
        "keys": [door.key for door in DOORS],
        "proofs": [[key, *map(str, numbers)] for key, numbers in bases],
        "cases": cases,
        "vectors": [
            [cases.index(case), base, {str(at): str(value) for at, value in change.items()}]
            for case, base, change in vectors
        ],
        "verdicts": {},
    }


def expanded(held: dict[str, Any]) -> Iterator[Vector]:
    """Every vector in full, in order."""
    for case, base, change in held["vectors"]:
        key, *texts = held["proofs"][base]
        numbers = [int(change.get(str(at), text)) for at, text in enumerate(texts)]
        yield Vector(held["cases"][case], held["keys"][key], numbers[8:], form_of(numbers))


def write(held: dict[str, Any]) -> None:
    """One vector a line, so that a change shows where it is."""
    parts = [f'"{name}": [\n{_lines(held[name])}\n]' for name in ("keys", "proofs", "cases", "vectors")]
    parts.append(f'"verdicts": {json.dumps(held["verdicts"], indent=1)}')
    VECTORS.write_text("{\n" + ",\n".join(parts) + "\n}\n")


def _lines(values: list[Any]) -> str:
    return ",\n".join(json.dumps(value, ensure_ascii=False, separators=(",", ":")) for value in values)


def verdict_of_py_ecc(vector: Vector) -> str:
    return "1" if groth16_reference.verify(vector.key, vector.signals, vector.proof) else "0"


def verdicts_of_snarkjs(vectors: Sequence[Vector]) -> str:
    """One sign a vector, by snarkjs in node."""
    found: str = snarkjs(vectors)["verdicts"]
    return found


def snarkjs(vectors: Sequence[Vector], threads: str = "one") -> dict[str, Any]:
    """What tests/proofs/circuits/verdicts.mjs answers."""
    lines = [json.dumps([each.key, [*map(str, each.signals)], each.proof]) for each in vectors]
    command = [str(Path(sys.executable).parent / "node"), str(IN_NODE), threads]
    done = subprocess.run(command, input="\n".join(lines), capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    held = make()
    vectors = list(expanded(held))
    held["verdicts"]["snarkjs"] = verdicts_of_snarkjs(vectors)
    with ProcessPoolExecutor(int(os.environ.get("WORKERS", "1"))) as workers:
        held["verdicts"]["py_ecc"] = "".join(workers.map(verdict_of_py_ecc, vectors, chunksize=8))
    write(held)


if __name__ == "__main__":
    main()
