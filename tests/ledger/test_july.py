"""The July acceptance cycle, event by event through the verbs, in both modes, with its variations."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ledger.accounts import Family
from ledger.answers import Receipt
from ledger.commands import (
    Command,
    Confirm,
    Earn,
    EarnRate,
    Enrol,
    EvaluateTier,
    Expire,
    ForDays,
    Redeem,
    Refund,
    SetTiers,
    Tier,
    Transfer,
    Until,
)
from ledger.slice import Role
from proofs.accounts import RESERVE_ID
from proofs.kinds import ON_ISSUANCE, ON_REDEMPTION, Kind
from tests.ledger.promises import cancel, dispute, resolve
from tests.ledger.scene import DAY, OP, A, B, C, Scene, bond, campaign, clearing, legs, opening, rate

JULY: dict[str, Any] = json.loads((Path(__file__).parent.parent / "acceptance" / "july.json").read_text())
NUMBERS = {"A": A, "B": B, "C": C, "OP": OP, "RESERVE": RESERVE_ID}
EVENTS = {event["id"]: event for event in JULY["events"]}


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * 1000


def by_number(figures: dict[str, int]) -> dict[int, int]:
    return {NUMBERS[code]: amount for code, amount in figures.items()}


def alliance(mode: int = ON_REDEMPTION, **changes: Any) -> list[Command]:
    """The merchants, terms, campaigns, members and bonds of the file; `changes` are for merchant B."""
    commands: list[Command] = []
    for code, merchant in JULY["merchants"].items():
        validity = merchant["validity"]
        commands += [
            opening(
                NUMBERS[code],
                earn=EarnRate(merchant["earn"]["points"], merchant["earn"]["per_fen"]),
                hold_ms=JULY["terms"]["hold_days"] * DAY,
                breakage_bps=JULY["terms"]["breakage_operator_bps"],
                transfers="all",
                validity=ForDays(validity["days"]) if "days" in validity else Until(until_ms=ms(validity["until"])),
                **(changes if code == "B" else {}),
            ),
            rate(NUMBERS[code], *merchant["au_per_point"], mode=mode),
            campaign(NUMBERS[code], *JULY["terms"]["referral_bps_of_net_sale"], until_ms=ms("2027-01-01T00:00:00Z")),
        ]
    commands += [Enrol(key=f"enrol-{name}", at_ms=0, member=name) for name in JULY["members"]]
    return commands + [bond(member, referrer) for member, referrer in JULY["referrals"].items()]


def commands_of(event: dict[str, Any]) -> list[Command]:
    """The event as commands, one but for the expiry of several members."""
    at, name = ms(event["at"]), event["id"]
    match event["type"]:
        case "redemption.cancelled":
            acceptor = NUMBERS[EVENTS[event["redemption"]]["merchant"]]
            return [cancel(acceptor, event["redemption"], name, event["au"], at)]
        case "transfer":
            return [_transfer(at, event)]
        case "expire":
            return [
                Expire(key=f"{name} {member}", at_ms=at, member=member) for member, _, _ in event["expect"]["expired"]
            ]
    origin = EVENTS[event.get("order", name)]
    merchant, member = NUMBERS[origin["merchant"]], origin["member"]
    match event["type"]:
        case "order.paid":
            amount = event["net_fen"]
            return [Earn(key=name, at_ms=at, merchant_id=merchant, member=member, order=name, amount_minor=amount)]
        case "order.refunded":
            refunded = {"refund": name, "order": event["order"], "amount_minor": event["amount_fen"]}
            return [Refund(key=name, at_ms=at, merchant_id=merchant, member=member, **refunded)]
        case "confirm":
            return [Confirm(key=name, at_ms=at, order_merchant_id=merchant, order=event["order"])]
        case _:
            return [Redeem(key=name, at_ms=at, merchant_id=merchant, member=member, redemption=name, au=event["au"])]


def _transfer(at: int, event: dict[str, Any]) -> Transfer:
    return Transfer(
        key=event["id"],
        at_ms=at,
        transfer=event["id"],
        issuer_id=NUMBERS[event["issuer"]],
        from_member=event["from"],
        to_member=event["to"],
        points=event["points"],
    )


def play(scene: Scene, *, until: str | None = None) -> dict[str, list[Receipt]]:
    """Every event up to and without `until`, in file order."""
    receipts = {}
    for name, event in EVENTS.items():
        if name == until:
            break
        receipts[name] = [scene.done(command) for command in commands_of(event)]
    return receipts


def summed(receipts: list[Receipt]) -> dict[int, int]:
    total: dict[int, int] = {}
    for receipt in receipts:
        for party, amount in clearing(receipt).items():
            total[party] = total.get(party, 0) + amount
    return {party: amount for party, amount in total.items() if amount}


@pytest.fixture(name="scene")
def scene_() -> Scene:
    scene = Scene()
    scene.play(*alliance())
    return scene


def test_every_event_of_the_cycle_clears_as_the_file_says(scene: Scene) -> None:
    receipts = play(scene)
    for name, event in EVENTS.items():
        expected = by_number(event["expect"].get("clearing", {}))
        assert summed(receipts[name]) == expected, name
        if "legs" in event["expect"]:
            assert legs(receipts[name][0]) == [(NUMBERS[code], *rest) for code, *rest in event["expect"]["legs"]], name


def test_pending_points_of_each_order(scene: Scene) -> None:
    receipts = play(scene)
    roles = {"base": Role.BASE, "L1": Role.LEVEL_1, "L2": Role.LEVEL_2}
    for name, event in EVENTS.items():
        expected = event["expect"].get("pending", [])
        moves = receipts[name][0].lots if event["type"] == "order.paid" else ()
        lots = [scene.book.slice.lots[move.lot] for move in moves]
        assert [(lot.member, lot.issuer, lot.points, lot.role) for lot in lots] == [
            (member, NUMBERS[code], points, roles[role]) for member, code, points, role in expected
        ]
        pending = [posting.amount for posting in receipts[name][0].postings if posting.account.family == Family.PENDING]
        assert [amount for amount in pending if amount > 0] == [points for _, _, points, _ in expected], name
    left = [(move.member, NUMBERS["A"], move.remaining) for move in receipts["E6"][0].lots]
    assert left == [(member, NUMBERS[code], points) for member, code, points in EVENTS["E6"]["expect"]["pending_of_E3"]]


def test_a_reward_names_the_purchase_and_its_rule(scene: Scene) -> None:
    (receipt,) = play(scene)["E3.confirm"]
    earned, *rewards = receipt.legs
    assert (earned.kind, earned.member, earned.level) == (Kind.EARN, "m3", 0)
    assert [(leg.kind, leg.member, leg.ref) for leg in rewards] == [
        (Kind.REFERRAL, "m2", (receipt.seq, 1)),
        (Kind.REFERRAL, "m1", (receipt.seq, 1)),
    ]
    assert [(leg.campaign_id, leg.level, leg.basis) for leg in rewards] == [(A, 1, 60_000), (A, 2, 60_000)]


def test_balances_after_all_confirmations(scene: Scene) -> None:
    play(scene, until="E8")
    for member, expected in EVENTS["E5.confirm"]["expect"]["balances_after"].items():
        for code, points in expected.items():
            assert scene.points(member, NUMBERS[code]) == points


def test_debts_after_the_refund_of_spent_points(scene: Scene) -> None:
    play(scene, until="E14")
    for member, expected in EVENTS["E13"]["expect"]["debts"].items():
        for code, points in expected.items():
            assert scene.points(member, NUMBERS[code]) == -points


def test_the_cancellation_restores_the_lot(scene: Scene) -> None:
    receipt = play(scene, until="E16")["E15"][0]
    restored = [[move.member, "ABC"[move.issuer - 1], move.points] for move in receipt.lots]
    assert restored == EVENTS["E15"]["expect"]["restored"]
    assert [move.expires_at_ms for move in receipt.lots] == [ms(EVENTS["E4.confirm"]["at"]) + 14 * DAY]


def test_variation_dispute(scene: Scene) -> None:
    play(scene)
    whole = scene.positions()
    scene.done(dispute(A, "E17", C, at=ms("2026-07-31T00:00:00+08:00")))
    expected = by_number(next(each for each in JULY["variations"] if each["name"] == "dispute")["net_on_redemption"])
    assert scene.positions() == expected
    scene.done(resolve(A, "E17", at=ms("2026-08-02T00:00:00+08:00"), stands=True))
    assert scene.positions() == whole, "it re-enters in the next cycle"


def expect_finals(scene: Scene) -> None:
    """Everybody's points at the end, debts among them."""
    for member, points in JULY["expected"]["balances"].items():
        assert {code: scene.points(member, NUMBERS[code]) for code in points} == points, member
    for member, debts in JULY["expected"]["debts_points"].items():
        assert {code: -scene.points(member, NUMBERS[code]) for code in debts} == debts, member


