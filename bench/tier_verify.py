"""How long a partner takes to verify a tier proof, beside py_ecc and snarkjs on the same proofs, in one run.

    python -m bench.tier_verify [--rounds 5] [--batch 64]

Ours: from a proof's JSON to its verdict (strict reading, curve, subgroup, pairing), alone, in a batch, and in a batch
with one false proof among them; what it takes to prepare the key, once, is told apart. py_ecc: Miller's loops by
`optimized_bn128` under one final exponent, on points that are ready and with e(α, β) cached (three pairs), and
with the checks that it leaves to its caller (`proofs.groth16_reference`). Processor time is told beside the time that
passed: it is what stays comparable when neighbours take a core.
snarkjs: `groth16.verify` in node, warm, which does not ask what we ask of coordinates. Keys and proofs are made from a
known trapdoor, with six signals as the tier circuit has; every verdict is checked.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from bench.conditions import Rounds, arguments, keep, machine, medians, show
from proofs import groth16_reference
from proofs.groth16 import Proof, VerificationKey, verify, verify_batch
from tests.proofs.groth16_vectors import Vector, snarkjs
from tests.proofs.trapdoor import R, trapdoor

SNARKJS = Path(__file__).resolve().parents[1] / "node_modules" / "snarkjs"
SIGNALS = 6
SEED = 64
SINGLES = 20
PY_ECC_PROOFS = 2
PEER = "py_ecc, pairings alone"
FIGURE, PROCESSOR = "millisecondsEach", "processorMilliseconds"


def made(count: int) -> list[Vector]:
    """True proofs of random signals under one key."""
    chance, door = random.Random(SEED), trapdoor(SEED, SIGNALS)
    statements = [[chance.randrange(R) for _ in range(SIGNALS)] for _ in range(count)]
    return [Vector("true", door.key, signals, door.prove(signals, chance)) for signals in statements]


def spent(work: Callable[[], list[bool]], wanted: list[bool]) -> dict[str, float]:
    """Milliseconds for each of the verdicts, which must be those wanted."""
    begun, worked = time.perf_counter(), time.process_time()
    found = work()
    worked, took = time.process_time() - worked, time.perf_counter() - begun
    assert found == wanted
    return {FIGURE: took / len(wanted) * 1e3, PROCESSOR: worked / len(wanted) * 1e3}


def prepared(vector: Vector) -> tuple[VerificationKey, float]:
    """The key, and how many milliseconds it took to read it and make its tables."""
    begun = time.perf_counter()
    key = VerificationKey.from_json(vector.key)
    assert key.prepared
    return key, (time.perf_counter() - begun) * 1e3


def by_snarkjs(vectors: list[Vector]) -> dict[str, float]:
    """The median of what each took once it was warm."""
    answer = snarkjs(vectors)
    assert set(answer["verdicts"]) == {"1"}
    milliseconds: list[float] = answer["milliseconds"][1:]
    return {FIGURE: statistics.median(milliseconds)}


def one_round(key: VerificationKey, vectors: list[Vector]) -> dict[str, dict[str, float]]:
    """Each case once."""
    few, fewer, count = vectors[:SINGLES], vectors[:PY_ECC_PROOFS], len(vectors)
    entries = [(each.signals, each.proof) for each in vectors]
    spoiled = [([*vectors[0].signals[:-1], 0], vectors[0].proof), *entries[1:]]
    pairs = groth16_reference.equation(vectors[0].key, vectors[0].signals, vectors[0].proof)
    target = groth16_reference.product(pairs[:1]).inv()
    cases = {
        "alone": spent(
            lambda: [verify(key, each.signals, Proof.from_json(each.proof)) for each in few], [True] * len(few)
        ),
        f"batch of {count}": spent(lambda: in_batch(key, entries), [True] * count),
        f"batch of {count}, one false": spent(lambda: in_batch(key, spoiled), [False] + [True] * (count - 1)),
        PEER: spent(lambda: [groth16_reference.product(pairs[1:]) == target], [True]),
        "py_ecc": spent(
            lambda: [groth16_reference.verify(each.key, each.signals, each.proof) for each in fewer],
            [True] * len(fewer),
        ),
    }
    return cases | ({"snarkjs, one thread": by_snarkjs(few)} if SNARKJS.exists() else {})


def in_batch(key: VerificationKey, entries: list[tuple[list[int], dict[str, object]]]) -> list[bool]:
    return verify_batch(key, [(signals, Proof.from_json(form)) for signals, form in entries])


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=64)
    options = parser.parse_args()
    conditions = machine() | {"rounds": options.rounds, "signals": SIGNALS, "snarkjs": SNARKJS.exists()}
    vectors = made(options.batch)
    key, preparing = prepared(vectors[0])
    rounds: Rounds = {}
    for _ in range(options.rounds):
        for case, figures in one_round(key, vectors).items():
            rounds.setdefault(case, []).append(figures)
    middle = medians(rounds)
    show("a verdict, from a proof's JSON on", middle)
    told = {case: round(middle[PEER][FIGURE] / found[FIGURE], 1) for case, found in middle.items()}
    result = {
        "conditions": conditions,
        "figures": {case: {name: round(value, 2) for name, value in found.items()} for case, found in middle.items()},
        "keyPreparedMilliseconds": round(preparing, 1),
        "timesFasterThanPairingsOfPyEcc": told,
        "rounds": rounds,
    }
    print(f"times faster than the pairings of py_ecc: {told}; the key took {preparing:.0f} ms")
    print(keep("tier_verify", result))


if __name__ == "__main__":
    main()
