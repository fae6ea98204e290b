"""The demonstration as a user runs it: a process, an environment, files left behind; nothing of it is replaced."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import httpx2
import pytest

from api.demo.merchants import SMALL_ALLIANCE
from tests.conftest import ROOT
from tests.e2e.sources import Source, generated
from tests.loopback import free_port
from tests.oracle.alliance import OPERATOR

EVENTS, MEMBERS = 900, 24
RUN_S_MAX = 240
INTERRUPTIONS = 4
AFTER_MS_MAX = 12_000

pytestmark = [pytest.mark.slow, pytest.mark.timeout(4 * RUN_S_MAX)]


def environment(var: Path, chosen: Mapping[str, str]) -> dict[str, str]:
    """A run that stops after its report and keeps everything in `var`."""
    small = {"TONGDUI_DEMO_EVENTS": str(EVENTS), "TONGDUI_DEMO_MEMBERS": str(MEMBERS)}
    inherited = {name: value for name, value in os.environ.items() if name not in {"EVENTS", "REFUND_LINKS", "TIERS"}}
    return inherited | {"TONGDUI_VAR": str(var), "SERVE": "0"} | small | dict(chosen)


@contextmanager
def started(var: Path, *program: str, **chosen: str) -> Iterator[tuple[subprocess.Popen[str], Callable[[str], str]]]:
    """The running command, or another program in its place, and what reads its words until one is among them."""
    with subprocess.Popen(
        [sys.executable, *(program or ("-m", "api.demo"))],
        env=environment(var, chosen),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:

        def heard(word: str) -> str:
            assert process.stdout is not None
            said = ""
            while word not in said:
                line = process.stdout.readline()
                assert line, said
                said += line
            return said

        yield process, heard


def demo(var: Path, **chosen: str) -> tuple[int, str]:
    """Run it to its end: exit code and what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "api.demo"],
        env=environment(var, chosen),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=RUN_S_MAX,
        check=False,
    )
    return done.returncode, done.stdout


def report(var: Path) -> dict[str, Any]:
    """What it left behind."""
    told: dict[str, Any] = json.loads((var / "report.json").read_text())
    return told


def lasting(told: dict[str, Any]) -> dict[str, Any]:
    """The part of a report that another run over the same ledger must repeat."""
    measured = {"seconds", "events_per_second"}
    kept = {name: part for name, part in told.items() if name not in measured}
    return kept | {"events": {name: value for name, value in told["events"].items() if name != "added"}}


def agree(told: dict[str, Any], source: Source) -> None:
    """The report against the oracle."""
    oracle = source.oracle()
    oracle.charge_fees()
    nets = dict.fromkeys([*oracle.conditions, OPERATOR], 0) | oracle.nets()
    assert told["nets"] == nets
    for code, points in told["points"].items():
        assert points["issued"] == oracle.issued()[code]
        assert points["used"] == oracle.used()[code]
        assert points["outstanding"] == oracle.outstanding()[code]
        assert points["net_au"] == nets[code]
        assert points["position_au"] == 0, "the chain has moved all of it"
    assert told["events"]["nothing_to_redeem"] == len(oracle.refused)


def served(var: Path) -> tuple[dict[str, Any], str]:
    """Run it again with SERVE=1, ask the API for a purchase, press Ctrl-C; the receipt and what was said."""
    port = free_port()
    with started(var, SERVE="1", TONGDUI_PORT=str(port)) as (process, heard):
        said = heard("Uvicorn running")
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=RUN_S_MAX) as client:
            assert client.get("/openapi.json").json()["openapi"].startswith("3.1")
            bearer = (var / "keys" / "api.token").read_text().strip()
            first = first_purchase_of_first_merchant(var / "generated" / "events.csv.gz")
            answer = client.get(f"/v1/receipts/{first}", headers={"Authorization": f"Bearer {bearer}"})
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=RUN_S_MAX)
        assert process.returncode == 0, said + rest
        assert answer.status_code == 200, answer.text
        receipt: dict[str, Any] = answer.json()
        return receipt, said + rest


def first_purchase_of_first_merchant(events: Path) -> str:
    """Its event id; the demonstration's API key is the first merchant's."""
    lines = gzip.decompress(events.read_bytes()).decode().splitlines()
    return next(line.split(",")[0] for line in lines if f",purchase,{SMALL_ALLIANCE[0].code}," in line)


def test_a_year_ends_settled_audited_and_repeatable(tmp_path: Path) -> None:
    var = tmp_path / "var"
    code, said = demo(var)
    assert code == 0, said
    told = report(var)
    assert told["problems"] == []
    assert told["audit"]["verdict"] == "clean"
    assert told["events"]["added"] == told["events"]["taken"] > EVENTS * 8 // 10
    assert told["invariants"]["rebuild-equals-store"] == {"held": True, "detail": "held"}
    assert "rebuild-equals-store" in said
    assert "rebuild-equals-store" in (var / "report.html").read_text()
    assert told["payments"] == told["events"]["redemptions"] > 0, "the file's payments are all the ledger has"
    assert {batch["state"] for batch in told["batches"][1:]} == {"FINALISED"}
    assert told["batches"][-1]["settling"]
    assert told["gas"]["total"] > 0
    agree(told, generated(tmp_path / "again", events=EVENTS, members=MEMBERS))
    assert "<svg" in (var / "report.html").read_text()
    assert (var / "rejects.jsonl").read_text() == ""
    assert [path for path in (var / "keys").iterdir() if path.stat().st_mode & 0o077] == []
    steps = {step["name"]: (step["state"], step["said"]) for step in told["tiers"]["steps"]}
    assert [(name, state) for name, (state, _) in steps.items()] == [("proof", "left-out"), ("epoch", "held")]
    assert "no tier has 50 members" in steps["proof"][1], "too few for a cohort: sealed, and not asked"
    assert f"{MEMBERS} members in one root" in steps["epoch"][1]

    receipt, said = served(var)
    assert receipt["inclusions"][0]["state"] == "finalised", "a replayed purchase can be proven to its member"
    assert receipt["inclusions"][0]["proof"], said
    again = report(var)
    assert again["events"]["added"] == 0
    assert "Nothing of it is new" in " ".join(said.split())
    assert lasting(again) == lasting(told)


