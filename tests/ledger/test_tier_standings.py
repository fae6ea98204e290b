"""How members stand, read in bulk, is what each of them is told; and a page costs three statements."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from ledger import queries
from ledger.standing import explain_tier
from ledger.store import open_store
from ledger.tier_standings import standings
from tests.ledger.scene import DAY
from tests.ledger.tier_scene import traffic

_PERSONS = "SELECT member_no, name FROM ledger.person WHERE merged_into IS NULL ORDER BY member_no"


class Counting:
    """A connection that counts what it is asked."""

    def __init__(self, conn: psycopg.Connection[Any]) -> None:
        self._conn, self.asked = conn, 0

    def execute(self, *arguments: Any, **options: Any) -> Any:
        self.asked += 1
        return self._conn.execute(*arguments, **options)


@pytest.mark.parametrize("day", [0, 8, 36, 37, 38, 39, 41, 43, 50, 80, 500])
def test_everybody_stands_as_they_are_told(database: str, day: int) -> None:
    with open_store(database) as store:
        store.post(traffic())
    at_ms = day * DAY
    with psycopg.connect(database) as conn:
        registry = queries.registry(conn)
        persons: dict[int, str] = dict(conn.execute(_PERSONS).fetchall())
        counting: Any = Counting(conn)
        found = {each.member_no: each for each in standings(counting, registry, [*persons], at_ms)}
        assert counting.asked == 3
        assert found.keys() == persons.keys()
        assert registry.tiers is not None
        for number, name in persons.items():
            told, one = explain_tier(conn, name, at_ms), found[number]
            assert told is not None
            assert registry.tiers.tiers[one.rank].code == told.judged.tier
            assert (one.qualifying_au, one.since_ms) == (told.judged.qualifying_au, told.judged.since_ms)
            assert one.until_ms == told.kept_until_ms
            assert one.points_au == sum(each.available_au for each in queries.member_balances(conn, name, at_ms))
    by_rank = {persons[number]: one.rank for number, one in found.items() if one.rank}
    if day == 39:
        assert by_rank == {"m1": 3, "icy": 3, "m2": 2, "graced": 2, "two": 2, "m3": 1}
