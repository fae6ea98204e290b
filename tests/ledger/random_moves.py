"""Random commands that move, correct and end points, for `random_commands`: refusals among them, most are done.

Issuers 5 and 6 are paid on issuance, 6 at a rate that no whole AU keep and late in the history it leaves.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from ledger.commands import (
    Adjust,
    ApproveAdjustment,
    CancelPending,
    CloseMerchant,
    Command,
    Earn,
    Exchange,
    Expire,
    ForDays,
    FreezeMerchant,
    JoinPool,
    LeavePool,
    OpenBalance,
    OpenPool,
    PublishExchange,
    RejectAdjustment,
    Transfer,
    UnfreezeMerchant,
)
from proofs.kinds import ON_ISSUANCE
from tests.ledger.scene import DAY, opening, rate

PAIRS = ((1, 2, 3, 7), (2, 5, 1, 1), (3, 1, 1, 2), (5, 6, 9, 4), (6, 3, 2, 1), (4, 5, 1, 3))
POOLS = ("p0", "p0", "p0", "p1")
LEAVING = 6


def opening_moves() -> list[Command]:
    """The two issuers paid on issuance, and exchange rates."""
    return [
        opening(5, breakage_bps=2_000, refund_policy="within_balance", transfers="all", validity=ForDays(2)),
        opening(6, breakage_bps=333, hold_ms=DAY, transfers="pool", adjust_alone_max=20),
        rate(5, 5, 1, mode=ON_ISSUANCE),
        rate(6, 2, 3, mode=ON_ISSUANCE),
        *[
            PublishExchange(key=f"pair-{i}", at_ms=0, from_issuer_id=a, to_issuer_id=b, num=num, den=den)
            for i, (a, b, num, den) in enumerate(PAIRS)
        ],
    ]


def move(
    draw: random.Random,
    i: int,
    at: int,
    *,
    members: Sequence[str],
    merchants: Sequence[int],
    order: Earn,
    asked: Adjust | None,
    late: bool,
) -> Command:
    """One of them by lot, its names numbered by `i`; orders are called off and adjustments decided that exist."""
    member, other, issuer = draw.choice(members), draw.choice(members), draw.choice(merchants)
    person, pool = draw.choice(["ann", "bob"]), draw.choice(POOLS)
    earlier, by = (asked.adjustment, asked.issuer_id) if asked is not None else ("none", issuer)
    from_issuer, to_issuer, _, _ = draw.choice(PAIRS)
    points = draw.choice([1, 2, draw.randrange(1, 40), draw.randrange(1, 400)])
    made: list[tuple[int, Callable[[], Command]]] = [
        (
            12,
            lambda: Transfer(
                key=f"t{i}",
                at_ms=at,
                transfer=f"t{i}",
                issuer_id=draw.choice([1, 2, 5, 6, issuer]),
                from_member=member,
                to_member=other,
                points=points,
            ),
        ),
        (
            8,
            lambda: Exchange(
                key=f"x{i}",
                at_ms=at,
                exchange=f"x{i}",
                member=member,
                from_issuer_id=from_issuer,
                to_issuer_id=to_issuer,
                points=points,
            ),
        ),
        (10, lambda: Expire(key=f"v{i}", at_ms=at, member=member)),
        (
            8,
            lambda: Adjust(
                key=f"a{i}",
                at_ms=at,
                adjustment=f"a{i}",
                issuer_id=issuer,
                member=member,
                points=draw.choice([points, -points]),
                reason="count",
                by=person,
            ),
        ),
        (5, lambda: ApproveAdjustment(key=f"ap{i}", at_ms=at, adjustment=earlier, issuer_id=by, by=person)),
        (2, lambda: RejectAdjustment(key=f"rj{i}", at_ms=at, adjustment=earlier, issuer_id=by, by=person)),
        (
            3,
            lambda: OpenBalance(
                key=f"ob{i}", at_ms=at, source=f"s{i % 9}", issuer_id=issuer, member=member, points=points
            ),
        ),
        (3, lambda: CancelPending(key=f"cp{i}", at_ms=at, order_merchant_id=order.merchant_id, order=order.order)),
        *of_pools(i, at, pool, member),
        *[(weight * late, each) for weight, each in of_leaving(i, at)],
    ]
    weights, makers = zip(*made, strict=True)
    command: Command = draw.choices(makers, weights)[0]()
    return command


def of_leaving(i: int, at: int) -> list[tuple[int, Callable[[], Command]]]:
    """What happens to the issuer that leaves, and sometimes stays."""
    return [
        (9, lambda: FreezeMerchant(key=f"fz{i}", at_ms=at, merchant_id=LEAVING, reason="leaves")),
        (3, lambda: UnfreezeMerchant(key=f"uf{i}", at_ms=at, merchant_id=LEAVING)),
        (9, lambda: CloseMerchant(key=f"cl{i}", at_ms=at, merchant_id=LEAVING)),
    ]


def of_pools(i: int, at: int, pool: str, member: str) -> list[tuple[int, Callable[[], Command]]]:
    """A family begins, grows and shrinks."""
    return [
        (1, lambda: OpenPool(key=f"op{i}", at_ms=at, pool=pool, owner=member, day_points_max=200)),
        (4, lambda: JoinPool(key=f"jp{i}", at_ms=at, pool=pool, member=member)),
        (1, lambda: LeavePool(key=f"lp{i}", at_ms=at, pool=pool, member=member)),
    ]
