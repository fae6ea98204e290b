"""Attesters' files: what lies in the folder is looked at while a batch waits for signatures.

Invariants: a file that is not an attester's, or that lies, is told of and passed over, for anybody may have put it
there; the others count. However many there are, a file that is named after its attester is looked at in every turn, and
the newest of the others are. A tick; called by `turn`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from heapq import nlargest
from itertools import islice
from pathlib import Path
from typing import Final

import structlog

from settlement import tables
from settlement.attestations import AttestationRefused, take_attestations
from settlement.batches import Settlement
from settlement.steps import State
from settlement.tasks.asking import Told, Turn

FILES_PER_TURN_MAX: Final = 100
FILES_SEEN_MAX: Final = 100_000
log = structlog.get_logger("tongdui.tasks")


def collect(turn: Turn) -> Told:
    """Keep the signatures over batches that wait for them."""
    if not any(batch.state is State.PUBLISHED for batch in tables.unfinished(turn.conn)):
        return {}
    with turn.works.settlement(turn.conn) as s:
        taken = gather(s, turn.works.settings.attestations_folder)
    return {"attestations": taken} if taken else {}


def gather(s: Settlement, folder: Path) -> int:
    """Take what attesters left in a folder; how many signatures were new."""
    attesters = s.alliance.policy.events("AttesterSet", first=s.alliance.anchor.deploy_block)
    named = [folder / f"{event.fields['attester'].lower()}.json" for event in attesters]
    return sum(_take(s, path) for path in to_look_at(folder, named))


def to_look_at(folder: Path, named: Iterable[Path]) -> list[Path]:
    """The files named after attesters, then the newest others. Whoever floods the folder can hide the others only."""
    first = [path for path in dict.fromkeys(named) if path.is_file()]
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        found = [
            (entry.stat().st_mtime_ns, entry.name)
            for entry in islice(entries, FILES_SEEN_MAX)
            if entry.name.endswith(".json") and entry.is_file()
        ]
    known = {path.name for path in first}
    others = (each for each in found if each[1] not in known)
    return first + [folder / name for _, name in nlargest(FILES_PER_TURN_MAX, others)]


def _take(s: Settlement, path: Path) -> int:
    try:
        return take_attestations(s, path)
    except (AttestationRefused, OSError) as error:
        log.warning("attestations refused", file=path.name, error=str(error))
        return 0
