"""Ways to provoke what the ledger refuses about transfers, pools, exchanges and adjustments."""

from __future__ import annotations

from typing import Any

from tests.api.conftest import BOOKS, NOON, TEA, Caller
from tests.api.ways.stage import NOODLES, Stage, Way, twice

POOL_MEMBERS_MAX = 32


def giving(stage: Stage, transfers: str) -> Caller:
    """`noodles` lets its points be given like this; m has 100 of them, and there is n."""
    noodles = stage.found(transfers=transfers)
    stage.customers("n")
    noodles.taken("order.paid", member="m", order="o", amount_minor=10_000)
    return noodles


def give(caller: Caller, points: int = 1, to: str = "n") -> Any:
    return caller.ask("/v1/transfers", transfer="t", from_member="m", to_member=to, points=points)


def given_twice(stage: Stage) -> Any:
    noodles = giving(stage, "all")
    return twice(give(noodles), lambda: give(noodles))


def pool(stage: Stage, owner: str = "m", **fields: object) -> Any:
    body: dict[str, object] = {"pool": "p", "owner": owner, "day_points_max": 5}
    return stage.tea.ask("/v1/pools", **body | fields)


def join(stage: Stage, member: str, name: str = "p") -> Any:
    return stage.tea.ask(f"/v1/pools/{name}/join", member=member)


def of_a_stranger(stage: Stage) -> Any:
    stage.join("stranger")
    return pool(stage, owner="stranger")


def not_in_pool(stage: Stage) -> Any:
    stage.customers("n")
    return twice(pool(stage), lambda: stage.tea.ask("/v1/pools/p/leave", member="n"))


def over_the_cap(stage: Stage) -> Any:
    noodles = giving(stage, "pool")
    return twice(pool(stage), lambda: twice(join(stage, "n"), lambda: give(noodles, 6)))


def full(stage: Stage) -> Any:
    names = [f"f-{number}" for number in range(POOL_MEMBERS_MAX)]
    stage.customers(*names)
    assert pool(stage).status_code == 201
    for name in names[:-1]:
        assert join(stage, name).status_code == 201
    return join(stage, names[-1])


def exchanged(stage: Stage, points: int = 10, name: str = "x", issuer: int = TEA) -> Any:
    body = {"member": "m", "exchange": name, "from_issuer": issuer, "to_issuer": BOOKS, "points": points}
    return stage.of(BOOKS).ask("/v1/exchanges", **body)


def rated(stage: Stage, then: Any, den: int = 1) -> Any:
    """After books has said what it gives for tea's points."""
    return twice(stage.of(BOOKS).ask("/v1/exchange-rates", from_issuer=TEA, num=1, den=den), then)


def adjust(caller: Caller, points: int = 1) -> Any:
    body: dict[str, object] = {"adjustment": "a", "member": "m", "points": points, "reason": "why", "by": "li"}
    return caller.ask("/v1/adjustments", **body)


def decided(stage: Stage, by: str, *, again: bool) -> Any:
    """An adjustment by li of a merchant where two people are needed from 10 points on."""
    noodles, second = stage.found(adjust_alone_max=10), stage.of(NOODLES, scopes=["adjustments:approve"])
    first = adjust(noodles, 11)
    assert first.status_code == 201, first.text
    answer = second.ask("/v1/adjustments/a/approve", by=by)
    return twice(answer, lambda: second.ask("/v1/adjustments/a/approve", by=by)) if again else answer


def brought(caller: Caller, **fields: object) -> Any:
    return caller.ask("/v1/opening-balances", source="till", member="m", points=1, **fields)


def brought_twice(caller: Caller) -> Any:
    return twice(brought(caller), lambda: brought(caller))


WAYS: dict[str, Way] = {
    "self-transfer": lambda s: give(s.tea, to="m"),
    "transfer-exists": given_twice,
    "transfers-off": lambda s: give(giving(s, "none")),
    "not-in-one-pool": lambda s: give(giving(s, "pool")),
    "pool-cap": over_the_cap,
    "member-not-yours": of_a_stranger,
    "pool-exists": lambda s: twice(pool(s), lambda: pool(s)),
    "pool-unknown": lambda s: join(s, "m", "never"),
    "pool-full": full,
    "in-a-pool": lambda s: twice(pool(s), lambda: join(s, "m")),
    "not-in-pool": not_in_pool,
    "same-issuer": lambda s: exchanged(s, issuer=BOOKS),
    "rate-missing": exchanged,
    "exchange-exists": lambda s: rated(s, lambda: twice(exchanged(s), lambda: exchanged(s))),
    "exchange-too-small": lambda s: rated(s, lambda: exchanged(s, points=1), den=2),
    "adjustment-exists": lambda s: twice(adjust(s.tea), lambda: adjust(s.tea)),
    "adjustment-unknown": lambda s: s.of(TEA, scopes=["adjustments:approve"]).ask(
        "/v1/adjustments/never/approve", by="zhao"
    ),
    "adjustment-zero": lambda s: adjust(s.tea, 0),
    "adjustment-decided": lambda s: decided(s, "zhao", again=True),
    "same-person": lambda s: decided(s, "li", again=False),
    "opening-exists": lambda s: brought_twice(s.of(TEA, scopes=["openings:write"])),
    "already-expired": lambda s: brought(s.of(TEA, scopes=["openings:write"]), expires_at=NOON),
}
