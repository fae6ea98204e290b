"""When a batch closes, as a table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement.sealing.closing import (
    BATCH_AGE_SECONDS_MAX,
    BATCH_LEAVES_MAX,
    BATCHES_PENDING_MAX,
    BUCKETS_LEAVES,
    FORCED_MARGIN_SECONDS,
    SETTLING_PENDING_MAX,
    Close,
    Pending,
    padded,
    why_close,
)

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
        (0, None, NOW + FORCED_MARGIN_SECONDS - 1, LATER, False, Close.FORCED),
        (BATCH_LEAVES_MAX, NOW - BATCH_AGE_SECONDS_MAX, NOW, NOW - 1, True, Close.SETTLEMENT),
    ],
)
def test_closing(
    leaves: int, first_leaf_at: int | None, forced: int | None, cut_off: int, *, flush: bool, expected: Close | None
) -> None:
    pending = Pending(leaves=leaves, first_leaf_at=first_leaf_at, forced_deadline=forced)
    assert why_close(pending, now=NOW, cut_off=cut_off, flush=flush) == expected


TIMES = st.integers(NOW - 2 * 86_400, NOW + 2 * 86_400)


@st.composite
def waiting(draw: st.DrawFn) -> Pending:
    leaves = draw(st.sampled_from([0, 1, 5, BATCH_LEAVES_MAX - 1, BATCH_LEAVES_MAX, 2 * BATCH_LEAVES_MAX]))
    return Pending(
        leaves=leaves,
        first_leaf_at=draw(TIMES) if leaves else None,
        forced_deadline=draw(st.none() | TIMES),
        batches=draw(st.sampled_from([0, 1, BATCHES_PENDING_MAX - 1, BATCHES_PENDING_MAX, BATCHES_PENDING_MAX + 1])),
        settling=draw(st.integers(0, SETTLING_PENDING_MAX + 1)),
    )


@given(pending=waiting(), now=TIMES, cut_off=TIMES, flush=st.booleans())
def test_every_limit_is_kept(*, pending: Pending, now: int, cut_off: int, flush: bool) -> None:
    """The rule, said the other way round: whatever must not wait does not, and nothing closes without a reason."""
    why = why_close(pending, now=now, cut_off=cut_off, flush=flush)
    limits = {
        Close.SETTLEMENT: now >= cut_off and pending.settling < SETTLING_PENDING_MAX,
        Close.FULL: pending.leaves >= BATCH_LEAVES_MAX,
        Close.FORCED: pending.forced_deadline is not None and pending.forced_deadline < now + FORCED_MARGIN_SECONDS,
        Close.AGE: pending.first_leaf_at is not None and pending.first_leaf_at + BATCH_AGE_SECONDS_MAX <= now,
        Close.FLUSH: flush and pending.leaves > 0,
    }
    if pending.batches >= BATCHES_PENDING_MAX:
        assert why is None, "the hub takes no more"
    elif why is None:
        assert not any(limits.values())
    else:
        assert limits[why]
        assert why is Close.SETTLEMENT or not limits[Close.SETTLEMENT], "settling batches come first"


@given(pending=waiting(), now=TIMES, later=st.integers(0, 86_400), cut_off=TIMES)
def test_what_would_close_closes_later_too(pending: Pending, now: int, later: int, cut_off: int) -> None:
    first = why_close(pending, now=now, cut_off=cut_off)
    assert first is None or why_close(pending, now=now + later, cut_off=cut_off) is not None


@given(leaves=st.integers(1, 2**17))
def test_padding_shows_a_bucket_and_no_more_than_it_must(leaves: int) -> None:
    shown = padded(leaves, BUCKETS_LEAVES)
    assert shown >= leaves
    assert padded(leaves, ()) == leaves
    if leaves <= BUCKETS_LEAVES[-1]:
        assert shown in BUCKETS_LEAVES
        assert not any(leaves <= bucket < shown for bucket in BUCKETS_LEAVES)
    else:
        assert shown == leaves
