"""Random commands about redemptions: holds and their ends, cancellations, disputes, most for a redemption of late, some
for none. Part of `tests.ledger.random_commands`.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from ledger.commands import (
    Authorize,
    CancelRedemption,
    Capture,
    Command,
    Dispute,
    LapseHold,
    Redeem,
    ResolveDispute,
    Void,
)
from tests.ledger.scene import DAY

LATELY = 12
"""Redemptions and disputes that are still talked about."""


def spending(
    draw: random.Random, i: int, at: int, commands: Sequence[Command], who: tuple[Sequence[int], Sequence[str]]
) -> Command:
    """A new authorisation, or something about a redemption that was asked for lately; `who` are merchants and
    members.
    """
    known = [command for command in commands if isinstance(command, Redeem | Authorize)][-LATELY:]
    if not known or draw.random() < 0.4:
        return Authorize(
            key=f"a{i}",
            at_ms=at,
            merchant_id=draw.choice(who[0]),
            member=draw.choice(who[1]),
            redemption=f"a{i}",
            au=draw.randrange(1, 600),
            hold_until_ms=at + draw.choice([0, 1, DAY, DAY, 5 * DAY]),
            at_most=draw.random() < 0.7,
            over_limit=draw.choice(["skip", "decline"]),
        )
    disputes = [command for command in commands if isinstance(command, Dispute)][-LATELY:]
    if disputes and draw.random() < 0.3:
        return _resolve(draw, i, at, draw.choice(disputes))
    return _about(draw, i, at, draw.choice(known), draw.choice(who[0]))


def _resolve(draw: random.Random, i: int, at: int, disputed: Dispute) -> ResolveDispute:
    return ResolveDispute(
        key=f"s{i}",
        at_ms=at,
        merchant_id=disputed.merchant_id,
        redemption=disputed.redemption,
        stands=draw.random() < 0.6,
    )


def _about(draw: random.Random, i: int, at: int, asked: Redeem | Authorize, issuer: int) -> Command:
    merchant, name = asked.merchant_id, asked.redemption if draw.random() < 0.97 else f"none{i}"
    part = draw.choice([None, draw.randrange(1, asked.au + 2), draw.randrange(1, asked.au // 9 + 2)])
    ends = ["capture", "capture", "capture", "void", "lapse"] if isinstance(asked, Authorize) else []
    match draw.choice(["cancel", "dispute", *ends]):
        case "capture":
            return Capture(key=f"t{i}", at_ms=at, merchant_id=merchant, redemption=name, au=part)
        case "void":
            return Void(key=f"v{i}", at_ms=at, merchant_id=merchant, redemption=name)
        case "lapse":
            return LapseHold(key=f"l{i}", at_ms=at, merchant_id=merchant, redemption=name)
        case "dispute":
            return Dispute(key=f"d{i}", at_ms=at, merchant_id=merchant, redemption=name, by_merchant_id=issuer)
        case _:
            return CancelRedemption(
                key=f"x{i}", at_ms=at, merchant_id=merchant, redemption=name, cancellation=f"x{i % 90}", au=part
            )
