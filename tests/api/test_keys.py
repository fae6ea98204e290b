"""Bearer keys: what they look like, what is stored, how they end, and what the command line says."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import psycopg
import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from api import keys
from api.app import create_app
from api.auth import KEY_CACHED_SECONDS_MAX
from api.door import open_door
from api.keys.__main__ import app as command_line
from proofs.accounts import OPERATOR_ID
from tests.api.conftest import LATER, TEA, Caller, Clock, KeyMaker

MISSING, UNKNOWN, EXPIRED = "credentials-missing", "credentials-unknown", "credentials-expired"


def asked(http: TestClient, authorization: str | None) -> Any:
    headers = {} if authorization is None else {"Authorization": authorization}
    return http.get("/v1/receipts/none", headers=headers)


def test_a_key_is_256_random_bits_behind_a_name(new_key: KeyMaker) -> None:
    made = {new_key(TEA) for _ in range(20)}
    assert len(made) == 20
    for token in made:
        assert keys.read_token(token) is not None
        assert len(token) == len("tdk_test_") + 12 + 43


def test_the_table_has_the_digest_and_nothing_of_the_secret(new_key: KeyMaker, database: str) -> None:
    token = new_key(TEA)
    secret = token[-43:]
    with psycopg.connect(database) as connection:
        row = connection.execute("SELECT digest, key::text FROM api.key").fetchone()
    assert row is not None
    assert row[0] == hashlib.sha256(secret.encode()).digest()
    assert secret not in row[1]


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer ", "Basic dGVhOnRlYQ==", "Bearer " + "x" * 500])
def test_without_a_key_nothing_opens(http: TestClient, authorization: str | None) -> None:
    response = asked(http, authorization)
    assert (response.status_code, response.json()["code"]) == (401, MISSING)
    assert response.headers["www-authenticate"].startswith("Bearer")


def test_a_wrong_secret_and_an_unknown_name_answer_alike(http: TestClient, new_key: KeyMaker) -> None:
    token = new_key(TEA)
    wrong_secret = token[:-1] + ("A" if token[-1] != "A" else "B")
    unknown_name = "tdk_test_" + "a" * 12 + token[-43:]
    wrong_kind = token.replace("tdk_test_", "tdk_live_")
    answers = [asked(http, f"Bearer {text}").json() for text in (wrong_secret, unknown_name, wrong_kind, "tdk_test_x")]
    assert {(each["status"], each["code"], each["detail"]) for each in answers} == {
        (401, UNKNOWN, answers[0]["detail"])
    }


def test_a_key_opens_only_its_scopes(http: TestClient, new_key: KeyMaker) -> None:
    caller = Caller(http, new_key(TEA, scopes=["receipts:read"]))
    refused = caller.event("member.joined", member="m")
    assert (refused.status_code, refused.json()["code"]) == (403, "scope-missing")
    assert "events:write" in refused.json()["detail"]


def test_an_ended_key_is_refused_within_the_time_promised(tea: Caller, database: str, clock: Clock) -> None:
    tea.taken("member.joined", member="m")
    name = tea.token[9:21]
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE api.key SET expires_at = %s WHERE name = %s", (clock.at, name))
    clock.pass_by(seconds=KEY_CACHED_SECONDS_MAX)
    refused = tea.event("member.joined", member="n")
    assert (refused.status_code, refused.json()["code"]) == (401, EXPIRED)


def test_rotation_leaves_both_keys_open_for_the_overlap(tea: Caller, database: str, clock: Clock) -> None:
    name = tea.token[9:21]
    with psycopg.connect(database) as connection:
        token = keys.rotate(connection, name=name, overlap_hours=2)
        old = keys.look_up(connection, name)
        connection.execute("UPDATE api.key SET expires_at = least(expires_at, %s) WHERE name = %s", (clock.at, name))
    assert old is not None
    assert old.expires_at is not None
    assert Caller(tea.http, token).event("member.joined", member="m").status_code == 201
    assert not old.over(clock.at.replace(year=2000))
    assert tea.event("member.joined", member="n").json()["code"] == EXPIRED


def test_a_key_row_cannot_be_rewritten_or_prolonged(tea: Caller, database: str) -> None:
    name = tea.token[9:21]
    with psycopg.connect(database, autocommit=True) as connection:
        keys.revoke(connection, name=name)
        for change in ("merchant_id = 8", "scopes = '{x}'", "digest = sha256('x')", "expires_at = NULL"):
            with pytest.raises(psycopg.errors.RestrictViolation, match="only its end"):
                connection.execute(f"UPDATE api.key SET {change} WHERE name = %s", (name,))
        with pytest.raises(LookupError, match="no key"):
            keys.revoke(connection, name=name)
        with pytest.raises(LookupError, match="no key"):
            keys.rotate(connection, name=name, overlap_hours=1)


def test_last_use_is_noted(tea: Caller, database: str) -> None:
    tea.taken("member.joined", member="m")
    with psycopg.connect(database) as connection:
        (key,) = keys.keys_of(connection, TEA)
    assert key.last_used_at is not None


def test_a_wrong_secret_is_no_use_of_the_key(http: TestClient, new_key: KeyMaker, database: str) -> None:
    token = new_key(TEA)
    wrong = token[:-1] + ("A" if token[-1] != "A" else "B")
    assert asked(http, f"Bearer {wrong}").status_code == 401
    with psycopg.connect(database) as connection:
        assert [key.last_used_at for key in keys.keys_of(connection, TEA)] == [None]
        assert asked(http, f"Bearer {token}").status_code == 404
        assert asked(http, f"Bearer {wrong}").status_code == 401
        assert None not in [key.last_used_at for key in keys.keys_of(connection, TEA)]


@pytest.mark.usefixtures("door")
def test_production_refuses_test_keys_and_takes_live_ones(database: str, clock: Clock, new_key: KeyMaker) -> None:
    with (
        open_door(database, production=True, readers_max=1, now=clock) as strict,
        TestClient(create_app(strict)) as http,
    ):
        refused = asked(http, f"Bearer {new_key(TEA)}")
        taken = asked(http, f"Bearer {new_key(TEA, environment='live')}")
    assert (refused.status_code, refused.json()["code"]) == (403, "test-key-refused")
    assert (taken.status_code, taken.json()["code"]) == (404, "receipt-unknown")


def run(arguments: Sequence[str], database: str) -> Any:
    return CliRunner().invoke(command_line, arguments, env={"TONGDUI_DATABASE_URL": database})


@pytest.mark.usefixtures("door")
def test_the_command_line_issues_lists_rotates_and_revokes(http: TestClient, database: str) -> None:
    token = run(["issue", "--merchant", str(TEA), "--scope", "receipts:read"], database).output.strip()
    assert asked(http, f"Bearer {token}").status_code == 404
    name = token[9:21]
    renewed = run(["rotate", name, "--overlap-hours", "1"], database).output.strip()
    assert asked(http, f"Bearer {renewed}").status_code == 404
    listed = run(["list", "--merchant", str(TEA)], database).output
    assert name in listed
    assert renewed[9:21] in listed
    assert token[-43:] not in listed
    assert run(["revoke", renewed[9:21]], database).exit_code == 0
    again = run(["revoke", renewed[9:21]], database)
    assert again.exit_code == 1
    assert "refused: name" in again.output


@pytest.mark.usefixtures("door")
@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["issue", "--merchant", "77"], "merchant"),
        (["issue", "--merchant", str(LATER), "--scope", "all"], "scopes"),
        (["rotate", "a" * 12], "name"),
        (["rotate", "a" * 12, "--overlap-hours", "9999"], "overlap_hours"),
    ],
)
def test_the_command_line_names_what_it_refuses(database: str, arguments: list[str], named: str) -> None:
    refused = run(arguments, database)
    assert refused.exit_code == 1
    assert f"refused: {named}" in refused.output


def test_some_rights_are_given_on_purpose_and_some_never(database: str) -> None:
    with psycopg.connect(database) as connection:

        def scopes(merchant_id: int, wanted: Sequence[str] | None = None) -> frozenset[str]:
            token = keys.issue(connection, merchant_id=merchant_id, environment="test", scopes=wanted)
            stored = keys.look_up(connection, token[len("tdk_test_") :][:12])
            assert stored is not None
            return stored.scopes

        assert scopes(TEA) == frozenset(keys.SCOPES)
        assert scopes(TEA, keys.ON_PURPOSE) == frozenset(keys.ON_PURPOSE)
        assert scopes(OPERATOR_ID) == frozenset(keys.OPERATOR_SCOPES)
        for merchant_id, strange in (
            (TEA, "merchants:write"),
            (TEA, "disputes:resolve"),
            (OPERATOR_ID, "events:write"),
        ):
            with pytest.raises(ValueError, match=f"{strange} unknown"):
                keys.issue(connection, merchant_id=merchant_id, environment="test", scopes=[strange])
