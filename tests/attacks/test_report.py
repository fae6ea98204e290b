"""The report and the page: what a reader is told of a clean, a false and a gappy history."""

from __future__ import annotations

import base64
import json
import re
from hashlib import sha256
from html import escape
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct

from auditor.audit import Means, audit
from auditor.fetch import AuditorKey
from auditor.mirrors import Folder
from auditor.page import page, report_text
from auditor.progress import Watch
from auditor.report import netting_ratio, report
from auditor.signed import ReportAltered, signed_report, signer_of
from tests.attacks.forge import ATTESTERS, KID, PRIVATE, World, address, found


def told(world: World) -> tuple[dict[str, object], str]:
    """Report and page of an audit of `world`; the page is made from what JSON keeps."""
    made = json.loads(json.dumps(report(world.audit(), rpc=["http://127.0.0.1:1"], anchored=False)))
    return made, page(made)


def states(made: dict[str, object]) -> dict[int, str]:
    checks = made["checks"]
    assert isinstance(checks, list)
    return {check["check"]: check["state"] for check in checks}


COLOURS = {"held": "held", "broken": "broken", "not checked": "not", "information": "info"}
"""Green, red, amber and blue, as the page's style has them."""


def colours(shown: str) -> dict[int, str]:
    """In which colour the page shows each check."""
    lines = re.findall(r'<li class="check (\w+)"><span class="no">(\d+)</span>.*?<span class="mark (\w+)">', shown)
    assert all(border == mark for border, _, mark in lines)
    return {int(number): border for border, number, _ in lines}


def test_a_clean_report(world: World) -> None:
    made, shown = told(world)
    assert (made["verdict"], made["attest"], made["findingsTotal"]) == ("clean", True, 0)
    assert set(states(made).values()) == {"held", "not checked", "information"}
    assert "✓ Clean" in shown
    assert colours(shown) == {number: COLOURS[state] for number, state in states(made).items()}
    assert "✗" not in shown
    assert not re.search(r"<script|src=|href=|@import|url\(| style=", shown)


def test_the_page_lets_nothing_in_but_its_own_style(world: World) -> None:
    made, shown = told(world)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', shown)
    style = re.search(r"<style>(.*)</style>", shown, re.DOTALL)
    assert policy is not None
    assert style is not None
    digest = base64.b64encode(sha256(style.group(1).encode()).digest()).decode()
    assert policy.group(1).startswith(f"default-src 'none'; style-src 'sha256-{digest}'")
    assert sha256(report_text(made).encode()).hexdigest() in shown


def test_the_page_tells_why_a_check_was_not_made(world: World) -> None:
    made, shown = told(world)
    reasons = [check["why"] for check in made["checks"] if check["state"] == "not checked"]  # type: ignore[attr-defined] # a list
    assert reasons
    assert all(escape(reason) in shown for reason in reasons)


def test_a_broken_check_is_red_and_its_findings_are_told(world: World) -> None:
    world.batches[2].nets.pop()
    world.rehead(2)
    made, shown = told(world)
    assert (made["verdict"], made["attest"]) == ("findings", False)
    assert {number for number, state in states(made).items() if state == "broken"} == found(world.audit())
    assert "✗ broken" in shown
    assert colours(shown) == {number: COLOURS[state] for number, state in states(made).items()}
    assert "net-wrong" in shown
    findings = made["findings"]
    assert isinstance(findings, list)
    assert findings[0].keys() >= {"code", "check", "severity", "batchNo", "place", "expected", "actual"}


def test_what_could_not_be_read_is_never_held(world: World) -> None:
    for blob in (world.folder / "blobs").iterdir():
        blob.unlink()
    made, shown = told(world)
    assert (made["verdict"], made["attest"]) == ("incomplete", False)
    assert {states(made)[number] for number in range(6, 19)} == {"not checked"}
    assert "What could not be checked" in shown
    assert "not read" in shown


