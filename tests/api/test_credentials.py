"""Every door asks for what it says it asks for: the list of doors is the application's own, so none can be forgotten.

Each is tried without a key, with what is no key, with every other kind of key, with one that has ended, with every
scope but its own; what belongs to one merchant, member or partner is tried by another. Doors that are open to anybody
are named here: a new one that asks for nothing fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from inspect import getclosurevars
from pathlib import Path
from typing import Any, Literal, NamedTuple

import psycopg
import pytest
from fastapi.routing import APIRoute

from api import keys
from api.app import ROOMS
from api.door import Door, open_door
from api.tiers import passes, visitors
from ledger.answers import Receipt
from proofs.accounts import OPERATOR_ID
from proofs.tier.policy import Policy
from settlement.tiers import proving
from settlement.watch import alerts
from settlement.watch.alerts import Alert
from tests.api.conftest import BOOKS, TEA, Caller, Clock, KeyMaker, founding
from tests.api.tiers import alliance
from tests.api.tiers import conftest as tiers
from tests.api.tiers.alliance import GOLD, MEMBERS, VAULT, Partner, let_in, put, secret

epoch, first, second = tiers.epoch, tiers.first, tiers.second

Holder = Literal["key", "member", "partner", "anybody"]
OPEN = {
    *("/", "/errors", "/style.css", "/receipts-check", "/receipts-check/{name}", "/health/live", "/health/ready"),
    *(
        "/v1/batches/{batch_no}",
        "/v1/epochs",
        "/v1/epochs/{epoch}",
        "/v1/verification-key",
        "/v1/proof-requests/{request_id}",
    ),
}
"""What anybody may read."""
TIERS = "api.tiers."
MISSING, UNKNOWN, EXPIRED, SCOPE = (
    *((401, f"credentials-{word}") for word in ("missing", "unknown", "expired")),
    (403, "scope-missing"),
)


class Entrance(NamedTuple):
    """One method of one path, and who may call it."""

    method: str
    path: str
    holder: Holder
    scope: str
    room: str

    @property
    def address(self) -> str:
        """The path with something in the place of each name."""
        return "/".join("1" if part.startswith("{") else part for part in self.path.split("/"))

    @property
    def tiers(self) -> bool:
        return self.room.startswith(TIERS)


def entrances() -> Iterator[Entrance]:
    """All there are."""
    for room in ROOMS:
        for route in room.router.routes:
            assert isinstance(route, APIRoute), f"{route} is no route whose dependencies are known"
            holder, scope = asked_for(route)
            for method in sorted((route.methods or set()) - {"HEAD"}):
                yield Entrance(method, route.path, holder, scope, room.__name__)


def asked_for(route: APIRoute) -> tuple[Holder, str]:
    """What the handler depends on, or what a write of the table asks by itself before anything else."""
    calls = [each.call for each in route.dependant.dependencies]
    if visitors.member in calls:
        return "member", ""
    if visitors.partner in calls:
        return "partner", ""
    for call in (*calls, *getclosurevars(route.endpoint).nonlocals.values()):
        if getattr(call, "__qualname__", "").startswith("allowed."):
            return "key", str(getattr(call, "__name__", ""))
    return "anybody", ""


DOORS = list(entrances())
CLOSED = [each for each in DOORS if each.holder != "anybody"]


def tried(http: Any, entrance: Entrance, token: str | None) -> tuple[int, str]:
    """What is answered to this token; the body is one that no handler takes."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    body: dict[str, Any] = {} if entrance.method == "GET" else {"json": {}}
    answer = http.request(entrance.method, entrance.address, headers=headers, **body)
    return answer.status_code, answer.json().get("code", "none")


def otherwise(http: Any, token_of: Callable[[Entrance], str | None], wanted: tuple[int, str]) -> list[str]:
    """The doors that answered something else."""
    found = [(each, tried(http, each, token_of(each))) for each in CLOSED]
    return [f"{each.method} {each.path}: {told}" for each, told in found if told != wanted]


