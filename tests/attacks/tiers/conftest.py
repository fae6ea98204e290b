"""The alliance of the doors' own tests, attacked: the same fixtures, and proofs that hold."""

from __future__ import annotations

from tests.api import conftest as doors
from tests.api.tiers import conftest as tiers

clock, http, new_key, operator = doors.clock, doors.http, doors.new_key, doors.operator
door, tea, epoch, wallets = tiers.door, tiers.tea, tiers.epoch, tiers.wallets
first, second = tiers.first, tiers.second