def test_bad_lines_are_refused_and_the_exit_code_says_so(tmp_path: Path) -> None:
    source = generated(tmp_path / "made", events=500, members=10)
    lines = gzip.decompress(source.events.read_bytes()).splitlines()
    bad = {
        3: b"made-up,not a line",
        7: lines[7].replace(b",CNY,", b",EUR,"),
        11: lines[11].replace(b"gen-", b"\xff\xfe"),
    }
    path = tmp_path / "events.csv.gz"
    whole = gzip.compress(b"\n".join(bad.get(number, line) for number, line in enumerate(lines)) + b"\n")
    path.write_bytes(whole[:-8])
    code, said = demo(tmp_path / "var", EVENTS=str(path), REFUND_LINKS=str(source.links), TIERS="0")
    assert code == 3, said
    told = report(tmp_path / "var")
    assert told["problems"] == []
    rejected = [json.loads(line) for line in (tmp_path / "var" / "rejects.jsonl").read_text().splitlines()]
    codes = [(row["line"], row["code"]) for row in rejected if row["code"] != "order-unknown"]
    assert codes == [(4, "columns"), (8, "currency"), (12, "utf-8"), (len(lines) + 1, "truncated")]
    assert told["events"]["refused"] == len(rejected)
    assert told["events"]["taken"] + told["events"]["refused"] == len(lines) - 1 + 1, "the lines, and the missing end"


@pytest.mark.parametrize(("name", "content"), [("nowhere.csv", None), ("other.csv", "a,b\n1,2\n")])
def test_a_file_that_is_not_one_is_refused_with_a_sentence(tmp_path: Path, name: str, content: str | None) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    code, said = demo(tmp_path / "var", EVENTS=str(tmp_path / name))
    assert code == 2
    assert name in said
    assert "Traceback" not in said


def interrupted(var: Path, after_ms: int) -> tuple[int, str]:
    """Start it, wait for its first word, and press Ctrl-C after a while."""
    with started(var) as (process, heard):
        first = heard("\n")
        try:
            said, _ = process.communicate(timeout=after_ms / 1_000)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            said, _ = process.communicate(timeout=RUN_S_MAX)
        return process.returncode, first + said


def robbed(var: Path, place: str) -> tuple[int, str]:
    """Start it and kill one of its servers as soon as both are up: the database or the chain."""
    with started(var) as (process, heard):
        said = heard("servers")
        if place == "chain":
            os.kill(json.loads((var / "chain" / "node.json").read_text())["pid"], signal.SIGKILL)
        else:
            os.kill(int((var / "postgres" / "data" / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
        rest, _ = process.communicate(timeout=RUN_S_MAX)
        return process.returncode, said + rest


def test_whatever_ends_it_nothing_is_lost_and_nothing_doubled(tmp_path: Path) -> None:
    """A killed server is a sentence, Ctrl-C at any moment an exit code; the run after them all ends as any other."""
    var, rng = tmp_path / "var", Random(os.urandom(8).hex())
    for place in ("postgres", "chain"):
        code, said = robbed(var, place)
        assert code == 2, said
        assert "Traceback" not in said
        assert "run it again" in said
    moments = [rng.randrange(AFTER_MS_MAX) for _ in range(INTERRUPTIONS)]
    for after_ms in moments:
        code, said = interrupted(var, after_ms)
        assert code in {0, 130}, f"after {after_ms} ms of {moments}: {said}"
        assert "Traceback" not in said, f"after {after_ms} ms of {moments}: {said}"
    code, said = demo(var)
    assert code == 0, f"{moments}: {said}"
    told = report(var)
    assert told["problems"] == []
    agree(told, generated(tmp_path / "again", events=EVENTS, members=MEMBERS))


def test_an_interruption_inside_a_destructor_is_none_the_less_one(tmp_path: Path) -> None:
    """The interpreter throws away what a destructor raises, and says so with a trace."""
    dropping = """
import os, signal, sys, types

class Dropped:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1_000):
            pass

def main():
    Dropped()
    for _ in range(100):
        signal.sigtimedwait([], 0.1)
    return 0

sys.modules["api.demo.command"] = types.SimpleNamespace(main=main)
from api.demo.__main__ import main as demo
sys.exit(demo())
"""
    done = subprocess.run(
        [sys.executable, "-c", dropping],
        env=environment(tmp_path / "var", {}),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=RUN_S_MAX,
        check=False,
    )
    assert (done.returncode, done.stderr) == (130, ""), done.stdout + done.stderr
    assert "Interrupted" in done.stdout


def test_an_interruption_after_the_end_keeps_the_exit_code(tmp_path: Path) -> None:
    lingering = (
        "import atexit, sys, time; from api.demo.__main__ import main; "
        "atexit.register(lambda: (print('ending', flush=True), time.sleep(1))); sys.exit(main())"
    )
    with started(tmp_path / "var", "-c", lingering, EVENTS=str(tmp_path / "nowhere.csv")) as (process, heard):
        said = heard("ending")
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=RUN_S_MAX)
        assert (process.returncode, rest) == (2, ""), said + rest
