"""The receipt check of browsers gives the same verdict as ours, step for step: on receipts of the worked example with
every single byte changed, and on those of batches that the real ledger made.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from random import Random
from typing import Any

import psycopg
import pytest

from ledger.commands import PublishTerms
from ledger.store import open_store
from proofs.messages import BatchHeader
from proofs.receipt import SLOTS, ReceiptError, check, facts
from settlement.sealing.receipts import BatchReceipts, NoReceipt
from settlement.sealing.seal import Sealed
from tests.attacks.alliance import CHAIN_ID, HUB
from tests.settlement.ledger_traffic import founding, traffic
from tests.settlement.sealer import read_all, seal_all
from tests.settlement.test_receipts import altered, places, receipt

ROOT = Path(__file__).resolve().parents[2]
NODE = Path(sys.executable).parent / "node"
RECEIPTS_OF_A_BATCH = 12
PAIRS = 400

Asked = tuple[dict[str, Any], dict[str, str] | None]


def here(asked: Asked) -> str:
    """Our own verdict: the header hash, or the step that fails."""
    try:
        return "0x" + check(*asked).hex()
    except ReceiptError as error:
        return error.step


def there(asked: Sequence[Asked]) -> list[str]:
    """What the script for browsers says of the same, under Node."""
    script = [str(NODE), "tests/proofs/js/verdicts.mjs"]
    told = subprocess.run(script, input=json.dumps(asked), capture_output=True, text=True, check=True, cwd=ROOT)
    verdicts: list[str] = json.loads(told.stdout)
    return verdicts


def differences(asked: Sequence[Asked]) -> list[tuple[str, str, Asked]]:
    ours = [here(each) for each in asked]
    return [found for found in zip(ours, there(asked), asked, strict=True) if found[0] != found[1]]


def changed(good: dict[str, Any]) -> list[Asked]:
    """The receipt with every single byte of it changed, and every field missing or of another form."""
    asked: list[Asked] = []
    for path in places(good):
        *outer, last = path
        for text in altered(_at(good, path)):
            bad = deepcopy(good)
            _at(bad, outer)[last] = text
            asked.append((bad, None))
        odd: object
        for odd in (7, None, True, ["0x"], {}):
            bad = deepcopy(good)
            _at(bad, outer)[last] = odd
            asked.append((bad, None))
    asked += [({name: part for name, part in good.items() if name != gone}, None) for gone in good]
    return asked


def _at(form: Any, path: Sequence[str | int]) -> Any:
    for step in path:
        form = form[step]
    return form


def test_every_changed_byte_fails_at_the_same_step() -> None:
    asked = changed(receipt(1, "member"))
    assert len(asked) > 1_300
    assert differences(asked) == []
    assert {here(each) for each in asked} > {"form", "signature", "posting", "position", "root"}


def test_two_changes_at_once_fail_at_the_same_step() -> None:
    """Both languages look at a receipt's parts in one order."""
    chance, good, asked = Random(11), receipt(3, "creditor"), list[Asked]()
    paths = list(places(good))
    for _ in range(PAIRS):
        bad = deepcopy(good)
        for path in chance.sample(paths, 2):
            _at(bad, path[:-1])[path[-1]] = chance.choice([*altered(_at(good, path)), "-1", str(2**256), 7, {}])
        asked.append((bad, None))
    assert differences(asked) == []


@pytest.mark.parametrize("odd", [None, 7, "receipt", [], ["chainId"], {}, [[]], True])
def test_what_is_no_receipt_at_all(odd: Any) -> None:
    assert here((odd, None)) == "form"
    assert there([(odd, None)]) == ["form"]


@pytest.mark.parametrize("field", ["chainId", "leafNo", "lanePrevLeafNo", "totalPointsAfter"])
@pytest.mark.parametrize("number", [-1, 2**64, 2**127, 2**256, -(2**127) - 1])
def test_numbers_that_fit_nowhere(field: str, number: int) -> None:
    asked: Asked = ({**receipt(3, "issuer"), field: str(number)}, None)
    assert here(asked) in {"form", "position", "root", "signature"}
    assert differences([asked]) == []


def test_header_bytes_that_no_tree_binds_change_the_hash_that_the_chain_is_asked_for() -> None:
    right = here((receipt(), None))
    proven = [each for each, _ in changed(receipt()) if here((each, None)).startswith("0x")]
    assert proven, "a changed data hash still checks out, to another header"
    assert all(here((each, None)) != right for each in proven)


def test_what_an_app_shows_is_compared_alike() -> None:
    good = receipt(3, "creditor")
    said = facts(good)
    wrong: list[Asked] = [(good, {name: f"{text}0"}) for name, text in said.items()]
    assert differences([(good, said), (good, {}), (good, {"price": "1"}), *wrong]) == []
    assert [here(each) for each in wrong] == ["shown"] * len(said)


def sealed_batches(database: str) -> list[tuple[Sealed, BatchHeader]]:
    """Some days of trade on the real ledger, in batches."""
    with open_store(database) as store:
        store.post([*founding(), *traffic(Random(3))])
    with psycopg.connect(database) as connection:
        terms = [command for command in founding() if isinstance(command, PublishTerms)]
        sealer, _ = seal_all(read_all(connection), terms)
    return [(sealed, header) for sealed, _, header in sealer.published[1:]]


def test_receipts_of_real_batches_and_random_changes_of_them(database: str) -> None:
    chance = Random(7)
    asked: list[Asked] = []
    for sealed, header in sealed_batches(database):
        opened = BatchReceipts(sealed.file(), header, batch_secret=sealed.batch_secret, chain_id=CHAIN_ID, hub=HUB)
        numbers = range(header.first_leaf_no, header.first_leaf_no + header.leaf_count)
        for leaf_no in chance.sample(numbers, min(RECEIPTS_OF_A_BATCH, len(numbers))):
            asked += [(made, facts(made)) for slot in SLOTS if (made := _receipt(opened, leaf_no, slot)) is not None]
    good = [here(each) for each in asked]
    assert all(verdict.startswith("0x") for verdict in good)
    assert len(set(good)) > 1, "several batches"
    for each, _ in list(asked):
        path = chance.choice(list(places(each)))
        bad = deepcopy(each)
        _at(bad, path[:-1])[path[-1]] = chance.choice(list(altered(_at(bad, path))))
        asked.append((bad, None))
    assert differences(asked) == []


def _receipt(opened: BatchReceipts, leaf_no: int, slot: str) -> dict[str, Any] | None:
    try:
        made: dict[str, Any] = json.loads(json.dumps(opened.of(leaf_no, slot)))
    except NoReceipt:
        return None
    return made
