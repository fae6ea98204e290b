"""What strangers send to the doors of tier proofs: bodies too large, numbers in other spellings, lines that do not
print, a partner that floods. Each is refused for what it is, by a problem of the catalogue, and nothing of it is kept.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, NamedTuple

import psycopg
import pytest

from api.app import ROOMS
from api.parse import BODY_BYTES_MAX
from api.tiers import rows
from api.tiers.verifying import PROOF_BYTES_MAX
from proofs.poseidon import R
from proofs.tier.policy import Policy
from tests.api.tiers import alliance
from tests.api.tiers.alliance import GOLD, MEMBERS, let_in
from tests.attacks.tiers.scene import Scene

JOB = {"job": "8f1f0a52-6a2c-4a8e-9d3b-0d7a4c1c2b3a", "reply_key": "a5" * 32}
NOBODY = "0x" + "00" * 32


class Body(NamedTuple):
    """What a door takes, who sends it, and which of its numbers have one spelling."""

    holder: str
    body: dict[str, Any]
    numbers: tuple[str, ...] = ()


BODIES = {
    "POST /v1/members/{member}/sessions": Body("operator", {"seconds": 60}, ("seconds",)),
    "PUT /v1/me/tier-commitment": Body("member", {"commitment": "15"}, ("commitment",)),
    "POST /v1/me/proof-consents": Body("member", {"request_id": NOBODY, "given": True}),
    "POST /v1/me/assisted-proofs": Body(
        "member", {"request_id": NOBODY, "secret": "15", "use_index": 0}, ("secret", "use_index")
    ),
    "POST /v1/me/assisted-proofs/fetch": Body("member", JOB),
    "POST /v1/partners": Body(
        "operator",
        {
            "partner_id": 9,
            "audience": "partner-9.example",
            "address": "0x" + "3a" * 20,
            "grid": alliance.GRID.to_json(),
            "asks_per_day_max": 5,
            "narrowings_max": 1,
        },
        ("partner_id", "asks_per_day_max", "narrowings_max"),
    ),
    "POST /v1/partners/{partner_id}/passes": Body("operator", {"days": 1}, ("days",)),
    "POST /v1/proof-requests": Body("partner", {}),
    "POST /v1/tier-proofs/verify": Body("partner", {}),
}
BODILESS = {
    *("POST /v1/members/{member}/sessions/end", "POST /v1/me/session/end", "POST /v1/partners/{partner_id}/end"),
    "POST /v1/epochs/{epoch}/revoke",
}
SPELLINGS: list[Any] = [
    *(
        1.0,
        1.5,
        True,
        None,
        -1,
        2**256,
        "",
        " 5",
        "5 ",
        "+5",
        "-5",
        "05",
        "1_0",
        "0x5",
        "1e3",
        "٥",
        "５",
        "1.0",
        [5],
        {},
    ),
    *("9" * 79, R << 1, 10**400),
]
"""Numbers as they are not written: neither an integer of JSON where that is wanted, nor plain decimal digits."""


@pytest.fixture
def tokens(scene: Scene) -> dict[str, str]:
    return {
        "operator": scene.operator.token,
        "member": let_in(scene.tea, MEMBERS[0]).token,
        "partner": scene.first.caller.token,
    }


def sent(scene: Scene, tokens: dict[str, str], door: str, content: bytes) -> Any:
    method, path = door.split()
    path = path.replace("{member}", MEMBERS[0]).replace("{partner_id}", "3").replace("{epoch}", "1")
    headers = {"Authorization": f"Bearer {tokens[BODIES[door].holder]}", "Content-Type": "application/json"}
    return scene.operator.http.request(method, path, content=content, headers=headers)


def test_every_write_of_the_tier_doors_is_tried_here() -> None:
    writes = {
        f"{method} {route.path}"
        for room in ROOMS
        if room.__name__.startswith("api.tiers.")
        for route in room.router.routes
        for method in route.methods - {"GET", "HEAD"}
    }
    assert writes == {*BODIES, *BODILESS}


def test_a_body_too_large_is_not_read(scene: Scene, tokens: dict[str, str]) -> None:
    """However it is filled; a partner's proof may be half as large as anything else."""
    for door in BODIES:
        most = PROOF_BYTES_MAX if door.endswith("/verify") else BODY_BYTES_MAX
        for filled in (b" " * (most + 1), b"[" * (most + 1), b'{"a":"' + b"x" * most + b'"}'):
            answer = sent(scene, tokens, door, filled)
            assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large"), door
    told = sent(scene, tokens, "POST /v1/tier-proofs/verify", b" " * PROOF_BYTES_MAX)
    scene.refused(told, "malformed")


def test_a_number_has_one_spelling(scene: Scene, tokens: dict[str, str]) -> None:
    for door, (_, body, numbers) in BODIES.items():
        for name in numbers:
            for spelling in SPELLINGS:
                answer = sent(scene, tokens, door, json.dumps(body | {name: spelling}).encode())
                told = answer.json()
                assert (answer.status_code, told["code"]) == (422, "field-invalid"), (door, name, spelling, told)
                assert told["errors"][0]["pointer"] == f"/{name}", (door, name, spelling)


