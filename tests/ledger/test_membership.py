"""Members that are frozen, unfrozen and closed: what they still may, and what is left of them."""

from __future__ import annotations

from ledger.commands import CloseMember, FreezeMember, UnfreezeMember
from proofs.kinds import Kind
from tests.ledger.scene import DAY, A, B, Scene, bond, campaign, small_alliance


def freeze(member: str, key: str = "freeze") -> FreezeMember:
    return FreezeMember(key=key, at_ms=0, member=member, reason="velocity")


def close(member: str, key: str = "close") -> CloseMember:
    return CloseMember(key=key, at_ms=0, member=member)


def test_a_frozen_member_earns_and_does_not_spend_until_unfrozen() -> None:
    scene = Scene()
    scene.play(*small_alliance(hold_ms=DAY), scene.earn("m1", A, 10_000, order="o"))
    assert scene.done(freeze("m1")).why == {"reason": "velocity"}
    scene.done(scene.confirm(A, "o", at=DAY))
    scene.done(scene.earn("m1", A, 10_000, at=DAY))
    assert scene.refused(scene.redeem("m1", B, 10, at=DAY)).code == "member-frozen"
    scene.done(scene.refund("m1", A, 5_000, "o", at=DAY))
    scene.done(UnfreezeMember(key="unfreeze", at_ms=DAY, member="m1"))
    assert scene.done(scene.redeem("m1", B, 50, at=DAY)).why["au"] == 50


def test_a_member_with_anything_left_cannot_close() -> None:
    scene = Scene()
    scene.play(*small_alliance(hold_ms=DAY), scene.earn("m1", A, 10_000, order="o"))
    assert scene.refused(close("m1", "pending")).data == {"issuer": A, "confirmed": 0, "pending": 100, "held": 0}
    scene.play(scene.confirm(A, "o", at=DAY))
    assert scene.refused(close("m1", "some")).data["confirmed"] == 100
    scene.play(scene.redeem("m1", B, 100, at=DAY), scene.refund("m1", A, 10_000, "o", at=DAY))
    assert scene.refused(close("m1", "debt")).data["confirmed"] == -100


def test_a_closed_member_is_passed_over_and_nobody_takes_its_place() -> None:
    scene = Scene()
    scene.play(*small_alliance(), campaign(A, 100, 50), bond("m2", "m1"), bond("m3", "m2"))
    scene.done(close("m2"))
    receipt = scene.done(scene.earn("m3", A, 10_000))
    assert [(leg.kind, leg.member, leg.level) for leg in receipt.legs] == [
        (Kind.EARN, "m3", 0),
        (Kind.REFERRAL, "m1", 2),
    ]
    assert scene.refused(scene.earn("m2", A, 100)).code == "member-closed"
    refusal = scene.refused(bond("m4", "m2"))
    assert (refusal.code, refusal.field) == ("member-closed", "referrer")
