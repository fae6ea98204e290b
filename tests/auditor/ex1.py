"""The worked example EX1 as an auditor meets it: a file on disk, a registry, a commit; from the vectors alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from auditor.books import Books
from auditor.chain import Commit
from auditor.fetch import Plain
from auditor.registry import Key, Registry
from proofs.json_form import from_json
from proofs.kinds import Kind, Terms
from proofs.lpb1 import BatchFile, Record, Row, Step
from proofs.messages import BatchHeader, PointsEvent
from proofs.words import ZERO_WORD, snake

EX1: dict[str, Any] = json.loads((Path(__file__).parents[2] / "proofs" / "vectors" / "ex1.json").read_text())
CHAIN_ID = int(EX1["domain"]["chainId"])


def raw(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


HUB = raw(EX1["domain"]["hub"])
SEPARATOR = raw(EX1["domain"]["separator"])
SECRET = raw(EX1["secrets"]["batch"])
GENESIS = from_json(BatchHeader, EX1["genesis"]["header"])
HEADER = from_json(BatchHeader, EX1["header"])
NETS = [(int(net["merchantId"]), int(net["amount"])) for net in EX1["nets"]]


def row(told: dict[str, str]) -> Row:
    return Row(raw(told["account"]), int(told["seq"]), int(told["lastLeafNo"]), int(told["balance"]))


def step(told: dict[str, str] | None) -> Step | None:
    if told is None:
        return None
    numbers = (int(told[name]) for name in ("seq", "prevLeafNo", "delta", "balance"))
    return Step(raw(told["account"]), *numbers)


def record(told: dict[str, Any]) -> Record:
    leaf = told["leaf"]
    postings = told["postings"]
    return Record(
        event=from_json(PointsEvent, told["event"]),
        sig_r=raw(leaf["sigR"]),
        sig_vs=raw(leaf["sigVS"]),
        issuer=step(postings["issuer"]),
        debtor=step(postings["debtor"]),
        creditor=step(postings["creditor"]),
        member=step(postings["member"]),
        total_points_after=int(leaf["totalPointsAfter"]),
        leaf_no=int(leaf["leafNo"]),
        lane_prev_leaf_no=int(leaf["lanePrevLeafNo"]),
    )


RECORDS = [record(leaf) for leaf in EX1["leaves"]]
ROWS = [row(each) for each in EX1["rows"]]


def registry() -> Registry:
    """Three merchants, whose one key signs everything, and their terms."""
    made = Registry()
    for merchant in EX1["merchants"]:
        lane = int(merchant["merchantId"]), int(merchant["keyId"])
        made.add_merchant(lane[0])
        made.keys[lane] = Key(raw(merchant["address"]), 1, 0, sum(1 << kind for kind in Kind))
    for entry in EX1["terms"]:
        terms = Terms(**{snake(name): int(value) for name, value in entry.items()})
        made.terms[terms.terms_id] = terms
    return made


def plain(folder: Path, records: list[Record] | None = None, rows: list[Row] | None = None) -> Plain:
    """Batch 1's file on disk, as it is after decryption."""
    file = BatchFile(replace(HEADER, data_hash=ZERO_WORD), rows or ROWS, NETS, RECORDS if records is None else records)
    path = folder / "1.lpb1"
    path.write_bytes(file.to_bytes())
    return Plain(path, SECRET, path.stat().st_size, 0)


def opening() -> Books:
    """The books as genesis leaves them."""
    rows = {each.account: each for each in map(row, EX1["genesis"]["rows"])}
    return Books(rows=rows)


def commit() -> Commit:
    return Commit(HEADER, HEADER.hash_struct(), NETS)
