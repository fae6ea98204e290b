"""July, played by the oracle alone: every figure of the acceptance cycle comes out to the unit."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from tests.oracle.books import DAY_MS, ON_ISSUANCE, ON_REDEMPTION, OPERATOR, RESERVE
from tests.oracle.oracle import Oracle, Outcome
from tests.oracle.tiers import au_at

JULY: dict[str, Any] = json.loads((Path(__file__).parent.parent / "acceptance" / "july.json").read_text())
EVENTS: dict[str, dict[str, Any]] = {event["id"]: event for event in JULY["events"]}
EXPECTED: dict[str, Any] = JULY["expected"]
VARIATIONS: dict[str, dict[str, Any]] = {variation["name"]: variation for variation in JULY["variations"]}
NUMBERS = {"A": 1, "B": 2, "C": 3, "OP": OPERATOR, "RESERVE": RESERVE}
CODES = {number: code for code, number in NUMBERS.items()}


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * 1000


MIDNIGHT = ms(EVENTS["X"]["at"])


def opening(mode: int, **changes: Any) -> list[dict[str, Any]]:
    """Merchants, terms, campaigns, tiers, members and bonds of the file; `changes` are for merchant B."""
    commands = []
    for code in JULY["merchants"]:
        commands += merchant(code, mode, changes if code == "B" else {})
    tiers = {"tiers": JULY["tiers"], "window_ms": 366 * DAY_MS, "grace_ms": 0, "downgrade": "reached"}
    commands.append({"verb": "set_tiers", **tiers})
    commands += [{"verb": "enrol", "member": member} for member in JULY["members"]]
    commands += [bond(member, referrer) for member, referrer in JULY["referrals"].items()]
    return [{"key": f"opening {i}", "at_ms": 0, **command} for i, command in enumerate(commands)]


def merchant(code: str, mode: int, changes: dict[str, Any]) -> list[dict[str, Any]]:
    said, terms, number = JULY["merchants"][code], JULY["terms"], NUMBERS[code]
    validity = said["validity"]
    opened = {
        "verb": "open_merchant",
        "merchant_id": number,
        "code": code,
        "earn": {"points": said["earn"]["points"], "per_minor": said["earn"]["per_fen"]},
        "hold_ms": terms["hold_days"] * DAY_MS,
        "validity": validity if "days" in validity else {"until_ms": ms(validity["until"])},
        "redemption_fee_bps": terms["redemption_fee_bps"],
        "issuance_fee_bps": terms["issuance_fee_bps"],
        "refund_policy": terms["negative_balance"],
        "credit_limit_au": None,
        "haircut_bps": 10_000,
        "transfers": "all",
        "notice_ms": 0,
        "breakage_bps": terms["breakage_operator_bps"],
    }
    num, den = said["au_per_point"]
    published = {"terms_id": number, "issuer_id": number, "au_num": num, "au_den": den, "mode": mode, "from_ms": None}
    campaign = {
        "campaign_id": number,
        "merchant_id": number,
        "level_bps": terms["referral_bps_of_net_sale"],
        "until_ms": MIDNIGHT + 365 * DAY_MS,
        "basis_bucket_minor": 1,
        "min_basis_minor": 0,
        "reward_au_max": None,
    }
    return [
        opened | changes,
        {"verb": "publish_terms", **published},
        {"verb": "publish_campaign", **campaign},
    ]


def bond(member: str, referrer: str) -> dict[str, Any]:
    return {"verb": "bind_referral", "member": member, "referrer": referrer}


def paid(event: dict[str, Any]) -> dict[str, Any]:
    return {
        "verb": "earn",
        "merchant_id": NUMBERS[event["merchant"]],
        "member": event["member"],
        "order": event["id"],
        "amount_minor": event["net_fen"],
    }


def refunded(event: dict[str, Any]) -> dict[str, Any]:
    sale = EVENTS[event["order"]]
    return paid(sale) | {"verb": "refund", "refund": event["id"], "amount_minor": event["amount_fen"]}


def confirmed(event: dict[str, Any]) -> dict[str, Any]:
    seller = EVENTS[event["order"]]["merchant"]
    return {"verb": "confirm", "order_merchant_id": NUMBERS[seller], "order": event["order"]}


def redeemed(event: dict[str, Any]) -> dict[str, Any]:
    return {
        "verb": "redeem",
        "merchant_id": NUMBERS[event["merchant"]],
        "member": event["member"],
        "redemption": event["id"],
        "au": event["au"],
        "at_most": False,
        "over_limit": "skip",
    }


def cancelled(event: dict[str, Any]) -> dict[str, Any]:
    acceptor = EVENTS[event["redemption"]]["merchant"]
    return {
        "verb": "cancel_redemption",
        "merchant_id": NUMBERS[acceptor],
        "redemption": event["redemption"],
        "cancellation": event["id"],
        "au": event["au"],
    }


def transferred(event: dict[str, Any]) -> dict[str, Any]:
    return {
        "verb": "transfer",
        "transfer": event["id"],
        "issuer_id": NUMBERS[event["issuer"]],
        "from_member": event["from"],
        "to_member": event["to"],
        "points": event["points"],
    }


def commands_of(event: dict[str, Any]) -> list[dict[str, Any]]:
    """One command an event; an expiry is one for each member it names."""
    if event["type"] == "expire":
        commands = [{"verb": "expire", "member": member} for member, _, _ in event["expect"]["expired"]]
    else:
        make = {
            "order.paid": paid,
            "order.refunded": refunded,
            "confirm": confirmed,
            "redeem": redeemed,
            "redemption.cancelled": cancelled,
            "transfer": transferred,
        }[event["type"]]
        commands = [make(event)]
    return [{"key": f"{event['id']} {i}", "at_ms": ms(event["at"]), **command} for i, command in enumerate(commands)]


class Month:
    """The oracle, and what it noted on its way through the events."""

    def __init__(self, mode: int = ON_REDEMPTION, **changes: Any) -> None:
        self.oracle, self.mode = Oracle(), mode
        self.clearing: Counter[str] = Counter()
        self.lowest: Counter[int] = Counter()
        for command in opening(mode, **changes):
            self.done(command)

    def done(self, command: dict[str, Any]) -> Outcome:
        outcome = self.oracle.apply(command)
        assert outcome.get("done"), (command, outcome)
        self.check()
        return outcome

    def refused(self, **command: Any) -> str:
        return str(self.oracle.apply({"key": f"{command}", **command}).get("refused"))

    def check(self) -> None:
        """What holds after every command."""
        books = self.oracle.books
        assert sum(books.positions().values()) == 0
        assert books.cash[RESERVE] == sum(books.reserve.values())
        assert self.mode == ON_REDEMPTION or books.cash[RESERVE] == self.oracle.positive_lots_au()
        assert all(lot.left >= 0 for lot in books.all_lots())
        for issuer in books.merchants:
            assert self.oracle.closing(issuer) == sum(
                points for (_, of), points in self.oracle.balances().items() if of == issuer
            )
            self.lowest[issuer] = min(self.lowest[issuer], books.position(issuer))

    def play(self, *, until: str | None = None) -> Month:
        """Every event up to and without `until`, in file order."""
        for name, event in EVENTS.items():
            if name == until:
                break
            self.event(event)
        return self

    def event(self, event: dict[str, Any]) -> dict[str, int]:
        """What the event cleared, by code; zeros left out."""
        total: Counter[str] = Counter()
        for command in commands_of(event):
            for party, au in self.done(command)["clearing"].items():
                total[CODES[party]] += au
        return {code: au for code, au in total.items() if au}

    def by_member(self, figures: dict[tuple[str, int], int]) -> dict[str, dict[str, int]]:
        table: dict[str, dict[str, int]] = {}
        for (member, issuer), points in figures.items():
            table.setdefault(member, {})[CODES[issuer]] = points
        return table

    def redeem(self, member: str, merchant: str, au: int, at_ms: int, name: str = "extra") -> Outcome:
        event = {"id": name, "merchant": merchant, "member": member, "au": au}
        return self.oracle.apply({"key": name, "at_ms": at_ms, **redeemed(event)})


def by_number(figures: dict[str, int]) -> dict[int, int]:
    return {NUMBERS[code]: au for code, au in figures.items()}


def without_zeros(table: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    rows = {member: {code: points for code, points in row.items() if points} for member, row in table.items()}
    return {member: row for member, row in rows.items() if row}


def balance_changes(before: dict[tuple[str, int], int], after: dict[tuple[str, int], int]) -> list[list[Any]]:
    """[member, code, points] of every balance that moved."""
    pairs = {pair: after.get(pair, 0) - before.get(pair, 0) for pair in {*before, *after}}
    return [[member, CODES[issuer], points] for (member, issuer), points in sorted(pairs.items()) if points]


def seen_at(month: Month, event: dict[str, Any], before: dict[tuple[str, int], int]) -> dict[str, Any]:
    """Everything an event's `expect` may speak of, as the oracle has it after the event."""
    oracle, books = month.oracle, month.oracle.books
    changes = balance_changes(before, oracle.balances())
    seen = {
        "debts": month.by_member(oracle.debts()),
        "balances_after": month.by_member(oracle.balances()),
        "restored": changes,
        "expired": [[member, code, -points] for member, code, points in changes],
    }
    for (_, name), order in books.orders.items():
        seen[f"pending_of_{name}"] = [[lot.member, CODES[lot.issuer], lot.left] for lot in order.lots]
    if event["type"] == "order.paid":
        lots = books.orders[NUMBERS[event["merchant"]], event["id"]].lots
        seen["pending"] = [[lot.member, CODES[lot.issuer], lot.left, lot.role] for lot in lots]
    if event["type"] == "redeem":
        legs = oracle.legs(NUMBERS[event["merchant"]], event["id"])
        seen["legs"] = [[CODES[issuer], points, au] for issuer, points, au in legs]
    return seen


