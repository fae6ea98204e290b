"""A history and the cases of `test_refusals` for verbs that move, correct and end points, and for issuers that leave.

Issuer 20 allows every transfer and corrections of 50 by one person, 21 transfers in pools, 22 is frozen, 23 closed, 24
has no terms. n1 and n2 are in one pool, n3 in another, n5 was merged into n4.
"""

from __future__ import annotations

from ledger.commands import (
    Adjust,
    ApproveAdjustment,
    CancelPending,
    CloseMerchant,
    Command,
    Exchange,
    Expire,
    FreezeMerchant,
    JoinPool,
    LeavePool,
    OpenBalance,
    OpenPool,
    PublishExchange,
    RejectAdjustment,
    SetCollateral,
    Transfer,
    UnfreezeMerchant,
)
from ledger.units import AMOUNT_MAX, POOL_MEMBERS_MAX
from tests.ledger.scene import DAY, A, Scene, changed, opening, rate

FREE, POOLED, FROZEN, CLOSED, TERMLESS, LIMITED, UNKNOWN = 20, 21, 22, 23, 24, 25, 77
CROWD = [f"crowd-{i}" for i in range(POOL_MEMBERS_MAX)]

TRANSFER = Transfer(key="k", at_ms=DAY, transfer="new", issuer_id=FREE, from_member="n1", to_member="n2", points=1_000)
EXCHANGE = Exchange(
    key="k", at_ms=DAY, exchange="new", member="n1", from_issuer_id=FREE, to_issuer_id=POOLED, points=500
)
ADJUST = Adjust(
    key="k", at_ms=DAY, adjustment="new", issuer_id=FREE, member="n1", points=50, reason="lost receipt", by="ann"
)
APPROVE = ApproveAdjustment(key="k", at_ms=DAY, adjustment="waits", issuer_id=FREE, by="bob")
REJECT = RejectAdjustment(key="k", at_ms=DAY, adjustment="waits", issuer_id=FREE, by="bob")
OPEN = OpenBalance(key="k", at_ms=DAY, source="till", issuer_id=FREE, member="n1", points=5, expires_at_ms=2 * DAY)
CANCEL = CancelPending(key="k", at_ms=0, order_merchant_id=A, order="pending")
JOIN = JoinPool(key="k", at_ms=0, pool="family", member="n4")
POOL = OpenPool(key="k", at_ms=0, pool="new", owner="n4", day_points_max=0)
LEAVE = LeavePool(key="k", at_ms=0, pool="family", member="n1")
RATE = PublishExchange(key="k", at_ms=0, from_issuer_id=FREE, to_issuer_id=POOLED, num=1, den=2)


def play_history(scene: Scene) -> None:
    """What happens before each case; the members and merchants of `small_alliance` are there."""
    scene.play(*[scene.enrol(member) for member in ("n1", "n2", "n3", "n4", "n5", *CROWD)])
    scene.play(
        opening(FREE, transfers="all", adjust_alone_max=50, refund_policy="within_balance"),
        opening(POOLED, transfers="pool"),
        *[opening(each) for each in (FROZEN, CLOSED, TERMLESS)],
        opening(LIMITED, credit_limit_au=0),
        *[rate(each) for each in (FREE, POOLED, FROZEN, CLOSED, LIMITED)],
        *[changed(OPEN, key=f"brought-{each}", issuer_id=each, points=1_000) for each in (POOLED, FROZEN, CLOSED)],
        *[changed(OPEN, key=f"old-{each}", issuer_id=each, points=2_000) for each in (FREE, LIMITED)],
        changed(OPEN, key="rich", member="n4", points=2_000_000),
        changed(POOL, key="pool-1", pool="family", owner="n1", day_points_max=100),
        changed(POOL, key="pool-2", pool="others", owner="n3"),
        changed(JOIN, key="join-n2", member="n2"),
        *[changed(RATE, key=f"rate-{each}", from_issuer_id=each) for each in (FREE, LIMITED, CLOSED)],
        *[changed(RATE, key=f"into-{each}", to_issuer_id=each) for each in (FROZEN, TERMLESS)],
        changed(RATE, key="dear", to_issuer_id=LIMITED, num=10**9, den=1),
        changed(TRANSFER, key="used", transfer="used", points=100),
        changed(TRANSFER, key="pooled", transfer="pooled", issuer_id=POOLED, points=60),
        changed(EXCHANGE, key="exchanged", exchange="used", points=100),
        changed(ADJUST, key="waits", adjustment="waits", points=60),
        changed(ADJUST, key="down", adjustment="down", points=-1_900),
        changed(ADJUST, key="frozen", adjustment="frozen", points=60, issuer_id=FROZEN),
        changed(ADJUST, key="decided", adjustment="decided", points=1),
        scene.earn("n1", A, 10_000, order="called-off"),
        changed(CANCEL, key="off", order="called-off"),
        *[
            FreezeMerchant(key=f"freeze-{each}", at_ms=0, merchant_id=each, reason="leaves")
            for each in (FROZEN, CLOSED)
        ],
        CloseMerchant(key="close", at_ms=0, merchant_id=CLOSED),
    )
    scene.play(changed(POOL, key="pool-3", pool="full", owner=CROWD[0]))
    scene.play(*[changed(JOIN, key=f"join-{each}", pool="full", member=each) for each in CROWD[1:]])
    scene.book.slice.people[scene.number("n5")].merged_into = scene.number("n4")