def test_the_cycle_ends_as_the_file_says(scene: Scene) -> None:
    play(scene)
    expected = by_number(JULY["expected"]["net_on_redemption"])
    assert scene.positions() == expected
    expect_finals(scene)


def test_the_cycle_paid_on_issuance() -> None:
    scene = Scene()
    scene.play(*alliance(mode=ON_ISSUANCE))
    play(scene)
    expected = by_number(JULY["expected"]["net_on_issuance"])
    assert scene.positions() == expected
    assert expected[RESERVE_ID] == JULY["expected"]["positive_lots_au"]
    expect_finals(scene)


def test_expired(scene: Scene) -> None:
    receipts = play(scene)["X"]
    expired = [(receipt.legs[0].member, receipt.legs[0].issuer, receipt.legs[0].points) for receipt in receipts]
    expected = [(member, NUMBERS[code], points) for member, code, points in EVENTS["X"]["expect"]["expired"]]
    assert expired == expected


def test_qualifying_au_and_tiers(scene: Scene) -> None:
    steps = tuple(Tier(tier["code"], tier["qualifying_au"]) for tier in JULY["tiers"])
    scene.done(SetTiers(key="tiers", at_ms=0, tiers=steps, window_ms=365 * DAY))
    play(scene)
    end = ms("2026-08-01T00:00:00+08:00")
    judged = {name: scene.done(EvaluateTier(key=name, at_ms=end, member=name)).why for name in JULY["members"]}
    assert {name: why["qualifying_au"] for name, why in judged.items()} == JULY["expected"]["qualifying_au"]
    assert {name: why["tier"] for name, why in judged.items()} == JULY["expected"]["tiers"]


