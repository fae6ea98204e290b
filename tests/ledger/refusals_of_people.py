"""Refusals of the verbs about members, campaigns and tiers, in their documented order. Part of
`tests.ledger.test_refusals`.
"""

from __future__ import annotations

import itertools

from ledger.commands import (
    CloseMember,
    Command,
    Enrol,
    EvaluateTier,
    FreezeMember,
    Merge,
    SetTiers,
    StopCampaign,
    Tier,
    UnfreezeMember,
    Unmerge,
)
from tests.ledger.scene import DAY, A, B, Scene, bond, campaign, changed

UNKNOWN = 77


def history_of_people() -> list[Command]:
    """`gone` has closed, `frozen` is, `first` was merged into `second` and both into `third`, who has spent since; m4
    came by m3, who came by m2.
    """
    scene, names = Scene(), ("first", "second", "third")
    return [
        campaign(A, 100, 50),
        campaign(B, 100),
        StopCampaign(key="stop campaign", at_ms=DAY, campaign_id=B),
        *[Enrol(key=f"enrol {name}", at_ms=0, member=name) for name in (*names, "frozen", "gone")],
        CloseMember(key="close gone", at_ms=0, member="gone"),
        FreezeMember(key="freeze frozen", at_ms=0, member="frozen", reason="watched"),
        scene.earn("second", 4, 1, order="of-second"),
        *[Merge(key=f"merge {a}", at_ms=0, member=a, into=b) for a, b in itertools.pairwise(names)],
        changed(scene.redeem("first", B, 1), key="redeem of first", redemption="of-first"),
        bond("m3", "m2"),
        bond("m4", "m3"),
    ]


TIERS = SetTiers(key="k", at_ms=0, tiers=(Tier("regular", 0),), window_ms=DAY)
FREEZE = FreezeMember(key="k", at_ms=0, member="nobody", reason="watched")

OF_PEOPLE: dict[str, list[tuple[str, str | None, Command]]] = {
    "publish_campaign": [
        ("merchant-unknown", "merchant_id", campaign(UNKNOWN, 5_000, 5_000, key="k", campaign_id=A, until_ms=0)),
        ("campaign-exists", "campaign_id", campaign(A, 5_000, 5_000, key="k", until_ms=0)),
        ("campaign-empty", "until_ms", campaign(A, 5_000, 5_000, key="k", campaign_id=9, until_ms=0)),
        ("rewards-too-high", "level_bps", campaign(A, 2_501, 2_500, key="k", campaign_id=9)),
        ("campaign-running", "at_ms", campaign(A, 2_500, 2_500, key="k", campaign_id=9, at_ms=DAY)),
        ("campaign-running", "at_ms", campaign(B, 1, key="k", campaign_id=9, at_ms=DAY - 1)),
    ],
    "stop_campaign": [
        ("campaign-unknown", "campaign_id", StopCampaign(key="k", at_ms=0, campaign_id=9)),
        ("campaign-stopped", "campaign_id", StopCampaign(key="k", at_ms=0, campaign_id=B)),
    ],
    "bind_referral": [
        ("member-unknown", "member", bond("nobody", "no-one", key="k")),
        ("member-closed", "member", bond("gone", "no-one", key="k")),
        ("referrer-unknown", "referrer", bond("m3", "no-one", key="k")),
        ("self-referral", "referrer", bond("m3", "m3", key="k")),
        ("already-bound", "member", bond("m3", "m4", key="k")),
        ("bought-before", "member", bond("m1", "m4", key="k")),
        ("referral-cycle", "referrer", bond("m2", "m4", key="k")),
    ],
    "set_tiers": [
        ("tiers-unordered", "tiers", changed(TIERS, tiers=(Tier("regular", 1),))),
        ("tiers-unordered", "tiers", changed(TIERS, tiers=(Tier("regular", 0), Tier("gold", 0)))),
        ("tiers-unordered", "tiers", changed(TIERS, tiers=(Tier("same", 0), Tier("same", 9)))),
    ],
    "evaluate_tier": [
        ("member-unknown", "member", EvaluateTier(key="k", at_ms=0, member="nobody")),
        ("member-closed", "member", EvaluateTier(key="k", at_ms=0, member="gone")),
        ("tiers-missing", None, EvaluateTier(key="k", at_ms=0, member="m1")),
    ],
    "merge": [
        ("member-unknown", "member", Merge(key="k", at_ms=0, member="nobody", into="no-one")),
        ("member-closed", "member", Merge(key="k", at_ms=0, member="gone", into="no-one")),
        ("member-frozen", "member", Merge(key="k", at_ms=0, member="frozen", into="no-one")),
        ("member-unknown", "into", Merge(key="k", at_ms=0, member="m1", into="no-one")),
        ("member-closed", "into", Merge(key="k", at_ms=0, member="m1", into="gone")),
        ("member-frozen", "into", Merge(key="k", at_ms=0, member="m1", into="frozen")),
        ("same-member", "into", Merge(key="k", at_ms=0, member="m1", into="m1")),
        ("referral-cycle", "into", Merge(key="k", at_ms=0, member="m2", into="m4")),
    ],
    "unmerge": [
        ("member-unknown", "member", Unmerge(key="k", at_ms=0, member="nobody")),
        ("member-closed", "member", Unmerge(key="k", at_ms=0, member="gone")),
        ("member-frozen", "member", Unmerge(key="k", at_ms=0, member="frozen")),
        ("not-merged", "member", Unmerge(key="k", at_ms=0, member="m1")),
        ("merged-since", "member", Unmerge(key="k", at_ms=0, member="first")),
        ("spent-since", "member", Unmerge(key="k", at_ms=0, member="second")),
    ],
    "freeze_member": [
        ("member-unknown", "member", FREEZE),
        ("member-closed", "member", changed(FREEZE, member="gone")),
        ("member-frozen", "member", changed(FREEZE, member="frozen")),
    ],
    "unfreeze_member": [
        ("member-unknown", "member", UnfreezeMember(key="k", at_ms=0, member="nobody")),
        ("member-closed", "member", UnfreezeMember(key="k", at_ms=0, member="gone")),
        ("member-not-frozen", "member", UnfreezeMember(key="k", at_ms=0, member="m1")),
    ],
    "close_member": [
        ("member-unknown", "member", CloseMember(key="k", at_ms=0, member="nobody")),
        ("member-closed", "member", CloseMember(key="k", at_ms=0, member="gone")),
        ("member-not-empty", "member", CloseMember(key="k", at_ms=0, member="m1")),
    ],
}
