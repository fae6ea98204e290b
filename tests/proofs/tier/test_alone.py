"""A partner's environment: the verifier needs the standard library, one wheel for signatures and one for keccak."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.attacks.tier import FORM, HELD, NOW, answer

ROOT = Path(__file__).parents[3]
FEW = """
import sys

WHEELS = {"coincurve", "_cffi_backend", "cffi", "asn1crypto", "tiny_keccak"}

class Few:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in sys.stdlib_module_names and top not in WHEELS and top != "proofs":
            raise ModuleNotFoundError(f"a partner has no {top}", name=top)

sys.meta_path.insert(0, Few())
from proofs.tier.__main__ import main

code = main(sys.argv[1:])
from proofs.poseidon import poseidon

print(poseidon([1, 2]))
sys.exit(code)
"""


def test_verifying_with_next_to_nothing(tmp_path: Path) -> None:
    for name, form in (
        ("request", HELD["answers"][0]["request"]),
        ("response", answer()),
        ("trusted", FORM),
    ):
        (tmp_path / f"{name}.json").write_text(json.dumps(form))
    files = [str(tmp_path / f"{name}.json") for name in ("request", "response")]
    words = ["verify", *files, "--trusted", str(tmp_path / "trusted.json"), "--allow-dev", "--now", str(NOW)]
    done = subprocess.run([sys.executable, "-c", FEW, *words], cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("accepted")
    assert done.stdout.endswith("7853200120776062878684798364095072458815029376092732009249414926327459813530\n")
