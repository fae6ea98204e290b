"""What a body may look like: strict integers, times with offsets, no strangers; alone and in a batch alike."""

from __future__ import annotations

import json
from typing import Any

import pytest

from api.parse import BATCH_BODY_BYTES_MAX, BODY_BYTES_MAX
from api.shapes.events import EVENTS_PER_BATCH_MAX
from tests.api.conftest import Caller

PAID = (
    '{"type":"order.paid","id":"e-1","occurred_at":"2026-07-10T12:00:00Z","member":"m","order":"o","amount_minor":%s}'
)
GOOD: dict[str, Any] = json.loads(PAID % 100)

FAULTS = [
    pytest.param(PAID % "1.0", "field-invalid", "/amount_minor", id="fraction"),
    pytest.param(PAID % "1e3", "field-invalid", "/amount_minor", id="exponent"),
    pytest.param(PAID % "true", "field-invalid", "/amount_minor", id="boolean"),
    pytest.param(PAID % '"100"', "field-invalid", "/amount_minor", id="text"),
    pytest.param(PAID % "null", "field-invalid", "/amount_minor", id="null"),
    pytest.param(PAID % "0", "field-invalid", "/amount_minor", id="zero"),
    pytest.param(PAID % "-5", "field-invalid", "/amount_minor", id="negative"),
    pytest.param(PAID % (10**15 + 1), "field-invalid", "/amount_minor", id="too much"),
    pytest.param(PAID % (10**40), "field-invalid", "/amount_minor", id="far too much"),
    pytest.param(PAID % '1,"colour":"red"', "field-invalid", "/colour", id="unknown field"),
    pytest.param(PAID.replace(',"amount_minor":%s', ""), "field-invalid", "/amount_minor", id="missing"),
    pytest.param((PAID % 1).replace("12:00:00Z", "12:00:00"), "field-invalid", "/occurred_at", id="no offset"),
    pytest.param(
        (PAID % 1).replace("2026-07-10T12:00:00Z", "10.7.2026"), "field-invalid", "/occurred_at", id="no time"
    ),
    pytest.param((PAID % 1).replace("2026", "1969"), "field-invalid", "/occurred_at", id="before the epoch"),
    pytest.param((PAID % 1).replace('"m"', '"m m"'), "field-invalid", "/member", id="blank in a name"),
    pytest.param((PAID % 1).replace('"m"', '"%s"' % ("m" * 65)), "field-invalid", "/member", id="long name"),
    pytest.param((PAID % 1).replace('"m"', '""'), "field-invalid", "/member", id="empty name"),
    pytest.param((PAID % 1).replace('"m"', '"m\\n"'), "field-invalid", "/member", id="newline after a name"),
    pytest.param((PAID % 1).replace('"m"', '"ｍ"'), "field-invalid", "/member", id="wide letter"),
    pytest.param(
        (PAID % 1).replace("order.paid", "weather.changed"), "event-type-unsupported", "/type", id="later type"
    ),
    pytest.param((PAID % 1).replace('"type":"order.paid",', ""), "field-invalid", "/type", id="no type"),
    pytest.param("[]", "field-invalid", "", id="a list"),
    pytest.param("null", "field-invalid", "", id="null body"),
]


def send(caller: Caller, body: bytes, path: str = "/v1/events", media: str = "application/json") -> Any:
    headers = {"Authorization": f"Bearer {caller.token}", "Content-Type": media}
    return caller.http.post(path, content=body, headers=headers)


@pytest.mark.parametrize(("body", "code", "pointer"), FAULTS)
def test_a_faulty_event_is_refused_alone_and_in_a_batch_alike(tea: Caller, body: str, code: str, pointer: str) -> None:
    alone = send(tea, body.encode())
    assert alone.status_code == 422
    assert alone.headers["content-type"] == "application/problem+json"
    assert [(error["code"], error["pointer"]) for error in alone.json()["errors"]] == [(code, pointer)]

    batch = send(tea, f'{{"events":[{body}]}}'.encode(), "/v1/events/batch")
    assert batch.status_code == 200
    (item,) = batch.json()["results"]
    assert item["status"] == 422
    assert item["problem"]["errors"] == alone.json()["errors"]


def test_a_faulty_event_burns_nothing_and_spoils_no_neighbour(tea: Caller) -> None:
    tea.taken("member.joined", member="m")
    bad = GOOD | {"amount_minor": 1.5}
    response = tea.post("/v1/events/batch", {"events": [bad, GOOD]})
    assert [item["status"] for item in response.json()["results"]] == [422, 201]
    assert response.json()["taken"] == 1
    assert response.json()["refused"] == 1


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b'{"type":"\xc3\x28"}', (PAID % "1} {").encode()], ids=repr)
def test_what_is_not_json_is_malformed(tea: Caller, body: bytes) -> None:
    response = send(tea, body)
    assert response.status_code == 400
    assert response.json()["code"] == "body-malformed"


def test_a_body_that_nests_without_end_is_malformed(tea: Caller) -> None:
    response = send(tea, b'{"events":[' + b"[" * 100_000, "/v1/events/batch")
    assert (response.status_code, response.json()["code"]) == (400, "body-malformed")


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_other_media_types_are_refused(tea: Caller, media: str) -> None:
    response = send(tea, json.dumps(GOOD).encode(), media=media)
    assert response.status_code == 415
    assert response.json()["code"] == "media-type-unsupported"


def test_a_charset_in_the_media_type_is_no_matter(tea: Caller) -> None:
    tea.taken("member.joined", member="m")
    assert send(tea, json.dumps(GOOD).encode(), media="Application/JSON; charset=utf-8").status_code == 201


@pytest.mark.parametrize(
    ("path", "limit"), [("/v1/events", BODY_BYTES_MAX), ("/v1/events/batch", BATCH_BODY_BYTES_MAX)]
)
def test_a_body_is_bounded(tea: Caller, path: str, limit: int) -> None:
    for size, status in ((limit, 400), (limit + 1, 413)):
        assert send(tea, b"{" + b" " * (size - 1), path).status_code == status


@pytest.mark.parametrize("count", [0, EVENTS_PER_BATCH_MAX + 1])
def test_a_batch_is_bounded(tea: Caller, count: int) -> None:
    response = tea.post("/v1/events/batch", {"events": [{}] * count})
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"] == "/events"


def test_times_are_told_apart_by_their_instant_and_not_by_their_spelling(tea: Caller) -> None:
    tea.taken("member.joined", member="m")
    receipt = tea.taken("order.paid", member="m", order="o", amount_minor=100, occurred_at="2026-07-10T20:00:00+08:00")
    assert receipt["occurred_at"] == "2026-07-10T12:00:00.000Z"
