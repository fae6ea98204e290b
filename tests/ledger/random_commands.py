"""Random commands with a seed: the same alliance and the same history for the grouping, store and crash tests.

Awkward rates, holds and none, every refund policy, collateral that binds, referral campaigns, members that join by a
referral and buy in the same breath, repeated keys and names, refusals among them.
"""

from __future__ import annotations

import random

from ledger.commands import (
    Adjust,
    BindReferral,
    ChargeFees,
    CloseMember,
    Command,
    Confirm,
    Earn,
    EarnRate,
    Enrol,
    EvaluateTier,
    ForDays,
    FreezeMember,
    Merge,
    Redeem,
    Refund,
    SetTiers,
    StopCampaign,
    Tier,
    UnfreezeMember,
    Unmerge,
)
from tests.ledger import random_moves
from tests.ledger.random_spending import spending
from tests.ledger.scene import DAY, bond, campaign, changed, opening, rate

MERCHANTS = (1, 2, 3, 4, 5, 6)
MOVES_SHARE = 0.3
MEMBERS = tuple(f"m{i}" for i in range(8))


def opening_commands() -> list[Command]:
    """Six issuers that differ in everything."""
    return [
        opening(1, refund_policy="debt", transfers="all", adjust_alone_max=50),
        opening(
            2,
            earn=EarnRate(3, 700),
            hold_ms=DAY,
            refund_policy="within_balance",
            redemption_fee_bps=333,
            transfers="pool",
        ),
        opening(3, earn=EarnRate(4, 100), validity=ForDays(3), refund_policy="debt", issuance_fee_bps=777),
        opening(4, earn=EarnRate(1, 30), refund_policy="only_pending", credit_limit_au=2_000, haircut_bps=9_000),
        rate(1),
        rate(2, 7, 3),
        rate(3, 1, 2),
        rate(4, 2, 3),
        rate(4, 3, 7, key="newer", terms_id=44, at_ms=4 * DAY),
        campaign(1, 100, 50, until_ms=6 * DAY),
        campaign(2, 777, 333, basis_bucket_minor=700, min_basis_minor=1_400),
        campaign(3, 1_250, reward_au_max=60),
        *random_moves.opening_moves(),
        *[Enrol(key=f"enrol-{name}", at_ms=0, member=name) for name in MEMBERS],
        SetTiers(
            key="tiers",
            at_ms=0,
            tiers=(Tier("regular", 0), Tier("gold", 300), Tier("diamond", 1_500)),
            window_ms=3 * DAY,
            grace_ms=DAY,
            downgrade="one",
        ),
        bond("m1", "m0"),
        bond("m2", "m1"),
        bond("m3", "m2"),
    ]


def history(seed: int, length: int) -> list[Command]:
    """`opening_commands`, then `length` commands over ten days."""
    draw = random.Random(seed)
    commands = opening_commands()
    for i in range(length):
        paid = [command for command in commands if isinstance(command, Earn)]
        at, order = i * 10 * DAY // length, draw.choice(paid) if paid else None
        if order is not None and draw.random() < MOVES_SHARE:
            late = i > length * 9 // 10
            made = random_moves.move(
                draw, i, at, members=MEMBERS, merchants=MERCHANTS, order=order, asked=_asked(draw, commands), late=late
            )
        else:
            made = _command(draw, i, at, order)
        commands.append(made)
        if draw.random() < 0.3:
            commands.append(spending(draw, i, at, commands, (MERCHANTS, MEMBERS)))
        if draw.random() < 0.1:
            commands += _about_members(draw, i, at)
        if draw.random() < 0.08:
            commands.append(_again(draw, commands))
    return commands


