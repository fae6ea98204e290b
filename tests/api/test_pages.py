"""The pages: drawn from the catalogue and the document, from this host alone, readable without a key."""

from __future__ import annotations

import json
import re

import pytest
from fastapi.testclient import TestClient

from api import published
from api.problems import CATALOGUE


def test_the_api_page_shows_every_operation_and_shape(http: TestClient) -> None:
    page = http.get("/").text
    document = json.loads(published.openapi_json())
    for path in document["paths"]:
        assert path in page
    for name in document["components"]["schemas"]:
        assert f'id="{name}"' in page


def test_the_errors_page_has_every_code(http: TestClient) -> None:
    page = http.get("/errors").text
    assert set(re.findall(r'<section id="([^"]+)"', page)) == set(CATALOGUE)


@pytest.mark.parametrize("path", ["/", "/errors", "/style.css", "/openapi.json"])
def test_pages_need_no_other_host_and_no_script(http: TestClient, path: str) -> None:
    response = http.get(path)
    assert response.status_code == 200
    assert "<script" not in response.text
    assert not re.findall(r'(?:src|href)="https?:', response.text)
    assert response.headers["content-security-policy"].startswith("default-src 'none'")
    assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/", "/errors"])
def test_links_inside_a_page_lead_somewhere(http: TestClient, path: str) -> None:
    page = http.get(path).text
    ids = set(re.findall(r'id="([^"]+)"', page))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= ids


@pytest.mark.parametrize(
    ("sent", "kept"), [("abc-1.2_3", True), ("a" * 64, True), ("a" * 65, False), ("a b", False), ("<x>", False)]
)
def test_a_request_id_comes_back_if_it_is_harmless(http: TestClient, sent: str, *, kept: bool) -> None:
    found = http.get("/health/live", headers={"X-Request-Id": sent}).headers["x-request-id"]
    assert (found == sent) == kept
    assert found
