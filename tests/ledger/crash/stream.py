"""The endless stream of one writer: its i-th command is a function of (writer, i), so that a killed writer goes on
where it was and a judge can say afterwards what was asked. Used by the crash driver and its writers alone.

Every BLOCK commands hold each kind as often as `SHARES` says, in an order that is always the same. So whatever is about
something earlier finds it by counting back: a capture its authorisation, a merge two people of this writer's own. Some
of it is refused, most is done; `DONE` names the verbs of which a run of any length worth the name has done some.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

from ledger.commands import (
    Adjust,
    ApproveAdjustment,
    Authorize,
    BindReferral,
    CancelPending,
    CancelRedemption,
    Capture,
    ChargeFees,
    Command,
    Confirm,
    Dispute,
    Earn,
    Enrol,
    EvaluateTier,
    Exchange,
    Expire,
    LapseHold,
    Merge,
    OpenBalance,
    OpenMerchant,
    PublishCampaign,
    Redeem,
    Refund,
    RejectAdjustment,
    ResolveDispute,
    Transfer,
    Unmerge,
    Void,
)
from ledger.units import TIME_MS_MAX
from tests.ledger.random_commands import MERCHANTS, opening_commands
from tests.ledger.random_moves import PAIRS
from tests.ledger.scene import DAY, changed

MEMBERS = 300
STEP_MS = 300_000
"""So that within a thousand commands holds end and points expire."""
BACK_BLOCKS_MAX = 3
"""How far back what is about something earlier looks for it."""
BLOCKS_PER_CYCLE = 5
TRIES_MAX = 4
TRANSFERABLE, HOLDING = (1, 5), (2, 6)
HOLD_MS = 150 * STEP_MS

SHARES: Mapping[str, int] = {
    "earn": 43,
    "redeem": 10,
    "confirm": 5,
    "refund": 5,
    "authorize": 6,
    "capture": 2,
    "void": 1,
    "lapse": 1,
    "cancel_redemption": 2,
    "dispute": 5,
    "resolve": 4,
    "cancel_pending": 1,
    "transfer": 2,
    "exchange": 2,
    "expire": 2,
    "adjust": 1,
    "decide": 1,
    "open_balance": 1,
    "enrol": 1,
    "bind": 1,
    "first_purchase": 1,
    "merge": 1,
    "charge_fees": 1,
    "evaluate_tier": 1,
}
BLOCK = sum(SHARES.values())
SLOTS = [kind for kind, share in SHARES.items() for _ in range(share)]
Random(0).shuffle(SLOTS)
PLACES = {kind: [place for place, each in enumerate(SLOTS) if each == kind] for kind in SHARES}

DONE = {
    *("earn", "confirm", "refund", "cancel_pending", "redeem", "cancel_redemption", "authorize", "capture", "void"),
    *("lapse_hold", "dispute", "resolve_dispute", "transfer", "exchange", "expire", "adjust", "approve_adjustment"),
    *("open_balance", "enrol", "bind_referral", "merge", "unmerge", "charge_fees", "evaluate_tier"),
}
Maker = Callable[[int, int, Random], Command]


def opening() -> list[Command]:
    """Merchants, rates and members: posted once, before any writer starts."""
    enrolled = [Enrol(key=f"enrol-crash-{i}", at_ms=0, member=f"c{i}") for i in range(MEMBERS)]
    return [*map(_fitted, opening_commands()), *enrolled]


def _fitted(command: Command) -> Command:
    """Holds that are over within the blocks that are looked back, and campaigns that do not end."""
    if isinstance(command, OpenMerchant) and command.hold_ms:
        return changed(command, hold_ms=HOLD_MS)
    return changed(command, until_ms=TIME_MS_MAX) if isinstance(command, PublishCampaign) else command


def key(writer: int, i: int) -> str:
    return f"w{writer}:{i:09d}"


def commands(writer: int, start: int, count: int) -> list[Command]:
    return [_command(writer, i) for i in range(start, start + count)]


def _command(writer: int, i: int) -> Command:
    return MAKERS[SLOTS[i % BLOCK]](writer, i, Random(writer * 1_000_003 + i))


def _earlier(writer: int, i: int, draw: Random, kind: str, *, blocks_min: int = 0) -> Command:
    """A command of this writer's own of that kind, some way back; at the very beginning one that is still to come."""
    place = draw.choice(PLACES[kind])
    back = blocks_min + draw.randrange(BACK_BLOCKS_MAX) + (place >= i % BLOCK)
    return _command(writer, max(0, i // BLOCK - back) * BLOCK + place)


def _somebody(draw: Random) -> str:
    return f"c{draw.randrange(MEMBERS)}"


def _newcomer(writer: int, block: int) -> str:
    """Who joins in that block: bound in the next, buying for the first time in the one after."""
    return f"n{writer}-{max(0, block)}"


def _earn(writer: int, i: int, draw: Random) -> Earn:
    name = key(writer, i)
    return Earn(
        key=name,
        at_ms=i * STEP_MS,
        merchant_id=draw.choice(MERCHANTS),
        member=_somebody(draw),
        order=name,
        amount_minor=draw.randrange(1, 50_000),
    )


def _first_purchase(writer: int, i: int, _: Random) -> Earn:
    """Of somebody who was referred: whoever referred them is rewarded, under the campaigns of merchants 1 to 3."""
    block, name = i // BLOCK, key(writer, i)
    return Earn(
        key=name,
        at_ms=i * STEP_MS,
        merchant_id=1 + block % 3,
        member=_newcomer(writer, block - 2),
        order=name,
        amount_minor=40_000 + i % 1_000,
    )


def _order(writer: int, i: int, draw: Random) -> Earn:
    kind = "earn" if draw.random() < 0.9 else "first_purchase"
    order = _earlier(writer, i, draw, kind)
    assert isinstance(order, Earn)
    return order


def _held_order(writer: int, i: int, draw: Random, *, blocks_min: int = 0) -> Earn:
    """Of a merchant that lets orders wait, most of the time."""
    found = (_earlier(writer, i, draw, "earn", blocks_min=blocks_min) for _ in range(TRIES_MAX))
    orders = [order for order in found if isinstance(order, Earn)]
    return next((order for order in orders if order.merchant_id in HOLDING), orders[0])


def _confirm(writer: int, i: int, draw: Random) -> Confirm:
    order = _held_order(writer, i, draw, blocks_min=1 + HOLD_MS // STEP_MS // BLOCK)
    return Confirm(key=key(writer, i), at_ms=i * STEP_MS, order_merchant_id=order.merchant_id, order=order.order)


def _cancel_pending(writer: int, i: int, draw: Random) -> CancelPending:
    order = _held_order(writer, i, draw)
    return CancelPending(key=key(writer, i), at_ms=i * STEP_MS, order_merchant_id=order.merchant_id, order=order.order)


def _refund(writer: int, i: int, draw: Random) -> Refund:
    order, name = _order(writer, i, draw), key(writer, i)
    return Refund(
        key=name,
        at_ms=i * STEP_MS,
        merchant_id=order.merchant_id,
        member=order.member,
        refund=name,
        order=order.order,
        amount_minor=max(1, order.amount_minor // draw.choice([1, 2, 3])),
    )


def _redeem(writer: int, i: int, draw: Random) -> Redeem:
    name = key(writer, i)
    return Redeem(
        key=name,
        at_ms=i * STEP_MS,
        merchant_id=draw.choice(MERCHANTS),
        member=_somebody(draw),
        redemption=name,
        au=draw.randrange(1, 300),
        at_most=draw.random() < 0.7,
    )


def _authorize(writer: int, i: int, draw: Random) -> Authorize:
    name, at = key(writer, i), i * STEP_MS
    return Authorize(
        key=name,
        at_ms=at,
        merchant_id=draw.choice(MERCHANTS),
        member=_somebody(draw),
        redemption=name,
        au=draw.randrange(1, 300),
        hold_until_ms=at + draw.choice([30 * STEP_MS, DAY]),
        at_most=draw.random() < 0.9,
    )


def _held(writer: int, i: int, draw: Random) -> Authorize:
    asked = _earlier(writer, i, draw, "authorize")
    assert isinstance(asked, Authorize)
    return asked


def _capture(writer: int, i: int, draw: Random) -> Capture:
    asked = _held(writer, i, draw)
    part = draw.choice([None, None, draw.randrange(1, asked.au + 1)])
    return Capture(
        key=key(writer, i), at_ms=i * STEP_MS, merchant_id=asked.merchant_id, redemption=asked.redemption, au=part
    )


def _void(writer: int, i: int, draw: Random) -> Void:
    asked = _held(writer, i, draw)
    return Void(key=key(writer, i), at_ms=i * STEP_MS, merchant_id=asked.merchant_id, redemption=asked.redemption)


def _lapse(writer: int, i: int, draw: Random) -> LapseHold:
    asked = _held(writer, i, draw)
    return LapseHold(key=key(writer, i), at_ms=i * STEP_MS, merchant_id=asked.merchant_id, redemption=asked.redemption)


def _redeemed(writer: int, i: int, draw: Random) -> Redeem:
    asked = _earlier(writer, i, draw, "redeem")
    assert isinstance(asked, Redeem)
    return asked


def _cancel_redemption(writer: int, i: int, draw: Random) -> CancelRedemption:
    asked, name = _redeemed(writer, i, draw), key(writer, i)
    return CancelRedemption(
        key=name,
        at_ms=i * STEP_MS,
        merchant_id=asked.merchant_id,
        redemption=asked.redemption,
        cancellation=name,
        au=draw.choice([None, draw.randrange(1, asked.au + 1)]),
    )


def _dispute(writer: int, i: int, draw: Random) -> Dispute:
    asked = _redeemed(writer, i, draw)
    return Dispute(
        key=key(writer, i),
        at_ms=i * STEP_MS,
        merchant_id=asked.merchant_id,
        redemption=asked.redemption,
        by_merchant_id=draw.choice(MERCHANTS),
    )


def _resolve(writer: int, i: int, draw: Random) -> ResolveDispute:
    disputed = _earlier(writer, i, draw, "dispute")
    assert isinstance(disputed, Dispute)
    return ResolveDispute(
        key=key(writer, i),
        at_ms=i * STEP_MS,
        merchant_id=disputed.merchant_id,
        redemption=disputed.redemption,
        stands=draw.random() < 0.5,
    )


def _transfer(writer: int, i: int, draw: Random) -> Transfer:
    name = key(writer, i)
    return Transfer(
        key=name,
        at_ms=i * STEP_MS,
        transfer=name,
        issuer_id=draw.choice(TRANSFERABLE),
        from_member=_somebody(draw),
        to_member=_somebody(draw),
        points=draw.randrange(1, 60),
    )


def _exchange(writer: int, i: int, draw: Random) -> Exchange:
    name, (from_issuer, to_issuer, _, _) = key(writer, i), draw.choice(PAIRS)
    return Exchange(
        key=name,
        at_ms=i * STEP_MS,
        exchange=name,
        member=_somebody(draw),
        from_issuer_id=from_issuer,
        to_issuer_id=to_issuer,
        points=draw.randrange(5, 80),
    )


def _adjust(writer: int, i: int, draw: Random) -> Adjust:
    name, points = key(writer, i), draw.randrange(1, 90)
    return Adjust(
        key=name,
        at_ms=i * STEP_MS,
        adjustment=name,
        issuer_id=draw.choice([1, 6]),
        member=_somebody(draw),
        points=draw.choice([points, -points]),
        reason="count",
        by=f"ann{writer}",
    )


def _decide(writer: int, i: int, draw: Random) -> ApproveAdjustment | RejectAdjustment:
    asked = _earlier(writer, i, draw, "adjust")
    assert isinstance(asked, Adjust)
    decision = ApproveAdjustment if draw.random() < 0.8 else RejectAdjustment
    return decision(
        key=key(writer, i), at_ms=i * STEP_MS, adjustment=asked.adjustment, issuer_id=asked.issuer_id, by="bob"
    )


def _open_balance(writer: int, i: int, draw: Random) -> OpenBalance:
    name = key(writer, i)
    return OpenBalance(
        key=name,
        at_ms=i * STEP_MS,
        source=name,
        issuer_id=draw.choice(MERCHANTS),
        member=_somebody(draw),
        points=draw.randrange(1, 90),
    )


def _bind(writer: int, i: int, draw: Random) -> BindReferral:
    """By anybody, or by the newcomer before, so that chains grow to two levels and more."""
    block = i // BLOCK
    referrer = draw.choice([_somebody(draw), _newcomer(writer, block - 2)])
    return BindReferral(key=key(writer, i), at_ms=i * STEP_MS, member=_newcomer(writer, block - 1), referrer=referrer)


def _merge(writer: int, i: int, draw: Random) -> Merge | Unmerge:
    """Two who joined one after the other are merged, and every other such merger is taken back in the next block. Who
    is left of a pair that stays merged is merged into anybody, later.
    """
    block, name, at = i // BLOCK, key(writer, i), i * STEP_MS
    if block % 2 == 0:
        return Merge(key=name, at_ms=at, member=_newcomer(writer, block - 3), into=_newcomer(writer, block - 4))
    if block % 4 == 1:
        return Unmerge(key=name, at_ms=at, member=_newcomer(writer, block - 4))
    return Merge(key=name, at_ms=at, member=_newcomer(writer, block - 9), into=_somebody(draw))


MAKERS: Mapping[str, Maker] = {
    "earn": _earn,
    "redeem": _redeem,
    "confirm": _confirm,
    "refund": _refund,
    "authorize": _authorize,
    "capture": _capture,
    "void": _void,
    "lapse": _lapse,
    "cancel_redemption": _cancel_redemption,
    "dispute": _dispute,
    "resolve": _resolve,
    "cancel_pending": _cancel_pending,
    "transfer": _transfer,
    "exchange": _exchange,
    "expire": lambda w, i, draw: Expire(key=key(w, i), at_ms=i * STEP_MS, member=_somebody(draw)),
    "adjust": _adjust,
    "decide": _decide,
    "open_balance": _open_balance,
    "enrol": lambda w, i, _: Enrol(key=key(w, i), at_ms=i * STEP_MS, member=_newcomer(w, i // BLOCK)),
    "bind": _bind,
    "first_purchase": _first_purchase,
    "merge": _merge,
    "charge_fees": lambda w, i, _: ChargeFees(
        key=key(w, i), at_ms=i * STEP_MS, cycle=f"{w}-{i // BLOCK // BLOCKS_PER_CYCLE}"
    ),
    "evaluate_tier": lambda w, i, draw: EvaluateTier(key=key(w, i), at_ms=i * STEP_MS, member=_somebody(draw)),
}
