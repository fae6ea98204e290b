"""The wheel that a partner installs, built as it is published: every room, and nothing of the circuits, whose tools and
prover are under another licence.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from tests.conftest import ROOT
from tests.house_rules import ROOMS


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    (built,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path_factory.mktemp("wheel")), versions=["standard"])
    with zipfile.ZipFile(Path(built)) as opened:
        yield opened


def test_the_wheel_holds_every_room(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    assert {f"{room}/__init__.py" for room in ROOMS} <= names
    assert {"proofs/groth16.py", "proofs/tier/verify.py", "proofs/js/receipt.js"} <= names


def test_the_wheel_holds_nothing_of_the_circuits(wheel: zipfile.ZipFile) -> None:
    assert (ROOT / "proofs" / "circuits" / "circom").is_dir()
    named = [name for name in wheel.namelist() if "circuits" in name or name.endswith((".circom", ".mjs", ".br"))]
    assert named == []
    # The licence file of the project is the one text that speaks of others' licences.
    texts = [name for name in wheel.namelist() if name.endswith((".py", ".js", ".json"))]
    assert not [name for name in texts if b"GNU General Public License" in wheel.read(name)]


def test_no_python_of_ours_imports_the_circuits() -> None:
    sources = [path for room in ROOMS for path in (ROOT / room).rglob("*.py") if "circuits" not in path.parts]
    assert sources
    assert not [str(path) for path in sources if "proofs.circuits" in path.read_text()]
