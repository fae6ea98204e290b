"""Every row of the table of writes keeps the same promises: key, scope, time, dry run, strict bodies, its example."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from api import examples, keys
from api.app import ROOMS
from api.verbs import REFUSALS
from tests.api.conftest import NOON, TEA, Caller, KeyMaker
from tests.conftest import ROOT

NO_COMMANDS = {"/v1/events", "/v1/events/batch", "/v1/test/clock", "/v1/signatures", "/v1/alerts/{alert}/acknowledge"}
"""Several commands at once, or none: they have tests of their own."""
ROUTES = [
    route
    for route in chain.from_iterable(room.router.routes for room in ROOMS if not room.__name__.startswith("api.tiers."))
    if "POST" in route.methods and route.path not in NO_COMMANDS
]
PATHS = sorted({route.path for route in ROUTES})
NAMED = {"redemption": "r", "adjustment": "a", "member": "m", "pool": "p"}


def address(path: str) -> str:
    """A path with names, or numbers, in it."""
    for name, value in NAMED.items():
        path = path.replace(f"{{{name}}}", value)
    return path.replace("{merchant_id}", str(TEA)).replace("{campaign_id}", "1").replace("{rule_id}", "1")


def example(path: str, document: dict[str, Any]) -> dict[str, Any]:
    """The body that the document shows, at noon."""
    shown = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["example"]
    return dict(shown) | {"occurred_at": NOON}


@pytest.fixture
def everything(new_key: KeyMaker, http: Any) -> Caller:
    return Caller(http, new_key(TEA, scopes=[*keys.SCOPES, *keys.ON_PURPOSE]))


@pytest.fixture
def document(http: Any) -> dict[str, Any]:
    found: dict[str, Any] = http.get("/openapi.json").json()
    return found


def allowed_to(path: str, merchant: Caller, operator: Caller) -> Caller:
    """Whoever's key may call it."""
    answer = merchant.post(address(path), {}, key="probe")
    return operator if answer.json()["code"] == "scope-missing" else merchant


@pytest.mark.parametrize("path", PATHS)
def test_a_write_needs_key_scope_and_time(
    path: str, everything: Caller, operator: Caller, new_key: KeyMaker, document: dict[str, Any]
) -> None:
    caller = allowed_to(path, everything, operator)
    body, where = example(path, document), address(path)
    assert caller.post(where, body).json()["code"] == "idempotency-key-missing"
    stranger = Caller(caller.http, new_key(TEA, scopes=["receipts:read"]))
    assert stranger.post(where, body, key="k").json()["code"] == "scope-missing"
    early = caller.post(where, body | {"occurred_at": "2026-07-10T12:05:01Z"}, key="k").json()
    assert early["code"] == "occurred-in-future"
    unknown = caller.post(where, body | {"colour": "red"}, key="k").json()
    assert (unknown["code"], unknown["errors"][0]["pointer"]) == ("field-invalid", "/colour")
    assert caller.post(f"{where}?colour=red", body, key="k").json()["errors"][0]["pointer"] == "#query/colour"


@pytest.mark.parametrize("path", PATHS)
def test_a_dry_run_leaves_nothing(path: str, everything: Caller, operator: Caller, document: dict[str, Any]) -> None:
    everything.taken("member.joined", member="m")
    caller = allowed_to(path, everything, operator)
    before = caller.http.get("/health/ready").json()
    tried = caller.post(f"{address(path)}?dry_run=true", example(path, document), key="dry")
    assert tried.status_code != 201
    assert tried.json().get("code") not in {"field-invalid", "internal"}, tried.text
    assert caller.get("/v1/receipts/dry").status_code == 404
    assert caller.http.get("/health/ready").json() == before


def test_what_the_ledger_refuses_is_what_its_document_says() -> None:
    """The table of docs/ledger.md, verb by verb and in order; verbs that no address reaches are not asked for."""
    table = Path(ROOT / "docs" / "ledger.md").read_text().split("## Refusals")[1].split("\n## ")[0]
    rows = dict(line.strip("| ").split(" | ", 1) for line in table.splitlines() if line.startswith("| `"))
    said = {verb.strip("`"): tuple(codes.split(", ")) for verb, codes in rows.items()}
    assert dict(REFUSALS) == {verb: said[verb] for verb in REFUSALS}


def test_every_example_is_shown_somewhere(document: dict[str, Any]) -> None:
    shown = [
        operation["requestBody"]["content"]["application/json"].get("example")
        for methods in document["paths"].values()
        for operation in methods.values()
        if "requestBody" in operation
    ]
    assert None not in shown
    parts = {"MEMBER_JOINED", "ORDER_REFUNDED"}
    named = {name: value for name, value in vars(examples).items() if name.isupper() and name not in parts}
    assert [name for name, value in named.items() if value not in shown] == []
