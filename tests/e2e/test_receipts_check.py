"""The page that checks receipts, in a real browser: served by the API, a receipt of a batch that is on a chain, nodes
that are asked from the page.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
import uvicorn
from playwright.sync_api import Browser, Page, expect

from api.app import create_app
from api.demo.tiers.programs import browser
from api.receipt_page import POLICY, SCRIPTS
from proofs.receipt import facts
from settlement import tables
from settlement.batches import seal_next
from settlement.embedded_chain.process import EmbeddedNode
from settlement.sealing.inclusions import Inclusions, place_of
from settlement.submitter import drive
from tests.conftest import ROOT
from tests.loopback import Quiet, listening
from tests.settlement.chain.field import ATTESTERS, Field, attest, day

OFFLINE = ["form", "signature", "posting", "position", "root", "shown"]
ANSWER_MS_MAX = 20_000


@pytest.fixture
def receipt(field: Field) -> dict[str, Any]:
    """The receipt of an earn in a batch that the hub holds, still in its window."""
    field.post(day(1))
    with field.settlement() as s:
        batch = seal_next(s)
        assert batch is not None
        attest(s, field.folder, [(1, batch.header_hash)], list(ATTESTERS))
        drive(s)
        row = s.conn.execute("SELECT journal_seq, leg_no FROM settlement.batch_leaf WHERE leaf_no = 2").fetchone()
        assert row is not None
        place = place_of(s.conn, journal_seq=row[0], leg_no=row[1])
        assert place is not None
        assert tables.batch(s.conn, 1) is not None
        inclusions = Inclusions(vault=s.publication.vault, mirrors=s.publication.mirrors)
        return inclusions.receipt(s.conn, place, slot="member")


@contextmanager
def provider(
    url: str, change: Callable[[bytes], bytes] = bytes, *, asks: Callable[[bytes], bytes] = bytes
) -> Iterator[str]:
    """Somebody's public node: passes questions on to the real one, and tells browsers that they may ask. `asks` turns
    questions into others, `change` answers.
    """
    allowed = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "content-type"}

    class Handler(Quiet):
        def do_OPTIONS(self) -> None:
            self.answer(headers=allowed)

        def do_POST(self) -> None:
            asked = asks(self.asked())
            answer = httpx2.post(url, content=asked, headers={"content-type": "application/json"}, trust_env=False)
            self.answer(change(answer.content), headers=allowed)

    with listening(Handler) as place:
        yield place


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """The API as it is served, without a ledger behind it: the page needs none."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(create_app(), log_level="error", lifespan="off", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.05)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join(10)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


@pytest.fixture
def page(chromium: Browser, site: str) -> Iterator[Page]:
    """The page, ready; whatever the browser complains of fails the test."""
    page = chromium.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.goto(f"{site}/receipts-check")
    page.wait_for_selector("html[data-ready]")
    yield page
    page.close()
    assert complaints == []


def checked(page: Page, text: str, *nodes: str) -> str:
    """Paste, press, wait; the verdict."""
    page.fill("#receipt", text)
    page.fill("#nodes", "\n".join(nodes))
    page.evaluate("document.getElementById('verdict').textContent = ''")
    page.click("button")
    expect(page.locator("#verdict")).not_to_have_text("…", timeout=ANSWER_MS_MAX)
    expect(page.locator("#verdict")).not_to_be_empty(timeout=ANSWER_MS_MAX)
    return page.inner_text("#verdict")


def steps(page: Page) -> dict[str, str]:
    lines = page.locator("#steps li")
    return {str(line.get_attribute("data-step")): str(line.get_attribute("class")) for line in lines.all()}


def test_each_step_turns_green(page: Page, embedded: EmbeddedNode, receipt: dict[str, Any]) -> None:
    assert set(steps(page).values()) == {"open"}
    with provider(embedded.url) as one, provider(embedded.url) as two:
        assert checked(page, json.dumps({"leg": 1, "proof": receipt}), one, two) == "proven"
    assert steps(page) == dict.fromkeys([*OFFLINE, "chain", "status"], "good")
    assert "pending" in page.inner_text("[data-step=status]")
    shown = {
        row.get_attribute("data-fact"): row.locator("td").nth(1).inner_text() for row in page.locator("#facts tr").all()
    }
    assert shown.items() <= facts(receipt).items()
    assert {"points", "delta", "balance", "settleAmount"} <= set(shown)


