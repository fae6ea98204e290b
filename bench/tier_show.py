"""One tier proof from a member's browser to everybody who may check it, and what each of them said.

    python -m bench.tier_show

Not a figure beside a peer but a record: the demonstration on a small year of its own in a folder that goes away, with
an epoch anchored on its chain and a proof made in headless Chromium, taken by the API, by the partner's verifier on its
own, by snarkjs and by the contract; refused the second time and at another partner. Needs node_modules
(./bootstrap node).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.conditions import arguments, keep, machine

ROOT = Path(__file__).resolve().parent.parent
SMALL = {"TONGDUI_DEMO_EVENTS": "4000", "TONGDUI_DEMO_MEMBERS": "240", "SERVE": "0"}
"""A quarter of so many members are gold: enough for a cohort."""
NOT_HANDED_DOWN = {"EVENTS", "REFUND_LINKS", "TIERS", "TONGDUI_DATABASE_URL"}


def main() -> int:
    """0 when everybody said what they should, and nobody was left out."""
    arguments(__doc__).parse_args()
    conditions = machine()
    inherited = {name: value for name, value in os.environ.items() if name not in NOT_HANDED_DOWN}
    with tempfile.TemporaryDirectory() as folder:
        environment = inherited | SMALL | {"TONGDUI_VAR": folder}
        done = subprocess.run([sys.executable, "-m", "api.demo"], cwd=ROOT, env=environment, check=False)
        told = json.loads((Path(folder) / "report.json").read_text(encoding="utf-8"))
    seconds = {name: told["seconds"].get(name) for name in ("device", "epoch", "proof")}
    result = {"conditions": conditions, "seconds": seconds, "steps": told["tiers"]["steps"]}
    print(f"kept in {keep('tier_show', result)}")
    return done.returncode or any(step["state"] != "held" for step in result["steps"])


if __name__ == "__main__":
    sys.exit(main())
