"""A member's own doors: its commitment, its witness, its decisions."""

from __future__ import annotations

from typing import Any

import psycopg

from api.door import Door
from proofs.poseidon import R
from proofs.tier.attributes import Attributes
from proofs.tier.epoch_tree import root_from
from proofs.tier.policy import Policy
from proofs.tier.statement import epoch_tag, leaf
from settlement.tiers import proving
from settlement.tiers.proving import Prover, Sealed
from tests.api.conftest import Caller, Clock
from tests.api.tiers.alliance import (
    GOLD,
    KEYS,
    MEMBERS,
    NODE,
    TODAY,
    VAULT,
    Partner,
    let_in,
    own_commitment,
    put,
    secret,
)

MINE = "/v1/me/tier-commitment"
GOLD_OR_HIGHER = Policy(tier_mask=GOLD)


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "none")


def test_a_commitment_is_one_members_for_ever(tea: Caller, clock: Clock) -> None:
    for member in ("wang", "li"):
        tea.taken("member.joined", member=member)
        tea.taken("order.paid", member=member, order=f"o-{member}", amount_minor=1_000)
    wang, li = let_in(tea, "wang"), let_in(tea, "li")
    body = {"commitment": str(own_commitment("wang"))}
    enrolled = put(wang, MINE, body)
    assert (enrolled.status_code, enrolled.json()["from_epoch"]) == (200, TODAY + 1)
    clock.pass_by(minutes=5)
    assert put(wang, MINE, body).json() == enrolled.json(), "the same again"
    assert code(put(li, MINE, body)) == (409, "commitment-taken")
    another = {"commitment": str(own_commitment("wang again"))}
    assert put(wang, MINE, another).status_code == 200
    assert code(put(wang, MINE, body)) == (409, "commitment-taken"), "an older one does not come back"
    for made_up in ("0", str(R), "01", " 1", "1" * 79):
        assert code(put(li, MINE, {"commitment": made_up})) == (422, "field-invalid")


def test_a_member_draws_no_end_of_keys(tea: Caller) -> None:
    tea.taken("member.joined", member="wang")
    tea.taken("order.paid", member="wang", order="o", amount_minor=1_000)
    wang = let_in(tea, "wang")
    answers = [put(wang, MINE, {"commitment": str(own_commitment(f"wang {key}"))}) for key in range(5)]
    assert [code(each) for each in answers] == [(200, "none")] * 4 + [(429, "too-many-keys")]


def test_whoever_was_merged_into_one_who_left_has_left(tea: Caller, operator: Caller) -> None:
    """The pass was opened before, and is of the first name."""
    for member in ("wang", "li"):
        tea.taken("member.joined", member=member)
    wang = let_in(operator, "wang")
    operator.done("/v1/members/wang/merge", into="li")
    operator.done("/v1/members/li/close")
    assert code(put(wang, MINE, {"commitment": str(own_commitment("wang"))})) == (409, "member-closed")


def test_a_witness_leads_to_the_root_that_is_anchored(tea: Caller, epoch: int) -> None:
    member = MEMBERS[7]
    delivered = let_in(tea, member).get(f"/v1/me/tier-witness?epoch={epoch}").json()
    witness, header = delivered["witness"], delivered["signed"]["header"]
    attributes = Attributes(**{name: int(value) for name, value in witness["attributes"].items()})
    assert (attributes.points, attributes.tier, attributes.key_epoch) == (150, 2, TODAY)
    node = leaf(own_commitment(member), epoch_tag(header["alliance_id"], epoch), attributes, int(witness["salt"]))
    assert root_from(node, witness["index"], [int(each) for each in witness["path"]]) == int(header["root"])
    assert delivered["epoch"] == epoch
    assert let_in(tea, member).get("/v1/me/tier-witness").json() == delivered, "the newest when none is named"


def test_who_is_in_no_epoch_has_no_witness(tea: Caller, epoch: int, operator: Caller) -> None:
    tea.taken("member.joined", member="late")
    tea.taken("order.paid", member="late", order="o-late", amount_minor=1_000)
    late = let_in(tea, "late")
    assert late.get("/v1/me/tier-witness").json()["data"] == {"why": "not-enrolled"}
    assert put(late, MINE, {"commitment": str(own_commitment("late"))}).status_code == 200
    assert late.get("/v1/me/tier-witness").json()["data"] == {"why": "not-yet"}
    wang = let_in(tea, MEMBERS[0])
    assert wang.get(f"/v1/me/tier-witness?epoch={epoch + 1}").json()["data"] == {"why": "epoch-not-in-force"}
    assert code(wang.get("/v1/me/tier-witness?epoch=x")) == (422, "field-invalid")
    assert operator.post(f"/v1/epochs/{epoch}/revoke", None).status_code == 200
    assert code(wang.get("/v1/me/tier-witness")) == (404, "witness-unknown")


