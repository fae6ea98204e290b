"""The tree in a file: the textbook's roots and paths, the same root after any death, bounded memory, no mixing."""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from proofs.poseidon import R, poseidon_rows
from proofs.tier import epoch_tree, tree_file
from proofs.tier.epoch_tree import (
    EpochTree,
    Placed,
    TreeBusy,
    TreeError,
    build,
    build_of_placed,
    build_of_runs,
    positions,
    root_from,
)
from proofs.tier.statement import DEPTH
from tests.proofs.tier import textbook

ROOT = Path(__file__).parents[3]


SMALL = {"chunk_nodes": 8, "certain_nodes": 8}


def leaves(count: int, seed: int = 1) -> list[int]:
    return [1 + (seed * 7_919**3 + at * 104_729**7) % (R - 1) for at in range(count)]


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 13])
def test_roots_and_paths_are_the_textbooks(tmp_path: Path, count: int) -> None:
    given = leaves(count)
    root = build(tmp_path / "tree", given, count)
    assert root == textbook.root(given, DEPTH)
    with EpochTree(tmp_path / "tree") as tree:
        assert (tree.root, tree.count) == (root, count)
        for index in range(count):
            path = tree.path(index)
            assert path == textbook.path(given, DEPTH, index)
            assert tree.leaf(index) == given[index]
            assert root_from(given[index], index, path) == root
            assert positions(index) == [index >> level & 1 for level in range(DEPTH)]
        for outside in (-1, count, 2**24):
            with pytest.raises(IndexError):
                tree.path(outside)
            with pytest.raises(IndexError):
                tree.leaf(outside)
        tree.check()


