"""A merchant's extract: whole, it proves every step of the merchant's accounts; with anything left out, doubled or
altered it proves nothing; and of others it holds nothing that anybody could use.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from random import Random
from typing import Any

import psycopg
import pytest

from ledger.commands import PublishTerms
from ledger.store import open_store
from proofs.accounts import CASH, LANE, OPERATOR_ID, POINTS, RESERVE_ID, ROW_SALT_SEQ, cash_account, salt
from proofs.extract import HEAD, ExtractError, check
from proofs.json_form import hex_text, to_json
from proofs.messages import AccountRow, BatchHeader, Posting
from proofs.tree import leaf_hash
from settlement.sealing.extracts import SealedRows, head
from settlement.sealing.receipts import BatchReceipts
from settlement.sealing.seal import Sealed
from tests.attacks.alliance import CHAIN_ID, HUB
from tests.settlement.ledger_traffic import RATES, founding, traffic
from tests.settlement.sealer import read_all, seal_all
from tests.settlement.test_receipts import altered, places

Form = dict[str, Any]
MERCHANTS = sorted(RATES)
PAGE_LEAVES = 7
BYTES_TRIED = 300


class History:
    """A real ledger's trade in sealed batches, genesis first; the last one settles."""

    def __init__(self, database: str) -> None:
        with open_store(database) as store:
            store.post([*founding(), *traffic(Random(5))])
        terms = [command for command in founding() if isinstance(command, PublishTerms)]
        with psycopg.connect(database) as connection:
            sealer, _ = seal_all(read_all(connection), terms)
        self.batches: list[tuple[Sealed, BatchHeader]] = [(sealed, header) for sealed, _, header in sealer.published]

    def rows(self, batch_no: int) -> SealedRows:
        sealed, header = self.batches[batch_no]
        return SealedRows(header, sealed.rows, sealed.batch_secret)

    def extract(self, batch_no: int, merchant_id: int, limit: int = PAGE_LEAVES) -> list[Form]:
        """All pages, as they come out of files."""
        sealed, header = self.batches[batch_no]
        opened = BatchReceipts(sealed.file(), header, batch_secret=sealed.batch_secret, chain_id=CHAIN_ID, hub=HUB)
        shared = head(
            merchant_id,
            chain_id=CHAIN_ID,
            hub=HUB,
            rows=self.rows(batch_no),
            previous=self.rows(batch_no - 1) if batch_no else None,
            settled=self.rows(header.nets_since_batch) if any(header.nets_hash) else None,
        )
        pages: list[Form] = []
        after, more = 0, True
        while more:
            leaves, more = opened.of_merchant(merchant_id, after=after, limit=limit)
            pages.append({**shared, "after": str(after), "leaves": leaves, "more": more})
            after = int(leaves[-1]["leafNo"]) if leaves else after
        copied: list[Form] = json.loads(json.dumps(pages))
        return copied


@pytest.fixture
def history(database: str) -> History:
    return History(database)


def step_of(pages: list[Form]) -> str:
    """Where it fails, "" where it proves."""
    try:
        check(pages)
    except ExtractError as error:
        return error.step
    return ""


def test_every_merchant_proves_every_batch(history: History) -> None:
    nets: dict[int, int] = {}
    for batch_no, (sealed, header) in enumerate(history.batches):
        for merchant_id in (*MERCHANTS, OPERATOR_ID, RESERVE_ID):
            proven = check(history.extract(batch_no, merchant_id))
            mine = [record for record in sealed.records if record.event.merchant_id == merchant_id]
            assert (proven.merchant_id, proven.batch_no, proven.signed) == (merchant_id, batch_no, len(mine))
            assert proven.headers[batch_no] == header.hash_struct()
            since = {header.nets_since_batch} if any(header.nets_hash) else set()
            assert set(proven.headers) == {batch_no, max(0, batch_no - 1)} | since
            cash = next(row.balance for row in sealed.rows if row.account == cash_account(merchant_id))
            closing = {moved.account: moved.closing for moved in proven.accounts}
            assert closing[cash_account(merchant_id)].balance == cash
            if proven.net is not None:
                nets[merchant_id] = proven.net
    assert {merchant: net for merchant, net in nets.items() if net} == dict(history.batches[-1][0].nets)


def test_one_page_or_many_prove_the_same(history: History) -> None:
    last = len(history.batches) - 1
    assert check(history.extract(last, 1, limit=1)) == check(history.extract(last, 1, limit=10_000))


@pytest.fixture
def pages(history: History) -> list[Form]:
    return history.extract(len(history.batches) - 1, 1)