@pytest.mark.parametrize("number", ["0", "03", "+3", "3.0", "٣", "%203", "3%00", "4294967296", "9" * 400, "-3", "0x3"])
def test_a_number_in_a_path_has_one_spelling(scene: Scene, number: str) -> None:
    for path in (f"/v1/partners/{number}/passes", f"/v1/epochs/{number}/revoke"):
        answer = scene.operator.post(path, {"days": 1})
        assert (answer.status_code, answer.json()["code"]) == (422, "field-invalid"), path
    assert scene.operator.http.get(f"/v1/epochs/{number}").json()["code"] == "field-invalid"


UNSHOWN = ["tea\x00", "tea\n", "tea\u202egnp", "te\u0301a", "\ud800", "tea\u200b", "\u00a0"]


@pytest.mark.parametrize("line", UNSHOWN)
def test_a_name_that_does_not_print_is_nobodys(scene: Scene, tokens: dict[str, str], line: str) -> None:
    """Members know a partner by its name, and a purpose is read as one line: neither may turn or hide letters."""
    body = BODIES["POST /v1/partners"].body | {"audience": line}
    answer = sent(scene, tokens, "POST /v1/partners", json.dumps(body).encode())
    assert (answer.status_code, answer.json()["code"]) in {(422, "field-invalid"), (400, "body-malformed")}
    asked = scene.first.request(Policy(tier_mask=GOLD))
    asked["request"]["purpose"] = line
    answer = sent(scene, tokens, "POST /v1/proof-requests", json.dumps(asked).encode())
    assert (answer.status_code, answer.json()["code"]) in {(422, "field-invalid"), (400, "body-malformed")}


def test_a_partner_that_floods_pushes_out_its_own_refusals_alone(scene: Scene, database: str) -> None:
    """So many are kept of one; and whoever sends what cannot be read learns nothing but that it was refused."""
    scene.refused(scene.second.show(NOBODY, {}), "malformed")
    now = datetime.now(UTC)
    with psycopg.connect(database) as connection:
        connection.execute(
            "INSERT INTO api.tier_refusal (at, partner_id, reason) SELECT %s, 3, 'flood' FROM generate_series(1, %s)",
            (now, rows.REFUSALS_EACH_MAX + 30),
        )
    scene.refused(scene.first.show(NOBODY, {}), "malformed")
    with psycopg.connect(database) as connection:
        kept = connection.execute("SELECT partner_id, count(*) FROM api.tier_refusal GROUP BY 1 ORDER BY 1").fetchall()
    assert kept == [(3, rows.REFUSALS_EACH_MAX), (4, 1)]


def test_a_request_is_not_lent_between_partners(scene: Scene) -> None:
    """The second shows a visitor the first one's request, and comes with the answer: it is told no, and uses nothing
    up. To ask the same in its own name it would have to be the first: number, name, scope and signature are checked.
    """
    asked, response = scene.answered()
    scene.refused(scene.second.show(asked["id"], response), "request-of-another")
    own = scene.second.asked(Policy(tier_mask=GOLD))
    scene.refused(scene.second.show(own["id"], response), "proof")
    for changed in ("partner_id", "audience", "scope"):
        stolen = asked["signed"] | {
            "request": asked["signed"]["request"] | {changed: own["signed"]["request"][changed]}
        }
        answer = scene.second.caller.post("/v1/proof-requests", stolen)
        assert answer.json()["code"] == "proof-request-unfit", changed
    assert scene.second.caller.post("/v1/proof-requests", asked["signed"]).json()["data"] == {"why": "partner"}
    assert scene.first.show(asked["id"], response).status_code == 200


def test_the_body_chooses_nothing_that_the_pass_and_the_request_say(scene: Scene) -> None:
    """More fields, other signals, another partner's number: whatever stands beside the two wanted is refused."""
    asked, response = scene.answered()
    usual = {"request_id": asked["id"], "response": response}
    for more in ({"partner_id": 3}, {"signals": ["1"] * 6}, {"policy": "0"}, {"request_id": asked["id"].upper()}):
        scene.refused(scene.first.caller.post("/v1/tier-proofs/verify", usual | more), "malformed")
    twice = json.dumps(usual)[:-1] + f', "request_id": "{asked["id"]}"}}'
    headers = {"Authorization": f"Bearer {scene.first.caller.token}", "Content-Type": "application/json"}
    http = scene.operator.http
    scene.refused(http.post("/v1/tier-proofs/verify", content=twice.encode(), headers=headers), "malformed")
    query = http.post("/v1/tier-proofs/verify?partner=4", json=usual, headers=headers)
    assert (query.status_code, query.json()["errors"][0]["pointer"]) == (422, "#query/partner")
    assert scene.first.show(asked["id"], response).status_code == 200
