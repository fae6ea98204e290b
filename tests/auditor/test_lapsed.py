"""When a signed header can never be committed any more: by its own time, or by that of what it was sealed on."""

import pytest

from auditor.lapsed import Final, Sealing, lapsed
from proofs.headers import SEAL_LAG_SECONDS_BOUND

FIRST, SECOND, THIRD, GENESIS = (bytes([number]) * 32 for number in (1, 2, 3, 9))
KNOWN = {FIRST: Sealing(1, 1_000, GENESIS), SECOND: Sealing(2, 50_000, FIRST), THIRD: Sealing(3, 80_000, SECOND)}
FIRST_UP, SECOND_UP = (KNOWN[each].sealed_at + SEAL_LAG_SECONDS_BOUND for each in (FIRST, SECOND))


def final(time: int, *on_chain: bytes) -> Final:
    held = {KNOWN[each].batch_no: each for each in on_chain}
    return Final(time, lambda number: held.get(number, bytes(32)))


@pytest.mark.parametrize(
    ("header_hash", "at", "expected"),
    [
        (FIRST, final(FIRST_UP), False),
        (FIRST, final(FIRST_UP + 1), True),
        (FIRST, final(FIRST_UP + 1, FIRST), False),
        (SECOND, final(FIRST_UP), False),
        (SECOND, final(FIRST_UP + 1), True),
        (THIRD, final(FIRST_UP + 1), True),
        (SECOND, final(FIRST_UP + 1, FIRST), False),
        (THIRD, final(FIRST_UP + 1, FIRST), False),
        (SECOND, final(SECOND_UP + 1, FIRST), True),
        (THIRD, final(SECOND_UP + 1, FIRST), True),
        (THIRD, final(SECOND_UP + 1, FIRST, SECOND), False),
        (GENESIS, final(2**40), False),
    ],
)
def test_a_header_lapses_by_its_own_time_or_with_what_it_was_sealed_on(
    header_hash: bytes, at: Final, *, expected: bool
) -> None:
    assert lapsed(header_hash, KNOWN, at) is expected


def test_headers_that_name_each_other_end_the_walk() -> None:
    circle = {FIRST: Sealing(1, 10**9, SECOND), SECOND: Sealing(2, 10**9, FIRST)}
    assert not lapsed(FIRST, circle, final(0))
