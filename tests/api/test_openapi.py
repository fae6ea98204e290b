"""The API's description of itself: current, true to its own examples, and what a fuzzer finds by it."""

from __future__ import annotations

import json
from typing import Any

from api import examples, published
from api.parse import ID_PATTERN
from api.problems import CATALOGUE
from tests.api.conftest import Caller

METHODS = ("get", "post")


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(method, path, body) for path, methods in document["paths"].items() for method, body in methods.items()]


def test_the_files_are_current() -> None:
    for name, text in (("openapi.json", published.openapi_json()), ("errors.md", published.errors_md())):
        found = (published.DOCS / name).read_text(encoding="utf-8")
        assert found == text, f"docs/{name} is behind the code: python -m api.published"


def test_the_document_names_only_codes_of_the_catalogue() -> None:
    named = {
        code
        for _, _, operation in operations(json.loads(published.openapi_json()))
        for status, response in operation["responses"].items()
        if int(status) >= 400
        for code in response["description"].split(", ")
        if CATALOGUE[code].status == int(status)
    }
    assert named == set(CATALOGUE) - {"path-unknown", "method-not-allowed"}


def test_every_reference_leads_somewhere() -> None:
    text = published.openapi_json()
    schemas = json.loads(text)["components"]["schemas"]
    references = {part.split('"')[0] for part in text.split('"#/components/schemas/')[1:]}
    assert references == references & set(schemas)


def test_the_examples_do_what_they_show(tea: Caller) -> None:
    assert tea.post("/v1/events", examples.MEMBER_JOINED).status_code == 201
    assert tea.post("/v1/events", examples.ORDER_PAID).status_code == 201
    assert tea.post("/v1/events", examples.ORDER_REFUNDED).status_code == 201
    batch = tea.post("/v1/events/batch", examples.BATCH).json()
    assert [item["replayed"] for item in batch["results"]] == [True, True, True]
    refund = tea.post("/v1/refunds", examples.REFUND, key="refund-1")
    assert refund.status_code == 201, refund.text
    redeemed = tea.post("/v1/redemptions", examples.REDEMPTION | {"occurred_at": "2026-07-10T12:00:00Z"}, key="till-1")
    assert redeemed.status_code == 201, redeemed.text


def test_every_answer_fits_its_documented_shape(tea: Caller) -> None:
    document = json.loads(published.openapi_json())
    receipt = document["components"]["schemas"]["ReceiptOut"]
    tea.taken("member.joined", member="m")
    found = tea.taken("order.paid", member="m", order="o", amount_minor=1000)
    assert set(found) == set(receipt["properties"]) == set(receipt["required"])


def test_shapes_are_told_in_words_of_json_schema() -> None:
    text = published.openapi_json()
    schemas = json.loads(text)["components"]["schemas"]
    assert "\\\\Z" not in text
    assert schemas["OrderPaid"]["properties"]["id"]["pattern"] == ID_PATTERN
    assert schemas["EventBatch"]["properties"]["events"]["items"] == {"$ref": "#/components/schemas/AnyEvent"}
    assert "200" in json.loads(text)["paths"]["/v1/redemptions"]["post"]["responses"]