def test_every_event_comes_out_as_the_file_says() -> None:
    month = Month()
    for event in EVENTS.values():
        before = month.oracle.balances()
        cleared = month.event(event)
        expect = {what: said for what, said in event["expect"].items() if what != "note"}
        assert cleared == expect.pop("clearing", {}), event["id"]
        if "expired" in expect:
            expect["expired"] = sorted(expect["expired"])
        seen = seen_at(month, event, before)
        assert {what: seen[what] for what in expect} == expect, event["id"]


def test_the_finals_in_both_modes() -> None:
    on_redemption, on_issuance = Month().play(), Month(ON_ISSUANCE).play()
    assert on_redemption.oracle.books.positions() == by_number(EXPECTED["net_on_redemption"])
    assert on_issuance.oracle.books.positions() == by_number(EXPECTED["net_on_issuance"])
    assert {CODES[issuer]: low for issuer, low in on_redemption.lowest.items()} == EXPECTED["peak_debit_on_redemption"]
    assert on_redemption.oracle.books.interchange == EXPECTED["gross_interchange_on_redemption"]
    assert on_redemption.oracle.positive_lots_au() == EXPECTED["positive_lots_au"]


@pytest.mark.parametrize("mode", [ON_REDEMPTION, ON_ISSUANCE])
def test_what_members_and_issuers_end_with(mode: int) -> None:
    month = Month(mode).play()
    oracle, books = month.oracle, month.oracle.books
    assert month.by_member(oracle.balances()) == without_zeros(EXPECTED["balances"])
    assert month.by_member(oracle.debts()) == EXPECTED["debts_points"]
    assert {member: au_at(books, member, MIDNIGHT) for member in books.members} == EXPECTED["qualifying_au"]
    for member in books.members:
        month.done({"verb": "evaluate_tier", "key": f"tier {member}", "at_ms": MIDNIGHT, "member": member})
    assert {member: tier for member, (tier, _) in books.tier.items()} == EXPECTED["tiers"]
    for code, expected in EXPECTED["issuer_points"].items():
        number = NUMBERS[code]
        counted = {
            "issued": books.issued[number],
            "redeemed": books.redeemed[number],
            "clawed_back": books.clawed_back[number],
            "expired": books.expired[number],
            "closing": oracle.closing(number),
        }
        assert counted == expected, code


