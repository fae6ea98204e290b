"""What an operator may set, and what is refused before anything starts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from pydantic import ValidationError

from api.settings import DEVELOPMENT_CIRCUIT, Settings
from proofs.tier.circuit_folder import CircuitUnfit
from proofs.tier.trusted import Setup

EVERYWHERE = "0.0.0.0"  # noqa: S104 # the setting under test; nothing listens


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ENVIRONMENT", "DATABASE_URL", "HOST", "PORT", "PUBLIC", "READERS_MAX", "VAR"):
        monkeypatch.delenv(f"TONGDUI_{name}", raising=False)


def test_without_settings_it_is_loopback_and_development() -> None:
    settings = Settings()
    assert (settings.host, settings.production, settings.database_url) == ("127.0.0.1", False, None)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"TONGDUI_ENVIRONMENT": "production"}, "TONGDUI_DATABASE_URL"),
        ({"TONGDUI_HOST": EVERYWHERE}, "TONGDUI_HOST"),
        ({"TONGDUI_PUBLIC": "true"}, "TONGDUI_ENVIRONMENT"),
        ({"TONGDUI_PORT": "70000"}, "port"),
        ({"TONGDUI_READERS_MAX": "0"}, "readers_max"),
        ({"TONGDUI_ENVIRONMENT": "staging"}, "environment"),
    ],
)
def test_a_dangerous_setting_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], named: str
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=named):
        Settings()


def test_listening_for_everybody_has_to_be_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TONGDUI_HOST", EVERYWHERE)
    monkeypatch.setenv("TONGDUI_PUBLIC", "true")
    monkeypatch.setenv("TONGDUI_ENVIRONMENT", "development")
    assert Settings().public


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(Settings(), "port", 1)  # noqa: B010 # mypy knows as well that it is frozen


def test_production_checks_no_proof_with_keys_that_everybody_can_make(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whatever the folder calls them; and what is not as its manifest says is refused everywhere."""
    for name in ("circuit.json", "verification_key.json"):
        shutil.copy(DEVELOPMENT_CIRCUIT / name, tmp_path / name)
    manifest = json.loads((tmp_path / "circuit.json").read_text())
    given = Settings(tier_circuit=tmp_path)
    (served,) = given.tier_circuits()
    assert served.circuit.setup is Setup.DEV
    monkeypatch.setenv("TONGDUI_ENVIRONMENT", "production")
    monkeypatch.setenv("TONGDUI_DATABASE_URL", "postgresql://db.example/tongdui")
    strict = Settings(tier_circuit=tmp_path)
    assert Settings().tier_circuits() == (), "none instead of the clone's"
    for setup in ("dev", "ceremony"):
        (tmp_path / "circuit.json").write_text(json.dumps(manifest | {"setup": setup}))
        with pytest.raises(CircuitUnfit, match="development key"):
            strict.tier_circuits()
    for change, words in (
        ({"vk_hash": "0x" + "22" * 32}, "not vk_hash"),
        ({"circuit_id": "0x" + "22" * 32}, "another circuit"),
        ({"setup": "trust me"}, "dev or ceremony"),
    ):
        (tmp_path / "circuit.json").write_text(json.dumps(manifest | change))
        with pytest.raises(CircuitUnfit, match=words):
            given.tier_circuits()
