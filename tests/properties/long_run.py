"""`python -m tests.properties.long_run --commands 1000000`: the differential test at length, with a record of it.

Seeded and without Hypothesis. Worlds of a few thousand commands, one after the other: every command to the pure book
and to the oracle, every answer compared and every receipt witnessed; every figure and invariant again and again; at its
end the world is rebuilt from its journal. Every n-th world is played by concurrent callers of a real poster, in the
order that came about, and verified and rebuilt as stored. Every n-th goes through the real store once more, in batches
of 1, 7 and 1,000. A difference ends the run and leaves the shortest case that is found behind (`cases`). Nobody imports
it but its own test.
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
from tests.properties import cases, grouping
from tests.properties.callers import CALLERS_MAX, Callers
from tests.properties.choices import MAKERS, Choices
from tests.properties.pair import VERBS, Pair, command_of
from tests.properties.worlds import Plain, crowd, opening

WORLD_COMMANDS = 2_500
COMPARE_EVERY_COMMANDS = 50
CALLED_EVERY_WORLDS = 10
CROWDED_EVERY_WORLDS = 10
STORED_EVERY_WORLDS = 20
ROUND_COMMANDS_MAX = 200
ASK_EVERYTHING_EVERY_ROUNDS = 12
SECONDS_BETWEEN_WORDS = 5
PLAYED = sorted(VERBS & set(MAKERS))


@dataclass
class Run:
    """What a run has done so far. `played` is the world that is being played, for who meets a difference in it."""

    seed: int
    world_commands: int = WORLD_COMMANDS
    commands: int = 0
    worlds: int = 0
    compared: int = 0
    verified: int = 0
    stored_worlds: int = 0
    stored_commands: int = 0
    called_worlds: int = 0
    called: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    played: list[Plain] = field(default_factory=list)
    last_root: str = ""

    def next_world(self, server: EmbeddedServer, template: str) -> None:
        """Play one world of its own seed, in the ways that are its turn."""
        dice = Random(f"{self.seed}/{self.worlds}")
        self.played = opening()
        if self.worlds % CROWDED_EVERY_WORLDS == 1:
            self.played += crowd()
        if self.worlds % CALLED_EVERY_WORLDS == 2:
            self.call(server, template, dice)
        else:
            self.play(dice)
        if self.worlds % STORED_EVERY_WORLDS == 1:
            self.store(server, template)
        self.worlds += 1
        self.commands += len(self.played)

    def play(self, dice: Random) -> None:
        """One command after the other, on the pure book."""
        pair = Pair()
        for plain in self.played:
            pair.apply(plain)
        choices = Choices(dice, pair.oracle)
        for number in range(1, self.world_commands + 1):
            self.played.append(choices.command(PLAYED))
            self.rules.update(reasons(pair.apply(self.played[-1])[1]))
            if number % COMPARE_EVERY_COMMANDS == 0 or number == self.world_commands:
                pair.compare()
                self.compared += 1
        pair.rebuild()
        self._add(pair)

    def call(self, server: EmbeddedServer, template: str, dice: Random) -> None:
        """In rounds of any size by any number of callers, on the real ledger."""
        with grouping.fresh_database(server, template) as dsn, Callers(dsn) as callers:
            self.played = callers.played
            choices, rounds = Choices(dice, callers.pair.oracle), 0
            while choices.serial < self.world_commands:
                plain = [choices.command(PLAYED) for _ in range(dice.randint(1, ROUND_COMMANDS_MAX))]
                callers.together(plain, dice.randint(2, CALLERS_MAX), dice)
                callers.foreseen(choices.command(PLAYED))
                callers.pair.compare()
                self.compared, rounds = self.compared + 1, rounds + 1
                if rounds % ASK_EVERYTHING_EVERY_ROUNDS == 0:
                    callers.ask_everything()
                    self.verified += 1
            self.last_root = callers.ask_everything().hex()
        self.verified += 1
        self.called_worlds += 1
        self.called["largest"] = max(self.called["largest"], callers.counted.pop("largest"))
        self.called += callers.counted
        self._add(callers.pair)

    def store(self, server: EmbeddedServer, template: str) -> None:
        """The same world through the real store, grouped three ways."""
        root = grouping.check(server, template, [command_of(each) for each in self.played])
        self.stored_worlds += 1
        self.stored_commands += len(self.played) * len(grouping.BATCHES)
        self.last_root = root.hex()

    def _add(self, pair: Pair) -> None:
        self.done += pair.done
        self.refused += pair.refused
        self.rules["tasks completed"] += sum(len(rule.completed) for rule in pair.oracle.books.rules.values())
        days = [len(days) for days in pair.oracle.books.check_ins.values()]
        self.rules["days of check-in, most"] = max([self.rules["days of check-in, most"], *days])

    def record(self, seconds: float) -> dict[str, Any]:
        """What is kept of it."""
        return {
            "conditions": machine() | {"seconds": int(seconds), "seed": self.seed},
            "commands": self.commands,
            "commandsPerSecond": int(self.commands / seconds),
            "worlds": self.worlds,
            "comparisonsOfEveryFigure": self.compared,
            "worldsRebuilt": self.worlds,
            "concurrentCallers": {
                "worlds": self.called_worlds,
                "commands": self.called["commands"],
                "batches": self.called["batches"],
                "batchesOfSeveralCallers": self.called["mixed"],
                "largestBatch": self.called["largest"],
                "verifiedAndRebuiltAsStored": self.verified,
            },
            "throughTheStore": {
                "worlds": self.stored_worlds,
                "commands": self.stored_commands,
                "batches": list(grouping.BATCHES),
                "lastRoot": self.last_root,
            },
            "differences": 0,
            "rules": dict(sorted(self.rules.items())),
            "done": dict(sorted(self.done.items())),
            "refused": dict(sorted(self.refused.items())),
        }


def reasons(outcome: dict[str, Any]) -> list[str]:
    """Why rules granted what they did."""
    return [said[2] for what, said in outcome.get("rules", {}).items() if what.startswith("rule")]


def play(run: Run, commands: int, server: EmbeddedServer, template: str, say: Callable[[str], None]) -> None:
    """Worlds until `commands` were played."""
    begun = said = time.monotonic()
    while run.commands < commands:
        try:
            run.next_world(server, template)
        except BaseException as error:
            say(f"world {run.worlds} of seed {run.seed}, command {len(run.played)}: {error}")
            if isinstance(error, AssertionError):
                case = cases.keep(f"{run.seed}-{run.worlds}", error, run.played, cases.FOLDER)
                say(f"the shortest case found: {case}")
            raise
        if time.monotonic() - said > SECONDS_BETWEEN_WORDS:
            said = time.monotonic()
            rate = run.commands / (said - begun)
            left = int((commands - run.commands) / rate)
            say(f"{run.commands:,} of {commands:,} commands, {int(rate):,} a second, {max(0, left)} s to go")


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description="Random commands on ledger and oracle, compared.")
    parser.add_argument("--commands", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=20260701)
    parser.add_argument("--name", default="differential", help="of the record in bench/results/")
    parser.add_argument(
        "--trial", action="store_true", help="keep the record beside the trials, which git does not see"
    )
    chosen = parser.parse_args(arguments)
    run, begun = Run(chosen.seed), time.monotonic()
    with tempfile.TemporaryDirectory() as folder, start(Path(folder) / "postgres", durable=False) as server:
        migrate(server.ensure_database("migrated"))
        play(run, chosen.commands, server, "migrated", say)
        server.stop()
    kept = keep(chosen.name, run.record(time.monotonic() - begun), lasting=not chosen.trial)
    say(f"no difference in {run.commands:,} commands; kept in {kept}")


def say(words: str) -> None:
    sys.stderr.write(words + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
