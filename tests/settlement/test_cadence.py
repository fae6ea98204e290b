"""Cut-offs and months in a zone with a fixed offset, beside the standard library's own calendar."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from settlement.sealing.cadence import cut_off_after, last_month, months_over

TIMES = st.integers(0, 4_000_000_000)
OFFSETS = st.integers(-720, 840)


def test_two_o_clock_in_china() -> None:
    at = int(datetime(2026, 11, 26, 17, 59, 59, tzinfo=UTC).timestamp())
    assert cut_off_after(at, minute_of_day=120, utc_offset_minutes=480) == at + 1
    assert cut_off_after(at + 1, minute_of_day=120, utc_offset_minutes=480) == at + 1 + 86_400


def test_the_month_is_local() -> None:
    before = int(datetime(2026, 12, 31, 15, 59, 59, tzinfo=UTC).timestamp())
    assert last_month(before, utc_offset_minutes=480).name == "2026-11"
    assert last_month(before + 1, utc_offset_minutes=480) == ("2026-12", before + 1)


@given(at=TIMES, minute=st.integers(0, 1_439), offset=OFFSETS)
def test_the_next_cut_off_is_the_first_such_minute(at: int, minute: int, offset: int) -> None:
    found = cut_off_after(at, minute_of_day=minute, utc_offset_minutes=offset)
    local = datetime.fromtimestamp(found, timezone(timedelta(minutes=offset)))
    assert (local.hour * 60 + local.minute, local.second) == (minute, 0)
    assert at < found <= at + 86_400


@given(at=TIMES, offset=OFFSETS)
def test_the_last_month_is_over_and_the_next_is_not(at: int, offset: int) -> None:
    zone = timezone(timedelta(minutes=offset))
    month = last_month(at, utc_offset_minutes=offset)
    over = datetime.fromtimestamp(month.over_at, zone)
    assert (over.day, over.hour, over.minute, over.second) == (1, 0, 0, 0)
    assert (over - timedelta(seconds=1)).strftime("%Y-%m") == month.name
    now = datetime.fromtimestamp(at, zone)
    assert (now.year, now.month) == (over.year, over.month)


@given(since=TIMES, length=st.integers(0, 100_000_000), offset=OFFSETS)
def test_the_months_between_are_each_there_once_and_in_order(since: int, length: int, offset: int) -> None:
    until = since + length
    found = months_over(since, until, utc_offset_minutes=offset)
    assert all(since < month.over_at <= until for month in found)
    assert [month.over_at for month in found] == sorted({month.over_at for month in found})
    known = {month for at in (since, until) for month in [last_month(at, utc_offset_minutes=offset)]}
    assert {month for month in known if since < month.over_at <= until} <= set(found)
    for one, next_one in pairwise(found):
        assert last_month(next_one.over_at - 1, utc_offset_minutes=offset) == one
