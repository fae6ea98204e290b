"""The wallet's prover in a real browser: its bundle alone, on a page that may load from its own host and start no
worker; a proof made there and checked here.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, Page

from api.demo.tiers.programs import NODE, browser
from proofs import groth16
from tests.conftest import ROOT
from tests.loopback import listening

KEPT = json.loads((ROOT / "proofs" / "vectors" / "tier_proof.json").read_text())
POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; worker-src 'none'"
PAGE = '<!doctype html><title>wallet</title><script type="module" src="page.js"></script>'
SCRIPT = """
import * as prover from "./prover.js";
const bytes = async (name) => new Uint8Array(await (await fetch(name)).arrayBuffer());
const keys = { wasm: await bytes("circuit.wasm"), zkey: await bytes("circuit.zkey") };
const number = (_, value) => (typeof value === "string" ? BigInt(value) : value);
const numbers = (form) => JSON.parse(JSON.stringify(form), number);
window.prove = (input) => prover.prove(numbers(input), keys);
window.makeCommitment = () => prover.makeCommitment();
document.documentElement.dataset.ready = "";
"""


class Served(SimpleHTTPRequestHandler):
    """Files of the folder, under the policy of a wallet's page."""

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", POLICY)
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("wallet")
    subprocess.run(
        [str(NODE), "proofs/circuits/prover/site.mjs", str(folder), "proofs/circuits/dev"], cwd=ROOT, check=True
    )
    (folder / "index.html").write_text(PAGE)
    (folder / "page.js").write_text(SCRIPT)
    with listening(partial(Served, directory=str(folder))) as url:
        yield url


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


@pytest.fixture
def page(chromium: Browser, site: str) -> Iterator[Page]:
    """The page, ready; whatever the browser complains of fails the test."""
    page = chromium.new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.route("**/favicon.ico", lambda route: route.fulfill(status=204))
    page.goto(site)
    page.wait_for_selector("html[data-ready]", state="attached")
    yield page
    assert complaints == []
    page.close()


def proven(page: Page, **changed: str) -> dict[str, Any]:
    made: dict[str, Any] = page.evaluate("(input) => window.prove(input)", KEPT["input"] | changed)
    return made


def test_a_proof_made_in_the_browser_holds(page: Page) -> None:
    key = groth16.VerificationKey.from_json(KEPT["verification_key"])
    signals = [int(value) for value in KEPT["proofs"][0]["signals"]]
    one, other = proven(page), proven(page)
    for response in (one, other):
        assert {name: response[name] for name in ("circuit_id", "nullifier")} == {
            "circuit_id": KEPT["circuit_id"],
            "nullifier": str(signals[0]),
        }
        assert groth16.verify(key, signals, groth16.Proof.from_json(response["proof"]))
    assert one["proof"] != other["proof"]
    assert not groth16.verify(key, [*signals[:4], signals[4] + 1, signals[5]], groth16.Proof.from_json(one["proof"]))


def test_a_false_statement_is_not_proven_there(page: Page) -> None:
    with pytest.raises(Error, match="constraint-fails"):
        proven(page, points=str(int(KEPT["input"]["points"]) + 1))


def test_secrets_are_drawn_anew_there(page: Page) -> None:
    drawn = [page.evaluate("window.makeCommitment()") for _ in range(2)]
    assert all(int(each["secret"]) < 2**248 for each in drawn)
    assert drawn[0]["secret"] != drawn[1]["secret"]
    assert drawn[0]["commitment"] != drawn[1]["commitment"]


def test_the_bundle_names_no_other_host(tmp_path: Path) -> None:
    subprocess.run([str(NODE), "proofs/circuits/prover/bundle.mjs", str(tmp_path)], cwd=ROOT, check=True)
    for name in ("prover.js", "prover.mini.js"):
        assert "http://" not in (tmp_path / name).read_text()
        assert "https://" not in (tmp_path / name).read_text()
