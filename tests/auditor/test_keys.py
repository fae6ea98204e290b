"""An auditor makes its own keys by command: in files of its owner's alone, and the public halves are printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from auditor.__main__ import CLEAN, WRONG_USE, main
from auditor.attest import load_signer
from auditor.fetch import load_key
from proofs.signature import address_of


def test_what_is_printed_is_the_public_half_of_what_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reader, signer = tmp_path / "reader.json", tmp_path / "signer.key"
    asked = ["new-key", "--kid", "auditor-2", "--reader", str(reader), "--signer", str(signer)]
    assert main(asked) == CLEAN
    told = re.fullmatch(r'reader "auditor-2": "(\w{64})"\nattester 0x(\w{40})\n', capsys.readouterr().out)
    assert told is not None
    key = load_key(reader)
    assert (key.kid, key.private.public_key().public_bytes_raw().hex()) == ("auditor-2", told[1])
    assert address_of(load_signer(signer).public_key).hex() == told[2]
    assert [path.stat().st_mode & 0o077 for path in (reader, signer)] == [0, 0]
    kept = reader.read_bytes()
    assert main(asked) == WRONG_USE
    assert "is there already" in capsys.readouterr().err
    assert reader.read_bytes() == kept


@pytest.mark.parametrize("asked", [[], ["--kid", "Übel", "--reader", "nowhere"]])
def test_nothing_asked_for_and_a_name_that_is_none_are_refused(
    asked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["new-key", *asked]) == WRONG_USE
    assert "--" in capsys.readouterr().err
