"""Waits of a played day's events, on numbers that can be worked out by hand."""

from bench.inclusion import Included, inclusion, spread, waits

QUARTER = 900


def test_events_come_evenly_and_go_together() -> None:
    batch = Included(batch_no=1, begun_at=1_000, sealed_at=1_900, block_at=1_910, events=3)
    assert list(waits(batch, QUARTER)) == [910, 610, 310]


def test_a_batch_sealed_late_makes_its_events_wait_longer() -> None:
    """The quarter in which they came stays what it was."""
    batch = Included(batch_no=1, begun_at=1_000, sealed_at=2_400, block_at=2_410, events=2)
    assert list(waits(batch, QUARTER)) == [1_410, 960]


def test_the_day_counts_every_event_and_every_batch() -> None:
    first = Included(batch_no=1, begun_at=0, sealed_at=900, block_at=905, events=90)
    held_up = Included(batch_no=2, begun_at=900, sealed_at=1_800, block_at=4_000, events=10)
    told = inclusion([first, held_up], quarter_seconds=QUARTER)
    # In order the waits are 15, 25, ... 905 of the first, then 2,290, 2,380, ... 3,100 of the one held up.
    assert told == {
        "events": 100,
        "receiptToBlock": {"p50Seconds": 505, "p95Seconds": 2_650, "maxSeconds": 3_100},
        "sealingToBlock": {"p50Seconds": 5, "p95Seconds": 2_200, "maxSeconds": 2_200},
        "slowestBatchesSeconds": {"2": 2_200, "1": 5},
        "goalP95SecondsMax": 1_200,
        "goalHeld": False,
    }
    assert inclusion([first], quarter_seconds=QUARTER)["goalHeld"]


def test_a_percentile_is_not_exceeded_by_as_many() -> None:
    assert spread(range(1, 101)) == {"p50Seconds": 50, "p95Seconds": 95, "maxSeconds": 100}
    assert spread([7]) == {"p50Seconds": 7, "p95Seconds": 7, "maxSeconds": 7}
