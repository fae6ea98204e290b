"""What is kept in a process: made once, a few at a time, the oldest gone first."""

from __future__ import annotations

from api.tiers.kept import Kept


def test_a_value_is_made_once_and_few_are_kept() -> None:
    kept, made = Kept[int, str](2), list[int]()

    def value(key: int) -> str:
        def make() -> str:
            made.append(key)
            return f"value {key}"

        return kept.of(key, make)

    assert [value(key) for key in (1, 2, 1, 2)] == ["value 1", "value 2"] * 2
    assert made == [1, 2]
    assert [value(key) for key in (3, 2, 1)] == ["value 3", "value 2", "value 1"]
    assert made == [1, 2, 3, 1], "the first had to make room"
