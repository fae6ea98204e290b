"""Concurrent callers: threads and event loops post to one real poster on real PostgreSQL, and book and oracle follow.

Which command comes first is chance, and the store says which it was: the order in which batches were begun is the order
in which commands were decided, refusals and repeated answers included, and the journal must show the done ones in just
that order. Played again in that order, the book gives every caller's answer byte for byte and the oracle agrees with
it. `Callers` is used by a Hypothesis machine and by the long run.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from random import Random
from threading import Barrier
from typing import Self

import psycopg

from ledger import journal, rebuild, verify
from ledger.answers import Answer
from ledger.commands import Command
from ledger.poster import Poster
from ledger.store import Store, Tell
from proofs.words import ZERO_WORD
from settlement.sealing.leaves import journal_head
from tests.properties import grouping
from tests.properties.pair import VERBS, Pair, command_of
from tests.properties.worlds import Plain, opening

CALLERS_MAX = 6
LOOPS_EVERY_CALLERS = 2
"""Every second caller is an event loop with many callers of its own."""
AT_ONCE_COMMANDS_MAX = 4
"""What one caller hands in together."""


class Watched(Store):
    """A store that remembers which commands it began, batch by batch."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        self.begun: list[Sequence[Command]] = []

    def begin(self, commands: Sequence[Command], tell: Tell) -> None:
        self.begun.append(commands)
        super().begin(commands, tell)


class Callers:
    """A poster and its callers; `pair` has seen what they did. `batches` and `mixed` count what was committed together,
    and how often that came from several callers.
    """

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._store = Watched(dsn)
        self._poster = Poster(self._store)
        self._threads = ThreadPoolExecutor(CALLERS_MAX)
        self.pair = Pair()
        self.played: list[Plain] = []
        self.counted: Counter[str] = Counter()
        self.together([plain for plain in opening() if plain["verb"] in VERBS], 1, Random(0))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown()
        self._poster.close()

    def together(self, commands: Sequence[Plain], callers: int, dice: Random) -> None:
        """The commands, dealt to so many callers, who post them all at once; then what came of it, compared."""
        shares: list[list[Command]] = [[] for _ in range(callers)]
        owner: dict[int, int] = {}
        for plain in commands:
            caller, command = dice.randrange(callers), command_of(plain)
            shares[caller].append(command)
            owner[id(command)] = caller
        gate, seeds = Barrier(callers), [dice.randrange(1 << 30) for _ in shares]
        begun = len(self._store.begun)
        answers: dict[int, Answer] = {}
        ways = [
            self._post_on_a_loop if caller and caller % LOOPS_EVERY_CALLERS == 0 else self._post
            for caller in range(callers)
        ]
        for mine in self._threads.map(lambda way, *rest: way(*rest, gate), ways, shares, map(Random, seeds)):
            answers |= mine
        for batch in self._store.begun[begun:]:
            self._count([owner[id(command)] for command in batch])
            for command in batch:
                self._follow(command, answers.pop(id(command)))
        assert not answers, "somebody was answered what was never asked"

    def _post(self, share: Sequence[Command], dice: Random, gate: Barrier) -> dict[int, Answer]:
        """One caller: a few commands at a time, each answered before the next are asked."""
        answers: dict[int, Answer] = {}
        gate.wait()
        while share:
            some, share = share[: (size := dice.randint(1, AT_ONCE_COMMANDS_MAX))], share[size:]
            answers |= zip(map(id, some), self._poster.post(some), strict=True)
        return answers

    def _post_on_a_loop(self, share: Sequence[Command], dice: Random, gate: Barrier) -> dict[int, Answer]:
        """Many callers on one event loop, as behind the front door: whoever is answered first does not matter."""
        parts = []
        while share:
            some, share = share[: (size := dice.randint(1, AT_ONCE_COMMANDS_MAX))], share[size:]
            parts.append(some)

        async def everybody() -> list[list[Answer]]:
            return await asyncio.gather(*map(self._poster.submit_many, parts))

        gate.wait()
        heard = asyncio.run(everybody())
        return {
            id(command): answer
            for some, answers in zip(parts, heard, strict=True)
            for command, answer in zip(some, answers, strict=True)
        }

    def foreseen(self, plain: Plain) -> None:
        """A dry run says what the command itself is answered then, and leaves no trace."""
        command = command_of(plain)
        dry, begun = self._poster.preview(command), len(self._store.begun)
        (answer,) = self._poster.post([command])
        assert (dry.body, dry.replayed) == (answer.body, answer.replayed)
        assert self._store.begun[begun:] == [[command]]
        self._follow(command, answer)

    def _follow(self, command: Command, answer: Answer) -> None:
        """Book and oracle are told the same, in the order in which the store was."""
        plain, (expected, _) = self.pair.follow(command)
        self.played.append(plain)
        assert answer.body == expected.body, f"{plain}: a caller heard {answer.body!r}, the book says {expected.body!r}"
        assert answer.replayed == expected.replayed

    def _count(self, callers: list[int]) -> None:
        turns = sum(one != other for one, other in pairwise(callers))
        self.counted.update(batches=1, commands=len(callers), mixed=len(set(callers)) > 1, turns=turns)
        self.counted["largest"] = max(self.counted["largest"], len(callers))

    def ask_everything(self) -> bytes:
        """Every figure, every invariant in SQL, a rebuild; the journal, entry by entry. Answers its root."""
        self.pair.compare()
        with psycopg.connect(self._dsn, autocommit=True) as conn:
            assert [each for each in verify.check(conn) if not each.held] == []
            assert rebuild.differences(conn) == []
            kept = list(grouping.all_entries(conn))
        entries = [journal.entry(*each) for each in self.pair.witness.entries]
        assert [each.canonical for each in kept] == [each.canonical for each in entries]
        root = journal_head(ZERO_WORD, entries)
        assert journal_head(ZERO_WORD, kept) == root
        return root
