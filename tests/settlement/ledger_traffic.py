"""Commands for sealing the real ledger: an alliance with awkward rates, random traffic that brings all kinds of legs.

Called by the test of sealing beside this file.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Any

from ledger.commands import (
    Adjust,
    Authorize,
    BindReferral,
    CancelRedemption,
    Capture,
    ChargeFees,
    Command,
    Confirm,
    Dispute,
    Earn,
    EarnRate,
    Enrol,
    Exchange,
    Expire,
    ForDays,
    Merge,
    OpenBalance,
    OpenMerchant,
    PublishCampaign,
    PublishExchange,
    PublishTerms,
    Redeem,
    Refund,
    ResolveDispute,
    Transfer,
    Unmerge,
    Void,
)
from proofs.kinds import ON_ISSUANCE, ON_REDEMPTION
from tests.settlement.alliance import FOUNDED_AT

DAY_MS = 86_400_000
START_MS = FOUNDED_AT * 1_000
RATES = {1: (1, 1), 2: (2, 7), 3: (100, 3), 4: (1, 10), 5: (5, 1)}
MODES = {5: ON_ISSUANCE}
HOLDS_MS = {3: DAY_MS}
VALID_DAYS = {2: 12, 5: 9}
PAIRS = ((1, 5, 1, 3), (5, 2, 3, 1), (4, 1, 1, 7))
MEMBERS = [f"member-{number}" for number in range(12)]
COMMANDS = 400
LEVEL_BPS = (1_000, 300)
BUCKET = 50


def founding() -> list[Command]:
    """Five merchants with awkward rates, fees of all sorts, one with a hold, one with a refund policy of its own, one
    that pays on issuance: at a rate without fractions and without debts, as docs/ledger.md says.
    """
    made: list[Command] = []
    for merchant, (num, den) in RATES.items():
        made += [
            OpenMerchant(
                key=f"open/{merchant}",
                at_ms=START_MS,
                merchant_id=merchant,
                code=f"M{merchant}",
                name=f"商户 {merchant}",
                earn=EarnRate(3, 10),
                hold_ms=HOLDS_MS.get(merchant, 0),
                validity=ForDays(VALID_DAYS.get(merchant, 365)),
                redemption_fee_bps=150,
                issuance_fee_bps=25,
                refund_policy="within_balance" if merchant in {4, 5} else "debt",
                transfers="all",
                breakage_bps=1_500,
            ),
            PublishTerms(
                key=f"terms/{merchant}",
                at_ms=START_MS,
                terms_id=merchant,
                issuer_id=merchant,
                au_num=num,
                au_den=den,
                mode=MODES.get(merchant, ON_REDEMPTION),
            ),
        ]
    made += [
        PublishExchange(key=f"pair/{a}", at_ms=START_MS, from_issuer_id=a, to_issuer_id=b, num=num, den=den)
        for a, b, num, den in PAIRS
    ]
    made += [Enrol(key=f"enrol/{member}", at_ms=START_MS, member=member) for member in MEMBERS]
    return made + rewarding()


def rewarding() -> list[Command]:
    """Every merchant pays two levels; half of the members came by one another, in a chain."""
    campaigns: list[Command] = [
        PublishCampaign(
            key=f"campaign/{merchant}",
            at_ms=START_MS,
            campaign_id=merchant,
            merchant_id=merchant,
            level_bps=LEVEL_BPS,
            until_ms=START_MS + 365 * DAY_MS,
            basis_bucket_minor=BUCKET,
        )
        for merchant in RATES
    ]
    return campaigns + [
        BindReferral(key=f"bond/{below}", at_ms=START_MS, member=below, referrer=above)
        for above, below in itertools.pairwise(MEMBERS[:6])
    ]


def traffic(chance: random.Random) -> Iterator[Command]:
    """Purchases, redemptions at anybody, refunds with and without origin, confirmations, what moves, corrects and ends
    points, fees in the middle and at the end.
    """
    orders: list[tuple[int, str, str, int, int]] = []
    for number in range(COMMANDS):
        at_ms = START_MS + (number + 1) * DAY_MS // 8
        merchant, member, key = chance.choice(list(RATES)), chance.choice(MEMBERS), f"command/{number}"
        match chance.choice(["earn"] * 4 + ["redeem"] * 2 + ["refund", "unknown", "confirm", "move", "move", "move"]):
            case "move":
                yield moving(chance, key, at_ms, merchant, member)
            case "redeem":
                yield Redeem(
                    key=key,
                    at_ms=at_ms,
                    merchant_id=merchant,
                    member=member,
                    redemption=f"r{number}",
                    au=chance.randint(1, 5_000),
                    at_most=True,
                )
            case "refund" if orders:
                issuer, owner, order, amount, _ = chance.choice(orders)
                yield Refund(
                    key=key,
                    at_ms=at_ms,
                    merchant_id=issuer,
                    member=owner,
                    refund=f"f{number}",
                    order=order,
                    amount_minor=chance.randint(1, amount),
                )
            case "unknown":
                yield Refund(
                    key=key,
                    at_ms=at_ms,
                    merchant_id=merchant,
                    member=member,
                    refund=f"f{number}",
                    order=None,
                    amount_minor=chance.randint(1, 900),
                )
            case "confirm" if orders:
                issuer, _, order, _, _ = chance.choice(orders)
                yield Confirm(key=key, at_ms=at_ms, order_merchant_id=issuer, order=order)
            case _:
                orders.append((merchant, member, f"o{number}", chance.randint(1, 30_000), at_ms))
                yield Earn(
                    key=key,
                    at_ms=at_ms,
                    merchant_id=merchant,
                    member=member,
                    order=f"o{number}",
                    amount_minor=orders[-1][3],
                )
        yield from spending(chance, number, at_ms, orders)
        if number % 25 == 24:
            yield from merging(number, at_ms, MEMBERS[number // 25 % len(MEMBERS)], chance.choice(MEMBERS))
        if number in {COMMANDS // 2, COMMANDS - 1}:
            yield ChargeFees(key=f"fees/{number}", at_ms=at_ms, cycle=f"cycle-{number}")


def merging(number: int, at_ms: int, member: str, into: str) -> Iterator[Command]:
    """Two accounts become one; every other time the mistake is noticed at once."""
    yield Merge(key=f"merge/{number}", at_ms=at_ms, member=member, into=into)
    if number % 50 == 49:
        yield Unmerge(key=f"unmerge/{number}", at_ms=at_ms, member=member)


def moving(chance: random.Random, key: str, at_ms: int, issuer: int, member: str) -> Command:
    """A transfer, an exchange, an expiry, a correction or an opening balance."""
    other, points, (giving, getting, _, _) = chance.choice(MEMBERS), chance.randint(1, 500), chance.choice(PAIRS)
    match chance.choice(["transfer", "exchange", "expire", "adjust", "open"]):
        case "transfer":
            return Transfer(
                key=key,
                at_ms=at_ms,
                transfer=key,
                issuer_id=issuer,
                from_member=member,
                to_member=other,
                points=points,
            )
        case "exchange":
            return Exchange(
                key=key,
                at_ms=at_ms,
                exchange=key,
                member=member,
                from_issuer_id=giving,
                to_issuer_id=getting,
                points=points,
            )
        case "expire":
            return Expire(key=key, at_ms=at_ms, member=member)
        case "adjust":
            signed = chance.choice([points, -points])
            return Adjust(
                key=key, at_ms=at_ms, adjustment=key, issuer_id=issuer, member=member, points=signed, reason="r", by="a"
            )
        case _:
            return OpenBalance(key=key, at_ms=at_ms, source=key, issuer_id=issuer, member=member, points=points)


def spending(
    chance: random.Random, number: int, at_ms: int, orders: list[tuple[int, str, str, int, int]]
) -> Iterator[Command]:
    """Now and then a hold and its end, with or without a refund of the points behind it; now and then one is cancelled
    in parts, or disputed.
    """
    if number % 5 or not orders:
        return
    acceptor, name = chance.choice(list(RATES)), f"hold-{number}"
    issuer, member, order, amount, _ = chance.choice(orders[-5:])
    usual: dict[str, Any] = {"at_ms": at_ms, "merchant_id": acceptor, "redemption": name}
    until_ms = at_ms + DAY_MS
    yield Authorize(key=name, member=member, au=4_000, at_most=True, hold_until_ms=until_ms, **usual)
    if chance.random() < 0.5:
        yield Refund(
            key=f"{name}/refund",
            at_ms=at_ms,
            merchant_id=issuer,
            member=member,
            refund=name,
            order=order,
            amount_minor=amount,
        )
    if chance.random() < 0.2:
        yield Void(key=f"{name}/void", **usual)
        return
    yield Capture(key=f"{name}/capture", au=chance.choice([None, 100]), **usual)
    yield CancelRedemption(key=f"{name}/cancel", cancellation=name, au=chance.randint(1, 99), **usual)
    for by in chance.sample(list(RATES), 2):
        yield Dispute(key=f"{name}/dispute/{by}", by_merchant_id=by, **usual)
    yield ResolveDispute(key=f"{name}/resolve", stands=chance.random() < 0.5, **usual)
    yield CancelRedemption(key=f"{name}/rest", cancellation=f"{name}/rest", **usual)
