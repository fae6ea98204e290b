"""What a person sees while an audit runs: a bar on a terminal, plain lines elsewhere. Goes to standard error only."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

LINE_SECONDS_MIN = 2.0
"""Least time between two plain lines, the last one apart."""


class Watch:
    """Counts leaves checked. Used as a context, by one audit at a time; `quiet` shows nothing."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._console = Console(stderr=True, quiet=quiet)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        shown = self._console.is_terminal and not quiet
        self._bar = Progress(*columns, console=self._console) if shown else None
        self._quiet = quiet
        self._total = self._done = self._batch_no = 0
        self._task = None if self._bar is None else self._bar.add_task("audit", total=None)
        self._last_line = 0.0

    def expect(self, leaves: int) -> None:
        """How many leaves there are to check."""
        self._total = leaves
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, total=leaves)

    def begin(self, batch_no: int) -> None:
        """The next batch."""
        self._batch_no = batch_no
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, description=f"batch {batch_no}")

    def done(self, leaves: int) -> None:
        """Some leaves of the batch are checked."""
        self._done += leaves
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, advance=leaves)
        elif time.monotonic() - self._last_line >= LINE_SECONDS_MIN or self._done == self._total:
            self._last_line = time.monotonic()
            self.say(f"batch {self._batch_no}: {self._done:,} of {self._total:,} leaves")

    def say(self, text: str) -> None:
        """One line for the reader."""
        if self._bar is not None:
            self._console.print(text, highlight=False, markup=False)
        elif not self._quiet:
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
