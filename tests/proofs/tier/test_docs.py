"""What docs/tier-proofs.md tells a partner to type does what it says: its blocks are run, in its order, over the kept
vectors. Against a demonstration that serves they are run in `tests/e2e/test_tier_show.py`.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from proofs.tier.verify import Reason
from tests.attacks.tier import FORM, HELD, NOW, answer
from tests.proofs.tier.vectors import PARTNER_KEY

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "tier-proofs.md").read_text()
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = re.findall(r"^python -m proofs\.tier (.*) \$\{NOW:\+--now \$NOW\}$", "".join(BLOCKS), re.MULTILINE)


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A partner's folder with the trust file, a request it made before, and the answer to it."""
    (tmp_path / "trusted.json").write_text(json.dumps(FORM))
    (tmp_path / "request.json").write_text(json.dumps(HELD["answers"][0]["request"]))
    (tmp_path / "response.json").write_text(json.dumps(answer()))
    return tmp_path


def run(desk: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PARTNER_KEY": PARTNER_KEY.hex(), "NOW": str(NOW)}
    return subprocess.run(
        [sys.executable, *words], cwd=desk, env=environment, check=False, capture_output=True, text=True
    )


def test_asking_and_explaining(desk: Path) -> None:
    made = run(desk, "-c", PROGRAMS[0])
    assert made.returncode == 0, made.stderr
    told = run(desk, "-m", "proofs.tier", *shlex.split(COMMANDS[0]), "--now", str(NOW))
    assert told.returncode == 0, told.stderr
    assert "tier gold; the tier still holds on 2026-08-01." in told.stdout


def test_verifying_by_command(desk: Path) -> None:
    done = run(desk, "-m", "proofs.tier", *shlex.split(COMMANDS[1]), "--now", str(NOW))
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"accepted  response\.json\n  scope      \d+\n  nullifier  \d+\n", done.stdout)


def test_verifying_and_counting_in_python(desk: Path) -> None:
    """At one till after the other, and at four at once: one visit."""
    program = f"{PROGRAMS[1]}\n{PROGRAMS[2]}"
    with ThreadPoolExecutor(4) as tills:
        every = list(tills.map(lambda _: run(desk, "-c", program), range(4)))
    every.append(run(desk, "-c", program))
    assert [each.returncode for each in every] == [0] * 5, [each.stderr for each in every]
    assert sorted("'accepted': True" in each.stdout for each in every) == [False] * 4 + [True]
    assert sorted("was here before" in each.stdout for each in every) == [False] + [True] * 4


def test_the_page_names_every_reason() -> None:
    assert set(re.findall(r"`([A-Z]+)`", PAGE.split("## Order of the checks")[1])) == {each.name for each in Reason}


def test_nothing_on_the_page_is_left_untried() -> None:
    assert (len(PROGRAMS), len(COMMANDS), len(BLOCKS)) == (3, 2, 5)