def test_every_door_is_known_and_only_named_ones_are_open() -> None:
    assert {each.path for each in DOORS if each.holder == "anybody"} == OPEN
    assert {each.scope for each in DOORS if each.holder == "key"} <= {
        *keys.SCOPES,
        *keys.ON_PURPOSE,
        *keys.OPERATOR_SCOPES,
    }
    assert "/v1/alerts/{alert}/acknowledge" in {each.path for each in CLOSED}
    assert sum(each.tiers for each in CLOSED) >= 17


def test_the_document_says_who_may_come_in(http: Any) -> None:
    """What is told of a door is what it asks for."""
    paths = http.get("/openapi.json").json()["paths"]
    holders = {"key": "merchant", "member": "member", "partner": "partner"}
    for each in DOORS:
        if each.path in paths:
            security = paths[each.path][each.method.lower()]["security"]
            assert security == ([{holders[each.holder]: []}] if each.holder in holders else []), each.path


def test_without_a_key_nothing_opens(http: Any) -> None:
    assert otherwise(http, lambda _: None, MISSING) == []
    assert otherwise(http, lambda _: "", MISSING) == []


@dataclass
class Ring:
    """One of each kind."""

    keys: dict[str, str]
    """Of merchant and operator, with all that each may have."""
    passes: dict[str, str]

    def own(self, entrance: Entrance) -> str:
        """One that opens this door."""
        if entrance.holder != "key":
            return self.passes[entrance.holder]
        merchants = {*keys.SCOPES, *keys.ON_PURPOSE}
        return self.keys["merchant" if entrance.scope in merchants else "operator"]

    def foreign(self, entrance: Entrance) -> list[str]:
        """Those of other kinds."""
        if entrance.holder == "key":
            return list(self.passes.values())
        return [*self.keys.values(), *(token for holder, token in self.passes.items() if holder != entrance.holder)]


@pytest.fixture
def ring(new_key: KeyMaker, http: Any) -> Ring:
    everything = new_key(TEA, scopes=[*keys.SCOPES, *keys.ON_PURPOSE])
    merchant = Caller(http, everything)
    merchant.taken("member.joined", member="m")
    merchant.taken("order.paid", member="m", order="o-1", amount_minor=10_000)
    operator = Caller(http, new_key(OPERATOR_ID))
    assert alliance.registered(operator, 3).status_code == 201
    partner = operator.post("/v1/partners/3/passes", {"days": 30}).json()["token"]
    return Ring(
        {"merchant": everything, "operator": operator.token},
        {"member": let_in(merchant, "m").token, "partner": partner},
    )


def test_the_ring_opens_every_door(http: Any, ring: Ring) -> None:
    """So that what follows is refused for what it is."""
    refusals = {MISSING, UNKNOWN, EXPIRED, SCOPE}
    found = [(each, tried(http, each, ring.own(each))) for each in CLOSED if each.path != "/v1/me/session/end"]
    assert [each for each in found if each[1] in refusals] == []


def test_another_kind_of_key_opens_nothing(http: Any, ring: Ring) -> None:
    for number in range(4):

        def foreign(entrance: Entrance, number: int = number) -> str:
            others = ring.foreign(entrance)
            return others[number % len(others)]

        assert otherwise(http, foreign, UNKNOWN) == []


def test_what_is_no_key_opens_nothing(http: Any, ring: Ring) -> None:
    def bent(entrance: Entrance) -> str:
        token = ring.own(entrance)
        return token[:-1] + ("A" if token[-1] != "A" else "B")

    assert otherwise(http, bent, UNKNOWN) == []
    assert otherwise(http, lambda each: ring.own(each)[:-1], UNKNOWN) == []
    assert otherwise(http, lambda each: ring.own(each).replace("_test_", "_live_"), UNKNOWN) == []


def test_what_has_ended_opens_nothing(http: Any, ring: Ring, database: str, clock: Clock) -> None:
    with psycopg.connect(database) as connection:
        for token in ring.keys.values():
            keys.revoke(connection, name=token[9:21])
        for token in ring.passes.values():
            passes.end(connection, name=token[9:21], now=clock.at)
    clock.at = max(clock.at, datetime.now(UTC)) + timedelta(minutes=1)  # keys end by the database's clock
    assert otherwise(http, ring.own, EXPIRED) == []


