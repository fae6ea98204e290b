"""The alliance of the doors' own tests, attacked: the same fixtures, and proofs that hold."""

from __future__ import annotations

import pytest

from tests.api import conftest as doors
from tests.api.conftest import Caller, Clock
from tests.api.tiers import conftest as tiers
from tests.api.tiers.alliance import Partner, Wallets
from tests.attacks.tiers.scene import Scene

clock, http, new_key, operator = doors.clock, doors.http, doors.new_key, doors.operator
door, tea, epoch, wallets = tiers.door, tiers.tea, tiers.epoch, tiers.wallets
first, second = tiers.first, tiers.second


@pytest.fixture
def shops(tea: Caller, operator: Caller) -> tuple[Caller, Caller]:
    return tea, operator


@pytest.fixture
def scene(first: Partner, second: Partner, shops: tuple[Caller, Caller], wallets: Wallets, clock: Clock) -> Scene:
    return Scene(first, second, *shops, wallets, clock)
