"""The auditor end to end: a process that knows a node, a hub, a folder and a key, on an alliance really settled.

One alliance is founded, attested, committed and finalised on the embedded chain for the whole module; each test audits
it, or a copy of what it published, and looks at the exit code and the report.
"""

from __future__ import annotations

import json
import shutil
import signal
import threading
from collections.abc import Callable
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from tests.attacks.forge import ATTESTERS, address
from tests.attacks.liar import lying
from tests.attacks.on_chain import Settled, settle
from tests.attacks.test_files import served

pytestmark = pytest.mark.xdist_group("audit on chain")


@pytest.fixture(scope="module")
def settled(early: str, tmp_path_factory: pytest.TempPathFactory) -> Settled:
    """All four batches attested while sealed, then committed and final."""
    made = settle(early, tmp_path_factory.mktemp("audited"))
    attestations = made.attest()
    assert [[entry["batchNo"] for entry in signed] for signed in attestations] == [[1, 2, 3, 4]] * 3
    for batch_no in range(1, 5):
        made.commit(batch_no, attestations)
    for batch_no in range(1, 5):
        made.finalise(batch_no)
    return made


def audited(settled: Settled, out: Path, *arguments: object, data: Path | None = None) -> tuple[int, dict[str, Any]]:
    """Exit code and report of one audit."""
    run = settled.auditor("audit", "--data", data or settled.published, "--out", out, *arguments)
    assert out.exists(), run.stderr
    report: dict[str, Any] = json.loads(out.read_text())
    return run.returncode, report


def test_an_honest_alliance_is_clean(settled: Settled, tmp_path: Path) -> None:
    code, report = audited(settled, tmp_path / "report.json", "--html", tmp_path / "report.html")
    assert (code, report["verdict"], report["findings"]) == (0, "clean", [])
    assert [batch["no"] for batch in report["batches"]] == [0, 1, 2, 3, 4]
    assert report["totals"]["events"] == sum(batch["sigsOk"] for batch in report["batches"]) == 21
    assert report["totals"]["points"] == report["totals"]["liabilities"]
    unchecked = {check["check"]: check["why"] for check in report["checks"] if check["state"] == "not checked"}
    assert unchecked.keys() == {1, 21, 23, 24, 26, 27, 28, 29}
    page = (tmp_path / "report.html").read_text()
    assert "✓ Clean" in page
    assert "://" not in page.replace(settled.url, "")


def test_an_anchor_makes_the_code_part_of_the_audit(settled: Settled, tmp_path: Path) -> None:
    _, report = audited(settled, tmp_path / "first.json")
    anchor = tmp_path / "anchor.json"
    anchor.write_text(json.dumps(report["anchor"]))
    code, report = audited(settled, tmp_path / "report.json", "--anchor", anchor)
    assert (code, report["checks"][0]["state"]) == (0, "held")
    anchor.write_text(json.dumps(report["anchor"] | {"codeHash": "0x" + "11" * 32}))
    code, report = audited(settled, tmp_path / "report.json", "--anchor", anchor)
    assert (code, [finding["code"] for finding in report["findings"]]) == (1, ["code-differs"])


def test_an_attester_refuses_a_chain_that_is_not_its_anchors(settled: Settled, tmp_path: Path) -> None:
    anchor = tmp_path / "anchor.json"
    anchor.write_text(json.dumps({"genesisHeaderHash": "0x" + "11" * 32}))
    files = ["--signer", settled.folder / "stranger.key", "--state", tmp_path / "state", "--out", tmp_path / "out.json"]
    run = settled.auditor("attest", "--data", settled.published, "--anchor", anchor, *files)
    assert run.returncode == 4, run.stderr
    assert "genesisHeaderHash" in run.stderr
    assert not (tmp_path / "out.json").exists()


def test_an_attester_signs_nothing_where_a_header_that_it_knows_is_another_one(
    settled: Settled, tmp_path: Path
) -> None:
    """As behind a hub that goes on after a forged one: what it saw of the true one is not there."""
    _, report = audited(settled, tmp_path / "first.json")
    known = tmp_path / "known.json"
    known.write_text(json.dumps(report | {"batches": [report["batches"][0] | {"headerHash": "0x" + "11" * 32}]}))
    files = ["--signer", settled.folder / "stranger.key", "--state", tmp_path / "state", "--out", tmp_path / "out.json"]
    run = settled.auditor("attest", "--data", settled.published, "--checkpoint", known, *files)
    assert run.returncode == 1, run.stderr
    told = json.loads((tmp_path / "out.json").read_text())
    assert ([each["code"] for each in told["findings"]], told["attestations"]) == (["checkpoint-differs"], [])


