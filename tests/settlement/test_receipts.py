"""Receipts: each leaf's checks out to the header hash, and no byte of one can be changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from proofs.receipt import ReceiptError, check
from settlement.sealing.receipts import BatchReceipts, NoReceipt
from tests.settlement.test_seal_ex1 import EX1, HEADER_HASH_1, raw, rules, seal_example


def batch() -> BatchReceipts:
    sealed = seal_example()
    header = sealed.finish(raw(EX1["header"]["dataHash"]))
    return BatchReceipts(sealed.file(), header, batch_secret=sealed.batch_secret, chain_id=31337, hub=rules().hub)


def receipt(leaf_no: int = 3, slot: str = "member") -> dict[str, Any]:
    """A receipt as it comes out of a file or an answer."""
    made: dict[str, Any] = json.loads(json.dumps(batch().of(leaf_no, slot)))
    return made


@pytest.mark.parametrize("leaf_no", range(1, 6))
def test_each_leaf_proves_the_header(leaf_no: int) -> None:
    assert check(receipt(leaf_no)).hex() == HEADER_HASH_1


@pytest.mark.parametrize("slot", ["issuer", "debtor", "creditor", "member"])
def test_each_party_opens_its_own_posting(slot: str) -> None:
    made = receipt(3, slot)
    assert check(made).hex() == HEADER_HASH_1
    salts = [made["own"]["posting"]["salt"]]
    assert json.dumps(made).count(salts[0]) == 1
    others = {"issuer", "debtor", "creditor", "member"} - {slot}
    assert all(EX1["leaves"][2]["postings"][other]["salt"] not in json.dumps(made) for other in others)


def test_what_has_no_receipt() -> None:
    for leaf_no, slot in ((0, "member"), (7, "member"), (6, "member"), (1, "debtor")):
        with pytest.raises(NoReceipt):
            batch().of(leaf_no, slot)


def test_a_file_of_another_batch_is_refused() -> None:
    sealed = seal_example()
    with pytest.raises(ValueError, match="not those of the header"):
        BatchReceipts(sealed.file(), sealed.header, batch_secret=bytes(32), chain_id=1, hub=bytes(20))


def places(form: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path of every string in a receipt."""
    if isinstance(form, dict):
        for name, part in form.items():
            yield from places(part, (*path, name))
    elif isinstance(form, list):
        for at, part in enumerate(form):
            yield from places(part, (*path, at))
    else:
        yield path


def altered(text: str) -> Iterator[str]:
    """Every single-byte change of a word, small changes of a number, and texts that are no value at all."""
    if text.startswith("0x"):
        for at in range(2, len(text), 2):
            yield f"{text[:at]}{int(text[at : at + 2], 16) ^ 0x01:02x}{text[at + 2 :]}"
        yield text[:-2]
        yield text + "00"
        yield text.upper().replace("0X", "0x") + ("" if text != text.upper().replace("0X", "0x") else " ")
    elif text.lstrip("-").isdigit():
        yield from (str(int(text) + 1), str(int(text) - 1), f"0{text}", f"{text}.0", f" {text}", "-0")
    yield "0x"


def still_proves(form: dict[str, Any]) -> bool:
    try:
        return check(form).hex() == HEADER_HASH_1
    except ReceiptError:
        return False


@pytest.mark.parametrize("leaf_no", [1, 3, 5])
def test_any_changed_byte_fails(leaf_no: int) -> None:
    good = receipt(leaf_no)
    tried = 0
    for path in places(good):
        bad = deepcopy(good)
        holder: Any = bad
        for step in path[:-1]:
            holder = holder[step]
        for text in altered(holder[path[-1]]):
            original = holder[path[-1]]
            holder[path[-1]] = text
            assert not still_proves(bad), (path, text)
            holder[path[-1]] = original
            tried += 1
    assert tried > 800
    assert still_proves(good)


@pytest.mark.parametrize(
    ("change", "step"),
    [
        ({"signer": "0x" + "11" * 20}, "signature"),
        ({"sigVS": "0x" + "ff" * 32}, "signature"),
        ({"chainId": "1"}, "signature"),
        ({"lanePrevLeafNo": "1"}, "root"),
        ({"leafNo": "9"}, "position"),
        ({"path": []}, "root"),
        ({"path": ["0x00"]}, "form"),
        ({"path": "0x00"}, "form"),
        ({"path": ["0x" + "00" * 32] * 21}, "form"),
        ({"own": {"slot": "shop", "posting": {}}}, "form"),
        ({"own": []}, "form"),
        ({"postings": {}}, "form"),
        ({"note": "more"}, "form"),
    ],
)
def test_the_step_that_fails_is_named(change: dict[str, Any], step: str) -> None:
    with pytest.raises(ReceiptError) as caught:
        check({**receipt(), **change})
    assert caught.value.step == step


def test_a_posting_of_another_slot_does_not_pass() -> None:
    made = receipt(3, "issuer")
    made["own"]["slot"] = "member"
    with pytest.raises(ReceiptError, match="posting"):
        check(made)


def test_path_spare_or_missing_hash_fails() -> None:
    made = receipt()
    for path in ([*made["path"], made["path"][0]], made["path"][1:], made["path"][:-1], made["path"][::-1]):
        assert not still_proves({**made, "path": path})
