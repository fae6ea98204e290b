"""Collecting garbage is off while a batch is made, and as it was afterwards."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator

import pytest

from settlement.sealing.sweeps import unswept


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = gc.isenabled()
    yield
    gc.enable() if before else gc.disable()


@pytest.mark.parametrize("before", [True, False])
def test_it_is_off_inside_and_as_before_afterwards(*, before: bool) -> None:
    gc.enable() if before else gc.disable()
    with unswept():
        assert not gc.isenabled()
    assert gc.isenabled() is before


def test_a_failure_inside_lets_it_go_on() -> None:
    gc.enable()
    with pytest.raises(ZeroDivisionError), unswept():
        divmod(1, 0)
    assert gc.isenabled()


def test_it_stays_off_until_the_last_is_out() -> None:
    gc.enable()
    entered, leave = threading.Event(), threading.Event()

    def other() -> None:
        with unswept():
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    with unswept():
        thread.start()
        assert entered.wait(10)
    assert not gc.isenabled()
    leave.set()
    thread.join()
    assert gc.isenabled()
