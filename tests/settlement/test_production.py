"""What production asks of the settling processes' settings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from api.settings import Settings
from settlement.chain.senders import KeyRefused
from settlement.sealing.lanes import KeystoreRefused, create_keystore
from settlement.sealing.remote_lanes import RemoteLanes, RosterRefused, Route, read_signers, write_roster
from settlement.settings import SettlementSettings
from settlement.tasks.works import Works
from settlement.tiers.founding import DEVELOPMENT
from settlement.tiers.proving import JOB_S_MAX, PROVE_S_MAX

PASSWORD = "nobody-may-see"
MIRRORS = [{"kind": "http", "address": f"https://{name}.example/a"} for name in ("one", "two")]


@pytest.fixture(autouse=True)
def production(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TONGDUI_ENVIRONMENT", "production")
    monkeypatch.setenv("TONGDUI_DATABASE_URL", "postgresql://db.example/tongdui")
    monkeypatch.setenv("TONGDUI_MIRRORS", json.dumps(MIRRORS))
    monkeypatch.setenv("TONGDUI_VAR", str(tmp_path))
    (tmp_path / "keys").mkdir()


def test_every_batch_is_inspected_or_it_is_said_why_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="TONGDUI_INSPECTOR_KEYS"):
        SettlementSettings()
    monkeypatch.setenv("TONGDUI_UNINSPECTED_BECAUSE", "the attesters are three and look first")
    assert SettlementSettings().inspector_file is None
    monkeypatch.delenv("TONGDUI_UNINSPECTED_BECAUSE")
    (tmp_path / "keys" / "auditor.reader.json").write_text("{}")
    assert SettlementSettings().inspector_file == tmp_path / "keys" / "auditor.reader.json"


def test_nobody_pays_with_a_key_that_everybody_has() -> None:
    """Wherever it is kept: the first account of every test node, behind a signer that is not even asked."""
    first = "0x7e5f4552091a69125d5dfcb7b8c2659029395bdf"
    settings = SettlementSettings(
        uninspected_because="a test", signer_url="http://127.0.0.1:1", signer_address=first, rpc_url=None
    )
    with pytest.raises(KeyRefused, match="everybody has its key"):
        Works(settings=settings, dsn="", now_ms=lambda: 0).rpc_url()


@pytest.mark.parametrize("settings", [SettlementSettings, Settings])
def test_what_is_wrong_with_settings_tells_no_password(
    monkeypatch: pytest.MonkeyPatch, settings: type[SettlementSettings | Settings]
) -> None:
    """It stands beside what is wrong, which a process says on its way out: nothing of the settings is repeated."""
    monkeypatch.setenv("TONGDUI_DATABASE_URL", f"postgresql://u:{PASSWORD}@db.example/tongdui")
    monkeypatch.setenv("TONGDUI_SIGNER_URL", f"https://u:{PASSWORD}@signer.example")
    monkeypatch.setenv("TONGDUI_PUBLIC", "true")
    monkeypatch.delenv("TONGDUI_ENVIRONMENT")
    with pytest.raises(ValidationError) as refused:
        settings()
    assert "TONGDUI_" in str(refused.value)
    assert PASSWORD not in str(refused.value)
    assert "input_value" not in str(refused.value), "which shows the beginning and the end of all settings"


def test_lanes_are_signed_for_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TONGDUI_UNINSPECTED_BECAUSE", "a test")
    keystore = create_keystore(tmp_path / "keys" / "lanes.json", [1])
    works = Works(settings=SettlementSettings(), dsn="", now_ms=lambda: 0)
    with pytest.raises(KeystoreRefused, match="production"):
        works.lanes()
    write_roster(tmp_path / "keys" / "lanes.json", keystore.roster)
    monkeypatch.setenv("TONGDUI_LANES_URL", "http://127.0.0.1:8655")
    lanes = Works(settings=SettlementSettings(), dsn="", now_ms=lambda: 0).lanes()
    assert isinstance(lanes, RemoteLanes)
    assert [lane.id for lane in lanes.roster] == [lane.id for lane in keystore.roster]


def test_merchants_may_have_signers_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "token").touch(mode=0o600)
    (tmp_path / "token").write_text("a token of some letters\n")
    listed = [
        {"url": "https://one.example", "tokenFile": "token", "merchants": [1, 2]},
        {"url": "https://three.example", "merchants": [3]},
    ]
    (tmp_path / "signers.json").write_text(json.dumps(listed))
    own = Route("https://one.example", "a token of some letters")
    assert read_signers(tmp_path / "signers.json") == {1: own, 2: own, 3: Route("https://three.example")}
    for text in ("{", "7", '[{"url": "x"}]', '[{"merchants": [1]}]'):
        (tmp_path / "signers.json").write_text(text)
        with pytest.raises(RosterRefused):
            read_signers(tmp_path / "signers.json")


def test_what_a_dead_worker_had_is_handed_on_while_somebody_waits_for_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A queue that misses a worker later than a job lives would drop the job; RabbitMQ sees it at once."""
    (tmp_path / "circuit.json").write_text(json.dumps({"setup": "ceremony", "vk_hash": "0x" + "22" * 32}))
    told = {"UNINSPECTED_BECAUSE": "a test", "TIER_ASSISTED": "true", "TIER_CIRCUIT": str(tmp_path)}
    for name, value in told.items():
        monkeypatch.setenv(f"TONGDUI_{name}", value)
    latest = JOB_S_MAX - PROVE_S_MAX
    assert SettlementSettings(redelivery_seconds=latest).tier_assisted
    with pytest.raises(ValidationError, match="TONGDUI_REDELIVERY_SECONDS"):
        SettlementSettings(redelivery_seconds=latest + 1)
    assert SettlementSettings(redelivery_seconds=latest + 1, broker_url="amqp://broker.example").tier_assisted
    assert not SettlementSettings(redelivery_seconds=latest + 1, tier_assisted=False).tier_assisted


def test_nothing_is_proven_with_keys_that_everybody_can_make(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Found out when the process starts and not when a member asks; whatever the folder calls its keys."""
    manifest = json.loads((DEVELOPMENT / "circuit.json").read_text())
    monkeypatch.setenv("TONGDUI_UNINSPECTED_BECAUSE", "a test")
    monkeypatch.setenv("TONGDUI_TIER_ASSISTED", "true")
    for told, words in (
        (manifest, "no development keys"),
        (manifest | {"setup": "ceremony"}, "no development keys"),
        (manifest | {"setup": "trust me", "vk_hash": "0x" + "22" * 32}, "no manifest"),
        (["setup"], "not a JSON object"),
    ):
        (tmp_path / "circuit.json").write_text(json.dumps(told))
        with pytest.raises(ValidationError, match=words):
            SettlementSettings(tier_circuit=tmp_path)
    for folder, words in ((None, "no development keys"), (tmp_path / "nowhere", "no such file")):
        with pytest.raises(ValidationError, match=words):
            SettlementSettings(tier_circuit=folder)


def test_a_second_node_is_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TONGDUI_UNINSPECTED_BECAUSE", "a test")
    one = "https://someone@node.example/key"
    with pytest.raises(ValidationError, match="TONGDUI_RPC_CHECK_URL"):
        SettlementSettings(rpc_url=one, rpc_check_url=f"{one}/")
    settings = SettlementSettings(rpc_url=one, rpc_check_url="https://other.example/key")
    second = Works(settings=settings, dsn="", now_ms=lambda: 0).second()
    assert second is not None
    assert second.place == "https://other.example"