def test_every_scope_but_its_own_opens_no_door(http: Any, new_key: KeyMaker) -> None:
    """Of a merchant's scopes and of the operator's."""
    possible = {TEA: {*keys.SCOPES, *keys.ON_PURPOSE}, OPERATOR_ID: {*keys.OPERATOR_SCOPES}}
    wrong = []
    for merchant_id, scopes in possible.items():
        tokens = {
            scope: new_key(merchant_id, scopes=scopes - {scope})
            for scope in {each.scope for each in CLOSED if each.holder == "key"}
        }
        tried_so = [(each, tried(http, each, tokens[each.scope])) for each in CLOSED if each.holder == "key"]
        wrong += [(merchant_id, each.method, each.path, found) for each, found in tried_so if found != SCOPE]
    assert wrong == []


def test_no_merchant_is_given_what_the_operator_alone_may(new_key: KeyMaker) -> None:
    alone = {*keys.OPERATOR_SCOPES} - {*keys.SCOPES, *keys.ON_PURPOSE}
    assert {"partners:write", "epochs:write", "settlement:read", "alerts:acknowledge"} <= alone
    for scope in alone:
        with pytest.raises(ValueError, match=scope):
            new_key(TEA, scopes=[scope])


@dataclass
class Neighbours:
    """Two partners, two members and two merchants, of whom the first of each has something."""

    tea: Caller
    books: Caller
    operator: Caller
    first: Partner
    second: Partner
    one: Caller
    other: Caller
    asked: str

    def agreed(self, mine: Caller) -> None:
        answer = mine.post("/v1/me/proof-consents", {"request_id": self.asked, "given": True, "assisted": True})
        assert answer.status_code == 201, answer.text


@pytest.fixture
def door(database: str, clock: Clock, tmp_path: Path) -> Iterator[Door]:
    """With a queue that keeps what it is sent."""
    waiting: list[Any] = []
    desk = replace(alliance.desk_of(tmp_path), send=waiting.append)
    with open_door(database, production=False, readers_max=3, now=clock, move_clock=clock.move_to, tiers=desk) as door:
        assert all(isinstance(answer.outcome, Receipt) for answer in door.poster.post(founding()))
        yield door


@pytest.fixture
def tea(http: Any, new_key: KeyMaker) -> Caller:
    return Caller(http, new_key(TEA, scopes=[*keys.SCOPES, "sessions:write"]))


@pytest.fixture
def neighbours(
    *, tea: Caller, operator: Caller, first: Partner, second: Partner, new_key: KeyMaker, clock: Clock, database: str
) -> Neighbours:
    books = Caller(tea.http, new_key(BOOKS, scopes=[*keys.SCOPES, "sessions:write"]))
    with psycopg.connect(database, autocommit=True) as conn:
        proving.ready(conn, VAULT, now=int(clock.at.timestamp()))
        alerts.report(conn, "test", Alert(code="tier-epoch-stuck", place="x", expected="y", actual="z"))
    asked = first.asked(Policy(tier_mask=GOLD))["id"]
    one, other = (let_in(tea, member) for member in MEMBERS[:2])
    return Neighbours(tea, books, operator, first, second, one, other, asked)


def told(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "none")


def ends_its_own_session(n: Neighbours) -> tuple[int, str]:
    assert n.other.post("/v1/me/session/end", None).status_code == 200
    return told(n.one.get("/v1/me/proof-consents"))


def keeps_its_own_commitment(n: Neighbours) -> tuple[int, str]:
    """Whoever takes another's is refused; the other's stays."""
    taken = {"commitment": str(alliance.own_commitment(MEMBERS[0]))}
    return told(put(n.other, "/v1/me/tier-commitment", taken))


def gets_its_own_witness(n: Neighbours) -> tuple[int, str]:
    mine, theirs = (each.get("/v1/me/tier-witness").json()["witness"] for each in (n.one, n.other))
    assert mine["index"] != theirs["index"]
    assert mine["salt"] != theirs["salt"]
    return told(n.other.get("/v1/me/tier-witness?member=m-0"))


def decides_for_itself(n: Neighbours) -> tuple[int, str]:
    n.agreed(n.one)
    assert n.other.get("/v1/me/proof-consents").json()["data"] == []
    return told(n.other.post("/v1/me/assisted-proofs", {"request_id": n.asked, "secret": "15"}))


