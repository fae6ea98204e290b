"""The July acceptance cycle as HTTP: the alliance of the file, its events as requests, its figures as questions.

Everything goes through the API: the operator opens merchants and tiers, merchants publish rates and campaigns and
report what happens, time passes by the test clock. Nothing is read but answers. Used by the tests beside it.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from proofs.accounts import OPERATOR_ID, RESERVE_ID
from tests.api.conftest import Caller, Clock, KeyMaker

FILE: dict[str, Any] = json.loads((Path(__file__).parents[2] / "acceptance" / "july.json").read_text())
EVENTS: dict[str, dict[str, Any]] = {event["id"]: event for event in FILE["events"]}
NUMBERS = {"A": 1, "B": 2, "C": 3, "OP": OPERATOR_ID, "RESERVE": RESERVE_ID}
CODES = {number: code for code, number in NUMBERS.items()}
FOUNDED = datetime.fromisoformat("2026-06-30T12:00:00+08:00")
DAY_SECONDS = 86_400

Figures = dict[str, int]


def variation(name: str) -> dict[str, Any]:
    """One of the file's variations."""
    return next(each for each in FILE["variations"] if each["name"] == name)


@dataclass
class Sent:
    """One request of a merchant and what it was answered, to be repeated."""

    caller: Caller
    path: str
    body: dict[str, Any]
    key: str | None
    answer: Any


@dataclass
class Cycle:
    """The alliance of the file behind a real door."""

    http: TestClient
    clock: Clock
    callers: Mapping[str, Caller]
    sent: list[Sent] = field(default_factory=list)
    serial: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def send(self, code: str, path: str, body: dict[str, Any], *, key: str | None = None) -> Any:
        """One request of a party, that has to be done; answers the receipt."""
        answer = self.try_to(code, path, body, key=key)
        assert answer.status_code == 201, (path, body, answer.text)
        return answer.json()

    def try_to(self, code: str, path: str, body: dict[str, Any], *, key: str | None = None) -> Any:
        """One request of a party, answered however it is."""
        if "type" not in body:
            key = key or f"key-{next(self.serial)}"
        caller = self.callers[code]
        answer = caller.post(path, {"occurred_at": self.clock.at.isoformat()} | body, key=key)
        self.sent.append(Sent(caller, path, {"occurred_at": self.clock.at.isoformat()} | body, key, answer))
        return answer

    def found(self, *, mode: str = "on_redemption", **changes_of_b: Any) -> None:
        """Merchants, rates, campaigns, tiers, members and who brought whom."""
        for code, merchant in FILE["merchants"].items():
            self.send("OP", "/v1/merchants", _merchant(code, merchant) | (changes_of_b if code == "B" else {}))
            num, den = merchant["au_per_point"]
            rate = {"terms_id": NUMBERS[code], "au_num": num, "au_den": den, "mode": mode}
            self.send(code, "/v1/rates", rate)
            levels = FILE["terms"]["referral_bps_of_net_sale"]
            campaign = {"campaign_id": NUMBERS[code], "level_bps": levels, "ends_at": "2027-01-01T00:00:00+08:00"}
            self.send(code, "/v1/campaigns", campaign)
        steps = [{"code": tier["code"], "qualifying_au": tier["qualifying_au"]} for tier in FILE["tiers"]]
        self.send("OP", "/v1/tiers", {"tiers": steps, "window_seconds": 365 * DAY_SECONDS})
        for member in FILE["members"]:
            self.send("A", "/v1/events", {"type": "member.joined", "id": f"join-{member}", "member": member})
        for member, referrer in FILE["referrals"].items():
            bond = {"type": "referral.bound", "id": f"bond-{member}", "member": member, "referrer": referrer}
            self.send("A", "/v1/events", bond)

    def play(self, name: str) -> Any:
        """One event of the file, by whoever it concerns, at its time."""
        event = EVENTS[name]
        self.clock.at = datetime.fromisoformat(event["at"])
        if event["type"] == "expire":
            return self.callers["OP"].post("/v1/test/clock", {"to": event["at"]}).json()
        return self.send(*_request(name, event))

    def play_until(self, end: str | None = None) -> dict[str, Any]:
        """Every event of the file up to and without `end`."""
        return {name: self.play(name) for name in itertools.takewhile(lambda each: each != end, EVENTS)}

    def let_pass(self, to: str) -> dict[str, int]:
        """Move the test clock; how often each verb was done on the way."""
        answer = self.callers["OP"].post("/v1/test/clock", {"to": to})
        assert answer.status_code == 200, answer.text
        done: dict[str, int] = answer.json()["done"]
        return done

    def positions(self) -> Figures:
        """Everybody's position, zeros left out, as the operator is told."""
        found = self.callers["OP"].get("/v1/clearing/positions").json()["positions"]
        return {CODES[each["party"]]: each["position_au"] for each in found if each["position_au"]}

    def points(self, member: str) -> Figures:
        """A member's points by issuer, as the operator is told."""
        issuers = self.callers["OP"].get(f"/v1/members/{member}").json()["issuers"]
        return {CODES[each["issuer"]]: each["points"] for each in issuers}

    def pending(self, member: str) -> Figures:
        issuers = self.callers["OP"].get(f"/v1/members/{member}").json()["issuers"]
        return {CODES[each["issuer"]]: each["pending"] for each in issuers if each["pending"]}