def test_without_nodes_it_says_what_was_not_seen(page: Page, embedded: EmbeddedNode, receipt: dict[str, Any]) -> None:
    expected = dict.fromkeys(OFFLINE, "good") | {"chain": "open", "status": "open"}
    assert checked(page, json.dumps(receipt)) == "fits together, not seen on the chain"
    assert steps(page) == expected
    with provider(embedded.url) as one:
        for nodes in ((one,), (one, one), (one, f"{one}/")):
            assert checked(page, json.dumps(receipt), *nodes) == "fits together, not seen on the chain"
            assert steps(page) == expected, "one node under two addresses is one node"


def test_a_changed_receipt_turns_red_at_its_step(page: Page, receipt: dict[str, Any]) -> None:
    more = {**receipt["own"], "posting": {**receipt["own"]["posting"], "balance": "999999"}}
    for step, change in (
        ("form", {"path": "none"}),
        ("signature", {"event": {**receipt["event"], "points": "9999"}}),
        ("posting", {"own": more}),
        ("position", {"leafNo": "999"}),
        ("root", {"totalPointsAfter": "1"}),
    ):
        assert checked(page, json.dumps({**receipt, **change})) == f"fails at: {step}"
        found = steps(page)
        assert [name for name, state in found.items() if state == "bad"] == [step]
        assert set(list(found.values())[[*found].index(step) + 1 :]) == {"open"}
        assert page.locator("#says").is_hidden(), "nothing of a false receipt is shown as if it were true"
    for text in ("", "{", "[]", "null", '"text"', "9" * 300_000):
        assert checked(page, text) == "fails at: form"


def test_nodes_that_do_not_hold_the_batch_turn_it_red(
    page: Page, embedded: EmbeddedNode, receipt: dict[str, Any]
) -> None:
    def lie(answer: bytes) -> bytes:
        told = json.loads(answer)
        if isinstance(told.get("result"), str) and len(told["result"]) == 66:
            told["result"] = "0x" + "11" * 32
        return json.dumps(told).encode()

    with provider(embedded.url) as honest, provider(embedded.url, lie) as liar:
        assert checked(page, json.dumps(receipt), honest, liar) == "fails at: chain"
        other = {**receipt, "header": {**receipt["header"], "totalPoints": "5"}}
        assert checked(page, json.dumps(other), honest, honest) == "fails at: chain"


def test_what_only_the_newest_block_shows_is_not_seen_yet(
    page: Page, embedded: EmbeddedNode, receipt: dict[str, Any]
) -> None:
    """The block of the commit may be undone: until it is final nothing turns green, and nothing red."""

    def long_ago(asked: bytes) -> bytes:
        return asked.replace(b'"finalized"', b'"earliest"')

    with provider(embedded.url) as one, provider(embedded.url, asks=long_ago) as two:
        assert checked(page, json.dumps(receipt), one, two) == "fits together, not seen on the chain"
    assert steps(page)["chain"] == "open"
    assert "not final yet" in page.inner_text("[data-step=chain]")


def test_markup_in_a_receipt_is_text(page: Page) -> None:
    assert checked(page, json.dumps({"<img src=x onerror=alert(1)>": 1})) == "fails at: form"
    assert page.locator("#steps img").count() == 0
    assert "<img src=x" in page.inner_text("[data-step=form]")


def test_the_page_and_its_scripts_come_from_this_host_alone(site: str) -> None:
    page = httpx2.get(f"{site}/receipts-check", trust_env=False)
    assert page.headers["content-security-policy"] == POLICY
    assert "unsafe" not in POLICY
    assert "://" not in page.text.replace('placeholder="https://…"', "")
    for name, data in SCRIPTS.items():
        script = httpx2.get(f"{site}/receipts-check/{name}", trust_env=False)
        assert (script.content, script.headers["content-type"]) == (data, "text/javascript; charset=utf-8")
        source = ROOT / ("api/templates/receipts_check.js" if name == "page.js" else f"proofs/js/{name}")
        assert source.read_bytes() == data
    for name in ("nothing.js", "../words.js", "%2e%2e%2fapp.py"):
        assert httpx2.get(f"{site}/receipts-check/{name}", trust_env=False).json()["code"] == "path-unknown"
