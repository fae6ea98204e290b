"""Two accounts of one person: what passes by a merge, what the name means then, and what taking it back restores."""

from __future__ import annotations

from typing import Any

import pytest

from ledger import accounts
from ledger.accounts import Family
from ledger.commands import (
    CloseMember,
    Command,
    Dispute,
    Enrol,
    EvaluateTier,
    FreezeMember,
    Merge,
    ResolveDispute,
    SetTiers,
    Tier,
    Unmerge,
)
from ledger.effects import Effects
from ledger.entry import Entry
from ledger.store import open_store
from ledger.units import MERGED_MEMBERS_MAX
from proofs.accounts import RESERVE_ID
from proofs.kinds import ON_ISSUANCE, Kind
from tests.ledger.scene import DAY, A, B, C, Scene, bond, campaign, clearing, rate, small_alliance

PERSON = (Family.MEMBER, Family.PENDING, Family.HELD)


def merge(member: str, into: str, **changes: Any) -> Merge:
    usual: dict[str, Any] = {"key": f"merge {member} {into}", "at_ms": DAY}
    return Merge(member=member, into=into, **usual | changes)


def unmerge(member: str, key: str = "") -> Unmerge:
    return Unmerge(key=key or f"unmerge {member}", at_ms=DAY, member=member)


def scene_of(*commands: Command, **changes: Any) -> Scene:
    scene = Scene()
    scene.play(*small_alliance(**changes), *commands)
    return scene


def state_of(scene: Scene) -> tuple[Any, ...]:
    """Who has what, and who is who, as anybody could see it."""
    state = scene.book.slice
    balances = {name: balance for name, (_, balance) in state.accounts.items() if balance}
    lots = {lot.id: (lot.member, lot.remaining, lot.standing) for lot in state.lots.values()}
    people = {each.name: (each.referrer, each.merged_into) for each in state.people.values()}
    of = {no: sorted(lot.id for lot in mine if lot.remaining) for no, mine in state.lots_of.items()}
    return balances, lots, people, {no: mine for no, mine in of.items() if mine}


def test_everything_passes_and_the_name_means_the_other() -> None:
    scene = scene_of(hold_ms=DAY)
    scene.play(scene.earn("m1", A, 10_000, order="old"), scene.earn("m1", C, 1_000, order="c"))
    scene.play(scene.confirm(A, "old", at=DAY), scene.earn("m1", B, 5_000, at=DAY, order="new"))
    scene.play(scene.earn("m2", A, 2_000, order="other"), scene.confirm(A, "other", at=DAY))
    receipt = scene.done(merge("m1", "m2"))
    assert receipt.why == {"points": 100, "pending": 50, "debts": 0}
    assert [(leg.kind, leg.member, leg.points, leg.ref) for leg in receipt.legs] == [
        (Kind.TRANSFER_OUT, "m1", 100, None),
        (Kind.TRANSFER_IN, "m2", 100, (receipt.seq, 1)),
    ]
    assert clearing(receipt) == {}
    mine = [name for name in scene.book.slice.accounts if name.family in PERSON and name.party == scene.number("m1")]
    assert {scene.balance(name) for name in mine} == {0}
    assert (scene.points("m2", A), scene.pending("m2", B), scene.pending("m2", C)) == (120, 10, 40)
    assert scene.done(scene.confirm(B, "new", at=2 * DAY)).legs[0].member == "m2"
    assert scene.done(scene.redeem("m1", B, 110, at=2 * DAY)).legs[0].member == "m2"
    scene.done(scene.refund("m1", A, 10_000, "old", at=2 * DAY))
    scene.done(scene.refund("m2", A, 2_000, "other", at=2 * DAY))
    assert (scene.points("m2", A), scene.points("m2", B)) == (120 - 110 - 100 - 20, 10)


