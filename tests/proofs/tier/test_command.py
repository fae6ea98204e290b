"""The partner's command line, run as a partner runs it: words, exit codes, and one refusal for the outside."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from os import mkfifo
from pathlib import Path
from typing import Any

import pytest

from proofs.tier.__main__ import main
from proofs.tier.second_opinion import disagreements
from proofs.tier.verify import Reason, Verdict
from tests.attacks.tier import FORM, HELD, NOW, TRUSTED, answer, request

ROOT = Path(__file__).parents[3]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "request.json").write_text(json.dumps(HELD["answers"][0]["request"]))
    (tmp_path / "response.json").write_text(json.dumps(answer()))
    (tmp_path / "trusted.json").write_text(json.dumps(FORM))
    return tmp_path


def verify(folder: Path, *words: str) -> int:
    files = [str(folder / "request.json"), str(folder / "response.json")]
    return main(["verify", *files, "--trusted", str(folder / "trusted.json"), "--now", str(NOW), *words])


def test_accepted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(folder, "--allow-dev") == 0
    said = capsys.readouterr()
    assert said.out.startswith("accepted  response.json\n")
    assert answer()["nullifier"] in said.out
    assert "development key" in said.err


def test_accepted_as_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    signer = (request().signer() or b"").hex()
    assert verify(folder, "--allow-dev", "--json", "--partner-key", "0x" + signer) == 0
    form = json.loads(capsys.readouterr().out)
    assert form == {
        "name": "response.json",
        "accepted": True,
        "scope": str(request().request.scope),
        "nullifier": answer()["nullifier"],
        "reason": None,
        "detail": None,
    }


def test_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "response.json").write_text(json.dumps(answer() | {"nullifier": "1_0"}))
    assert verify(folder, "--allow-dev") == 1
    assert "refused   response.json\n  for your log only: the response is not in the form" in capsys.readouterr().out
    assert verify(folder, "--allow-dev", "--json") == 1
    assert json.loads(capsys.readouterr().out)["reason"] == "form"
    (folder / "response.json").write_text(json.dumps(answer(1)))
    assert verify(folder, "--allow-dev", "--partner-key", "0x" + "11" * 20) == 1
    assert "not signed with the partner's key" in capsys.readouterr().out


def test_a_second_opinion(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(folder, "--allow-dev", "--second-opinion") == 0
    assert "py_ecc says the same" in capsys.readouterr().err
    (folder / "response.json").write_text(json.dumps(answer() | {"nullifier": "1"}))
    assert verify(folder, "--allow-dev", "--second-opinion") == 1
    assert "py_ecc says the same" in capsys.readouterr().err
    forged = json.dumps(answer() | {"nullifier": "1"}).encode()
    pairs = [(request(), forged), (request(), json.dumps(answer()).encode()), (request(), b"{}")]
    taken, wrong, unread = Verdict(), Verdict(Reason.PROOF), Verdict(Reason.FORM)
    assert disagreements(FORM, TRUSTED, pairs, [wrong, taken, unread]) == []
    assert disagreements(FORM, TRUSTED, pairs, [taken, wrong, unread]) == [0, 1], "whichever of them is mistaken"


def drop(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def write(name: str, content: str) -> Callable[[Path], Any]:
    return lambda folder: (folder / name).write_text(content)


@pytest.mark.parametrize(
    ("damage", "words", "said"),
    [
        (drop("request.json"), ["--allow-dev"], "No such file"),
        (drop("response.json"), ["--allow-dev"], "No such file"),
        (drop("trusted.json"), ["--allow-dev"], "No such file"),
        (write("request.json", "{}"), ["--allow-dev"], "request.json.request: is missing"),
        (write("request.json", "[" * 8_000), ["--allow-dev"], "nested deeper"),
        (write("trusted.json", "<html>"), ["--allow-dev"], "trusted.json: is not JSON"),
        (write("trusted.json", " " * 1_048_577), ["--allow-dev"], "at most 1048576"),
        (write("trusted.json", json.dumps(FORM)), [], "was not asked for"),
        (write("trusted.json", json.dumps(FORM)), ["--allow-dev", "--partner-key", "0x12"], "40 hex digits"),
        (write("trusted.json", json.dumps(FORM)), ["--allow-dev", "--batch", "."], "either a folder"),
    ],
)
def test_bad_input(
    folder: Path, capsys: pytest.CaptureFixture[str], damage: Callable[[Path], Any], words: list[str], said: str
) -> None:
    damage(folder)
    assert verify(folder, *words) == 2
    assert said in capsys.readouterr().err


def batch(folder: Path, *words: str) -> int:
    trusted = str(folder / "trusted.json")
    return main(["verify", "--batch", str(folder), "--trusted", trusted, "--allow-dev", "--now", str(NOW), *words])


def test_a_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert batch(folder) == 2, "there is no request in it"
    for at in (0, 1, 2):
        (folder / f"visit-{at}.request.json").write_text(json.dumps(HELD["answers"][at]["request"]))
        (folder / f"visit-{at}.response.json").write_text(json.dumps(answer(at)))
    capsys.readouterr()
    assert batch(folder, "--json") == 1
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["name"], row["accepted"], row["reason"]) for row in rows] == [
        ("visit-0", True, None),
        ("visit-1", False, "repeated"),
        ("visit-2", True, None),
    ]
    (folder / "visit-1.request.json").unlink()
    assert batch(folder) == 0
    (folder / "visit-2.response.json").unlink()
    assert batch(folder) == 2
    assert "visit-2.response.json" in capsys.readouterr().err


def test_a_folder_holds_files_whose_names_print(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A name with a line of its own would stand among the verdicts, and a pipe that nobody fills is waited for."""
    for name in ("visit", "x\naccepted  visit-9", "x\udc80"):
        (folder / f"{name}.request.json").write_text(json.dumps(request().to_json()))
        (folder / f"{name}.response.json").write_text("{}")
        assert batch(folder) == (1 if name == "visit" else 2)
        said = capsys.readouterr()
        assert "\naccepted" not in said.out + said.err
        (folder / f"{name}.request.json").unlink()
    mkfifo(folder / "visit.request.json")
    assert batch(folder) == 2
    assert "is no file" in capsys.readouterr().err


def test_a_request_explained(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["explain", str(folder / "request.json"), "--tiers", "Basic,Silver,Gold,Platinum", "--now", str(NOW)]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "partner 3, Café Lindenhof" in said
    assert "tier Platinum; the tier still holds on 2026-08-01; the key is of epoch 7 or before." in said
    assert "in order by itself" in said
    (folder / "request.json").write_text(json.dumps(HELD["answers"][0]["request"] | {"signature": "0x"}))
    assert main(words) == 1
    assert "signed by  nobody" in capsys.readouterr().out


def test_as_a_program(folder: Path) -> None:
    """With the clock's own time the golden request has expired or has not been made yet: it is refused, not misread."""
    command = [sys.executable, "-m", "proofs.tier"]
    told = subprocess.run([*command, "--help"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert "explain" in told
    assert "verify" in told
    files = [str(folder / name) for name in ("request.json", "response.json")]
    trusted = ["--trusted", str(folder / "trusted.json"), "--allow-dev"]
    done = subprocess.run([*command, "verify", *files, *trusted], cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout.startswith("refused   response.json")
    nothing = subprocess.run([*command, "verify", *trusted], cwd=ROOT, check=False, capture_output=True, text=True)
    assert nothing.returncode == 2
