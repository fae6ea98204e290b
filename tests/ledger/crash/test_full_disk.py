"""The log volume runs full under a store: it says so, and when there is room again nothing acknowledged is lost.

Collected where a process may mount a volume of its own (root, and a kernel that lets it); see tests/ledger/conftest.py.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

SECONDS_MAX = 240


@pytest.mark.timeout(SECONDS_MAX + 30)
def test_a_full_log_volume_loses_nothing_acknowledged(tmp_path: Path) -> None:
    done = subprocess.run(
        ["unshare", "--mount", sys.executable, "-m", "tests.ledger.crash.full_disk", str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        timeout=SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["disk_was_full"], told
    assert "OperationalError" in told["failure"]
    assert told["acknowledged"] > 0
    assert (told["same"], told["replayed"]) == (True, True), "each acknowledged answer again, byte for byte"
    assert told["went_on"] == 200
    assert told["broken"] == []