def test_lots_keep_what_they_are() -> None:
    scene = scene_of(rate(A, 3, 1, key="better", terms_id=9, at_ms=1))
    scene.play(scene.earn("m1", A, 1_000, at=0), scene.earn("m1", A, 2_000, at=1))
    before = {lot.id: (lot.terms_id, lot.expires_at_ms, lot.points, lot.role) for lot in scene.book.slice.lots.values()}
    receipt = scene.done(merge("m1", "m2"))
    lots = scene.book.slice.lots.values()
    assert {lot.id: (lot.terms_id, lot.expires_at_ms, lot.points, lot.role) for lot in lots} == before
    assert {lot.member for lot in lots} == {"m2"}
    assert [(leg.terms_id, leg.points) for leg in receipt.legs] == [(A, 10), (A, 10), (9, 20), (9, 20)]
    assert sum(move.points for move in receipt.lots) == 0


@pytest.mark.parametrize("mode", [0, ON_ISSUANCE])
@pytest.mark.parametrize(
    ("spent", "earned", "m1", "m2", "debts"),
    [
        # m1 owes 80 after spending 80 of 100 and a whole refund; m2 has what it earned.
        ("m1", 5_000, 0, -30, 80),
        ("m1", 10_000, 0, 20, 80),
        ("m1", 0, 0, -80, 80),
        # m2 owes 80; m1 has what it earned.
        ("m2", 5_000, 0, -30, 50),
        ("m2", 10_000, 0, 20, 80),
        ("m2", 0, 0, -80, 0),
    ],
)
def test_a_debt_is_paid_by_what_the_other_has(
    spent: str, earned: int, m1: int, m2: int, debts: int, *, mode: int
) -> None:
    scene = Scene()
    scene.play(*small_alliance()[:3], rate(A, mode=mode), *small_alliance()[4:])
    other = "m2" if spent == "m1" else "m1"
    scene.play(scene.earn(spent, A, 10_000, order="o"), scene.redeem(spent, B, 80), scene.refund(spent, A, 10_000, "o"))
    if earned:
        scene.done(scene.earn(other, A, earned))
    assert scene.points(spent, A) == -80
    before = state_of(scene)
    receipt = scene.done(merge("m1", "m2"))
    numbers = {name: scene.book.slice.members[name] for name in ("m1", "m2")}
    assert [scene.balance(accounts.member(A, no or 0)) for no in numbers.values()] == [m1, m2]
    assert receipt.why["debts"] == debts
    assert scene.balance(accounts.cash(RESERVE_ID)) == (max(0, m2) if mode == ON_ISSUANCE else 0)
    scene.done(unmerge("m1"))
    assert state_of(scene) == before


