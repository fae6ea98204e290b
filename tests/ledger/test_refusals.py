"""Every refusal of every verb, in the documented order: of several faults the first one is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import astuple

from ledger import accounts
from ledger.answers import Refusal
from ledger.book import Book
from ledger.commands import (
    ChargeFees,
    CloseMember,
    Command,
    Confirm,
    Earn,
    EarnRate,
    Enrol,
    Net,
    Redeem,
    Refund,
    SettleNets,
)
from ledger.refusals import CATALOGUE
from ledger.slice import Slice
from ledger.units import AMOUNT_MAX, BALANCE_MAX, HOLD_MS_MAX
from tests.ledger import refusals_of_moving as moving
from tests.ledger import rule_refusals
from tests.ledger.promises import authorize, cancel, capture, dispute, lapse, resolve, void
from tests.ledger.refusals_of_people import OF_PEOPLE, history_of_people
from tests.ledger.scene import DAY, OP, A, B, C, Scene, changed, opening, rate, small_alliance

ROOT = Path(__file__).resolve().parents[2]
UNKNOWN = 77
RELYING = 71
"""An issuer without collateral: its own points were accepted for what it is owed."""


def scene_with_history() -> Scene:
    """Merchants with a hold of a day; m1 has confirmed, pending and refunded orders and used every kind of name."""
    scene = Scene()
    scene.play(*small_alliance(hold_ms=DAY), opening(4, earn=EarnRate(1_000_000, 1), hold_ms=0), opening(5), rate(4))
    scene.play(opening(6, notice_ms=2 * DAY), rate(6))
    scene.play(*history_of_people())
    scene.play(
        scene.earn("m1", A, 10_000, order="paid"),
        scene.earn("m1", A, 10_000, order="pending"),
        scene.confirm(A, "paid", at=DAY),
        Redeem(key="r", at_ms=DAY, merchant_id=B, member="m1", redemption="used", au=10),
        Refund(key="f", at_ms=DAY, merchant_id=A, member="m1", refund="used", order="paid", amount_minor=9_000),
        ChargeFees(key="c", at_ms=DAY, cycle="used"),
        SettleNets(key="s", at_ms=DAY, batch_no=1, nets=()),
    )
    scene.play(*rule_refusals.HISTORY)
    scene.play(*scene_of_redemptions())
    moving.play_history(scene)
    return scene


def scene_of_redemptions() -> list[Command]:
    """m5 has redemptions in every state at B, named for it; 330 AU of `captured` are left, 66 points."""
    scene = Scene()
    return [
        opening(70, earn=EarnRate(1, 1), hold_ms=0),
        rate(70, 5, 1),
        scene.earn("m5", 70, 1_000, at=DAY, order="rich"),
        authorize("m5", B, 10, "held", at=DAY),
        authorize("m5", B, 10, "voided", at=DAY),
        void(B, "voided", at=DAY),
        Redeem(key="captured", at_ms=DAY, merchant_id=B, member="m5", redemption="captured", au=333),
        cancel(B, "captured", "cancelled", 3, at=DAY),
        Redeem(key="disputed", at_ms=DAY, merchant_id=B, member="m5", redemption="disputed", au=5),
        dispute(B, "disputed", 70, at=DAY),
        Redeem(key="stands", at_ms=DAY, merchant_id=B, member="m5", redemption="stands", au=5),
        dispute(B, "stands", 70, at=DAY),
        resolve(B, "stands", at=DAY, stands=True),
        opening(RELYING, credit_limit_au=0, hold_ms=0),
        rate(RELYING),
        scene.earn("m4", RELYING, 1_000, at=DAY, order="relying"),
        Redeem(key="relied", at_ms=DAY, merchant_id=RELYING, member="m5", redemption="relied", au=10),
        Redeem(key="relying", at_ms=DAY, merchant_id=B, member="m4", redemption="relying", au=10),
        scene.enrol("left"),
        scene.earn("left", 70, 10, at=DAY, order="last"),
        Redeem(key="last", at_ms=DAY, merchant_id=B, member="left", redemption="last", au=50),
        CloseMember(key="left", at_ms=DAY, member="left"),
    ]


EARN = Earn(key="k", at_ms=0, merchant_id=A, member="m1", order="new", amount_minor=100)
CONFIRM = Confirm(key="k", at_ms=DAY, order_merchant_id=A, order="pending")
REDEEM = Redeem(key="k", at_ms=DAY, merchant_id=B, member="m1", redemption="new", au=1)
AUTHORIZE = authorize("m1", B, 1, "new", at=DAY, key="k")
CANCEL = changed(cancel(B, "captured", "cancelled", 999, at=DAY), key="k")
REFUND = Refund(key="k", at_ms=DAY, merchant_id=A, member="m1", refund="new", order="paid", amount_minor=1)
NETS = SettleNets(key="k", at_ms=0, batch_no=2, nets=(Net(A, -1), Net(B, 1)))

# Per verb, in its documented order: (code, field, the command with this fault and every later one).
IN_ORDER: dict[str, list[tuple[str, str | None, Command]]] = {
    **OF_PEOPLE,
    "open_merchant": [
        ("merchant-exists", "merchant_id", opening(A, key="k")),
        ("code-taken", "code", opening(7, key="k", code="m1")),
    ],
    "publish_terms": [
        ("merchant-unknown", "issuer_id", rate(UNKNOWN, key="k", terms_id=A)),
        ("terms-exist", "terms_id", rate(C, 1, 4, key="k", at_ms=DAY)),
        ("notice-too-short", "from_ms", rate(6, 1, 2, key="k", terms_id=9, at_ms=DAY, from_ms=3 * DAY - 1)),
    ],
    "enrol": [("member-exists", "member", Enrol(key="k", at_ms=0, member="m1"))],
    "earn": [
        ("merchant-unknown", "merchant_id", changed(EARN, merchant_id=UNKNOWN, member="nobody", order="paid")),
        ("merchant-frozen", "merchant_id", changed(EARN, merchant_id=moving.FROZEN, member="nobody", order="paid")),
        ("member-unknown", "member", changed(EARN, member="nobody", order="paid")),
        ("member-closed", "member", changed(EARN, member="gone", order="paid")),
        ("order-exists", "order", changed(EARN, order="paid")),
        ("terms-missing", "merchant_id", changed(EARN, merchant_id=5, amount_minor=AMOUNT_MAX)),
        ("points-too-many", "amount_minor", changed(EARN, merchant_id=4, amount_minor=AMOUNT_MAX)),
    ],
    "confirm": [
        ("merchant-unknown", "order_merchant_id", changed(CONFIRM, order_merchant_id=UNKNOWN, order="none")),
        ("order-unknown", "order", changed(CONFIRM, order="none", at_ms=0)),
        ("already-confirmed", "order", changed(CONFIRM, order="paid", at_ms=0)),
        ("order-cancelled", "order", changed(CONFIRM, order="called-off", at_ms=0)),
        ("hold-not-over", "at_ms", changed(CONFIRM, at_ms=DAY - 1)),
    ],
    "redeem": [
        ("merchant-unknown", "merchant_id", changed(REDEEM, merchant_id=UNKNOWN, member="nobody", redemption="used")),
        ("merchant-closed", "merchant_id", changed(REDEEM, merchant_id=moving.CLOSED, member="nobody")),
        ("member-unknown", "member", changed(REDEEM, member="nobody", redemption="used")),
        ("member-closed", "member", changed(REDEEM, member="gone", redemption="used")),
        ("member-frozen", "member", changed(REDEEM, member="frozen", redemption="used")),
        ("redemption-exists", "redemption", changed(REDEEM, redemption="used")),
        ("nothing-to-redeem", "member", changed(REDEEM, member="m2", at_most=True)),
        ("balance-too-low", "au", changed(REDEEM, au=1_000)),
    ],
    "authorize": [
        ("hold-too-short", "hold_until_ms", changed(AUTHORIZE, merchant_id=UNKNOWN, hold_until_ms=DAY)),
        (
            "hold-too-long",
            "hold_until_ms",
            changed(AUTHORIZE, merchant_id=UNKNOWN, hold_until_ms=DAY + HOLD_MS_MAX + 1),
        ),
        ("merchant-unknown", "merchant_id", changed(AUTHORIZE, merchant_id=UNKNOWN, member="nobody")),
        ("member-unknown", "member", changed(AUTHORIZE, member="nobody", redemption="used")),
        ("member-closed", "member", changed(AUTHORIZE, member="gone", redemption="voided")),
        ("member-frozen", "member", changed(AUTHORIZE, member="frozen", redemption="voided")),
        ("redemption-exists", "redemption", changed(AUTHORIZE, redemption="voided")),
        ("nothing-to-redeem", "member", changed(AUTHORIZE, member="m2", at_most=True)),
        ("balance-too-low", "au", changed(AUTHORIZE, au=1_000)),
    ],
    "capture": [
        ("redemption-unknown", "redemption", capture(B, "none", 11, at=9 * DAY)),
        ("already-resolved", "redemption", capture(B, "voided", 11, at=9 * DAY)),
        ("hold-over", "at_ms", capture(B, "held", 11, at=2 * DAY)),
        ("capture-exceeds-hold", "au", capture(B, "held", 11, at=DAY)),
    ],
    "void": [
        ("redemption-unknown", "redemption", void(B, "none", key="k")),
        ("already-resolved", "redemption", void(B, "captured", key="k")),
    ],
    "lapse_hold": [
        ("redemption-unknown", "redemption", lapse(B, "none", at=0)),
        ("already-resolved", "redemption", lapse(B, "disputed", at=0)),
        ("hold-not-over", "at_ms", lapse(B, "held", at=2 * DAY - 1)),
    ],
    "cancel_redemption": [
        ("redemption-unknown", "redemption", changed(CANCEL, redemption="none")),
        ("not-captured", "redemption", changed(CANCEL, redemption="disputed")),
        ("member-closed", "redemption", changed(CANCEL, redemption="last")),
        ("cancellation-exists", "cancellation", CANCEL),
        ("cancel-exceeds-redemption", "au", changed(CANCEL, cancellation="new")),
        ("cancel-below-a-point", "au", changed(CANCEL, cancellation="new", au=1)),
        ("issuer-over-limit", "au", cancel(RELYING, "relied", "new", at=DAY)),
    ],
    "dispute": [
        ("redemption-unknown", "redemption", dispute(B, "none", UNKNOWN, key="k")),
        ("not-captured", "redemption", dispute(B, "held", UNKNOWN, key="k")),
        ("not-drawn-on", "by_merchant_id", dispute(B, "captured", B, key="k")),
        ("disputed-before", "redemption", dispute(B, "stands", 70, key="k")),
    ],
    "resolve_dispute": [
        ("redemption-unknown", "redemption", resolve(B, "none", key="k", stands=True)),
        ("not-disputed", "redemption", resolve(B, "captured", key="k", stands=True)),
    ],
    "refund": [
        ("merchant-unknown", "merchant_id", changed(REFUND, merchant_id=UNKNOWN, member="nobody", refund="used")),
        ("member-unknown", "member", changed(REFUND, member="nobody", refund="used")),
        ("member-closed", "member", changed(REFUND, member="gone", refund="used")),
        ("refund-exists", "refund", changed(REFUND, refund="used", order="none")),
        ("order-unknown", "order", changed(REFUND, order="none")),
        ("order-of-another-member", "member", changed(REFUND, member="m2", amount_minor=10_001)),
        ("refund-exceeds-order", "amount_minor", changed(REFUND, amount_minor=1_001)),
        ("terms-missing", "merchant_id", changed(REFUND, merchant_id=5, order=None, amount_minor=AMOUNT_MAX)),
        ("points-too-many", "amount_minor", changed(REFUND, merchant_id=4, order=None, amount_minor=AMOUNT_MAX)),
    ],
    "charge_fees": [("cycle-charged", "cycle", ChargeFees(key="k", at_ms=0, cycle="used"))],
    "settle_nets": [
        ("nets-unordered", "nets", changed(NETS, batch_no=1, nets=(Net(UNKNOWN, 1), Net(A, 1)))),
        ("nets-unordered", "nets", changed(NETS, batch_no=1, nets=(Net(A, 0), Net(UNKNOWN, 1)))),
        ("nets-unbalanced", "nets", changed(NETS, batch_no=1, nets=(Net(A, 1), Net(UNKNOWN, 1)))),
        ("merchant-unknown", "nets", changed(NETS, batch_no=1, nets=(Net(A, 1), Net(UNKNOWN, -1)))),
        ("batch-settled", "batch_no", changed(NETS, batch_no=1, nets=())),
    ],
}
IN_ORDER |= rule_refusals.IN_ORDER
IN_ORDER |= moving.IN_ORDER
CASES = [(verb, *case) for verb, cases in IN_ORDER.items() for case in cases]


def everything(book: Book) -> object:
    """The state of a book, as far as anybody can see it."""
    state = book.slice
    lots = {lot.id: (lot.standing, lot.remaining) for lot in state.lots.values()}
    records = {name: record for name, record in state.records.items() if record}
    orders = {name: (order.refunded_minor, order.confirmed_at_ms) for name, order in state.orders.items() if order}
    people = {no: astuple(member) for no, member in state.people.items()}
    claims = {name: seq for name, seq in state.claims.items() if seq}
    registry = {name: str(getattr(state.registry, name)) for name in state.registry.__slots__}
    rules = state.registry.rules
    of_rules = {number: list(versions) for number, versions in rules.versions.items()}, dict(rules.withdrawn)
    named = records, claims, dict(state.members), people
    return state.seq, dict(state.accounts), lots, orders, registry, of_rules, named


@pytest.mark.parametrize(("verb", "code", "field", "command"), CASES, ids=[f"{v}-{c}" for v, c, *_ in CASES])
def test_refusal(verb: str, code: str, field: str | None, command: Command) -> None:
    scene = scene_with_history()
    before = everything(scene.book)
    refusal = scene.refused(command)
    assert (refusal.code, refusal.field, refusal.message) == (code, field, CATALOGUE[code])
    assert everything(scene.book) == before, "a refused command leaves no trace"
    assert command.__struct_config__.tag == verb


@pytest.mark.parametrize("command", [case[3] for case in CASES])
def test_a_refusal_is_remembered(command: Command) -> None:
    scene = scene_with_history()
    first, again = scene.play(command, command)
    assert isinstance(first.outcome, Refusal)
    assert (again.body, again.replayed) == (first.body, True)


def test_a_retry_never_turns_from_refused_to_done() -> None:
    scene = Scene()
    scene.play(*small_alliance())
    asked = scene.redeem("m1", B, 10)
    first = scene.book.apply(asked)
    scene.done(scene.earn("m1", A, 10_000))
    assert scene.book.apply(asked).body == first.body
    assert scene.done(changed(asked, key="another")).why["au"] == 10


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"at_ms": 1}, "at_ms"),
        ({"member": "m2"}, "member"),
        ({"merchant_id": B, "amount_minor": 1}, "merchant_id"),
        ({"order": "z", "amount_minor": 1}, "order"),
    ],
)
def test_another_body_under_a_used_key_is_refused_by_field(changes: dict[str, object], field: str) -> None:
    scene = scene_with_history()
    first = scene.book.apply(EARN)
    refusal = scene.refused(changed(EARN, **changes))
    assert (refusal.code, refusal.field) == ("key-reused", field)
    assert scene.book.apply(EARN).body == first.body


def test_another_verb_under_a_used_key_is_refused() -> None:
    scene = scene_with_history()
    scene.done(EARN)
    assert scene.refused(Enrol(key="k", at_ms=0, member="m9")).field == "verb"


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: changed(EARN, amount_minor=0), "amount_minor"),
        (lambda: changed(EARN, amount_minor=-5), "amount_minor"),
        (lambda: changed(EARN, amount_minor=True), "amount_minor"),
        (lambda: changed(EARN, amount_minor=1.0), "amount_minor"),
        (lambda: changed(EARN, amount_minor=AMOUNT_MAX + 1), "amount_minor"),
        (lambda: changed(EARN, member="m 1"), "member"),
        (lambda: changed(EARN, member="m1\n"), "member"),
        (lambda: changed(EARN, order=""), "order"),
        (lambda: changed(EARN, order="\0"), "order"),
        (lambda: changed(EARN, merchant_id=OP), "merchant_id"),
        (lambda: changed(EARN, key="x" * 201), "key"),
        (lambda: changed(EARN, key="\ud800"), None),
        (lambda: changed(EARN, at_ms=-1), "at_ms"),
        (lambda: changed(EARN, at_ms=None), "at_ms"),
        (lambda: changed(REDEEM, over_limit="perhaps"), "over_limit"),
        (lambda: opening(9, validity=None), "validity"),
        (lambda: opening(9, earn=EarnRate(1, 0)), "earn"),
        (lambda: opening(9, name="a\0b"), "name"),
        (lambda: opening(9, name="a\n"), "name"),
        (lambda: opening(9, name=object()), None),
    ],
)
def test_malformed_input_burns_nothing(make: Callable[[], Command], field: str | None) -> None:
    scene = scene_with_history()
    before = everything(scene.book)
    refusal = scene.refused(make())
    assert (refusal.code, refusal.field) == ("malformed", field)
    assert everything(scene.book) == before
    assert scene.done(EARN).key == EARN.key


def test_a_balance_out_of_range_is_refused_and_undone() -> None:
    scene = scene_with_history()
    number = scene.number("m1")
    full = {accounts.member(4, number): (1, BALANCE_MAX), accounts.outstanding(4): (1, -BALANCE_MAX)}
    scene.book.slice.accounts.update(full)
    before = everything(scene.book)
    refusal = scene.refused(changed(EARN, merchant_id=4))
    assert (refusal.code, refusal.data["account"]) == ("balance-out-of-range", f"points:4:member:{number}")
    assert everything(scene.book) == before


def test_the_decline_of_an_issuer_over_its_limit() -> None:
    scene = Scene()
    scene.play(opening(A, credit_limit_au=0), rate(A), *small_alliance()[1:3], *small_alliance()[4:])
    scene.done(scene.earn("m1", A, 9_900))
    refusal = scene.refused(scene.redeem("m1", C, 99, over_limit="decline"))
    assert (refusal.code, refusal.data) == ("issuer-over-limit", {"issuer": A, "leg_au": 99})
    assert scene.refused(scene.redeem("m1", C, 99)).code == "balance-too-low"


def test_every_code_of_the_catalogue_is_provoked_here() -> None:
    in_tests_of_their_own = {"malformed", "key-reused", "balance-out-of-range"}
    in_tests_of_their_own |= {"chain-too-deep", "merged-too-many", "member-holds"}
    assert {case[1] for case in CASES} | in_tests_of_their_own == set(CATALOGUE)


@pytest.mark.parametrize("verb", IN_ORDER)
def test_the_documents_list_the_same_order(verb: str) -> None:
    """docs/ledger.md has one line per verb: `| verb | refusals, in order |`."""
    rows = [
        line.split("|") for line in (ROOT / "docs" / "ledger.md").read_text().splitlines() if line.startswith("| `")
    ]
    documented = {row[1].strip().strip("`"): row[2].replace("`", "").replace(" ", "").split(",") for row in rows}
    tested = list(dict.fromkeys(code for code, _, _ in IN_ORDER[verb]))
    assert [code for code in documented[verb] if code in tested] == tested


def test_whole_slices_start_empty() -> None:
    assert Book(Slice.whole()).apply(EARN).outcome == Refusal(
        code="merchant-unknown", message=CATALOGUE["merchant-unknown"], field="merchant_id", data={"merchant_id": A}
    )
