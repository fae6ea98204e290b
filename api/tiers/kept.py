"""What follows from an epoch's header for good, kept in this process: its tables are long, and read by anybody.

Invariants: what is kept under a key never changes, for a key holds the hash of the header that names it; no more is
kept than was said, the oldest goes first. Called by `published`, `epochs` and `requests`.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Kept(Generic[K, V]):
    """A few values by key. Two threads may make one value at the same time; it is the same."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: dict[K, V] = {}
        self._lock = Lock()

    def of(self, key: K, make: Callable[[], V]) -> V:
        """The value of a key, made by the first who asks."""
        with self._lock:
            if key in self._values:
                return self._values[key]
        value = make()
        with self._lock:
            self._values[key] = value
            while len(self._values) > self._most:
                del self._values[next(iter(self._values))]
        return value
