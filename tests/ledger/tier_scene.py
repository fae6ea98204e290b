"""A ledger with tiers and members of every kind, for tests of whoever reads how members stand."""

from __future__ import annotations

from typing import Any

from ledger.commands import CloseMember, Command, Enrol, EvaluateTier, FreezeMember, Merge, SetTiers, Tier
from tests.ledger.scene import DAY, A, B, C, Scene, small_alliance


def tiers(**changes: Any) -> SetTiers:
    """Four tiers over thirty days, with five days of grace."""
    steps = (Tier("regular", 0), Tier("silver", 20), Tier("gold", 100), Tier("diamond", 300))
    usual: dict[str, Any] = {"key": "tiers", "at_ms": 0, "window_ms": 30 * DAY, "grace_ms": 5 * DAY}
    return SetTiers(**{"tiers": steps} | usual | changes)


def traffic() -> list[Command]:
    """Members m1 to m5 and some more, of every kind: rich, poor, spent, refunded, in grace, merged, frozen, closed."""
    scene, day = Scene(), DAY
    more = [
        Enrol(key=f"enrol-{name}", at_ms=0, member=name) for name in ("graced", "one", "two", "icy", "gone", "idle")
    ]
    return [
        *small_alliance(),
        tiers(),
        *more,
        scene.earn("m1", A, 40_000, at=35 * day),
        scene.earn("m1", C, 1_111, at=36 * day),
        EvaluateTier(key="v-m1", at_ms=37 * day, member="m1"),
        scene.earn("m2", B, 12_000, at=20 * day),
        scene.earn("m2", A, 3_333, at=30 * day, order="back"),
        EvaluateTier(key="v-m2", at_ms=31 * day, member="m2"),
        scene.refund("m2", A, 1_000, "back"),
        scene.earn("m3", A, 9_000, at=38 * day),
        scene.redeem("m3", B, 40),
        scene.earn("graced", A, 15_000, at=7 * day),
        EvaluateTier(key="v-graced", at_ms=8 * day, member="graced"),
        scene.earn("one", A, 11_000, at=33 * day),
        scene.earn("two", A, 12_000, at=34 * day),
        Merge(key="merge", at_ms=36 * day, member="one", into="two"),
        scene.earn("icy", A, 50_000, at=34 * day),
        FreezeMember(key="freeze", at_ms=36 * day, member="icy", reason="odd"),
        CloseMember(key="close", at_ms=36 * day, member="gone"),
    ]