def test_variation_dispute() -> None:
    month = Month().play()
    where = {"at_ms": MIDNIGHT, "merchant_id": NUMBERS["A"], "redemption": "E17"}
    month.done({"key": "d", "verb": "dispute", "by_merchant_id": NUMBERS["C"], **where})
    assert month.oracle.books.positions() == by_number(VARIATIONS["dispute"]["net_on_redemption"])
    month.done({"key": "s", "verb": "resolve_dispute", "stands": True, **where})
    assert month.oracle.books.positions() == by_number(EXPECTED["net_on_redemption"])


def test_variation_collateral() -> None:
    said = VARIATIONS["collateral"]
    month = Month(credit_limit_au=800).play(until="E9")
    assert month.event(EVENTS["E9"]) == said["e9_clearing"]
    assert month.oracle.legs(NUMBERS["A"], "E9") == [(NUMBERS["C"], 200, 100), (NUMBERS["A"], 400, 400)]
    names = list(EVENTS)
    for name in names[names.index("E9") + 1 :]:
        month.event(EVENTS[name])
    assert month.oracle.books.positions() == by_number(said["net_on_redemption"])
    ends = month.by_member(month.oracle.balances())
    assert (ends["m2"], ends["m1"]["B"]) == ({"A": 200, "B": 50}, -50)


