"""The nodes that a test may settle on, behind one small face: a chain that is final at once, and one that is not."""

from __future__ import annotations

from typing import Protocol


class Node(Protocol):
    """A running chain."""

    @property
    def url(self) -> str: ...

    def finalise(self) -> None:
        """Make everything that is in a block now final."""
        ...


class Instant:
    """The embedded chain: final at once."""

    def __init__(self, url: str) -> None:
        self.url = url

    def finalise(self) -> None:
        """It is."""
