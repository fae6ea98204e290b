"""Ways to provoke what the ledger refuses about members and referrals."""

from __future__ import annotations

import itertools
from typing import Any

from tests.api.ways.stage import Stage, Way, twice


def bind(stage: Stage, member: str, referrer: str) -> Any:
    return stage.tea.event("referral.bound", member=member, referrer=referrer)


def newcomers(stage: Stage, *members: str) -> Stage:
    stage.join(*members)
    return stage


def govern(stage: Stage, act: str, member: str = "n", **fields: object) -> Any:
    return stage.operator.ask(f"/v1/members/{member}/{act}", **fields)


def too_deep(stage: Stage) -> Any:
    """A chain that grows by one until there is no more room."""
    names = [f"c-{number}" for number in range(CHAIN_MEMBERS)]
    stage.join(*names)
    answer = None
    for referrer, member in itertools.pairwise(names):
        answer = bind(stage, member, referrer)
        if answer.status_code != 201:
            return answer
    return answer


CHAIN_MEMBERS = 70

WAYS: dict[str, Way] = {
    "member-exists": lambda s: s.tea.event("member.joined", member="m"),
    "member-unknown": lambda s: s.tea.get("/v1/members/nobody/balances"),
    "member-closed": lambda s: twice(govern(newcomers(s, "n"), "close"), lambda: govern(s, "close")),
    "member-frozen": lambda s: twice(govern(s, "freeze", "m", reason="review"), lambda: s.redeem(1)),
    "member-not-frozen": lambda s: govern(s, "unfreeze", "m"),
    "member-not-empty": lambda s: govern(s, "close", "m"),
    "referrer-unknown": lambda s: bind(newcomers(s, "n"), "n", "nobody"),
    "self-referral": lambda s: bind(newcomers(s, "n"), "n", "n"),
    "already-bound": lambda s: twice(bind(newcomers(s, "n"), "n", "m"), lambda: bind(s, "n", "m")),
    "bought-before": lambda s: bind(newcomers(s, "n"), "m", "n"),
    "referral-cycle": lambda s: twice(bind(newcomers(s, "a", "b"), "a", "b"), lambda: bind(s, "b", "a")),
    "chain-too-deep": too_deep,
}