def leaf_with(pages: list[Form], wanted: Callable[[Form], bool]) -> Form:
    return next(leaf for page in pages for leaf in page["leaves"] if wanted(leaf))


def test_a_leaf_left_out_is_a_gap_wherever_it_is(pages: list[Form]) -> None:
    whole = [leaf["leafNo"] for page in pages for leaf in page["leaves"]]
    assert len(whole) > 10
    for gone in whole:
        less = deepcopy(pages)
        for page, following in zip(less, [*less[1:], None], strict=True):
            page["leaves"] = [leaf for leaf in page["leaves"] if leaf["leafNo"] != gone]
            if following is not None and page["leaves"]:
                following["after"] = page["leaves"][-1]["leafNo"]
        assert step_of(less) == "gap", gone
        hidden = deepcopy(pages)
        leaf = leaf_with(hidden, lambda each, gone=gone: each["leafNo"] == gone)  # type: ignore[misc] # bound here
        leaf["own"] = {}
        assert step_of(hidden) in {"gap", "others"}


CHANGES: list[tuple[str, Callable[[list[Form]], object]]] = [
    ("form", lambda pages: pages.clear()),
    ("form", lambda pages: pages[0].update(note="more")),
    ("form", lambda pages: pages[0].pop("rows")),
    ("form", lambda pages: pages.pop()),
    ("form", lambda pages: pages.reverse()),
    ("form", lambda pages: pages.append(deepcopy(pages[-1]))),
    ("form", lambda pages: pages[1].update(merchantId="2")),
    ("form", lambda pages: [page.update(merchantId="-1") for page in pages]),
    ("form", lambda pages: [page.update(merchantId=str(2**32)) for page in pages]),
    ("form", lambda pages: [page.update(chainId="-1") for page in pages]),
    ("form", lambda pages: [page.update(chainId=str(2**256)) for page in pages]),
    ("form", lambda pages: pages[0].update(leaves=7)),
    ("form", lambda pages: pages[0]["leaves"][0].update(path="none")),
    ("form", lambda pages: pages[0]["leaves"][0].pop("sigR")),
    ("form", lambda pages: pages[0]["rows"][0].pop("closing")),
    ("leaf", lambda pages: pages[0]["leaves"].insert(0, pages[0]["leaves"][0])),
    ("leaf", lambda pages: pages[0]["leaves"][0].update(totalPointsAfter="5")),
    ("leaf", lambda pages: pages[0]["leaves"][0]["path"].pop()),
    ("leaf", lambda pages: pages[0]["leaves"][0]["postings"].update(member="0x" + "00" * 32)),
]


def test_what_is_altered_proves_nothing(pages: list[Form]) -> None:
    assert step_of(pages) == ""
    for number, (step, change) in enumerate(CHANGES):
        changed = deepcopy(pages)
        change(changed)
        assert step_of(changed) == step, number


def test_a_byte_anywhere_proves_nothing_or_another_header(pages: list[Form]) -> None:
    """The same place on every page where all share it; what is left proves what the chain does not hold, or signers
    that the registry does not know.
    """
    chance, good = Random(17), check(pages)
    told = [(number, path) for number, page in enumerate(pages) for path in places(page)]
    texts = [each for each in told if isinstance(_at(pages[each[0]], each[1]), str)]
    steps: set[str] = set()
    for number, path in chance.sample(texts, BYTES_TRIED):
        changed = deepcopy(pages)
        text = chance.choice(list(altered(_at(pages[number], path))))
        for page in changed if path[0] in HEAD else [changed[number]]:
            _at(page, path[:-1])[path[-1]] = text
        steps.add(step := step_of(changed))
        if not step:
            other = check(changed)
            assert (other.headers, other.signers) != (good.headers, good.signers), (path, text)
    assert steps > {"form", "leaf", "row"}


def _at(form: Any, path: Sequence[str | int]) -> Any:
    for step in path:
        form = form[step]
    return form


def everywhere(pages: list[Form], change: Callable[[Form], object]) -> list[Form]:
    """The same head on every page, changed."""
    changed = deepcopy(pages)
    for page in changed:
        change(page)
    return changed


