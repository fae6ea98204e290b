"""Golden answers: the requests of tier.json with proofs over the development keys, and a trust file that fits them.

    python -m tests.proofs.tier.answers     writes proofs/vectors/tier_answers.json; needs node

Run by hand when the development keys have changed; each run draws other proofs.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from coincurve import PrivateKey

from proofs.tier.header import EpochHeader
from tests.proofs.tier.vectors import CHAIN_ID, EPOCH_KEY, NOT_BEFORE, REGISTRY, VECTORS, hexed

ROOT = Path(__file__).parents[3]
ANSWERS = VECTORS.with_name("tier_answers.json")
DEV = ROOT / "proofs" / "circuits" / "dev"
NOW = NOT_BEFORE + 3_600
WITNESSES = (0, 0, 1, 2, 3, 4, 5)
"""Places in tier.json; the first is proven twice, which gives two proofs."""


def trusted(held: dict[str, Any]) -> dict[str, Any]:
    """The header of tier.json under the development key, signed."""
    manifest, key = (json.loads((DEV / name).read_text()) for name in ("circuit.json", "verification_key.json"))
    header = EpochHeader.from_json(held["header"]["header"] | {"vk_hash": manifest["vk_hash"]})
    signed = header.sign(PrivateKey(EPOCH_KEY), CHAIN_ID, REGISTRY)
    circuit = {name: manifest[name] for name in ("circuit_id", "setup", "vk_hash")} | {"verification_key": key}
    return {
        "chain_id": CHAIN_ID,
        "registry": hexed(REGISTRY),
        "alliance_id": held["alliance_id"],
        "circuits": [circuit],
        "epochs": [signed.to_json()],
        "epoch_keys": [held["header"]["signer"]],
    }


def responses(inputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a wallet answers."""
    node = Path(sys.executable).with_name("node")
    command = [str(node), "tests/proofs/tier/answers.mjs"]
    done = subprocess.run(command, cwd=ROOT, input=json.dumps(inputs), check=True, capture_output=True, text=True)
    return list(json.loads(done.stdout))


def main() -> None:
    """Write the answers."""
    held = json.loads(VECTORS.read_text())
    chosen = [held["witnesses"][at] for at in WITNESSES]
    made = responses([each["inputs"] for each in chosen])
    answers = [
        {"request": held["requests"][each["request"]]["signed"], "response": response}
        for each, response in zip(chosen, made, strict=True)
    ]
    form = {"now": NOW, "trusted": trusted(held), "answers": answers}
    ANSWERS.write_text(json.dumps(form, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
