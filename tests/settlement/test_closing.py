"""When a batch closes, as a table."""

from __future__ import annotations

import pytest

from settlement.closing import BATCH_AGE_SECONDS_MAX, BATCH_LEAVES_MAX, FORCED_MARGIN_SECONDS, Close, Pending, why_close

NOW = 1_800_000_000
LATER = NOW + 40_000


@pytest.mark.parametrize(
    ("leaves", "first_leaf_at", "forced", "cut_off", "flush", "expected"),
    [
        (0, None, None, LATER, False, None),
        (0, None, None, LATER, True, None),
        (0, None, None, NOW + 1, False, None),
        (0, None, None, NOW, False, Close.SETTLEMENT),
        (1, NOW, None, LATER, False, None),
        (1, NOW, None, LATER, True, Close.FLUSH),
        (1, NOW - BATCH_AGE_SECONDS_MAX + 1, None, LATER, False, None),
        (1, NOW - BATCH_AGE_SECONDS_MAX, None, LATER, False, Close.AGE),
        (BATCH_LEAVES_MAX - 1, NOW, None, LATER, False, None),
        (BATCH_LEAVES_MAX, NOW, None, LATER, False, Close.FULL),
        (1, NOW, NOW + FORCED_MARGIN_SECONDS, LATER, False, None),
        (1, NOW, NOW + FORCED_MARGIN_SECONDS - 1, LATER, False, Close.FORCED),
        (BATCH_LEAVES_MAX, NOW - BATCH_AGE_SECONDS_MAX, NOW, NOW - 1, True, Close.SETTLEMENT),
    ],
)
def test_closing(
    leaves: int, first_leaf_at: int | None, forced: int | None, cut_off: int, *, flush: bool, expected: Close | None
) -> None:
    pending = Pending(leaves=leaves, first_leaf_at=first_leaf_at, forced_deadline=forced)
    assert why_close(pending, now=NOW, cut_off=cut_off, flush=flush) == expected