def test_headers_and_rows_cannot_be_exchanged(history: History, pages: list[Form]) -> None:
    other = history.extract(1, 1)[0]
    cash = hex_text(cash_account(1))

    def row(page: Form, account: str = cash) -> Form:
        found: Form = next(each for each in page["rows"] if each["account"] == account)
        return found

    for step, change in (
        ("header", lambda page: page.update(previous=None)),
        ("header", lambda page: page.update(previous=other["previous"])),
        ("header", lambda page: page.update(settled=None)),
        ("header", lambda page: page.update(settled=page["previous"])),
        ("row", lambda page: page.update(rows=[each for each in page["rows"] if each["account"] != cash])),
        ("row", lambda page: page["rows"].append(page["rows"][0])),
        ("row", lambda page: row(page).update(opening=row(page)["closing"])),
        ("row", lambda page: row(page).update(opening=None)),
        ("row", lambda page: row(page)["closing"]["row"].update(balance="0")),
        ("row", lambda page: row(page)["closing"].update(index="0")),
        ("net", lambda page: row(page).update(settled=None)),
        ("row", lambda page: page["rows"].remove(page["rows"][0])),
    ):
        assert step_of(everywhere(pages, change)) == step, step
    assert step_of(everywhere(pages, lambda page: page.update(merchantId="2"))) in {"row", "others"}
    assert step_of(everywhere(pages, lambda page: page.update(hub="0x" + "11" * 20))) == "", "then signers are unknown"
    assert check(everywhere(pages, lambda page: page.update(hub="0x" + "11" * 20))).signers != check(pages).signers


def test_what_a_merchant_did_not_sign_shows_no_event(history: History) -> None:
    """Of others' words there are hashes alone; opening them in an extract is refused by whoever checks it."""
    places = ((number, merchant) for number in range(1, len(history.batches)) for merchant in MERCHANTS)
    opened = 0
    for batch_no, merchant_id in places:
        pages = history.extract(batch_no, merchant_id)
        records = {str(record.leaf_no): record for record in history.batches[batch_no][0].records}
        leaves = [leaf for page in pages for leaf in page["leaves"]]
        assert all(("event" in leaf) == (records[leaf["leafNo"]].event.merchant_id == merchant_id) for leaf in leaves)
        for leaf in [leaf for leaf in leaves if "eventHash" in leaf][:1]:
            event = records[leaf["leafNo"]].event
            assert leaf.pop("eventHash") == hex_text(event.hash_struct())
            leaf["event"] = to_json(event)
            assert step_of(pages) == "others"
            opened += 1
    assert opened


def words_of(form: object) -> Iterator[str]:
    """Every string in a form."""
    if isinstance(form, dict):
        for part in form.values():
            yield from words_of(part)
    elif isinstance(form, list):
        for part in form:
            yield from words_of(part)
    elif isinstance(form, str):
        yield form


def test_no_word_of_another_merchant_is_in_it_or_follows_from_it(history: History) -> None:
    """Also for somebody who knows every figure of the others: without their salts no hash in the extract tells whether
    a guess is right, and no salt of theirs is there.
    """
    last = len(history.batches) - 1
    for batch_no, merchant_id in ((number, merchant) for number in (1, last) for merchant in MERCHANTS):
        sealed, pages = history.batches[batch_no][0], history.extract(batch_no, merchant_id)
        own = merchant_id.to_bytes(4, "big")
        words = {word for word in words_of(pages) if len(word) == 66}
        salts = {bytes.fromhex(word[2:]) for word in words}
        steps = [step for record in sealed.records for step in record.steps if step is not None]
        foreign_steps = [step for step in steps if step.account[0] not in {POINTS, CASH} or step.account[1:5] != own]
        foreign_rows = [row for row in sealed.rows if row.account[1:5] != own]
        assert {row.account[0] for row in foreign_rows} == {LANE, POINTS, CASH}
        secret = sealed.batch_secret
        told = {hex_text(secret)}
        told |= {hex_text(step.account) for step in foreign_steps} | {hex_text(row.account) for row in foreign_rows}
        told |= {hex_text(salt(secret, step.account, step.seq)) for step in foreign_steps}
        told |= {hex_text(salt(secret, row.account, ROW_SALT_SEQ)) for row in foreign_rows}
        others = [record.event for record in sealed.records if record.event.merchant_id != merchant_id]
        own_refs = {record.event.member_ref for record in sealed.records if record.event.merchant_id == merchant_id}
        told |= {hex_text(event.member_ref) for event in others if event.member_ref not in own_refs | {bytes(32)}}
        told |= {hex_text(event.detail_hash) for event in others}
        assert not told & words
        for key in salts:
            for row in foreign_rows:
                guess = AccountRow(row.account, row.seq, row.last_leaf_no, row.balance, key).hash_struct()
                assert hex_text(leaf_hash(guess)) not in words
            for step in foreign_steps[:40]:
                guess = Posting(step.account, step.seq, step.prev_leaf_no, step.delta, step.balance, key).hash_struct()
                assert hex_text(guess) not in words