def test_a_range_says_what_it_takes_on_trust(settled: Settled, tmp_path: Path) -> None:
    code, report = audited(settled, tmp_path / "report.json", "--from", 3, "--to", 4)
    assert (code, [batch["no"] for batch in report["batches"]]) == (0, [3, 4])
    assert len(report["takenOnTrust"]) == 1


@pytest.mark.parametrize("span", [("--from", 9), ("--to", 9), ("--from", 3, "--to", 2)])
def test_a_range_that_is_not_there_is_never_clean(settled: Settled, tmp_path: Path, span: tuple[object, ...]) -> None:
    code, report = audited(settled, tmp_path / "report.json", *span)
    assert (code, report["verdict"], report["findings"]) == (2, "incomplete", [])


def test_a_clean_report_is_where_the_next_audit_begins(settled: Settled, tmp_path: Path) -> None:
    first = tmp_path / "first.json"
    code, report = audited(settled, first, "--to", 2)
    assert (code, report["range"]) == (0, {"from": 0, "to": 2})
    code, report = audited(settled, tmp_path / "second.json", "--resume", first, "--checkpoint", first)
    assert (code, [batch["no"] for batch in report["batches"]]) == (0, [3, 4])
    assert report["evidence"]["checkpoints"] == 3
    assert any("first.json" in note for note in report["takenOnTrust"])
    told = json.loads(first.read_text())
    told["batches"][1]["headerHash"] = "0x" + "11" * 32
    first.write_text(json.dumps(told))
    code, report = audited(settled, tmp_path / "second.json", "--resume", first)
    assert (code, [finding["code"] for finding in report["findings"]]) == (1, ["checkpoint-differs"])
    first.write_text(json.dumps(told | {"verdict": "incomplete"}))
    run = settled.auditor("audit", "--data", settled.published, "--out", tmp_path / "r.json", "--resume", first)
    assert run.returncode == 4, run.stderr


def test_a_signed_report_that_was_changed_is_nobodys(settled: Settled, tmp_path: Path) -> None:
    first = tmp_path / "first.json"
    code, report = audited(settled, first, "--to", 2, "--signer", settled.folder / "attester-0.key")
    assert (code, report["signature"]["signer"]) == (0, "0x" + address(ATTESTERS[0]).hex())
    code, _ = audited(settled, tmp_path / "second.json", "--resume", first, "--from", 3, "--to", 3)
    assert code == 0
    first.write_text(json.dumps(report | {"range": {"from": 0, "to": 3}}))
    for option in ("--resume", "--checkpoint", "--anchor"):
        run = settled.auditor("audit", "--data", settled.published, "--out", tmp_path / "r.json", option, first)
        assert (run.returncode, "somebody changed it" in run.stderr) == (4, True), run.stderr