IN_ORDER: dict[str, list[tuple[str, str | None, Command]]] = {
    "transfer": [
        ("merchant-unknown", "issuer_id", changed(TRANSFER, issuer_id=UNKNOWN, from_member="nobody")),
        ("member-unknown", "from_member", changed(TRANSFER, from_member="nobody", to_member="none")),
        ("member-closed", "from_member", changed(TRANSFER, from_member="gone", to_member="none")),
        ("member-frozen", "from_member", changed(TRANSFER, from_member="frozen", to_member="none")),
        ("member-unknown", "to_member", changed(TRANSFER, to_member="nobody", transfer="used")),
        ("member-closed", "to_member", changed(TRANSFER, to_member="gone", transfer="used")),
        ("self-transfer", "to_member", changed(TRANSFER, to_member="n1", transfer="used")),
        ("transfer-exists", "transfer", changed(TRANSFER, transfer="used", points=AMOUNT_MAX)),
        ("transfers-off", "issuer_id", changed(TRANSFER, issuer_id=CLOSED, points=AMOUNT_MAX)),
        ("not-in-one-pool", "to_member", changed(TRANSFER, issuer_id=POOLED, to_member="n3", points=AMOUNT_MAX)),
        ("pool-cap", "points", changed(TRANSFER, issuer_id=POOLED, points=41)),
        ("balance-too-low", "points", changed(TRANSFER, points=1_802)),
    ],
    "publish_exchange": [
        ("merchant-unknown", "from_issuer_id", changed(RATE, from_issuer_id=UNKNOWN, to_issuer_id=UNKNOWN)),
        ("merchant-unknown", "to_issuer_id", changed(RATE, to_issuer_id=UNKNOWN)),
        ("same-issuer", "to_issuer_id", changed(RATE, to_issuer_id=FREE)),
    ],
    "exchange": [
        ("merchant-unknown", "from_issuer_id", changed(EXCHANGE, from_issuer_id=UNKNOWN, to_issuer_id=UNKNOWN)),
        ("merchant-unknown", "to_issuer_id", changed(EXCHANGE, to_issuer_id=UNKNOWN, member="nobody")),
        ("same-issuer", "to_issuer_id", changed(EXCHANGE, to_issuer_id=FREE, member="nobody")),
        ("member-unknown", "member", changed(EXCHANGE, member="nobody", exchange="used")),
        ("member-closed", "member", changed(EXCHANGE, member="gone", exchange="used")),
        ("member-frozen", "member", changed(EXCHANGE, member="frozen", exchange="used")),
        ("exchange-exists", "exchange", changed(EXCHANGE, exchange="used", to_issuer_id=FROZEN)),
        ("merchant-closed", "from_issuer_id", changed(EXCHANGE, from_issuer_id=CLOSED, to_issuer_id=FROZEN)),
        ("merchant-frozen", "to_issuer_id", changed(EXCHANGE, to_issuer_id=FROZEN, points=AMOUNT_MAX)),
        ("rate-missing", "to_issuer_id", changed(EXCHANGE, from_issuer_id=POOLED, to_issuer_id=TERMLESS)),
        ("terms-missing", "to_issuer_id", changed(EXCHANGE, to_issuer_id=TERMLESS, points=AMOUNT_MAX)),
        ("balance-too-low", "points", changed(EXCHANGE, points=AMOUNT_MAX)),
        ("exchange-too-small", "points", changed(EXCHANGE, from_issuer_id=LIMITED, points=1)),
        ("points-too-many", "points", changed(EXCHANGE, member="n4", to_issuer_id=LIMITED, points=1_500_000)),
        ("issuer-over-limit", "points", changed(EXCHANGE, from_issuer_id=LIMITED)),
    ],
    "expire": [
        ("member-unknown", "member", Expire(key="k", at_ms=2 * DAY, member="nobody")),
        ("member-closed", "member", Expire(key="k", at_ms=2 * DAY, member="gone")),
        ("nothing-to-expire", "member", Expire(key="k", at_ms=2 * DAY - 1, member="n1")),
    ],
    "open_balance": [
        ("merchant-unknown", "issuer_id", changed(OPEN, issuer_id=UNKNOWN, member="nobody")),
        ("merchant-frozen", "issuer_id", changed(OPEN, issuer_id=FROZEN, member="nobody")),
        ("member-unknown", "member", changed(OPEN, issuer_id=TERMLESS, member="nobody")),
        ("member-closed", "member", changed(OPEN, issuer_id=TERMLESS, member="gone")),
        ("opening-exists", "source", changed(OPEN, expires_at_ms=DAY)),
        ("terms-missing", "issuer_id", changed(OPEN, issuer_id=TERMLESS, expires_at_ms=DAY)),
        ("already-expired", "expires_at_ms", changed(OPEN, source="new", expires_at_ms=DAY)),
    ],
    "adjust": [
        ("merchant-unknown", "issuer_id", changed(ADJUST, issuer_id=UNKNOWN, member="nobody")),
        ("member-unknown", "member", changed(ADJUST, member="nobody", adjustment="waits")),
        ("member-closed", "member", changed(ADJUST, member="gone", adjustment="waits")),
        ("adjustment-exists", "adjustment", changed(ADJUST, adjustment="waits", points=0)),
        ("adjustment-zero", "points", changed(ADJUST, issuer_id=FROZEN, points=0)),
        ("merchant-frozen", "issuer_id", changed(ADJUST, issuer_id=FROZEN)),
        ("terms-missing", "issuer_id", changed(ADJUST, issuer_id=TERMLESS, points=-1)),
        ("balance-too-low", "points", changed(ADJUST, member="n3", points=-1)),
    ],
    "approve_adjustment": [
        ("merchant-unknown", "issuer_id", changed(APPROVE, issuer_id=UNKNOWN)),
        ("adjustment-unknown", "adjustment", changed(APPROVE, adjustment="none")),
        ("adjustment-decided", "adjustment", changed(APPROVE, adjustment="decided", by="ann")),
        ("same-person", "by", changed(APPROVE, by="ann")),
        ("balance-too-low", "points", changed(APPROVE, adjustment="down")),
    ],
    "reject_adjustment": [
        ("merchant-unknown", "issuer_id", changed(REJECT, issuer_id=UNKNOWN)),
        ("adjustment-unknown", "adjustment", changed(REJECT, adjustment="none")),
        ("adjustment-decided", "adjustment", changed(REJECT, adjustment="decided", by="ann")),
    ],
    "cancel_pending": [
        ("merchant-unknown", "order_merchant_id", changed(CANCEL, order_merchant_id=UNKNOWN, order="none")),
        ("order-unknown", "order", changed(CANCEL, order="none")),
        ("already-confirmed", "order", changed(CANCEL, order="paid")),
        ("order-cancelled", "order", changed(CANCEL, order="called-off")),
    ],
    "open_pool": [
        ("pool-exists", "pool", changed(POOL, pool="family", owner="nobody")),
        ("member-unknown", "owner", changed(POOL, owner="nobody")),
        ("member-closed", "owner", changed(POOL, owner="gone")),
        ("member-merged", "owner", changed(POOL, owner="n5")),
        ("in-a-pool", "owner", changed(POOL, owner="n1")),
    ],
    "join_pool": [
        ("pool-unknown", "pool", changed(JOIN, pool="none", member="nobody")),
        ("member-unknown", "member", changed(JOIN, pool="full", member="nobody")),
        ("member-closed", "member", changed(JOIN, pool="full", member="gone")),
        ("member-merged", "member", changed(JOIN, pool="full", member="n5")),
        ("in-a-pool", "member", changed(JOIN, pool="full", member="n1")),
        ("pool-full", "pool", changed(JOIN, pool="full")),
    ],
    "leave_pool": [
        ("pool-unknown", "pool", changed(LEAVE, pool="none", member="nobody")),
        ("member-unknown", "member", changed(LEAVE, member="nobody")),
        ("member-closed", "member", changed(LEAVE, member="gone")),
        ("not-in-pool", "member", changed(LEAVE, member="n3")),
    ],
    "set_collateral": [
        ("merchant-unknown", "merchant_id", SetCollateral(key="k", at_ms=0, merchant_id=UNKNOWN, collateral_au=1)),
    ],
    "freeze_merchant": [
        ("merchant-unknown", "merchant_id", FreezeMerchant(key="k", at_ms=0, merchant_id=UNKNOWN, reason="r")),
        ("merchant-frozen", "merchant_id", FreezeMerchant(key="k", at_ms=0, merchant_id=FROZEN, reason="r")),
    ],
    "unfreeze_merchant": [
        ("merchant-unknown", "merchant_id", UnfreezeMerchant(key="k", at_ms=0, merchant_id=UNKNOWN)),
        ("merchant-not-frozen", "merchant_id", UnfreezeMerchant(key="k", at_ms=0, merchant_id=FREE)),
        ("merchant-closed", "merchant_id", UnfreezeMerchant(key="k", at_ms=0, merchant_id=CLOSED)),
    ],
    "close_merchant": [
        ("merchant-unknown", "merchant_id", CloseMerchant(key="k", at_ms=0, merchant_id=UNKNOWN)),
        ("merchant-not-frozen", "merchant_id", CloseMerchant(key="k", at_ms=0, merchant_id=FREE)),
        ("merchant-closed", "merchant_id", CloseMerchant(key="k", at_ms=0, merchant_id=CLOSED)),
    ],
}
