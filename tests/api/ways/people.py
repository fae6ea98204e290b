"""Ways to provoke what the ledger refuses about members and referrals."""

from __future__ import annotations

import itertools
from typing import Any

from ledger.units import MERGED_MEMBERS_MAX
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


def merge(stage: Stage, member: str = "n", into: str = "m") -> Any:
    return govern(stage, "merge", member, into=into)


def crowd(stage: Stage) -> Any:
    """As many names as there may be, and one more."""
    names = [f"d-{number}" for number in range(MERGED_MEMBERS_MAX + 1)]
    stage.join(*names)
    for name in names[:-1]:
        assert merge(stage, name).status_code == 201
    return merge(stage, names[-1])


def held(stage: Stage) -> Any:
    assert stage.redeem(1, mode="authorize").status_code == 201
    return merge(newcomers(stage, "n"), "m", "n")


def spent(stage: Stage) -> Any:
    return twice(
        merge(newcomers(stage, "n"), "m", "n"),
        lambda: twice(stage.redeem(1, member="n"), lambda: govern(stage, "unmerge", "m")),
    )


def again(stage: Stage) -> Any:
    """A into b, b into n: the first cannot be taken back before the second."""
    newcomers(stage, "a", "b", "n")
    return twice(merge(stage, "a", "b"), lambda: twice(merge(stage, "b", "n"), lambda: govern(stage, "unmerge", "a")))


CHAIN_MEMBERS = 70

WAYS: dict[str, Way] = {
    "member-exists": lambda s: s.tea.event("member.joined", member="m"),
    "member-unknown": lambda s: s.tea.get("/v1/members/nobody/balances"),
    "member-closed": lambda s: twice(govern(newcomers(s, "n"), "close"), lambda: govern(s, "close")),
    "member-frozen": lambda s: twice(govern(s, "freeze", "m", reason="review"), lambda: s.redeem(1)),
    "member-not-frozen": lambda s: govern(s, "unfreeze", "m"),
    "member-not-empty": lambda s: govern(s, "close", "m"),
    "member-merged": lambda s: twice(
        merge(newcomers(s, "n")), lambda: s.tea.ask("/v1/pools", pool="p", owner="n", day_points_max=1)
    ),
    "same-member": lambda s: merge(s, "m", "m"),
    "merged-too-many": crowd,
    "member-holds": held,
    "not-merged": lambda s: govern(s, "unmerge", "m"),
    "merged-since": again,
    "spent-since": spent,
    "referrer-unknown": lambda s: bind(newcomers(s, "n"), "n", "nobody"),
    "self-referral": lambda s: bind(newcomers(s, "n"), "n", "n"),
    "already-bound": lambda s: twice(bind(newcomers(s, "n"), "n", "m"), lambda: bind(s, "n", "m")),
    "bought-before": lambda s: bind(newcomers(s, "n"), "m", "n"),
    "referral-cycle": lambda s: twice(bind(newcomers(s, "a", "b"), "a", "b"), lambda: bind(s, "b", "a")),
    "chain-too-deep": too_deep,
}