def test_variation_collateral() -> None:
    scene = Scene()
    scene.play(*alliance(credit_limit_au=800))
    receipts = play(scene)
    variation = next(each for each in JULY["variations"] if each["name"] == "collateral")
    assert clearing(receipts["E9"][0]) == by_number(variation["e9_clearing"])
    assert legs(receipts["E9"][0]) == [(C, 200, 100), (A, 400, 400)]
    assert receipts["E9"][0].why["skipped"] == str(B)
    expected = by_number(variation["net_on_redemption"])
    assert scene.positions() == expected
    assert (scene.points("m2", A), scene.points("m2", B), scene.points("m1", B)) == (200, 50, -50)


def test_variation_replay(scene: Scene) -> None:
    commands = [command for event in EVENTS.values() for command in commands_of(event)]
    first = scene.play(*commands)
    seq = scene.book.slice.seq
    again = scene.play(*commands)
    assert [answer.body for answer in again] == [answer.body for answer in first]
    assert all(answer.replayed for answer in again)
    assert scene.book.slice.seq == seq


def test_variation_boundary(scene: Scene) -> None:
    play(scene, until="X")
    midnight = ms("2026-07-25T00:00:00+08:00")
    gone = scene.refused(scene.redeem("m1", B, 301, at=midnight))  # 300 A are left
    assert (gone.code, gone.data["available_au"]) == ("balance-too-low", 300)
    assert legs(scene.done(scene.redeem("m1", B, 301, at=midnight - 1))) == [(C, 400, 200), (A, 101, 101)]


def test_variation_rounding(scene: Scene) -> None:
    play(scene, until="E4.confirm")  # m2 has 100 B, which expire before its 600 A
    receipt = scene.done(scene.redeem("m2", A, 333, at=ms("2026-07-09T00:00:00+08:00")))
    assert legs(receipt) == [(B, 67, 333)]
    assert scene.points("m2", B) == 100 - 67
    dust = [posting for posting in receipt.postings if posting.account.family == Family.ROUNDING]
    assert [(posting.account.party, posting.amount) for posting in dust] == [(B, 2)]


def test_variation_referral(scene: Scene) -> None:
    assert scene.refused(bond("m1", "m3")).code == "referral-cycle"
    assert scene.refused(bond("m5", "m5")).code == "self-referral"
    play(scene)
    assert scene.refused(bond("m5", "m1")).code == "bought-before"
    three = msgspec.structs.replace(campaign(A, 100, 50, 25), key="three", campaign_id=9)
    assert scene.refused(three).code == "malformed"


def test_variation_order() -> None:
    finals = []
    for order in (["E1", "E2", "E3", "E4", "E5"], ["E4", "E2", "E5", "E1", "E3"]):
        scene = Scene()
        scene.play(*alliance(), *[command for name in order for command in commands_of(EVENTS[name])])
        finals.append({name: balance for name, (_, balance) in scene.book.slice.accounts.items()})
    assert finals[0] == finals[1]
