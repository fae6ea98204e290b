"""The endless stream of one writer: its i-th command is a function of (writer, i), so that a killed writer goes on
where it was and a judge can say afterwards what was asked. Used by the crash driver and its writers alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from ledger.commands import Command, Confirm, Earn, Enrol, Redeem, Refund
from tests.ledger.random_commands import MERCHANTS, opening_commands

MEMBERS = 300
STEP_MS = 60_000
BACK_COMMANDS_MAX = 300
"""How far back a confirmation or refund looks for its order."""


def opening() -> list[Command]:
    """Merchants, rates and members: posted once, before any writer starts."""
    return [*opening_commands(), *[Enrol(key=f"enrol-crash-{i}", at_ms=0, member=f"c{i}") for i in range(MEMBERS)]]


def key(writer: int, i: int) -> str:
    return f"w{writer}:{i:09d}"


def commands(writer: int, start: int, count: int) -> list[Command]:
    return [_command(writer, i) for i in range(start, start + count)]


def _chance(writer: int, i: int) -> Random:
    return Random(writer * 1_000_003 + i)


def _earns(writer: int, i: int) -> bool:
    return _chance(writer, i).random() < 0.6


def _earn(writer: int, i: int) -> Earn:
    draw = _chance(writer, i)
    draw.random()
    return Earn(
        key=key(writer, i),
        at_ms=i * STEP_MS,
        merchant_id=draw.choice(MERCHANTS),
        member=f"c{draw.randrange(MEMBERS)}",
        order=key(writer, i),
        amount_minor=draw.randrange(1, 50_000),
    )


def _earlier_orders(writer: int, i: int, draw: Random) -> Iterator[Earn]:
    """An order of this writer's own, some way back; none at the very beginning."""
    for _ in range(8):
        back = i - draw.randrange(1, BACK_COMMANDS_MAX)
        if back >= 0 and _earns(writer, back):
            yield _earn(writer, back)


def _command(writer: int, i: int) -> Command:
    draw = _chance(writer, i)
    if draw.random() < 0.6:
        return _earn(writer, i)
    order = next(_earlier_orders(writer, i, draw), None)
    name, at, kind = key(writer, i), i * STEP_MS, draw.random()
    if order is None or kind < 0.4:
        return Redeem(
            key=name,
            at_ms=at,
            merchant_id=draw.choice(MERCHANTS),
            member=f"c{draw.randrange(MEMBERS)}",
            redemption=name,
            au=draw.randrange(1, 300),
            at_most=draw.random() < 0.7,
        )
    if kind < 0.7:
        return Confirm(key=name, at_ms=at, order_merchant_id=order.merchant_id, order=order.order)
    return Refund(
        key=name,
        at_ms=at,
        merchant_id=order.merchant_id,
        member=order.member,
        refund=name,
        order=order.order,
        amount_minor=max(1, order.amount_minor // draw.choice([1, 2, 3])),
    )