def test_a_decision_says_who_asked_and_whether_it_links(tea: Caller, first: Partner, clock: Clock) -> None:
    wang = let_in(tea, MEMBERS[0])
    asked = [first.asked(GOLD_OR_HIGHER), first.asked(GOLD_OR_HIGHER), first.asked(GOLD_OR_HIGHER, window_id=2)]
    kept = []
    for each in asked:
        clock.pass_by(seconds=1)
        answer = wang.post("/v1/me/proof-consents", {"request_id": each["id"], "given": True})
        assert answer.status_code == 201, answer.text
        kept.append(answer.json())
    assert [each["linkable"] for each in kept] == [False, True, False]
    assert kept[0]["request"] == asked[0]
    assert (kept[0]["given"], kept[0]["assisted"]) == (True, False)
    assert wang.post("/v1/me/proof-consents", {"request_id": asked[0]["id"], "given": True}).json() == kept[0]
    again = wang.post("/v1/me/proof-consents", {"request_id": asked[0]["id"], "given": False})
    assert code(again) == (409, "consent-decided")
    page = wang.get("/v1/me/proof-consents?limit=2").json()
    rest = wang.get(f"/v1/me/proof-consents?cursor={page['next_cursor']}").json()
    assert [*page["data"], *rest["data"]] == kept[::-1]
    assert let_in(tea, MEMBERS[1]).get("/v1/me/proof-consents").json()["data"] == []
    helped = wang.post("/v1/me/proof-consents", {"request_id": asked[0]["id"], "given": False, "assisted": True})
    assert code(helped) == (422, "field-invalid")


def test_rows_hold_no_secret_and_no_witness(tea: Caller, first: Partner, database: str) -> None:
    wang = let_in(tea, MEMBERS[0])
    delivered = wang.get("/v1/me/tier-witness").json()["witness"]
    wang.post("/v1/me/proof-consents", {"request_id": first.asked(GOLD_OR_HIGHER)["id"], "given": True})
    hidden = [secret(MEMBERS[0]), int(delivered["salt"])]
    with psycopg.connect(database) as connection:
        for schema, table in connection.execute(
            "SELECT table_schema, table_name FROM information_schema.tables"
            " WHERE table_schema IN ('api', 'settlement', 'vault') AND table_type = 'BASE TABLE'"
        ).fetchall():
            said = "".join(str(row) for row in connection.execute(f"SELECT t::text FROM {schema}.{table} t"))
            for value in hidden:
                assert str(value) not in said, (schema, table)
                assert f"{value:064x}" not in said, (schema, table)


def test_the_trust_file_is_whole_in_one_answer(door: Door, tea: Caller, epoch: int, operator: Caller) -> None:
    trust = tea.http.get("/v1/verification-key").json()
    assert [each["header"]["epoch"] for each in trust["epochs"]] == [epoch]
    assert trust["circuits"][0]["vk_hash"] == trust["epochs"][0]["header"]["vk_hash"]
    assert trust["circuits"][0]["setup"] == "dev"
    listed = tea.http.get("/v1/epochs").json()["data"]
    assert [(each["epoch"], each["state"]) for each in listed] == [(epoch, "in-force")]
    whole = tea.http.get(f"/v1/epochs/{epoch}").json()
    assert listed[0] == {name: whole[name] for name in listed[0]}
    assert listed[0]["signed"] == trust["epochs"][0]
    assert whole["cohorts"]["cohorts"], "what is big enough is published"
    assert code(tea.http.get(f"/v1/epochs/{epoch + 1}")) == (404, "epoch-unknown")
    revoked = operator.post(f"/v1/epochs/{epoch}/revoke", None)
    assert revoked.status_code == 200
    assert operator.post(f"/v1/epochs/{epoch}/revoke", None).json() == revoked.json()
    assert tea.http.get("/v1/verification-key").json()["epochs"] == []
    assert tea.http.get(f"/v1/epochs/{epoch}").json()["state"] == "revoked"
    assert door.tiers.circuits


def test_the_server_proves_for_who_agreed_to_it(
    door: Door, tea: Caller, first: Partner, database: str, clock: Clock
) -> None:
    """The queue is an object that keeps messages; the worker's part is done on the settlement's own connection."""
    waiting: list[Sealed] = []
    object.__setattr__(door.tiers, "send", waiting.append)
    assert door.tiers.trees is not None
    prover = Prover(vault=VAULT, trees=door.tiers.trees, circuit=KEYS, node=str(NODE))
    now = int(clock.at.timestamp())
    wang, asked = let_in(tea, MEMBERS[0]), first.asked(GOLD_OR_HIGHER)
    body = {"request_id": asked["id"], "secret": str(secret(MEMBERS[0]))}
    assert code(wang.post("/v1/me/assisted-proofs", body)) == (403, "consent-missing")
    wang.post("/v1/me/proof-consents", {"request_id": asked["id"], "given": True, "assisted": True})
    assert code(wang.post("/v1/me/assisted-proofs", body)) == (409, "assisted-off"), "no worker is there yet"
    with psycopg.connect(database, autocommit=True) as connection:
        proving.ready(connection, VAULT, now=now)
        job = wang.post("/v1/me/assisted-proofs", body)
        assert job.status_code == 202, job.text
        assert wang.post("/v1/me/assisted-proofs/fetch", job.json()).json()["state"] == "waiting"
        assert body["secret"] not in str(waiting[0])
        assert proving.prove(connection, prover, waiting[0], now=now) == "proven"
    other = let_in(tea, MEMBERS[1]).post("/v1/me/assisted-proofs/fetch", job.json())
    assert code(other) == (404, "proof-request-unknown"), "another member's"
    stranger = job.json() | {"reply_key": "00" * 32}
    assert code(wang.post("/v1/me/assisted-proofs/fetch", stranger)) == (404, "proof-request-unknown")
    told = wang.post("/v1/me/assisted-proofs/fetch", job.json()).json()
    assert (told["state"], told["refused"]) == ("proven", None)
    fetched_again = wang.post("/v1/me/assisted-proofs/fetch", job.json())
    assert code(fetched_again) == (404, "proof-request-unknown"), "it is fetched once"
    assert first.show(asked["id"], told["response"]).status_code == 200
    assert wang.get("/v1/me/proof-consents").json()["data"][0]["assisted"] is True
