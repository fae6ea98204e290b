"""Cycles and statements: to whom, in which form, under which name; and that a statement's own hash holds."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from ledger.reports import forms
from tests.api.conftest import BOOKS, TEA, Caller

CYCLES = "/v1/clearing/cycles"


@pytest.fixture(autouse=True)
def july(tea: Caller, books: Caller, operator: Caller) -> None:
    """100 points of tea, 60 of them paid at books, and the cycle has ended; 10 more in the one that goes on."""
    tea.taken("member.joined", member="m")
    tea.taken("order.paid", member="m", order="o", amount_minor=10_000)
    books.done("/v1/redemptions", member="m", redemption="r", au=60)
    operator.done(CYCLES, cycle="2026-07")
    tea.taken("order.paid", member="m", order="p", amount_minor=1_000)


def statement(caller: Caller, cycle: str = "2026-07", query: str = "") -> Any:
    return caller.get(f"{CYCLES}/{cycle}/statement{query}")


def test_cycles_are_listed_with_the_one_that_goes_on(tea: Caller) -> None:
    found = tea.get(CYCLES).json()["cycles"]
    assert [each["cycle"] for each in found] == ["2026-07", None]
    assert found[0]["last_seq"] + 1 == found[1]["first_seq"] == found[1]["last_seq"]


def test_a_statement_has_its_figures_and_a_hash_that_holds(tea: Caller) -> None:
    answer = statement(tea)
    found = answer.json()
    assert (found["merchant_id"], found["points"]["issued"], found["points"]["redeemed_by_others"]) == (TEA, 100, 60)
    assert found["net"]["position"] == -60 - 1
    assert forms.holds(answer.content)
    assert not forms.holds(answer.content.replace(b'"issued":100', b'"issued":101'))


def test_the_cycle_that_goes_on_is_called_open(tea: Caller) -> None:
    assert statement(tea, "open").json()["points"]["issued"] == 10


def test_the_forms_say_the_same(tea: Caller) -> None:
    digest = json.loads(statement(tea, query="?format=json").content)["digest"]
    table = statement(tea, query="?format=csv")
    assert table.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert digest in {row["counterparty"] for row in rows}
    page = statement(tea, query="?format=page")
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert digest in page.text
    assert "<script" not in page.text


def test_a_statement_is_for_whose_it_is_and_the_operator(tea: Caller, operator: Caller) -> None:
    assert statement(operator, query=f"?merchant={BOOKS}").json()["merchant_id"] == BOOKS
    assert statement(tea, query=f"?merchant={TEA}").json()["merchant_id"] == TEA
    for caller, query in ((tea, f"?merchant={BOOKS}"), (operator, ""), (tea, "?merchant=x"), (tea, "?of=7")):
        refused = statement(caller, query=query)
        assert (refused.status_code, refused.json()["code"]) == (422, "field-invalid")
    assert statement(operator, query="?merchant=77").json()["code"] == "merchant-unknown"


@pytest.mark.parametrize(("cycle", "query"), [("2026-08", ""), ("x" * 65, ""), ("2026-07", "?format=pdf")])
def test_what_is_not_there_is_refused(tea: Caller, cycle: str, query: str) -> None:
    assert statement(tea, cycle, query).status_code in {404, 422}
