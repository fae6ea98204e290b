"""No search for cyclic garbage while a batch is made. Called by `settlement.batches` around the pure part.

A batch is some million small objects and no cycle. At its usual thresholds the interpreter walks all of them again and
again while they are being made: a fifth of the time of sealing. What a batch makes is bounded by its leaves, so nothing
is missed that could grow. Collecting is the whole process's: calls in two threads may overlap, and the last one out
lets it go on, unless it was off before the first came in.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_held = threading.Lock()
_inside: list[bool] = []
"""For each that is inside: whether collecting was on before the first came in."""


@contextmanager
def unswept() -> Iterator[None]:
    """Collecting is off inside, and afterwards as it was."""
    with _held:
        _inside.append(_inside[0] if _inside else gc.isenabled())
        gc.disable()
    try:
        yield
    finally:
        with _held:
            was_on = _inside.pop()
            if was_on and not _inside:
                gc.enable()
