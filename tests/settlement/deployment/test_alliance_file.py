"""The file that an alliance is founded with: what is wrong is told by field."""

import json
from pathlib import Path
from typing import Any

import pytest

from settlement.alliance import PARAMS
from settlement.deployment.alliance_file import AllianceFileRefused, founding_of, read_alliance_file
from settlement.sealing.lanes import Roster
from tests.settlement.deployment.town import alliance

EXAMPLE = """
chain_id = 11155111
asset = "0x1111111111111111111111111111111111111111"
[params]
slow_window_seconds = 259200
withdraw_delay_seconds = 259200
[[attesters]]
address = "0x2222222222222222222222222222222222222222"
role = "auditor"
weight = 2
[collateral]
1 = 10000000000
"""


def told(**changes: Any) -> dict[str, Any]:
    return {**alliance([1], tiers=False), **changes}


def refusal(folder: Path, form: object) -> str:
    path = folder / "alliance.json"
    path.write_text(json.dumps(form))
    with pytest.raises(AllianceFileRefused) as refused:
        read_alliance_file(path)
    return str(refused.value).removeprefix(f"{path}: ")


def test_toml_says_what_is_meant(tmp_path: Path) -> None:
    path = tmp_path / "alliance.toml"
    path.write_text(EXAMPLE)
    read = read_alliance_file(path)
    founding = founding_of(read, path, merchants=[1, 2], roster=Roster([]), terms=[])
    assert founding.asset == b"\x11" * 20
    assert founding.params == PARAMS._replace(slow_window_seconds=259_200, withdraw_delay_seconds=259_200)
    assert founding.attesters == [(b"\x22" * 20, 1, 2)]
    assert founding.collateral == {1: 10_000_000_000}
    with pytest.raises(AllianceFileRefused, match=r"collateral\.1: the ledger has no such merchant"):
        founding_of(read, path, merchants=[2], roster=Roster([]), terms=[])


def test_a_field_that_is_wrong_is_named(tmp_path: Path) -> None:
    attester = {"address": "0x" + "22" * 20, "role": "auditor", "weight": 1}
    to = told()["handover"]
    for form, words in (
        ({}, "chain_id: Field required"),
        (told(colour="red"), "colour: Extra inputs are not permitted"),
        (told(asset="0x12"), "asset: an address is 0x and 40 hex digits"),
        (told(asset="0x" + "00" * 20), "asset: an address is 0x and 40 hex digits, not all zero"),
        (told(attesters=[attester, {**attester, "role": "king"}]), "attesters[1].role: "),
        (told(attesters=[{**attester, "weight": 0}]), "attesters[0].weight: "),
        (told(params={"fast_window_seconds": 60}), "params.fast_window_seconds: "),
        (told(params={"slow_window_seconds": 31 * 86_400}), "params.slow_window_seconds: "),
        (
            told(params={"withdraw_delay_seconds": 86_400}),
            "params: withdraw_delay_seconds: at least slow_window_seconds",
        ),
        (told(params={"gross_cap_slow": 3_000_000_000_000}), "params: gross_cap_fast: at least gross_cap_slow"),
        (told(handover={**to, "guardians": []}), "handover.guardians: "),
        (told(handover={**to, "operator": 7}), "handover.operator: an address is"),
        ([], "Input should be a valid dictionary"),
    ):
        assert refusal(tmp_path, form).startswith(words), words


def test_what_is_no_toml_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "alliance.toml"
    path.write_text("chain_id = ")
    with pytest.raises(AllianceFileRefused, match=r"alliance\.toml"):
        read_alliance_file(path)
