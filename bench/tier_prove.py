"""How long a member's device takes for a tier proof, and with how much memory: the wallet's prover beside snarkjs.

    python -m bench.tier_prove [--rounds 5]

Ours runs in one thread with our witness calculator, as in a browser's page or a mini-program; the peer is snarkjs's
fullProve with a thread for each core. Each in a Node process of its own; the first round of each holds compiling and
loading and is kept apart. Needs node_modules (./bootstrap node).
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.conditions import arguments, keep, machine, show

ROOT = Path(__file__).resolve().parent.parent
NODE = Path(sys.executable).parent / "node"
PROVER = "proofs/circuits/prover/measure.mjs"
INPUT = ROOT / "proofs" / "vectors" / "tier_proof.json"
WHO = ("ours", "snarkjs")


def measured(who: str, rounds: int) -> dict[str, Any]:
    """What one process says of `rounds` proofs and one before them."""
    asked = json.dumps(json.loads(INPUT.read_text())["input"])
    command = [str(NODE), PROVER, who, str(rounds + 1)]
    told = subprocess.run(command, input=asked, capture_output=True, text=True, check=True, cwd=ROOT)
    found: dict[str, Any] = json.loads(told.stdout.splitlines()[-1])
    return found


def figures(found: dict[str, Any]) -> dict[str, float]:
    first, *later = found["rounds"]
    return {
        "firstMilliseconds": round(first["totalMs"]),
        **{
            f"{name.removesuffix('Ms')}Milliseconds": round(statistics.median(each[name] for each in later))
            for name in later[0]
        },
        "loadMilliseconds": round(found["loadMs"]),
        "peakMegabytes": round(found["peakBytes"] / 1e6),
    }


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    conditions = machine()
    told = {who: measured(who, chosen.rounds) for who in WHO}
    middle = {who: figures(found) for who, found in told.items()}
    show("a tier proof, medians", middle)
    sizes = {name: told["ours"][name] for name in ("constraints", "wasmBytes", "zkeyBytes")}
    result = {"conditions": conditions, **sizes, "rounds": chosen.rounds, "cases": middle}
    print(json.dumps(sizes), f"kept in {keep('tier_prove', result)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