def _command(draw: random.Random, i: int, at: int, order: Earn | None) -> Command:
    """One of a kind by lot; confirmations and most refunds are for `order`, some for nothing that exists."""
    merchant, member = draw.choice(MERCHANTS), draw.choice(MEMBERS)
    kind = draw.random()
    if kind < 0.45 or order is None:
        amount = draw.choice([1, 99, 2_999, 10_000, draw.randrange(1, 50_000)])
        return Earn(key=f"e{i}", at_ms=at, merchant_id=merchant, member=member, order=f"o{i}", amount_minor=amount)
    if kind < 0.6:
        return Confirm(key=f"c{i}", at_ms=at, order_merchant_id=order.merchant_id, order=order.order)
    if kind < 0.8:
        return Redeem(
            key=f"r{i}",
            at_ms=at,
            merchant_id=merchant,
            member=member,
            redemption=f"r{i}",
            au=draw.randrange(1, 900),
            at_most=draw.random() < 0.6,
            over_limit=draw.choice(["skip", "decline"]),
        )
    if kind < 0.98:
        known = draw.random()
        usual = Refund(
            key=f"f{i}",
            at_ms=at,
            merchant_id=order.merchant_id,
            member=order.member if known < 0.95 else member,
            refund=f"f{i}",
            order=order.order if known < 0.98 else f"o{i}",
            amount_minor=max(1, order.amount_minor // draw.choice([1, 2, 3, 7])),
        )
        return usual if draw.random() < 0.9 else changed(usual, order=None)
    return ChargeFees(key=f"fees{i}", at_ms=at, cycle=f"c{i % 5}")


def _about_members(draw: random.Random, i: int, at: int) -> list[Command]:
    """Somebody joins by a referral and buys; somebody is bound, frozen, unfrozen, closed, judged, merged, unmerged; a
    campaign changes.
    """
    fresh, old = f"n{i}", draw.choice(MEMBERS)
    merchant = draw.choice(MERCHANTS)
    match draw.randrange(13):
        case 0:
            return [BindReferral(key=f"p-b{i}", at_ms=at, member=old, referrer=draw.choice(MEMBERS))]
        case 1:
            return [FreezeMember(key=f"p-z{i}", at_ms=at, member=old, reason="watched")]
        case 2:
            return [UnfreezeMember(key=f"p-u{i}", at_ms=at, member=old)]
        case 3:
            named = {"key": f"p-g{i}", "campaign_id": 100 + i, "at_ms": at, "until_ms": at + DAY}
            return [StopCampaign(key=f"p-s{i}", at_ms=at, campaign_id=merchant), campaign(merchant, 900, 100, **named)]
        case 5 | 6:
            return [EvaluateTier(key=f"p-t{i}", at_ms=at, member=old)]
        case 7 | 8:
            return [Merge(key=f"p-m{i}", at_ms=at, member=old, into=draw.choice(MEMBERS))]
        case 9:
            return [Unmerge(key=f"p-w{i}", at_ms=at, member=old)]
        case 4:
            return [CloseMember(key=f"p-x{i}", at_ms=at, member=old)] if i % 3 == 0 else []
        case _:
            joined: list[Command] = [
                Enrol(key=f"p-j{i}", at_ms=at, member=fresh),
                BindReferral(key=f"p-b{i}", at_ms=at, member=fresh, referrer=old),
            ]
            bought = Earn(
                key=f"p-je{i}", at_ms=at, merchant_id=merchant, member=fresh, order=f"jo{i}", amount_minor=40_000 + i
            )
            return [*joined, bought]


def _asked(draw: random.Random, commands: list[Command]) -> Adjust | None:
    adjustments = [command for command in commands if isinstance(command, Adjust)]
    return draw.choice(adjustments[-8:]) if adjustments else None


def _again(draw: random.Random, commands: list[Command]) -> Command:
    """An earlier command once more: as it was, at another time, or under another key."""
    command = draw.choice(commands)
    changes: dict[str, object] = draw.choice([{}, {"at_ms": command.at_ms + 1}, {"key": command.key + "'"}])
    return changed(command, **changes)
