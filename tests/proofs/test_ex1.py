"""The worked example EX1, hash for hash.

The literals here are the normative ones; the vector file is what the other languages read.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from proofs import kinds, messages
from proofs.accounts import ROW_SALT_SEQ, member_account, member_ref, salt
from proofs.headers import genesis_anchor, history_root, nets_hash
from proofs.messages import (
    AccountRow,
    BatchHeader,
    PointsEvent,
    Posting,
    SettlementLeaf,
    domain_separator,
    signed_digest,
)
from proofs.signature import recover
from proofs.tree import Tree, leaf_hash, verify
from proofs.words import snake

EX1 = json.loads((Path(__file__).parents[2] / "proofs" / "vectors" / "ex1.json").read_text())

LEAF_HASHES = [
    "8a9282c951266057cc00fdac1d9253547579cf4de0a1e88e7ce5134f26750175",
    "43a429eccc37fbb9782c66fbb86677bc2cb6e8321a047e23890c98d0c51488ab",
    "d229a1affc8c46abcc709102eb8d8c87f0a5d9abf072fe76d566c9fdc2aa1e79",
    "bae6eac062043aa9558133dce89ab5c0c22b3860f4a4fec89f48a8f24b836ebd",
    "e49b7a14b920bd8531d3886699b521e01e0578f0d79f53bd0c43c59f66c83e5c",
    "e997c75f30f1bbb0f57002ccbce8938f42b75e7cce97173dea337e6714c1079e",
]
LEAF_3 = {
    "eventHash": "e39500149691f1daf7a38eea57b69564569e4ad388046b4e663f87ea923d15b5",
    "digest": "8d8bc762fa5a6583c06cb34f5a92c4a79c1142593ddc83cf5d79a5e21400426a",
    "sigR": "b440264f3531686135d95e034bd95cf7636344ad5b9d38b4dfd1bb3d72772276",
    "sigVS": "b76db905513dbede5273431e72da366c0a295dfd221bb57b4b25e95a4c2c3d1b",
    "treeLeaf": "4e1fc939ec10090efc65667766ed054428e951a66946e8dd177e5356e984951d",
    "issuer": "3e4a79ba1366ee1a37c8d542ad897a4f081e8d77b3846b59895327164c2f1634",
    "debtor": "3d5bdc82b5d1c4479a073e930fd6f06db5c7320535f0b2277fc5fd599142196b",
    "creditor": "56a534bd975f2ecf66d2341b2f248d8c268fa5c21d1eaef2b3c49cac25187eb7",
    "member": "6e202a3317405b0d001db1c24d5cd6378cc10092ff993d48234c6b68e0fbf49a",
}
PATH_3 = [
    "a9ca9cbc25e5d8488cfc1d6342396a8134c33a6fe7e789fcd6d6fab8e5a3db56",
    "ac5e403598033087addd05aa5b52e5e344cb28883db68a5e0075c18a083815ee",
    "01a7d1a62b8ded152c57fd09cae7a087147279def02c57d39a60f4851bbda667",
]
TYPE_HASHES = {
    "BatchHeader": "3422d6b852e2c3e5d7a4179e6545515ff15586787b39874cc8dbbab8d91eb841",
    "PointsEvent": "9ee44fa780257338da3b33aad9d958e79edf2357cfa85cca676ea75daf9688ee",
    "SettlementLeaf": "6c93c5b281149af19dea62cbe45cbbaec6b93cc55c483aa293482f882848b343",
    "Posting": "cfb326c70499d3111df50ddbe3cd889f7ae0cbc5ac4de7b6e85f7a938568e034",
    "AccountRow": "59d223f6a4dc0d260c13a293d24e7a0b60f8a3a24625eaa9a9fe18209f55995f",
    "LiabilityLeaf": "0eeb89f654cbf8374acbc4a38c7f0c542469177f8ee81708fbbcf6936d2f85de",
    "IssuerLiability": "0b31a2032cf092db79c35362470d9a17eaed2aff6762c3783e409361be580ca1",
}
DOMAIN = "ef380a9a34468b8a751b2f4a6ac4e6261c051e6ffcf3a567b0603058b00782ef"
GENESIS_ANCHOR = "e2d6e85bbb9bb99108fc0323daf32dc902be08b32d96d507a8f0eae7526fd3d1"
GENESIS_ACCOUNTS_ROOT = "da29ce90e12c32b5ed39436d0ee4576071d1e6d9c06b1a17c8f6b907844faa5a"
GENESIS_HASH = "4d7128558beaca918c2cb53ac7a8cf9339caf3e8f52ab4c9508d6290df4e386c"
HISTORY_ROOT_1 = "d7ddc685665494c8ec8488a8c0e95ae7898d09421a3d16f51cff8d18ccb122fb"
LEAVES_ROOT = "5c7f79e4afdd17cda8fa9c25f77816e60abd188671b89f8b8c695fd4b6fd5b46"
ACCOUNTS_ROOT = "a286d90e21e346417fd645af1091878af72ec5842721ab4c370ceb30e32d1f57"
NETS_HASH = "5a43a925cb05264d81b371398899182960605f40a9253ab5fdfceb6f22dc8d9c"
HEADER_HASH_1 = "2d847d2d4b37301f383411f03c774255a9753ba0d95d332da6e7ac628e642713"
ATTESTER_DIGEST = "6a83b44ce3c941d1cec46dced99421588f434fa7cff13bd5f8cfb376245d5ff9"


def raw(text: str) -> bytes:
    """The bytes of a 0x-hex string."""
    return bytes.fromhex(text.removeprefix("0x"))


def struct_of(kind: type[Any], fields: dict[str, Any]) -> Any:
    """A struct from its JSON fields."""
    return kind(
        **{
            snake(name): raw(text) if text.startswith("0x") else int(text)
            for name, text in fields.items()
            if name not in {"hash", "path", "leaves", "sumLeaf"}
        }
    )


@pytest.mark.parametrize(("name", "expected"), TYPE_HASHES.items())
def test_type_hashes(name: str, expected: str) -> None:
    assert getattr(messages, name).TYPEHASH.hex() == expected
    assert raw(EX1["typeHashes"][name]).hex() == expected


def test_domain() -> None:
    assert (
        domain_separator(chain_id=31337, hub=raw(EX1["domain"]["hub"])).hex()
        == DOMAIN
        == raw(EX1["domain"]["separator"]).hex()
    )


def test_genesis() -> None:
    rows = [struct_of(AccountRow, row) for row in EX1["genesis"]["rows"]]
    header = struct_of(BatchHeader, EX1["genesis"]["header"])
    assert (
        genesis_anchor(chain_id=31337, hub=raw(EX1["domain"]["hub"])).hex()
        == GENESIS_ANCHOR
        == header.prev_header_hash.hex()
    )
    assert all(row.salt == salt(raw(EX1["secrets"]["genesis"]), row.account, ROW_SALT_SEQ) for row in rows)
    assert Tree([row.hash_struct() for row in rows]).root.hex() == GENESIS_ACCOUNTS_ROOT == header.accounts_root.hex()
    assert header.hash_struct().hex() == GENESIS_HASH
    assert history_root([header.hash_struct()]).hex() == HISTORY_ROOT_1


@pytest.mark.parametrize("index", range(6))
def test_leaf(index: int) -> None:
    vector = EX1["leaves"][index]
    event, leaf = struct_of(PointsEvent, vector["event"]), struct_of(SettlementLeaf, vector["leaf"])
    digest = signed_digest(raw(EX1["domain"]["separator"]), event.hash_struct())
    signer = next(m for m in EX1["merchants"] if int(m["merchantId"]) == event.merchant_id)
    assert recover(digest, leaf.sig_r, leaf.sig_vs) == raw(signer["address"])
    assert event.hash_struct() == leaf.event_hash
    for slot, field in (
        ("issuer", "issuer_posting"),
        ("debtor", "debtor_posting"),
        ("creditor", "creditor_posting"),
        ("member", "member_posting"),
    ):
        posting = vector["postings"][slot]
        assert getattr(leaf, field) == (struct_of(Posting, posting).hash_struct() if posting else bytes(32))
    assert leaf.hash_struct().hex() == LEAF_HASHES[index]
    assert verify(
        raw(EX1["header"]["leavesRoot"]), leaf.hash_struct(), index, 6, [raw(step) for step in vector["path"]]
    )


def test_leaf_3_in_every_part() -> None:
    vector = EX1["leaves"][2]
    assert raw(vector["eventHash"]).hex() == LEAF_3["eventHash"]
    assert raw(vector["digest"]).hex() == LEAF_3["digest"]
    assert (raw(vector["leaf"]["sigR"]).hex(), raw(vector["leaf"]["sigVS"]).hex()) == (LEAF_3["sigR"], LEAF_3["sigVS"])
    assert leaf_hash(raw(vector["leafHash"])).hex() == LEAF_3["treeLeaf"]
    for slot in ("issuer", "debtor", "creditor", "member"):
        assert struct_of(Posting, vector["postings"][slot]).hash_struct().hex() == LEAF_3[slot]
    assert [raw(step).hex() for step in vector["path"]] == PATH_3


def test_effects_are_the_postings_of_the_example() -> None:
    terms = {
        int(entry["termsId"]): kinds.Terms(**{snake(name): int(value) for name, value in entry.items()})
        for entry in EX1["terms"]
    }
    for vector in EX1["leaves"]:
        event = struct_of(PointsEvent, vector["event"])
        expected = kinds.effects(event, kinds.ON_REDEMPTION)
        steps = {slot: (raw(p["account"]), int(p["delta"])) if p else None for slot, p in vector["postings"].items()}
        assert (expected.issuer, expected.debtor, expected.creditor) == (
            steps["issuer"],
            steps["debtor"],
            steps["creditor"],
        )
        assert expected.member == (steps["member"][1] if steps["member"] else None)
        assert list(kinds.broken_rules(event, terms.get(event.terms_id), 1)) == []


def test_member_tags() -> None:
    secret = raw(EX1["secrets"]["memberX"])
    assert raw(EX1["leaves"][0]["event"]["memberRef"]) == member_ref(secret, 1, 1)
    assert raw(EX1["leaves"][0]["postings"]["member"]["account"]) == member_account(secret, 1)


def test_header_1() -> None:
    header = struct_of(BatchHeader, EX1["header"])
    nets = [(int(net["merchantId"]), int(net["amount"])) for net in EX1["nets"]]
    assert nets == [(1, -1_500_000), (2, -500_000), (3, 2_000_000)]
    assert nets_hash(nets, settling=True).hex() == NETS_HASH == header.nets_hash.hex()
    assert (header.leaves_root.hex(), header.accounts_root.hex()) == (LEAVES_ROOT, ACCOUNTS_ROOT)
    assert Tree([raw(vector["leafHash"]) for vector in EX1["leaves"]]).root.hex() == LEAVES_ROOT
    assert Tree([struct_of(AccountRow, row).hash_struct() for row in EX1["rows"]]).root.hex() == ACCOUNTS_ROOT
    assert header.hash_struct().hex() == HEADER_HASH_1
    assert signed_digest(raw(EX1["domain"]["separator"]), header.hash_struct()).hex() == ATTESTER_DIGEST