def test_an_audit_that_is_interrupted_says_what_it_covered(settled: Settled, tmp_path: Path) -> None:
    """Ctrl-C while a mirror keeps the third batch waiting."""
    asked, go_on = threading.Event(), threading.Event()
    held = f"/blobs/{settled.batches[3].header.data_hash.hex()}"

    class Slow(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == held:
                asked.set()
                go_on.wait(60)
            super().do_GET()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with served(settled.published, Slow) as mirror:
        out = tmp_path / "report.json"
        with settled.starting("audit", "--data", mirror, "--out", out, "--jobs", 1) as run:
            assert asked.wait(60)
            run.send_signal(signal.SIGINT)
            _, said = run.communicate(timeout=60)
        go_on.set()
    assert run.returncode == 130, said
    report = json.loads(out.read_text())
    assert (report["verdict"], report["attest"]) == ("incomplete", False)
    assert [batch["no"] for batch in report["batches"] if batch["checked"]] in ([0, 1], [0, 1, 2])
    assert "interrupted" in report["incomplete"][0]


def test_a_corrupted_mirror_is_a_finding(settled: Settled, tmp_path: Path) -> None:
    spoiled = tmp_path / "published"
    shutil.copytree(settled.published, spoiled)
    chunk = next(iter(settled.batches[2].package.chunks))
    (spoiled / "blobs" / chunk).write_bytes(b"something else")
    code, report = audited(settled, tmp_path / "report.json", data=spoiled)
    assert (code, [finding["code"] for finding in report["findings"]]) == (1, ["blob-substituted"])


def test_withheld_data_is_incomplete(settled: Settled, tmp_path: Path) -> None:
    spoiled = tmp_path / "published"
    shutil.copytree(settled.published, spoiled)
    (spoiled / "blobs" / settled.batches[1].header.data_hash.hex()).unlink()
    code, report = audited(settled, tmp_path / "report.json", data=spoiled)
    assert (code, report["verdict"], report["findings"]) == (2, "incomplete", [])


def test_two_honest_nodes_agree(settled: Settled, tmp_path: Path) -> None:
    with lying(settled.url, lambda _method, result: result) as second:
        code, report = audited(settled, tmp_path / "report.json", "--rpc2", second)
    assert (code, len(report["rpc"])) == (0, 2)


def no_last_log(method: str, result: Any) -> Any:
    return result[:-1] if method == "eth_getLogs" else result


def another_header(method: str, result: Any) -> Any:
    return "0x" + "11" * 32 if method == "eth_call" else result


def another_code(method: str, result: Any) -> Any:
    return result[:-2] + "00" if method == "eth_getCode" else result


def nonsense(method: str, result: Any) -> Any:
    return {"not": "a list"} if method == "eth_getLogs" else result


def another_block(method: str, result: Any) -> Any:
    return result | {"hash": "0x" + "11" * 32} if method == "eth_getBlockByNumber" else result


@pytest.mark.parametrize("lie", [no_last_log, another_header, another_code, another_block])
def test_a_node_that_lies_stops_the_audit(settled: Settled, tmp_path: Path, lie: Callable[[str, Any], Any]) -> None:
    with lying(settled.url, lie) as second:
        run = settled.auditor("audit", "--data", settled.published, "--out", tmp_path / "report.json", "--rpc2", second)
    assert run.returncode == 3, run.stderr
    assert "disagree" in run.stderr
    assert not (tmp_path / "report.json").exists()


def test_a_node_that_talks_nonsense_leaves_the_audit_incomplete(settled: Settled, tmp_path: Path) -> None:
    with lying(settled.url, nonsense) as second:
        run = settled.auditor("audit", "--data", settled.published, "--out", tmp_path / "report.json", "--rpc2", second)
    assert run.returncode == 2, run.stderr
    assert "another form" in run.stderr


def test_a_silent_node_leaves_the_audit_incomplete(settled: Settled, tmp_path: Path) -> None:
    run = settled.auditor(
        "audit", "--data", settled.published, "--out", tmp_path / "r.json", "--rpc2", "http://127.0.0.1:9"
    )
    assert run.returncode == 2, run.stderr


def test_an_address_without_a_hub_leaves_the_audit_incomplete(settled: Settled, tmp_path: Path) -> None:
    run = settled.auditor("audit", "--data", settled.published, "--out", tmp_path / "r.json", "--hub", "0x" + "22" * 20)
    assert run.returncode == 2
    assert "no contract" in run.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("--anchor", "/nowhere"),
        ("--receipts", "/nowhere"),
        ("--journal", "/nowhere"),
        ("--resume", "/nowhere"),
        ("--checkpoint", "/nowhere"),
        ("--to", "yesterday"),
        ("--keys", "/nowhere"),
        ("--hub", "0x12"),
        ("--rpc", "ftp://127.0.0.1"),
        ("--rpc2", "the same"),
    ],
)
def test_wrong_use_has_an_exit_code_of_its_own(settled: Settled, tmp_path: Path, arguments: tuple[str, str]) -> None:
    option, value = arguments
    given = settled.url if value == "the same" else value
    run = settled.auditor("audit", "--data", settled.published, "--out", tmp_path / "r.json", option, given)
    assert run.returncode == 4, run.stderr
    assert "Traceback" not in run.stderr
