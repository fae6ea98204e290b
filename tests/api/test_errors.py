"""Every error of the catalogue, provoked through the API: a code that nobody can provoke here fails the test.

The ways are in the folder beside this file; the answer must be the catalogue's row, as problem+json, and the
operation's own documentation must have announced it. `docs/errors.md` is checked in test_openapi.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache
from typing import Any

import pytest

from api import published
from api.door import Door
from api.problems import CATALOGUE, LEDGER
from ledger import refusals
from tests.api.conftest import Caller, Clock, KeyMaker
from tests.api.ways import WAYS
from tests.api.ways.stage import Stage


@pytest.fixture
def stage(tea: Caller, door: Door, database: str, clock: Clock, new_key: KeyMaker) -> Iterator[Stage]:
    tea.taken("member.joined", member="m")
    tea.taken("order.paid", member="m", order="o-1", amount_minor=10_000)
    with ExitStack() as opened:
        yield Stage(tea, door, database, clock, new_key, opened)


OUT_OF_REACH = {
    "malformed": "the door's shapes are narrower than the ledger's",
    "nothing-to-expire": "the clockwork lets points expire, and only what is due",
    "tiers-missing": "the clockwork evaluates tiers, where there are any",
    "batch-settled": "settling has no endpoint",
    "nets-unordered": "settling has no endpoint",
    "nets-unbalanced": "settling has no endpoint",
}
"""Refusals of verbs that no endpoint reaches, and why. An endpoint that reaches one has to move it above."""


def test_every_refusal_of_the_ledger_has_a_row_or_a_reason() -> None:
    assert set(LEDGER) | set(OUT_OF_REACH) == set(refusals.CATALOGUE)
    assert not set(LEDGER) & set(OUT_OF_REACH)


TOLD_WHEN = {
    *("request-in-flight", "busy", "reading-busy", "unavailable", "verifying-busy", "ask-budget-spent"),
    "assisted-busy",
}
"""Refusals that say when to come again."""


@cache
def documented_paths() -> dict[str, Any]:
    """The document is the same for every test, and takes longer to make than an error to provoke."""
    paths: dict[str, Any] = json.loads(published.openapi_json())["paths"]
    return paths


def documented_codes(response: Any) -> set[str]:
    """What the document says the called operation may answer with this status."""
    method, path = response.request.method.lower(), response.request.url.path
    for template, methods in documented_paths().items():
        if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", template), path) and method in methods:
            return set(methods[method]["responses"][str(response.status_code)]["description"].split(", "))
    return {"path-unknown", "method-not-allowed"}


@pytest.mark.parametrize("code", CATALOGUE)
def test_every_error_is_provoked_through_the_api(stage: Stage, code: str) -> None:
    response = WAYS[code](stage)
    problem = response.json()
    row = CATALOGUE[code]
    assert (problem["code"], response.status_code, problem["status"]) == (code, row.status, row.status), problem
    assert response.headers["content-type"] == "application/problem+json"
    assert (problem["title"], problem["type"]) == (row.title, f"/errors#{code}")
    assert problem["detail"]
    assert problem["instance"].startswith("/")
    assert problem.get("request_id", response.headers["x-request-id"]) == response.headers["x-request-id"]
    assert code in documented_codes(response)
    if code in TOLD_WHEN:
        assert int(response.headers["retry-after"]) >= 1