def test_variation_replay() -> None:
    month = Month().play()
    before = month.oracle.books.positions(), month.oracle.balances()
    for event in EVENTS.values():
        for command in commands_of(event):
            first = month.oracle.answers[command["key"]][1]
            assert month.oracle.apply(command) is first
            assert month.oracle.apply(command | {"at_ms": 0}) == {"refused": "key-reused"}
    assert (month.oracle.books.positions(), month.oracle.balances()) == before


def test_variation_race() -> None:
    """Who comes first is not the oracle's to say: whichever does succeeds, and the other does not."""
    month = Month().play()
    answers = [month.redeem("m3", "B", 500, MIDNIGHT, name) for name in ("one", "other")]
    assert [answer.get("refused") for answer in answers] == [None, "balance-too-low"]


def test_variation_boundary() -> None:
    event = EVENTS["X"]
    for before, outcome in ((0, {"refused": "balance-too-low"}), (1, {"done": True})):
        month = Month().play(until=event["id"])
        c_alone = month.redeem("m1", "A", 300 + 200, MIDNIGHT - before)  # 300 of A and, while it lasts, 200 of C
        assert c_alone.items() >= outcome.items()
    month = Month().play(until="E1.confirm")
    assert month.by_member(month.oracle.books.pending())["m1"] == {"A": 600, "B": 100}
    assert month.redeem("m1", "A", 1, ms(EVENTS["E6"]["at"])) == {"refused": "balance-too-low"}


def test_variation_rounding() -> None:
    month = Month().play(until="E8")
    assert month.redeem("m2", "C", 100 + 333, ms(EVENTS["E8"]["at"])).get("done")  # its 200 C go first
    assert month.oracle.legs(NUMBERS["C"], "extra") == [(NUMBERS["C"], 200, 100), (NUMBERS["B"], 67, 333)]
    assert month.oracle.books.dust[NUMBERS["B"]] == 2


def test_variation_referral() -> None:
    month = Month()
    assert month.refused(at_ms=0, **bond("m1", "m3")) == "referral-cycle"
    assert month.refused(at_ms=0, **bond("m5", "m5")) == "self-referral"
    assert month.refused(at_ms=0, **bond("m2", "m5")) == "already-bound"
    month.play()
    assert month.refused(at_ms=MIDNIGHT, **bond("m5", "m4")) == "bought-before"
    levels = {lot.role for order in month.oracle.books.orders.values() for lot in order.lots}
    assert levels == {"base", "L1", "L2"}, "E4's buyer has three above; the third gets nothing"


def test_variation_order() -> None:
    finals = []
    for order in permutations(["E1", "E2", "E3", "E4", "E5"]):
        month = Month()
        for name in order:
            month.event(EVENTS[name])
        finals.append(month.oracle.books.pending())
    assert all(final == finals[0] for final in finals)
