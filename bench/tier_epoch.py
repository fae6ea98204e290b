"""How fast an epoch is sealed: leaves hashed and rooted in a file, by compiled code and by plain Python, in one run.

    python -m bench.tier_epoch [--leaves 100000] [--leaves-plain 5000]

Ours compiled: every leaf hashed from commitment, attributes and salt, then the tree built on disk with everything made
certain. Beside it plain Python on as many leaves as `--leaves-plain`, in a process of its own that finds no compiler,
and rows of two and of four elements by either. Processor time is told beside the time that passed: it is what stays
comparable when neighbours take a core. Memory is what the build needs at most beyond what the process had before.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from bench.conditions import arguments, keep, machine
from proofs.poseidon import WORD_BYTES, R, poseidon_rows
from proofs.poseidon.compiled import COMPILER, loaded
from proofs.tier.attributes import Attributes
from proofs.tier.epoch_tree import EpochTree, build_of_runs
from proofs.tier.statement import epoch_tag

SEED = 20_260_801
HASHES = 2_000
TAG = epoch_tag(7, 7)
MEMBERS_PER_RUN = 10_000
UNCOMPILED = f"import sys; sys.modules['{COMPILER}'] = None; from bench.tier_epoch import main; sys.exit(main())"


def members(count: int) -> Iterator[bytes]:
    """What leaves are hashed from, one at a time: commitment, tag, attributes, salt."""
    chance = random.Random(SEED)
    for at in range(count):
        points, spend = chance.randrange(100_000), chance.randrange(10_000_000)
        made = Attributes(points, spend, 1_600_000_000 + at, 1_800_000_000, 1, chance.randrange(5))
        yield words(chance.randrange(1, R), TAG, made.packed(), chance.randrange(R))


def words(*elements: int) -> bytes:
    """Elements as rows have them."""
    return b"".join([element.to_bytes(WORD_BYTES, "big") for element in elements])


def sealed(folder: Path, count: int) -> dict[str, Any]:
    """Seconds of drawing members (which is not sealing), of hashing their leaves, and of all of it with the tree."""
    path = folder / "epoch"
    drawn = spent(lambda: sum(1 for _ in members(count)))
    hashed = spent(lambda: sum(1 for _ in runs(count)))
    Path("/proc/self/clear_refs").write_text("5")
    before = megabytes("VmRSS")
    whole = spent(lambda: build_of_runs(path, runs(count), count))
    grown = megabytes("VmHWM") - before
    with EpochTree(path) as tree:
        assert tree.count == count
    seconds = {
        "leaves": {kind: round(hashed[kind] - drawn[kind], 2) for kind in drawn},
        "tree": {kind: round(whole[kind] - hashed[kind], 2) for kind in drawn},
        "sealing": {kind: round(whole[kind] - drawn[kind], 2) for kind in drawn},
    }
    return {
        "leaves": count,
        "seconds": seconds,
        "microsecondsPerMember": round((whole["cpu"] - drawn["cpu"]) / count * 1e6, 1),
        "megabytesMore": round(grown, 1),
        "fileMegabytes": round(path.stat().st_size / 2**20, 1),
    }


def runs(count: int) -> Iterator[bytes]:
    """The members' leaves, some thousand at a time."""
    source = members(count)
    while run := b"".join(islice(source, MEMBERS_PER_RUN)):
        yield poseidon_rows(run, 4)


def spent(work: Callable[[], object]) -> dict[str, float]:
    """Seconds on the clock and of the processor."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


def megabytes(name: str) -> float:
    """Of this process: VmRSS now, VmHWM at most since it was reset."""
    found = re.search(rf"{name}:\s+(\d+)", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def one_hash() -> dict[str, float]:
    """Microseconds of one hash of two and of four inputs among many, by what is installed."""
    chance, found = random.Random(SEED), {}
    for count in (2, 4):
        data = words(*[chance.randrange(R) for _ in range(count * HASHES)])
        poseidon_rows(data, count)
        start = time.process_time()
        poseidon_rows(data, count)
        found[f"inputs{count}"] = round((time.process_time() - start) / HASHES * 1e6, 1)
    return found


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--leaves", type=int, default=100_000)
    parser.add_argument("--leaves-plain", type=int, default=5_000)
    parser.add_argument("--alone", action="store_true", help="print what this process measures, nothing beside it")
    chosen = parser.parse_args()
    if chosen.alone:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps({"hash": one_hash()} | sealed(Path(folder), chosen.leaves)))
        return 0
    conditions = machine()
    ways = {"plain": ["-c", UNCOMPILED], "compiled": ["-m", "bench.tier_epoch"]}
    counts = {"plain": chosen.leaves_plain, "compiled": chosen.leaves}
    assert loaded() is not None, "no compiler to measure"
    result = {name: measured(words, counts[name]) for name, words in ways.items()}
    ratio = result["plain"]["microsecondsPerMember"] / result["compiled"]["microsecondsPerMember"]
    whole = {"conditions": conditions, **result, "ratio": round(ratio, 1)}
    print(json.dumps(whole, indent=1))
    print(f"kept in {keep('tier_epoch', whole)}")
    return 0


def measured(words: list[str], count: int) -> dict[str, Any]:
    """What a process of its own says."""
    command = [sys.executable, *words, "--alone", "--leaves", str(count)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout))


if __name__ == "__main__":
    sys.exit(main())
