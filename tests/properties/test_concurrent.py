"""Concurrent callers: whatever order the ledger gives their commands, the oracle agrees with it in that order.

Writers with connections of their own post one history in pieces, all at once, so that which command comes first is
chance. The journal says what was done and in which order: played again on the book and on the oracle, it is done again,
byte for byte, and clears the same. What was refused left no trace, or the replay would differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random

import psycopg

from ledger.answers import Answer, Receipt
from ledger.commands import Command, parse
from ledger.store import open_store
from tests.properties import grouping
from tests.properties.choices import MAKERS, Choices
from tests.properties.pair import VERBS, Pair, command_of
from tests.properties.worlds import opening

WRITERS = 4
PIECE_COMMANDS_MAX = 9


def test_what_concurrent_callers_did_is_what_the_oracle_says(database: str) -> None:
    first = [command_of(plain) for plain in opening() if plain["verb"] in VERBS]
    with open_store(database) as store:
        store.post(first)
    with ThreadPoolExecutor(WRITERS) as writers:
        answers = list(writers.map(lambda mine: post(database, *mine), pieces(history(seed=7, length=900))))
    with psycopg.connect(database, autocommit=True) as conn:
        entries = list(grouping.all_entries(conn))
    done = [a.outcome.seq for each in answers for a in each if isinstance(a.outcome, Receipt) and not a.replayed]
    assert sorted(done) == list(range(len(first) + 1, len(entries) + 1))
    pair = Pair()
    for entry in entries:
        command, _, receipt = entry.canonical.partition(b"\n")
        _, (answer, outcome) = pair.follow(parse(command))
        assert "done" in outcome
        assert answer.body == receipt
    pair.compare()


def history(seed: int, length: int) -> list[Command]:
    """Commands that make sense in this order, and mostly in another."""
    pair = Pair.opened()
    choices = Choices(Random(seed), pair.oracle)
    commands = []
    for _ in range(length):
        plain = choices.command(VERBS & set(MAKERS))
        pair.apply(plain)
        commands.append(command_of(plain))
    return commands


def pieces(commands: Sequence[Command]) -> list[tuple[int, list[Command]]]:
    """Every writer's share, and the seed of how it cuts it up."""
    return [(number, list(commands[number::WRITERS])) for number in range(WRITERS)]


def post(dsn: str, seed: int, commands: list[Command]) -> list[Answer]:
    """One writer's work, in batches of any size."""
    dice, answers = Random(seed), list[Answer]()
    with open_store(dsn) as store:
        while commands:
            size = dice.randint(1, PIECE_COMMANDS_MAX)
            answers += store.post(commands[:size])
            commands = commands[size:]
    return answers
