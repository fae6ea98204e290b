"""Results do not depend on how commands are grouped into database batches: every verb, real PostgreSQL."""

from __future__ import annotations

from random import Random

import pytest

from ledger.postgres.embedded import EmbeddedServer
from tests.properties import grouping
from tests.properties.choices import MAKERS, Choices
from tests.properties.pair import VERBS, Pair, command_of
from tests.properties.worlds import opening


@pytest.mark.parametrize("seed", [1, 2])
def test_entries_and_roots_do_not_depend_on_grouping(postgres: EmbeddedServer, migrated: str, seed: int) -> None:
    plain = [command for command in opening() if command["verb"] in VERBS]
    pair = Pair.opened()
    choices = Choices(Random(seed), pair.oracle)
    for _ in range(600):
        plain.append(choices.command(VERBS & set(MAKERS)))
        pair.apply(plain[-1])
    assert len(grouping.check(postgres, migrated, [command_of(each) for each in plain])) == 32
