"""Brings merchants, their terms and members into the ledger before the first event is played.

Invariants: a merchant keeps the number it got first, new ones are numbered after the last; doing it again changes
nothing; a refusal stops the run, for nothing could be played on half an alliance. Who may call: the demo's run and
tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice

from api.demo.merchants import FOUNDED_MS, Plan, opening
from ledger.answers import Answer, Refusal
from ledger.commands import AnyCommand, Enrol

COMMANDS_PER_BATCH = 1_000

Post = Callable[[Sequence[AnyCommand]], list[Answer]]


class FoundingRefused(Exception):
    """The ledger refused a merchant, its terms or a member."""


def found(
    post: Post,
    *,
    known: Mapping[str, int],
    plans: Iterable[Plan],
    members: Iterable[str],
    progress: Callable[[int], None],
) -> dict[str, int]:
    """Open the merchants of `plans` that are not `known` (code -> number) and enrol `members`.

    Answers all merchants' numbers by code. Raises FoundingRefused.
    """
    numbers = dict(known)
    new = [plan for plan in plans if plan.code not in numbers]
    first = max(numbers.values(), default=0) + 1
    _post_all(post, opening(new, first), progress)
    numbers.update((plan.code, number) for number, plan in enumerate(new, first))
    _post_all(post, (Enrol(key=f"member:{member}", at_ms=FOUNDED_MS, member=member) for member in members), progress)
    return numbers


def _post_all(post: Post, commands: Iterable[AnyCommand], progress: Callable[[int], None]) -> None:
    waiting = iter(commands)
    while batch := list(islice(waiting, COMMANDS_PER_BATCH)):
        for command, answer in zip(batch, post(batch), strict=True):
            if isinstance(answer.outcome, Refusal):
                raise FoundingRefused(f"{command.key}: {answer.outcome.code}: {answer.outcome.message}")
        progress(len(batch))
