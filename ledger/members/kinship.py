"""Whom a batch may reach through bonds and merges, before any of it is decided: who a name may mean, who may stand
above it. Pure; loading asks.

A batch may enrol a member, bind it, merge it and let it buy. So what is loaded is what the graph leads to with every
bond and merge that the batch asks for: too much rather than too little, which costs a few probes and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable

from ledger.slice import Slice
from ledger.wants import Wants

Somebody = int | str
"""A member's number, or the name of one that the batch may enrol."""


class Kinship:
    """The referral graph as held, and what `want` may change of it."""

    def __init__(self, state: Slice, want: Wants) -> None:
        self._state = state
        self._one: dict[Somebody, set[Somebody]] = {}
        self._bound: dict[Somebody, set[Somebody]] = {}
        for pair in want.merging:
            self._unite(each for name in pair for each in self._numbers(name))
        for member, referrer in want.bonds:
            for each in self._meant(member):
                self._bound.setdefault(each, set()).update(self._meant(referrer))

    def numbers(self, name: str) -> set[int]:
        """Numbers that the name may mean."""
        return _numbered(self._meant(name))

    def above(self, name: str, levels_max: int) -> set[int]:
        """Numbers that may stand up to `levels_max` above whom the name means."""
        found: set[Somebody] = set()
        level = self._meant(name)
        for _ in range(levels_max):
            level = self._one_above(level)
            found |= level
        return _numbered(found)

    def _unite(self, members: Iterable[Somebody]) -> None:
        """These may turn out to be one person."""
        one = {other for each in members for other in self._one.get(each, {each})}
        self._one.update(dict.fromkeys(one, one))

    def _numbers(self, name: str) -> set[Somebody]:
        """The member's own number and whom it means, or the name of nobody yet."""
        number = self._state.members[name]
        return {name} if number is None else {number, self._state.identity(number)}

    def _meant(self, name: str) -> set[Somebody]:
        number = self._state.members[name]
        return self._same(name if number is None else self._state.identity(number))

    def _same(self, somebody: Somebody) -> set[Somebody]:
        return self._one.get(somebody) or {somebody}

    def _one_above(self, level: Iterable[Somebody]) -> set[Somebody]:
        higher: set[Somebody] = set()
        for each in level:
            higher |= self._bound.get(each, set())
            referrer = self._state.people[each].referrer if isinstance(each, int) else None
            if referrer is not None:
                higher |= self._same(self._state.identity(referrer))
        return higher


def _numbered(found: set[Somebody]) -> set[int]:
    """Those that exist; who does not has no account to load."""
    return {each for each in found if isinstance(each, int)}
