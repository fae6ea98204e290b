"""The worked example EX1, sealed by the real sealer: its header hash must come out bit for bit."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from coincurve import PrivateKey

from ledger.answers import LegRef
from proofs.headers import nets_hash
from proofs.json_form import from_json, to_json
from proofs.keccak import keccak256
from proofs.kinds import Kind, Terms
from proofs.lpb1 import open_file
from proofs.messages import BatchHeader, PointsEvent
from proofs.words import ZERO_WORD, snake
from settlement.sealing.lanes import Keystore, LaneId
from settlement.sealing.leaves import Move, UnsealedLeaf, registered_accounts
from settlement.sealing.seal import Rules, Sealed, genesis, seal

EX1: dict[str, Any] = json.loads((Path(__file__).parents[2] / "proofs" / "vectors" / "ex1.json").read_text())
HEADER_HASH_0 = "4d7128558beaca918c2cb53ac7a8cf9339caf3e8f52ab4c9508d6290df4e386c"
HEADER_HASH_1 = "2d847d2d4b37301f383411f03c774255a9753ba0d95d332da6e7ac628e642713"
FOUNDED_AT = 1_800_000_000


def raw(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def keystore() -> Keystore:
    """The example's three lanes; each key signs every kind."""
    keys = ((LaneId(int(m["merchantId"]), int(m["keyId"])), PrivateKey(raw(m["privateKey"]))) for m in EX1["merchants"])
    return Keystore({lane_id: (key, frozenset(Kind)) for lane_id, key in keys})


def rules() -> Rules:
    terms = [Terms(**{snake(name): int(value) for name, value in entry.items()}) for entry in EX1["terms"]]
    return Rules(
        chain_id=31337,
        hub=raw(EX1["domain"]["hub"]),
        roster=keystore().roster,
        terms={entry.terms_id: entry for entry in terms},
        config_hash=keccak256(b"config-1"),
    )


def registered() -> list[bytes]:
    return registered_accounts(rules().roster, issuers=[1, 2, 3], parties=[1, 2, 3])


def example_genesis() -> Sealed:
    return genesis(
        chain_id=31337,
        hub=raw(EX1["domain"]["hub"]),
        registered=registered(),
        founded_at=FOUNDED_AT,
        config_hash=keccak256(b"config-1"),
        batch_secret=keccak256(b"example-genesis-secret"),
    )


def move(posting: dict[str, str] | None) -> Move | None:
    """A posting of the vector as the ledger would hand it over: without pointer and salt, which sealing adds."""
    if posting is None:
        return None
    return Move(raw(posting["account"]), int(posting["seq"]), int(posting["delta"]), int(posting["balance"]))


def unsealed_leaves() -> list[UnsealedLeaf]:
    return [
        UnsealedLeaf(
            LegRef(number, 1),
            from_json(PointsEvent, vector["event"]),
            *(move(vector["postings"][slot]) for slot in ("issuer", "debtor", "creditor", "member")),
        )
        for number, vector in enumerate(EX1["leaves"], start=1)
    ]


def seal_example() -> Sealed:
    start = example_genesis()
    return seal(
        start.opening(start.finish(ZERO_WORD)),
        unsealed_leaves(),
        rules=rules(),
        signer=keystore(),
        member_tips={},
        registered=registered(),
        batch_secret=keccak256(b"example-batch-secret"),
        journal_head=keccak256(b"journal"),
        opened_at=FOUNDED_AT,
        sealed_at=FOUNDED_AT + 900,
        settling=True,
    )


def test_genesis_is_header_0() -> None:
    assert example_genesis().finish(ZERO_WORD).hash_struct().hex() == HEADER_HASH_0


def test_header_1_bit_for_bit() -> None:
    header = seal_example().finish(sha256(b"example").digest())
    assert to_json(header) == EX1["header"]
    assert header.hash_struct().hex() == HEADER_HASH_1


def test_leaves_rows_and_nets() -> None:
    sealed = seal_example()
    assert [leaf.hex() for leaf in sealed.leaf_hashes] == [raw(vector["leafHash"]).hex() for vector in EX1["leaves"]]
    assert [row.row_hash(sealed.batch_secret).hex() for row in sealed.rows] == [
        raw(row["hash"]).hex() for row in EX1["rows"]
    ]
    assert sealed.nets == [(1, -1_500_000), (2, -500_000), (3, 2_000_000)]
    assert nets_hash(sealed.nets, settling=True) == sealed.header.nets_hash


def test_file_reads_back_to_what_was_sealed() -> None:
    sealed = seal_example()
    reader = open_file(sealed.file())
    assert reader.header == sealed.header
    assert list(reader.records()) == list(sealed.records)
    assert (reader.rows, reader.nets) == (sealed.rows, sealed.nets)


def test_every_header_field_is_in_the_hash() -> None:
    header = seal_example().finish(sha256(b"example").digest())
    fields = to_json(header)
    for name, text in fields.items():
        other = str(int(text) + 1) if not text.startswith("0x") else "0x" + bytes([raw(text)[0] ^ 1]).hex() + text[4:]
        changed = from_json(BatchHeader, {**fields, name: other})
        assert changed.hash_struct() != header.hash_struct(), name
    assert replace(header).hash_struct() == header.hash_struct()
