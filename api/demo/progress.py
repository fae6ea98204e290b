"""Phases of a run on the terminal: a bar for each that can count, a line for each that cannot, and how long each took.

Invariants: a phase that fails is not reported as done; seconds are measured once, here. Who may call: the demo's run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

Advance = Callable[[int], None]


class Phases:
    """Runs phases one after the other and remembers their seconds by name."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.seconds: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str, total: int | None = None) -> Iterator[Advance]:
        """Time the body as `name`; with `total`, the yielded function moves the bar by so many."""
        with self.timed(name), self._bar(countable=total is not None) as bar:
            task = bar.add_task(f"{name:<12}", total=total if total is not None else 1)
            yield lambda count: bar.advance(task, count)
            bar.update(task, completed=total if total is not None else 1)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Time the body as `name` without a bar: for a process that shows its own progress."""
        begun = perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + perf_counter() - begun

    def say(self, text: str) -> None:
        """A line between phases."""
        self.console.print(text, highlight=False)

    def _bar(self, *, countable: bool) -> Progress:
        counted = [MofNCompleteColumn()] if countable else []
        return Progress(
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=32),
            *counted,
            TimeElapsedColumn(),
            console=self.console,
        )
