"""What may be set about mirrors, and what production refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from settlement.mirrors.settings import MirrorsSettings

SECRET = "a-secret-that-nobody-may-see"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ENVIRONMENT", "MIRRORS", "VAR"):
        monkeypatch.delenv(f"TONGDUI_{name}", raising=False)


@pytest.fixture
def secret(tmp_path: Path) -> str:
    path = tmp_path / "secret"
    path.write_text(SECRET + "\n")
    return str(path)


def bucket(secret: str, **changes: str) -> dict[str, str]:
    fixed = {"kind": "s3", "bucket": "alliance", "endpoint": "https://s3.example", "access_key_id": "operator"}
    return {**fixed, "secret_file": secret, **changes}


FOLDER = {"kind": "folder", "path": "/srv/published"}


def given(monkeypatch: pytest.MonkeyPatch, *mirrors: object, environment: str = "production") -> MirrorsSettings:
    monkeypatch.setenv("TONGDUI_ENVIRONMENT", environment)
    monkeypatch.setenv("TONGDUI_MIRRORS", json.dumps(mirrors))
    return MirrorsSettings()


def test_development_has_two_folders_of_its_own() -> None:
    assert [mirror.name for mirror in MirrorsSettings().open()] == ["var/published", "var/mirror"]


def test_three_kinds_in_production(monkeypatch: pytest.MonkeyPatch, secret: str) -> None:
    web = {"kind": "http", "address": "https://mirror.example/alliance", "token_file": secret}
    settings = given(monkeypatch, FOLDER, bucket(secret, prefix="published"), web)
    assert [mirror.name for mirror in settings.open()] == [
        "/srv/published",
        "s3://s3.example/alliance/published",
        "https://mirror.example/alliance",
    ]
    assert SECRET not in repr(settings) + settings.model_dump_json()


def test_one_place_is_not_enough_in_production(monkeypatch: pytest.MonkeyPatch, secret: str) -> None:
    for mirrors in ([], [FOLDER], [FOLDER, {**FOLDER, "path": "/srv/again"}], [bucket(secret), bucket(secret)]):
        with pytest.raises(ValueError, match="2 independent mirrors"):
            given(monkeypatch, *mirrors).open()
    assert len(given(monkeypatch, FOLDER, bucket(secret)).open()) == 2


@pytest.mark.parametrize(
    ("mirror", "named"),
    [
        ({"kind": "ftp"}, "kind"),
        ({"kind": "folder"}, "path"),
        ({**FOLDER, "secret": SECRET}, "secret"),
        (bucket("/nowhere", endpoint="http://s3.example"), "not https"),
        ({"kind": "http", "address": "http://mirror.example"}, "not https"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, mirror: dict[str, str], named: str
) -> None:
    with pytest.raises(ValidationError, match=named):
        given(monkeypatch, mirror)


def test_a_secret_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere"):
        given(monkeypatch, bucket("/nowhere/secret"), environment="development").open()
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(ValueError, match="is empty"):
        given(monkeypatch, bucket(str(tmp_path / "empty")), environment="development").open()