def test_who_owes_on_both_sides_owes_all_of_it() -> None:
    scene = scene_of()
    for member, amount in (("m1", 10_000), ("m2", 20_000)):
        scene.play(scene.earn(member, A, amount, order=member), scene.redeem(member, B, amount // 100))
        scene.play(scene.refund(member, A, amount, member))
    scene.done(merge("m1", "m2"))
    assert scene.points("m2", A) == -300
    scene.done(unmerge("m1"))
    assert (scene.points("m1", A), scene.points("m2", A)) == (-100, -200)


def test_taking_it_back_restores_both_sides() -> None:
    scene = scene_of(bond("m2", "m3"), bond("m1", "m4"), campaign(A, 100, 50), hold_ms=DAY)
    scene.play(scene.earn("m1", A, 10_000, order="old"), scene.confirm(A, "old", at=DAY))
    scene.play(scene.earn("m1", B, 10_000, order="new"), scene.earn("m2", A, 3_000, order="other"))
    before = state_of(scene)
    scene.done(merge("m1", "m2"))
    assert state_of(scene) != before
    receipt = scene.done(unmerge("m1"))
    assert receipt.why == {"points": 100, "pending": 20, "debts": 0}
    assert state_of(scene) == before
    assert scene.refused(unmerge("m1", "again")).code == "not-merged"
    scene.done(merge("m1", "m2", key="once more"))
    assert scene.points("m2", A) == 100


def test_what_came_since_stays_and_a_pending_lot_goes_back_confirmed() -> None:
    scene = scene_of(hold_ms=DAY)
    scene.play(scene.earn("m1", A, 10_000, order="o"), merge("m1", "m2"))
    scene.play(scene.confirm(A, "o", at=DAY), scene.earn("m1", A, 5_000, order="since"))
    scene.play(scene.confirm(A, "since", at=DAY))
    assert scene.points("m2", A) == 150
    scene.done(unmerge("m1"))
    assert (scene.points("m1", A), scene.points("m2", A)) == (100, 50)


@pytest.mark.parametrize("spender", ["m1", "m2"])
@pytest.mark.parametrize("owner", ["m1", "m2"])
def test_spending_by_either_name_ends_it(owner: str, spender: str) -> None:
    scene = scene_of()
    scene.play(scene.earn(owner, A, 10_000), merge("m1", "m2"), scene.redeem(spender, B, 1, at=DAY))
    refusal = scene.refused(unmerge("m1"))
    assert (refusal.code, refusal.data) == ("spent-since", {"issuer": A, "had": 100, "has": 99})


def test_later_earnings_that_paid_the_debt_end_it() -> None:
    scene = scene_of()
    scene.play(scene.earn("m1", A, 10_000, order="o"), scene.redeem("m1", B, 100), scene.refund("m1", A, 10_000, "o"))
    scene.play(merge("m1", "m2"), scene.earn("m2", A, 1_000))
    assert scene.refused(unmerge("m1")).data == {"issuer": A, "had": -100, "has": -90}


def test_merges_are_taken_back_in_turn() -> None:
    scene = scene_of(scene_earn("m1", 1_000), scene_earn("m2", 2_000))
    before = state_of(scene)
    scene.done(merge("m1", "m2"))
    between = state_of(scene)
    scene.done(merge("m2", "m3"))
    people = scene.book.slice.people
    assert [people[scene.number(name)].merged_into for name in ("m1", "m2")] == [scene.number("m3")] * 2
    assert scene.refused(unmerge("m1", "early")).data == {"merged_into": "m2", "means": "m3"}
    assert scene.points("m3", A) == 30
    scene.done(unmerge("m2"))
    assert state_of(scene) == between
    scene.done(unmerge("m1"))
    assert state_of(scene) == before


def scene_earn(member: str, amount: int) -> Command:
    return Scene().earn(member, A, amount, order=f"of-{member}")


@pytest.mark.parametrize(
    ("bonds", "code", "m2_above"),
    [
        ([("m1", "m3")], None, "m3"),  # m2's referral was open: it takes m1's
        ([("m1", "m3"), ("m2", "m4")], None, "m4"),
        ([("m2", "m4")], None, "m4"),
        ([("m1", "m2")], None, None),
        ([("m1", "m3"), ("m3", "m2")], None, None),  # m1 stood below m2: what it had would make a cycle
        ([("m2", "m1")], "referral-cycle", "m1"),
        ([("m2", "m3"), ("m3", "m1")], "referral-cycle", "m3"),
    ],
)
def test_the_graph_stays_without_cycles(bonds: list[tuple[str, str]], code: str | None, m2_above: str | None) -> None:
    scene = scene_of(*[bond(*each) for each in bonds])
    before = state_of(scene)
    answer = scene.book.apply(merge("m1", "m2")).outcome
    assert getattr(answer, "code", None) == code
    above = scene.book.slice.people[scene.number("m2")].referrer
    assert above == (scene.number(m2_above) if m2_above else None)
    if code is None:
        scene.done(unmerge("m1"))
        assert state_of(scene) == before
    else:
        scene.done(merge("m2", "m1"))


def test_a_bond_asleep_may_not_wake_into_a_circle() -> None:
    scene = scene_of(bond("m1", "m3"), bond("m2", "m4"), bond("m5", "m1"))
    scene.play(merge("m1", "m2"), bond("m3", "m5"))
    assert scene.book.slice.people[scene.number("m3")].referrer == scene.number("m5")
    assert scene.refused(unmerge("m1")).code == "referral-cycle"


def test_rewards_go_to_whom_the_referrer_means_and_never_to_the_buyer() -> None:
    scene = scene_of(campaign(A, 100, 50), bond("m2", "m1"), bond("m3", "m2"), hold_ms=DAY)
    scene.play(scene.earn("m3", A, 10_000, order="o"))
    scene.done(merge("m1", "m4"))
    scene.done(merge("m3", "m2"))  # the buyer turns out to be its own referrer
    receipt = scene.done(scene.confirm(A, "o", at=DAY))
    assert [(leg.kind, leg.member, leg.points) for leg in receipt.legs] == [
        (Kind.EARN, "m2", 100),
        (Kind.REFERRAL, "m4", 50),
    ]
    assert receipt.why["fee_au"] == 1
    assert (scene.pending("m2", A), scene.points("m2", A)) == (0, 100)
    scene.done(scene.refund("m3", A, 10_000, "o", at=DAY))
    assert (scene.points("m2", A), scene.points("m4", A)) == (0, 0)
    assert {leg.member for leg in scene.done(scene.earn("m2", A, 10_000, at=DAY, order="p")).legs} == set()
    assert [leg.member for leg in scene.done(scene.confirm(A, "p", at=2 * DAY)).legs] == ["m2", "m4"]


def test_tiers_count_what_all_accounts_bought() -> None:
    tiers = SetTiers(key="t", at_ms=0, tiers=(Tier("regular", 0), Tier("gold", 150)), window_ms=9 * DAY)
    scene = scene_of(tiers)
    scene.play(scene.earn("m1", A, 10_000), scene.redeem("m1", B, 60), scene.earn("m2", A, 10_000), merge("m1", "m2"))
    assert scene.done(EvaluateTier(key="e1", at_ms=DAY, member="m1")).why["qualifying_au"] == 200


def test_what_comes_back_to_a_lot_of_the_merged_account_comes_to_the_person() -> None:
    scene = scene_of()
    scene.play(scene.earn("m1", A, 10_000), scene.redeem("m1", B, 100), merge("m1", "m2"))
    state = scene.book.slice
    lot = next(iter(state.lots.values()))
    assert (lot.member, lot.remaining) == ("m1", 0)
    lot.remaining += 5
    Entry(state, Effects(), DAY).change_lot(lot, points=5)
    assert (lot.member, lot.member_no, state.lots_of[lot.member_no]) == ("m2", scene.number("m2"), [lot])


@pytest.mark.parametrize("who", ["m1", "m2"])
def test_frozen_and_closed_members_are_not_merged(who: str) -> None:
    scene = scene_of(FreezeMember(key="z", at_ms=0, member=who, reason="r"))
    assert scene.refused(merge("m1", "m2")).code == "member-frozen"
    scene = scene_of(CloseMember(key="z", at_ms=0, member=who))
    assert scene.refused(merge("m1", "m2")).code == "member-closed"


def test_one_person_has_a_greatest_number_of_accounts() -> None:
    names = [f"n{i}" for i in range(MERGED_MEMBERS_MAX + 1)]
    scene = scene_of(*[Enrol(key=f"enrol {name}", at_ms=0, member=name) for name in names])
    for name in names[:-1]:
        scene.done(merge(name, "m1"))
    refusal = scene.refused(merge(names[-1], "m1"))
    assert (refusal.code, refusal.data["members"]) == ("merged-too-many", MERGED_MEMBERS_MAX + 1)


def test_a_member_with_held_points_is_not_merged() -> None:
    scene = scene_of()
    scene.play(scene.earn("m1", A, 10_000))
    scene.book.slice.accounts[accounts.held(A, scene.number("m1"))] = (1, 40)
    assert scene.refused(merge("m1", "m2")).data == {"issuer": A, "held": 40}
    scene.done(merge("m2", "m1"))


def test_a_lot_that_paid_a_debt_is_open_again_wherever_it_was_empty_meanwhile(database: str) -> None:
    """A store that read the open lots while the debt was paid did not see it; nor did a book that drew in between."""
    scene = scene_of()
    debt = [scene.earn("m1", A, 10_000, order="o"), scene.redeem("m1", B, 80), scene.refund("m1", A, 10_000, "o")]
    before = [*small_alliance(), *debt, scene.earn("m2", A, 8_000), merge("m1", "m2")]
    after = [
        scene.earn("m2", C, 1_000, at=DAY),
        scene.redeem("m2", B, 1, at=DAY),
        unmerge("m1"),
        scene.redeem("m2", B, 80, at=DAY),
    ]
    book = Scene()
    expected = [answer.body for answer in book.play(*before, *after)]
    with open_store(database) as store:
        answers = store.post(before)
    with open_store(database) as store:
        answers += [store.post([command])[0] for command in after]
    assert [answer.body for answer in answers] == expected
    assert not any(getattr(answer.outcome, "code", None) for answer in answers[-4:])


def test_a_dispute_over_what_was_paid_before_ends_before_they_part() -> None:
    """Else it would be one account's lot and the other's hold."""
    scene = scene_of()
    paid: dict[str, Any] = {"merchant_id": B, "redemption": "r"}
    scene.play(scene.earn("m1", A, 10_000), scene.redeem("m1", B, 40, redemption="r"), merge("m1", "m2"))
    scene.done(Dispute(key="d", at_ms=DAY, by_merchant_id=A, **paid))
    refusal = scene.refused(unmerge("m1"))
    assert (refusal.code, refusal.data) == ("member-holds", {"issuer": A, "held": 40})
    scene.done(ResolveDispute(key="s", at_ms=DAY, stands=True, **paid))
    scene.done(unmerge("m1", key="again"))
    assert (scene.points("m1", A), scene.points("m2", A)) == (60, 0)


def upline_of_one(**changes: Any) -> Scene:
    """m1 referred m2, who referred m3; A rewards two levels, 3 % and 1 %, 50 points at most."""
    return scene_of(campaign(A, 300, 100, reward_au_max=50), bond("m2", "m1"), bond("m3", "m2"), **changes)


def test_two_levels_that_became_one_person_are_two_rewards() -> None:
    scene = upline_of_one(hold_ms=DAY)
    scene.play(scene.earn("m3", A, 10_000, order="o"), merge("m2", "m1"))
    assert scene.pending("m1", A) == 100
    receipt = scene.done(scene.confirm(A, "o", at=DAY))
    assert [(leg.kind, leg.member, leg.level, leg.points) for leg in receipt.legs] == [
        (Kind.EARN, "m3", 0, 100),
        (Kind.REFERRAL, "m1", 1, 50),
        (Kind.REFERRAL, "m1", 2, 50),
    ]
    assert scene.points("m1", A) == 100


@pytest.mark.parametrize(
    ("policy", "spent", "taken"),
    [("debt", 0, (50, 50)), ("debt", 70, (50, 50)), ("within_balance", 0, (50, 50)), ("within_balance", 70, (30, 0))],
)
def test_each_reward_is_taken_back_from_its_own_leg(policy: str, spent: int, taken: tuple[int, int]) -> None:
    scene = upline_of_one(refund_policy=policy)
    earned = scene.done(scene.earn("m3", A, 10_000, order="o"))
    scene.play(merge("m2", "m1"), *[scene.redeem("m1", B, spent, at=DAY)][: bool(spent)])
    back = scene.done(scene.refund("m3", A, 10_000, "o", at=DAY))
    named = {earned.legs[leg.ref.no - 1].level: leg.points for leg in back.legs if leg.ref and leg.member == "m1"}
    assert named == {level: points for level, points in zip((1, 2), taken, strict=True) if points}
    assert scene.points("m1", A) == 100 - spent - sum(taken)


def test_a_purchase_and_a_reward_of_one_person_are_taken_back_apart() -> None:
    scene = upline_of_one()
    earned = scene.done(scene.earn("m3", A, 10_000, order="o"))
    scene.done(merge("m3", "m2"))
    back = scene.done(scene.refund("m3", A, 10_000, "o", at=DAY))
    refs = [(leg.member, leg.points, earned.legs[leg.ref.no - 1].level) for leg in back.legs if leg.ref]
    assert refs == [("m2", 100, 0), ("m2", 50, 1), ("m1", 50, 2)]