def test_the_page_says_of_when_it_is_and_who_pays_whom(world: World) -> None:
    made, shown = told(world)
    assert "2033-05-18 03:33:20 UTC to 2033-05-18 04:33:20 UTC" in shown
    nets = [dict(batch.nets) for batch in (world.batches[2], world.batches[4])]
    merchants = sorted({merchant for each in nets for merchant in each})
    due = [(merchant, sum(each.get(merchant, 0) for each in nets)) for merchant in merchants]
    assert made["nets"] == [{"merchantId": merchant, "net": str(amount)} for merchant, amount in due]
    assert sum(amount for _, amount in due) == 0
    assert all(f'<td>{merchant}</td><td class="n">{amount:,}</td>' in shown for merchant, amount in due)
    world.batches[4].forced = {"sealed_at": 2**64 - 1}
    world.rehead(4)
    assert "to 9999-12-31 23:59:59 UTC" in told(world)[1]


def test_a_signed_report_is_its_auditors_down_to_the_letter(world: World) -> None:
    made, _ = told(world)
    signed = signed_report(made, ATTESTERS[0])
    by = "0x" + address(ATTESTERS[0]).hex()
    assert (signer_of(json.loads(report_text(signed))), signer_of(made)) == (by, None)
    assert f"signed in it by <code>{by}</code>" in page(signed)
    signature = signed["signature"]
    given = bytes.fromhex(signature["r"][2:]) + bytes.fromhex(signature["vs"][2:])
    odd, s = given[32] >> 7, bytes([given[32] & 0x7F]) + given[33:]
    text = encode_defunct(sha256(report_text(made).encode()).digest())
    assert Account.recover_message(text, signature=given[:32] + s + bytes([27 + odd])).lower() == by, "as any wallet"
    other = signed_report(made, ATTESTERS[1])["signature"]
    changes: tuple[dict[str, Any], ...] = (
        {"verdict": "findings"},
        {"seconds": 1},
        {"note": ""},
        {"signature": signature | {"signer": other["signer"]}},
        {"signature": signature | {"r": other["r"]}},
        {"signature": {}},
        {"signature": None},
    )
    for change in changes:
        with pytest.raises(ReportAltered):
            signer_of({**signed, **change})


def test_the_page_shows_text_as_text(world: World) -> None:
    made, _ = told(world)
    made["incomplete"] = ["<script>alert(1)</script>"]
    assert "<script>" not in page(made)


def test_netting_of_the_worked_example() -> None:
    assert netting_ratio(4_500_000, 2_000_000) == "0.5555"
    assert netting_ratio(5, 5) == "0.0000"
    assert netting_ratio(5, 0) == "1.0000"
    assert netting_ratio(0, 0) is None


def test_progress_is_plain_lines_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with Watch() as watch:
        watch.expect(3)
        watch.done(1)
        watch.begin(2)
        watch.done(2)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines()[-1] == "batch 2: 3 of 3 leaves"
    with Watch(quiet=True) as silent:
        silent.expect(1)
        silent.done(1)
    assert capsys.readouterr().err == ""


class Interrupted(Watch):
    """Somebody presses Ctrl-C while batch 3 is read."""

    def begin(self, batch_no: int) -> None:
        if batch_no == 3:
            raise KeyboardInterrupt


def test_an_interrupted_audit_says_what_it_covered(world: World) -> None:
    chain = world.chain()
    means = Means([Folder(world.folder)], AuditorKey(KID, PRIVATE), 1, Interrupted(quiet=True))
    outcome = audit(chain, chain.commits, means)
    assert (outcome.verdict, outcome.interrupted) == ("incomplete", True)
    assert [batch.batch_no for batch in outcome.batches if batch.checked] == [0, 1, 2]
    assert outcome.incomplete == ["interrupted: batches 0 to 2 were checked, 2 of 5 were not"]
    made = report(outcome, rpc=[], anchored=False)
    assert (made["verdict"], made["attest"]) == ("incomplete", False)
