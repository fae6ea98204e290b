"""`python -m tests.properties.long_run --commands 1000000`: the differential test at length, with a record of it.

Seeded and without Hypothesis. Worlds of a few thousand commands, one after the other: every command to the pure book
and to the oracle, every answer compared; every figure compared and every invariant asked again and again; every n-th
world goes through the real store too, in batches of 1, 7 and 1,000. A difference ends the run with the seed of its
world. Nobody imports it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from bench.conditions import keep, machine
from ledger.postgres.embedded import EmbeddedServer, start
from tests.conftest import migrate
from tests.properties import grouping, invariants
from tests.properties.choices import MAKERS, Choices
from tests.properties.pair import VERBS, Pair, command_of
from tests.properties.worlds import Plain, opening

WORLD_COMMANDS = 2_500
COMPARE_EVERY_COMMANDS = 50
STORED_EVERY_WORLDS = 20
SECONDS_BETWEEN_WORDS = 5


@dataclass
class Run:
    """What a run has done so far."""

    seed: int
    commands: int = 0
    worlds: int = 0
    compared: int = 0
    stored_worlds: int = 0
    stored_commands: int = 0
    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    last_root: str = ""

    def world(self, length: int) -> list[Plain]:
        """Play one world of its own seed; answers its commands."""
        played = [command for command in opening() if command["verb"] in VERBS]
        pair = Pair.opened()
        choices = Choices(Random(f"{self.seed}/{self.worlds}"), pair.oracle)
        verbs = VERBS & set(MAKERS)
        for number in range(1, length + 1):
            played.append(choices.command(verbs))
            pair.apply(played[-1])
            if number % COMPARE_EVERY_COMMANDS == 0 or number == length:
                pair.compare()
                invariants.check(pair.book.slice)
                self.compared += 1
        self.worlds += 1
        self.commands += len(played)
        self.done += pair.done
        self.refused += pair.refused
        return played

    def store(self, server: EmbeddedServer, template: str, played: list[Plain]) -> None:
        """The same world through the real store, grouped three ways."""
        root = grouping.check(server, template, [command_of(each) for each in played])
        self.stored_worlds += 1
        self.stored_commands += len(played) * len(grouping.BATCHES)
        self.last_root = root.hex()

    def record(self, seconds: float) -> dict[str, Any]:
        """What is kept of it."""
        return {
            "conditions": machine() | {"seconds": int(seconds), "seed": self.seed},
            "commands": self.commands,
            "worlds": self.worlds,
            "comparisonsOfEveryFigure": self.compared,
            "throughTheStore": {
                "worlds": self.stored_worlds,
                "commands": self.stored_commands,
                "batches": list(grouping.BATCHES),
                "lastRoot": self.last_root,
            },
            "differences": 0,
            "done": dict(sorted(self.done.items())),
            "refused": dict(sorted(self.refused.items())),
        }


def play(run: Run, commands: int, server: EmbeddedServer, template: str, say: Callable[[str], None]) -> None:
    """Worlds until `commands` were played."""
    begun = said = time.monotonic()
    while run.commands < commands:
        try:
            played = run.world(WORLD_COMMANDS)
            if run.worlds % STORED_EVERY_WORLDS == 1:
                run.store(server, template, played)
        except BaseException:
            say(f"world {run.worlds} of seed {run.seed}")
            raise
        if time.monotonic() - said > SECONDS_BETWEEN_WORDS:
            said = time.monotonic()
            say(f"{run.commands:,} of {commands:,} commands, {int(run.commands / (said - begun)):,} a second")


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description="Random commands on ledger and oracle, compared.")
    parser.add_argument("--commands", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=20260701)
    parser.add_argument("--name", default="differential", help="of the record in bench/results/")
    chosen = parser.parse_args(arguments)
    run, begun = Run(chosen.seed), time.monotonic()
    with tempfile.TemporaryDirectory() as folder, start(Path(folder) / "postgres", durable=False) as server:
        migrate(server.ensure_database("migrated"))
        play(run, chosen.commands, server, "migrated", say)
        server.stop()
    kept = keep(chosen.name, run.record(time.monotonic() - begun), lasting=True)
    say(f"no difference in {run.commands:,} commands; kept in {kept}")


def say(words: str) -> None:
    sys.stderr.write(words + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