def test_the_file_holds_the_filled_part_only(tmp_path: Path) -> None:
    build(tmp_path / "tree", leaves(1_000), 1_000)
    filled = sum(max(1, -(-1_000 // 2**level)) for level in range(DEPTH + 1))
    assert (tmp_path / "tree").stat().st_size == 4_096 + 32 * filled
    assert (tmp_path / "tree").stat().st_mode & 0o077 == 0, "for its owner alone"


def test_chunks_do_not_change_the_root(tmp_path: Path) -> None:
    roots = {
        build(tmp_path / f"tree-{chunk}", iter(leaves(101)), 101, chunk_nodes=chunk, certain_nodes=certain)
        for chunk, certain in ((1, 1), (2, 2), (7, 3), (64, 10), (8_192, 65_536))
    }
    assert roots == {textbook.root(leaves(101), DEPTH)}


def as_runs(given: list[int], *sizes: int) -> Iterator[bytes]:
    """The leaves as they lie in the file, so many at a time."""
    source = iter(given)
    for size in sizes:
        yield b"".join(leaf.to_bytes(32, "big") for leaf in itertools.islice(source, size))


def test_runs_do_not_change_the_root(tmp_path: Path) -> None:
    given, wanted = leaves(40), textbook.root(leaves(40), DEPTH)
    for at, sizes in enumerate([(40,), (1, 0, 38, 1), (7, 33)]):
        assert build_of_runs(tmp_path / f"tree-{at}", as_runs(given, *sizes), 40) == wanted
        assert build_of_runs(tmp_path / f"tree-{at}", as_runs(given, 13, 27), 40) == wanted, "there already"
        with pytest.raises(TreeError, match="another leaf at 20"):
            build_of_runs(tmp_path / f"tree-{at}", as_runs([*given[:39], 1], 20, 20), 40)


@pytest.mark.parametrize(
    ("runs", "finding"),
    [
        ([b"\1" * 32, b"\1" * 33], "cut within a leaf"),
        ([b"\1" * 32, bytes(32)], "zero"),
        ([b"\1" * 32 + R.to_bytes(32, "big")], "zero"),
        ([b"\1" * 32], "1 came"),
        ([b"\1" * 96], "more came"),
    ],
)
def test_runs_that_no_tree_has(tmp_path: Path, runs: list[bytes], finding: str) -> None:
    with pytest.raises(TreeError, match=finding):
        build_of_runs(tmp_path / "tree", runs, 2)
    assert not (tmp_path / "tree").exists()


def placed(given: list[int], size: int) -> list[Placed]:
    """The leaves with their places in an order by chance, so many at a time."""
    order = random.Random(size).sample(range(len(given)), len(given))
    parts = [order[at : at + size] for at in range(0, len(order), size)]
    return [(part, b"".join(given[place].to_bytes(32, "big") for place in part)) for part in parts]


def test_leaves_come_in_any_order_with_their_places(tmp_path: Path) -> None:
    given, wanted = leaves(40), textbook.root(leaves(40), DEPTH)
    for size in (1, 7, 40):
        path = tmp_path / f"tree-{size}"
        runs = [*placed(given, size), ([3, 39], b"".join(given[at].to_bytes(32, "big") for at in (3, 39)))]
        assert build_of_placed(path, runs, 40, **SMALL) == wanted, "the same one again is the same one"
        assert build_of_placed(path, placed(given, 13), 40) == wanted, "there already"
        assert build_of_runs(path, as_runs(given, 40), 40) == wanted
        with pytest.raises(TreeError, match="another leaf at 39"):
            build_of_placed(path, placed([*given[:39], 1], size), 40)


ONE, TWO = (bytes(31) + bytes([number]) for number in (1, 2))


@pytest.mark.parametrize(
    ("runs", "finding"),
    [
        ([([0, 1], ONE)], "cut within a leaf"),
        ([([0, 2], ONE + TWO)], "names a place"),
        ([([0, -1], ONE + TWO)], "names a place"),
        ([([0], ONE), ([1, 0], ONE + TWO)], "place 0 is given two leaves"),
        ([([0], ONE), ([0], ONE)], "1 came"),
        ([([0, 1], ONE + bytes(32))], "zero"),
        ([([1, 0], ONE + R.to_bytes(32, "big"))], "zero"),
    ],
)
def test_places_that_no_tree_has(tmp_path: Path, runs: list[Placed], finding: str) -> None:
    with pytest.raises(TreeError, match=finding):
        build_of_placed(tmp_path / "tree", runs, 2)
    assert not (tmp_path / "tree").exists()


@pytest.mark.parametrize("runs", [0, 2, 4, 5])
def test_a_build_of_places_that_dies_is_taken_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runs: int) -> None:
    """In the middle of the leaves, after them, or of the level above them: whatever leaves come then count."""
    given, other = leaves(40), [*leaves(20), *leaves(20, seed=2)]
    calls = itertools.count()

    def dies_third(data: bytes, inputs: int) -> bytes:
        if next(calls) == 2:
            raise Died
        return poseidon_rows(data, inputs)

    def dying(name: str, parts: list[Placed], *, whole: bool = False) -> None:
        """A build that dies when these have come, or if they are whole on the level above them."""

        def coming() -> Iterator[Placed]:
            yield from parts
            if not whole:
                raise Died

        with pytest.raises(Died):
            build_of_placed(tmp_path / name, coming(), 40, **SMALL)

    with monkeypatch.context() as patched:
        patched.setattr(epoch_tree, "poseidon_rows", dies_third)
        dying("tree", placed(given, 8)[:runs], whole=runs == 5)
    (tmp_path / "again.part").write_bytes((tmp_path / "tree.part").read_bytes())
    dying("again", placed(other, 8))
    assert build_of_placed(tmp_path / "again", placed(other, 8), 40, **SMALL) == textbook.root(other, DEPTH)
    assert build_of_placed(tmp_path / "tree", placed(given, 8), 40, **SMALL) == textbook.root(given, DEPTH)


class Died(Exception):
    """The power went."""


@pytest.mark.parametrize("torn", [False, True])
def test_a_build_that_dies_at_any_write_is_taken_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, torn: bool
) -> None:
    """Every write is the last once, not made or made in half; the next build has the root of an undisturbed one."""
    count, write, last, finished = 37, os.pwrite, 0, False
    wanted = textbook.root(leaves(count), DEPTH)
    while not finished:
        path, calls = tmp_path / f"tree-{last}", itertools.count()

        def failing(descriptor: int, data: bytes, offset: int, calls: Iterator[int] = calls, last: int = last) -> int:
            if next(calls) == last:
                write(descriptor, bytes(data)[: len(data) // 2] if torn else b"", offset)
                raise Died
            return write(descriptor, data, offset)

        monkeypatch.setattr(os, "pwrite", failing)
        try:
            build(path, leaves(count), count, **SMALL)
            finished = True
        except Died:
            assert not path.exists()
        monkeypatch.setattr(os, "pwrite", write)
        assert build(path, leaves(count), count, **SMALL) == wanted
        with EpochTree(path) as tree:
            tree.check()
        last += 1
    assert last > 30


KILLED = """
import os, signal, sys
from pathlib import Path
from proofs.tier.epoch_tree import build

def leaves():
    for at in range(1, 41):
        if at == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        yield at

build(Path(sys.argv[1]), leaves(), 40, chunk_nodes=8, certain_nodes=8)
"""


@pytest.mark.parametrize("at", [1, 9, 40])
def test_a_killed_build_is_taken_up(tmp_path: Path, at: int) -> None:
    path = tmp_path / "tree"
    done = subprocess.run([sys.executable, "-c", KILLED, str(path), str(at)], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    assert not path.exists()
    assert (tmp_path / "tree.part").exists()
    assert build(path, range(1, 41), 40) == textbook.root(range(1, 41), DEPTH)


def test_what_is_certain_is_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half the leaves were certain: the second build writes the others and what stands on them, and no more."""
    write, given, written = os.pwrite, leaves(64), []

    def half() -> Iterator[int]:
        yield from given[:32]
        raise Died

    with pytest.raises(Died):
        build(tmp_path / "tree", half(), 64, **SMALL)

    def noted(descriptor: int, data: bytes, offset: int) -> int:
        written.append(offset)
        return write(descriptor, data, offset)

    monkeypatch.setattr(os, "pwrite", noted)
    build(tmp_path / "tree", given, 64, **SMALL)
    assert min(offset for offset in written if offset >= 4_096) == 4_096 + 32 * 32


def test_other_leaves_after_a_death_give_their_own_root(tmp_path: Path) -> None:
    given = leaves(40)

    def dies_late() -> Iterator[int]:
        yield from given[:39]
        raise Died

    with pytest.raises(Died):
        build(tmp_path / "tree", dies_late(), 40, **SMALL)
    other = [*given[:20], *leaves(20, seed=2)]
    assert build(tmp_path / "tree", other, 40, **SMALL) == textbook.root(other, DEPTH)


def test_another_count_begins_anew(tmp_path: Path) -> None:
    part = tmp_path / "tree.part"
    for content in (b"", b"junk" * 5_000, None):
        if content is None:
            build(tmp_path / "other", leaves(9), 9)
            (tmp_path / "other").rename(part)
        else:
            part.write_bytes(content)
        path = tmp_path / "tree"
        assert build(path, leaves(5), 5) == textbook.root(leaves(5), DEPTH)
        path.unlink()


@pytest.mark.parametrize(
    ("given", "count", "finding"),
    [
        ([1, 2], 3, "2 came"),
        ([1, 2, 3, 4], 3, "more came"),
        ([1, 0, 2], 3, "zero"),
        ([1, R, 2], 3, "zero"),
        ([1, True, 2], 3, "zero"),
    ],
)
def test_leaves_that_no_tree_has(tmp_path: Path, given: list[int], count: int, finding: str) -> None:
    with pytest.raises(TreeError, match=finding):
        build(tmp_path / "tree", given, count)
    assert not (tmp_path / "tree").exists()


@pytest.mark.parametrize("count", [0, -1, 2**24 + 1])
def test_counts_that_no_tree_has(tmp_path: Path, count: int) -> None:
    with pytest.raises(ValueError, match="1 to 16777216"):
        build(tmp_path / "tree", [], count)


def test_a_finished_file_is_compared_and_left(tmp_path: Path) -> None:
    path = tmp_path / "tree"
    root = build(path, leaves(6), 6)
    before = path.stat().st_mtime_ns
    assert build(path, leaves(6), 6) == root
    with pytest.raises(TreeError, match="another leaf at 0"):
        build(path, leaves(6, seed=3), 6)
    with pytest.raises(TreeError, match="of 6 leaves"):
        build(path, leaves(5), 5)
    assert path.stat().st_mtime_ns == before


def test_two_builds_at_once_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "tree"

    def meanwhile() -> Iterator[int]:
        yield from leaves(3)
        with pytest.raises(TreeBusy):
            build(path, leaves(3), 3)

    build(path, meanwhile(), 3)


@pytest.mark.parametrize("damage", ["cut", "head", "empty", "unfinished"])
def test_what_is_no_finished_tree_is_not_read(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "tree"
    build(path, leaves(4), 4)
    data = path.read_bytes()
    if damage == "unfinished":
        with path.open("r+b") as file:
            found = tree_file.read_progress(file.fileno())
            assert found is not None
            tree_file.write_progress(file.fileno(), 4, found.done - 1, found.serial + 1)
    else:
        path.write_bytes({"cut": data[:-32], "head": bytes(4_096) + data[4_096:], "empty": b""}[damage])
    with pytest.raises(TreeError):
        EpochTree(path)


def test_a_flipped_bit_is_found_by_checking(tmp_path: Path) -> None:
    path = tmp_path / "tree"
    build(path, leaves(4), 4)
    data = bytearray(path.read_bytes())
    data[4_096 + 5 * 32 + 31] ^= 1
    path.write_bytes(data)
    with EpochTree(path) as tree, pytest.raises(TreeError, match="level 1"):
        tree.check()


GROWTH = """
import re, sys
from pathlib import Path
from proofs.tier.epoch_tree import build

def kilobytes(name):
    return int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

build(Path(sys.argv[1]) / "small", range(1, 2_001), 2_000, chunk_nodes=64)  # loads the compiler, too
Path("/proc/self/clear_refs").write_text("5")
before = kilobytes("VmRSS")
build(Path(sys.argv[1]) / "large", range(1, 30_001), 30_000, chunk_nodes=int(sys.argv[2]))
print(kilobytes("VmHWM") - before)
"""


def growth(tmp_path: Path, chunk_nodes: int) -> int:
    """Kilobytes that a build of 30,000 leaves needs more than one of two thousand."""
    command = [sys.executable, "-c", GROWTH, str(tmp_path), str(chunk_nodes)]
    return int(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)


def test_memory_is_bounded_by_the_chunk(tmp_path: Path) -> None:
    """All leaves in one chunk show what it would take otherwise."""
    (tmp_path / "whole").mkdir()
    assert growth(tmp_path, 256) < 1_024
    assert growth(tmp_path / "whole", 30_000) > 2_048