def _merchant(code: str, merchant: dict[str, Any]) -> dict[str, Any]:
    terms, validity = FILE["terms"], merchant["validity"]
    return {
        "merchant_id": NUMBERS[code],
        "code": code,
        "name": merchant["name"],
        "earn_points": merchant["earn"]["points"],
        "earn_per_minor": merchant["earn"]["per_fen"],
        "hold_seconds": terms["hold_days"] * DAY_SECONDS,
        "redemption_fee_bps": terms["redemption_fee_bps"],
        "issuance_fee_bps": terms["issuance_fee_bps"],
        "breakage_bps": terms["breakage_operator_bps"],
        "refund_policy": terms["negative_balance"],
        "transfers": "all",
    } | ({"valid_days": validity["days"]} if "days" in validity else {"valid_until": validity["until"]})


def _request(name: str, event: dict[str, Any]) -> tuple[str, str, dict[str, Any]]:
    """Who sends what where."""
    origin = EVENTS[event.get("order", event.get("redemption", name))]
    match event["type"]:
        case "order.paid":
            body = {"member": event["member"], "order": name, "amount_minor": event["net_fen"]}
            return event["merchant"], "/v1/events", {"type": "order.paid", "id": name} | body
        case "order.refunded":
            body = {"member": origin["member"], "order": event["order"], "amount_minor": event["amount_fen"]}
            return origin["merchant"], "/v1/events", {"type": "order.refunded", "id": name, "refund": name} | body
        case "confirm":
            body = {"type": "order.completed", "id": name, "order": event["order"]}
            return origin["merchant"], "/v1/events", body
        case "redeem":
            body = {"member": event["member"], "redemption": name, "au": event["au"]}
            return event["merchant"], "/v1/redemptions", body
        case "redemption.cancelled":
            path = f"/v1/redemptions/{event['redemption']}/cancel"
            return origin["merchant"], path, {"cancellation": name, "au": event["au"]}
        case _:
            body = {"from_member": event["from"], "to_member": event["to"], "points": event["points"]}
            return event["issuer"], "/v1/transfers", {"transfer": name} | body


def legs(receipt: dict[str, Any]) -> list[list[Any]]:
    """Code of the issuer, points and AU applied of each leg; on us nothing changes hands, and the lots say it."""
    own = sum(lot["au"] for lot in receipt["lots"])
    return [[CODES[leg["issuer"]], leg["points"], leg["au"] or own] for leg in receipt["legs"]]


def moved(before: Figures, after: Figures) -> Figures:
    """What changed between two readings, zeros left out."""
    parties = sorted({*before, *after})
    changes = {party: after.get(party, 0) - before.get(party, 0) for party in parties}
    return {party: amount for party, amount in changes.items() if amount}


def open_cycle(http: TestClient, clock: Clock, new_key: KeyMaker) -> Cycle:
    """Callers with keys of their own, and the clock on the day before."""
    clock.at = FOUNDED
    callers = {code: Caller(http, new_key(NUMBERS[code])) for code in ("A", "B", "C", "OP")}
    return Cycle(http, clock, callers)


def later(at: str, **span: int) -> str:
    """The instant so much later, as text."""
    return (datetime.fromisoformat(at) + timedelta(**span)).isoformat()