def fetches_its_own(n: Neighbours) -> tuple[int, str]:
    n.agreed(n.one)
    job = n.one.post("/v1/me/assisted-proofs", {"request_id": n.asked, "secret": str(secret(MEMBERS[0]))})
    assert job.status_code == 202, job.text
    assert n.one.post("/v1/me/assisted-proofs/fetch", job.json()).json()["state"] == "waiting"
    return told(n.other.post("/v1/me/assisted-proofs/fetch", job.json()))


def by_a_merchant(path: str, body: object = None) -> Callable[[Neighbours], tuple[int, str]]:
    """What is the operator's alone, with everything that a merchant's key can have."""
    return lambda n: told(n.books.post(path, body) if body is not None else n.books.get(path))


ALONE = SCOPE
OTHERS: dict[str, tuple[Callable[[Neighbours], tuple[int, str]], tuple[int, str]]] = {
    "POST /v1/members/{member}/sessions": (
        lambda n: told(n.books.post(f"/v1/members/{MEMBERS[0]}/sessions", {"seconds": 60})),
        (403, "member-not-yours"),
    ),
    "POST /v1/members/{member}/sessions/end": (
        lambda n: told(n.books.post(f"/v1/members/{MEMBERS[0]}/sessions/end", None)),
        (403, "member-not-yours"),
    ),
    "POST /v1/me/session/end": (ends_its_own_session, (200, "none")),
    "PUT /v1/me/tier-commitment": (keeps_its_own_commitment, (409, "commitment-taken")),
    "GET /v1/me/tier-witness": (gets_its_own_witness, (422, "field-invalid")),
    "POST /v1/me/proof-consents": (decides_for_itself, (403, "consent-missing")),
    "GET /v1/me/proof-consents": (decides_for_itself, (403, "consent-missing")),
    "POST /v1/me/assisted-proofs": (decides_for_itself, (403, "consent-missing")),
    "POST /v1/me/assisted-proofs/fetch": (fetches_its_own, (404, "proof-request-unknown")),
    "POST /v1/proof-requests": (
        lambda n: told(n.second.caller.post("/v1/proof-requests", n.first.request(Policy(tier_mask=GOLD)))),
        (422, "proof-request-unfit"),
    ),
    "GET /v1/proof-requests/{request_id}/outcome": (
        lambda n: told(n.second.caller.get(f"/v1/proof-requests/{n.asked}/outcome")),
        (404, "proof-request-unknown"),
    ),
    "POST /v1/tier-proofs/verify": (
        lambda n: told(n.second.show(n.asked, {})),
        (422, "proof-refused"),
    ),
    "POST /v1/partners": (by_a_merchant("/v1/partners", {}), ALONE),
    "GET /v1/partners": (by_a_merchant("/v1/partners"), ALONE),
    "POST /v1/partners/{partner_id}/passes": (by_a_merchant("/v1/partners/3/passes", {"days": 1}), ALONE),
    "POST /v1/partners/{partner_id}/end": (by_a_merchant("/v1/partners/3/end", {}), ALONE),
    "POST /v1/epochs/{epoch}/revoke": (by_a_merchant(f"/v1/epochs/{alliance.TODAY}/revoke", {}), ALONE),
    "GET /v1/tier-refusals": (by_a_merchant("/v1/tier-refusals"), ALONE),
    "POST /v1/alerts/{alert}/acknowledge": (by_a_merchant("/v1/alerts/1/acknowledge", {"by": "lin"}), ALONE),
}
"""Each door of tiers, and the one of alerts, tried by somebody to whom it does not belong."""


def test_every_door_of_tiers_is_tried_by_somebody_else() -> None:
    doors = {f"{each.method} {each.path}" for each in CLOSED if each.tiers or each.path.startswith("/v1/alerts/")}
    assert doors == set(OTHERS)


def test_what_belongs_to_one_opens_for_no_other(neighbours: Neighbours) -> None:
    last = "POST /v1/me/session/end"
    found = {name: OTHERS[name][0](neighbours) for name in sorted(OTHERS, key=lambda name: name == last)}
    assert found == {name: wanted for name, (_, wanted) in OTHERS.items()}
