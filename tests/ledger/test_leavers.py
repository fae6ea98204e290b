"""What would come back to members who have left: nothing; their issuers get what a lost dispute frees."""

from __future__ import annotations

import pytest

from ledger.commands import CloseMember
from proofs.kinds import ON_ISSUANCE, Kind
from tests.ledger.promises import cancel, dispute, resolve
from tests.ledger.scene import A, B, C, bond, campaign, rate, small_alliance
from tests.ledger.test_spending import Spending


@pytest.mark.parametrize("mode", [0, ON_ISSUANCE])
def test_who_left_gets_nothing_back(mode: int) -> None:
    """What a lost dispute would give back is forfeited to its issuers; a cancellation is refused."""
    scene = Spending()
    scene.play(*small_alliance(), rate(A, 3, 2, key="new", terms_id=9, mode=mode))
    scene.play(scene.earn("m1", A, 10_000), scene.earn("m1", C, 1_000, at=1))
    scene.done(scene.redeem("m1", B, 170, redemption="r", at=2))
    scene.done(CloseMember(key="close", at_ms=2, member="m1"))
    assert scene.refused(cancel(B, "r", "x")).code == "member-closed"
    scene.done(dispute(B, "r", C))
    receipt = scene.done(resolve(B, "r", stands=False))
    assert receipt.why == {"au": 170, "restored": 0, "repaid": 0, "forfeited": 140}
    assert [(leg.kind, leg.issuer, leg.points) for leg in receipt.legs] == [
        (Kind.ADJUST_DOWN, A, 100),
        (Kind.ADJUST_DOWN, C, 40),
    ]
    for issuer in (A, C):
        assert scene.points("m1", issuer) == scene.held("m1", issuer) == scene.remaining("m1", issuer) == 0


def test_what_who_left_owes_is_repaid_before_the_rest_is_forfeited() -> None:
    """A claw-back of a referral reward can leave who left in debt, while a dispute holds the points."""
    scene = Spending()
    scene.play(*small_alliance(), campaign(A, 5_000), bond("m2", "m1"), scene.earn("m2", A, 10_000, order="o"))
    points = scene.points("m1", A)
    assert points > 1
    scene.done(scene.redeem("m1", B, points, redemption="r"))
    scene.done(CloseMember(key="close", at_ms=0, member="m1"))
    scene.done(dispute(B, "r", A))
    scene.done(scene.refund("m2", A, 2_000, "o"))
    taken = points - scene.points("m1", A)
    assert 0 < taken < points
    receipt = scene.done(resolve(B, "r", stands=False))
    assert receipt.why == {"au": points, "restored": 0, "repaid": taken, "forfeited": points - taken}
    assert scene.points("m1", A) == scene.held("m1", A) == 0
