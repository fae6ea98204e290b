"""Which module makes which file of proofs/vectors, and the one way their content is written down.

Called by `__main__`, which writes the files, and by the test that compares them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.proofs.edges import headers, money, places, rules, signatures, sums, words

VECTORS = Path(__file__).parents[3] / "proofs" / "vectors"
FILES: dict[str, Callable[[], dict[str, Any]]] = {
    "edges_headers.json": headers.vectors,
    "edges_money.json": money.vectors,
    "edges_places.json": places.vectors,
    "edges_rules.json": rules.vectors,
    "edges_signatures.json": signatures.vectors,
    "edges_sums.json": sums.vectors,
    "edges_words.json": words.vectors,
}


def text_of(name: str) -> str:
    """The file's content."""
    return json.dumps(FILES[name](), indent=1, ensure_ascii=False) + "\n"


def held(name: str) -> dict[str, Any]:
    """The file as it lies in the repository."""
    found: dict[str, Any] = json.loads((VECTORS / name).read_text())
    return found
