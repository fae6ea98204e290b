"""The July acceptance cycle, as far as the verbs reach: all but referral rewards.

Those come with their verbs. Until then an order of the same
worth stands in for each referral reward, so that later events find the points they expect; what a figure loses by that
or by a missing event is said beside it.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from ledger.accounts import Family
from ledger.answers import Receipt
from ledger.commands import (
    Command,
    Confirm,
    Earn,
    EarnRate,
    Enrol,
    Expire,
    ForDays,
    Redeem,
    Refund,
    Transfer,
    Until,
)
from proofs.accounts import RESERVE_ID
from proofs.kinds import ON_ISSUANCE, ON_REDEMPTION
from tests.ledger.promises import cancel, dispute, resolve
from tests.ledger.scene import DAY, OP, A, B, C, Scene, clearing, legs, opening, rate

JULY: dict[str, Any] = json.loads((Path(__file__).parent.parent / "acceptance" / "july.json").read_text())
NUMBERS = {"A": A, "B": B, "C": C, "OP": OP, "RESERVE": RESERVE_ID}
EVENTS = {event["id"]: event for event in JULY["events"]}


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * 1000


def by_number(figures: dict[str, int]) -> dict[int, int]:
    return {NUMBERS[code]: amount for code, amount in figures.items()}


def alliance(mode: int = ON_REDEMPTION, **changes: Any) -> list[Command]:
    """The merchants, terms and members of the file; `changes` are for merchant B."""
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
        ]
    return commands + [Enrol(key=f"enrol-{name}", at_ms=0, member=name) for name in JULY["members"]]


def paid(event: dict[str, Any]) -> list[tuple[str, str, int]]:
    """(member, order, amount) of a sale, then of one stand-in per referral reward: what would earn that many points."""
    earn = JULY["merchants"][event["merchant"]]["earn"]
    return [
        (
            member,
            event["id"] if level == "base" else f"{event['id']}.{level}",
            points * earn["per_fen"] // earn["points"],
        )
        for member, _, points, level in event["expect"]["pending"]
    ]


def commands_of(event: dict[str, Any]) -> list[Command]:
    """The event as commands: the first is the event itself, the others stand in for referral rewards."""
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
    merchant = NUMBERS[origin["merchant"]]
    match event["type"]:
        case "order.paid":
            return [_earn(at, merchant, each) for each in paid(event)]
        case "order.refunded":
            share = event["amount_fen"], origin["net_fen"]
            return [_refund(at, merchant, name, each, share) for each in paid(origin)]
        case "confirm":
            names = [order for _, order, _ in paid(origin)]
            return [Confirm(key=f"confirm {each}", at_ms=at, order_merchant_id=merchant, order=each) for each in names]
        case _:
            return [
                Redeem(
                    key=name, at_ms=at, merchant_id=merchant, member=event["member"], redemption=name, au=event["au"]
                )
            ]


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


def _earn(at: int, merchant: int, sale: tuple[str, str, int]) -> Earn:
    member, order, amount = sale
    return Earn(key=f"earn {order}", at_ms=at, merchant_id=merchant, member=member, order=order, amount_minor=amount)


def _refund(at: int, merchant: int, name: str, sale: tuple[str, str, int], share: tuple[int, int]) -> Refund:
    member, order, amount = sale
    return Refund(
        key=f"{name} {order}",
        at_ms=at,
        merchant_id=merchant,
        member=member,
        refund=f"{name}.{order}",
        order=order,
        amount_minor=amount * share[0] // share[1],
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
        if name == "E14.confirm":
            expected = {B: -4, OP: 4}  # 250 AU twice: floor(2.5) twice instead of floor(5.0) once
        assert summed(receipts[name]) == expected, name
        if "legs" in event["expect"]:
            assert legs(receipts[name][0]) == [(NUMBERS[code], *rest) for code, *rest in event["expect"]["legs"]], name


def test_pending_points_of_each_order(scene: Scene) -> None:
    for name, event in EVENTS.items():
        receipts = [scene.done(command) for command in commands_of(event)]
        for receipt, (member, code, points, _) in zip(receipts, event["expect"].get("pending", []), strict=False):
            pending = [p for p in receipt.postings if p.account.family == Family.PENDING]
            assert [(p.account.unit, p.amount) for p in pending] == [(NUMBERS[code], points)], name
            assert receipt.lots[0].member == member
        for receipt, (member, _, left) in zip(receipts, event["expect"].get("pending_of_E3", []), strict=False):
            assert [(move.member, move.remaining) for move in receipt.lots] == [(member, left)]


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
    # With one fen less of issuance fee in E14, as above.
    assert scene.positions() == expected | {B: expected[B] + 1, OP: expected[OP] - 1}
    scene.done(resolve(A, "E17", at=ms("2026-08-02T00:00:00+08:00"), stands=True))
    assert scene.positions() == whole, "it re-enters in the next cycle"


def test_the_cycle_ends_as_the_file_says(scene: Scene) -> None:
    play(scene)
    expected = by_number(JULY["expected"]["net_on_redemption"])
    # With one fen less of issuance fee in E14.
    assert scene.positions() == expected | {B: expected[B] + 1, OP: expected[OP] - 1}
    for member, debts in JULY["expected"]["debts_points"].items():
        assert {code: -scene.points(member, NUMBERS[code]) for code in debts} == debts


def test_the_cycle_paid_on_issuance() -> None:
    scene = Scene()
    scene.play(*alliance(mode=ON_ISSUANCE))
    play(scene)
    expected = by_number(JULY["expected"]["net_on_issuance"])
    # With one fen less of issuance fee in E14, as above.
    assert scene.positions() == expected | {B: expected[B] + 1, OP: expected[OP] - 1}
    assert expected[RESERVE_ID] == JULY["expected"]["positive_lots_au"]


def test_expired(scene: Scene) -> None:
    receipts = play(scene)["X"]
    expired = [(receipt.legs[0].member, receipt.legs[0].issuer, receipt.legs[0].points) for receipt in receipts]
    expected = [(member, NUMBERS[code], points) for member, code, points in EVENTS["X"]["expect"]["expired"]]
    assert expired == expected


def test_variation_collateral() -> None:
    scene = Scene()
    scene.play(*alliance(credit_limit_au=800))
    receipts = play(scene)
    variation = next(each for each in JULY["variations"] if each["name"] == "collateral")
    assert clearing(receipts["E9"][0]) == by_number(variation["e9_clearing"])
    assert legs(receipts["E9"][0]) == [(C, 200, 100), (A, 400, 400)]
    assert receipts["E9"][0].why["skipped"] == str(B)
    expected = by_number(variation["net_on_redemption"])
    assert scene.positions() == expected | {B: expected[B] + 1, OP: expected[OP] - 1}
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


def test_variation_order() -> None:
    finals = []
    for order in (["E1", "E2", "E3", "E4", "E5"], ["E4", "E2", "E5", "E1", "E3"]):
        scene = Scene()
        scene.play(*alliance(), *[command for name in order for command in commands_of(EVENTS[name])])
        finals.append({name: balance for name, (_, balance) in scene.book.slice.accounts.items()})
    assert finals[0] == finals[1]
