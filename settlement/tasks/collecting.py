"""Attesters' files: whatever lies in the folder is looked at while a batch waits for signatures.

Invariants: a file that is not an attester's, or that lies, is told of and passed over, for anybody may have put it
there; the others count. A tick; called by `turn`.
"""

from __future__ import annotations

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
log = structlog.get_logger("tongdui.tasks")


def collect(turn: Turn) -> Told:
    """Keep the signatures over batches that wait for them."""
    if not any(batch.state is State.PUBLISHED for batch in tables.unfinished(turn.conn)):
        return {}
    with turn.works.settlement(turn.conn) as s:
        files = sorted(turn.works.settings.attestations_folder.glob("*.json"))
        taken = sum(_take(s, path) for path in islice(files, FILES_PER_TURN_MAX))
    return {"attestations": taken} if taken else {}


def _take(s: Settlement, path: Path) -> int:
    try:
        return take_attestations(s, path)
    except (AttestationRefused, OSError) as error:
        log.warning("attestations refused", file=path.name, error=str(error))
        return 0
