"""The history tree against the one of `proofs`, at every size up to where shapes repeat."""

from __future__ import annotations

from hashlib import sha256

from auditor.headers import History
from proofs.headers import history_root


def test_the_history_grows_to_the_same_roots() -> None:
    history = History()
    entries: list[bytes] = []
    for number in range(130):
        assert history.root() == history_root(entries)
        entries.append(sha256(str(number).encode()).digest())
        history.append(entries[-1])
