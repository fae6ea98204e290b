"""A proof before programs that are not the operator's: the partner's verifier alone with its two wheels, and snarkjs.

Invariants: the partner's process sees the package `proofs`, without circuits, and the wheels that a partner installs,
and nothing else of this environment; snarkjs is asked by its own command line, over the files that it knows. Both are
asked through files in one folder, which stays, so that anybody can ask again. Called by `showing`.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from api.demo.tiers.programs import PACKAGES, SOURCES, node
from proofs.tier.header import EpochHeader
from proofs.tier.request import SignedRequest
from proofs.tier.verify import signals_of
from settlement.tiers.founding import DEVELOPMENT

WHEELS: Final = ("coincurve", "tiny_keccak", "Crypto", "cffi", "_cffi_backend", "pycparser", "asn1crypto")
"""What a partner's `pip install coincurve tiny-keccak` brings, in any of their versions; what is not here is not needed
here.
"""
ALONE: Final = """
import runpy, sys
sys.path[:0] = [sys.argv.pop(1)]
runpy.run_module("proofs.tier", run_name="__main__")
"""
VERIFY_S_MAX: Final = 120
COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")


def kept(folder: Path, name: str, content: object) -> Path:
    """A JSON file of the partner's."""
    path = folder / name
    path.write_text(json.dumps(content) + "\n", encoding="utf-8")
    return path


def verifier(folder: Path) -> Path:
    """What a partner's `pip install` would put into an environment of its own."""
    installed = folder / "installed"
    shutil.rmtree(installed, ignore_errors=True)
    unused = shutil.ignore_patterns("circuits", "js", "vectors", "__pycache__")
    shutil.copytree(SOURCES / "proofs", installed / "proofs", ignore=unused)
    for wheel in WHEELS:
        found = find_spec(wheel)
        if found is not None and found.origin is not None:
            origin = Path(found.origin)
            source = origin.parent if origin.name == "__init__.py" else origin
            (installed / source.name).symlink_to(source)
    return installed.resolve()


def by_verifier(installed: Path, request: Path, response: Path, trusted: Path, *, now: int) -> tuple[int, str]:
    """Exit code and first line of the partner's verifier, in a process that has `installed` and no more."""
    words = ["verify", str(request), str(response), "--trusted", str(trusted), "--allow-dev", "--now", str(now)]
    command = [sys.executable, "-I", "-S", "-c", ALONE, str(installed), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=VERIFY_S_MAX, check=False, cwd=installed)
    said = (done.stdout or done.stderr).strip().splitlines()
    return done.returncode, said[0] if said else ""


def by_snarkjs(
    folder: Path, signed: SignedRequest, header: EpochHeader, response: Mapping[str, Any]
) -> tuple[int, str]:
    """Exit code and last line of `snarkjs groth16 verify`, over public signals that are made here. Raises `Missing`."""
    signals = signals_of(signed, header, int(response["nullifier"])).in_order()
    public = kept(folder, "public.json", [str(each) for each in signals])
    proof = kept(folder, "proof.json", as_snarkjs_has_it(response["proof"]))
    command = [node(), str(PACKAGES / "snarkjs" / "build" / "cli.cjs"), "groth16", "verify"]
    done = subprocess.run(
        [*command, str(DEVELOPMENT / "verification_key.json"), str(public), str(proof)],
        capture_output=True,
        text=True,
        timeout=VERIFY_S_MAX,
        check=False,
    )
    said = COLOURS.sub("", done.stdout or done.stderr).strip().splitlines()
    return done.returncode, said[-1] if said else ""


def as_snarkjs_has_it(proof: Mapping[str, Any]) -> dict[str, Any]:
    """The same points in projective coordinates, with the names of curve and protocol."""
    return {
        "protocol": "groth16",
        "curve": "bn128",
        "pi_a": [*proof["pi_a"], "1"],
        "pi_b": [*proof["pi_b"], ["1", "0"]],
        "pi_c": [*proof["pi_c"], "1"],
    }
