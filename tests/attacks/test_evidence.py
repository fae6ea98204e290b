"""What stands beside chain and files: receipts that were not kept, a journal that says otherwise, an earlier view."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from coincurve import PrivateKey

from auditor.audit import Means, audit
from auditor.evidence import Checkpoint, CheckpointError, Evidence, load_checkpoint, load_report
from auditor.fetch import AuditorKey
from auditor.lapsed import Sealing
from auditor.mirrors import Folder
from auditor.outcome import Outcome
from auditor.progress import Watch
from auditor.receipts import Held, ReceiptError, load_receipts
from auditor.registry import Registry
from auditor.report import checks, report
from proofs.headers import SEAL_LAG_SECONDS_BOUND, journal_link
from proofs.journal_file import JournalFileError, read_journal, write_journal
from proofs.json_form import hex_text, to_json
from proofs.messages import AcceptanceReceipt, signed_digest
from proofs.signature import sign
from settlement.sealing.lanes import POS
from tests.attacks.forge import KID, PRIVATE, SEPARATOR, World, address, found

RECEIPT_KEY = PrivateKey(b"\x51" * 32)
FOR_EVER = 2**64 - 1
FAMILIES = {"cash": 7, "outstanding": 1, "member": 2}


def audited(world: World, evidence: Evidence, first: int = 0) -> Outcome:
    chain = world.chain()
    chain.receipt_signers = {address(RECEIPT_KEY): FOR_EVER}
    means = Means([Folder(world.folder)], AuditorKey(KID, PRIVATE), 1, Watch(quiet=True), evidence)
    return audit(chain, chain.commits, means, first=first)


def state_of(outcome: Outcome, check: int) -> str:
    told: str = next(each["state"] for each in checks(outcome, anchored=False) if each["check"] == check)
    return told


# receipts


def receipt(world: World, merge_by: int, *, nonce: int = 2, key: PrivateKey = RECEIPT_KEY, **fields: Any) -> Held:
    """What merchant 2 holds for its event of that nonce at the till."""
    events = (record.event for batch in world.batches for record in batch.records)
    hashes = {event.nonce: event.hash_struct() for event in events if (event.merchant_id, event.key_id) == (2, POS)}
    made = AcceptanceReceipt(hashes.get(nonce, bytes(32)), 2, POS, nonce, merge_by - 7_200, merge_by)
    made = replace(made, **fields)
    return Held(made, *sign(key, signed_digest(SEPARATOR, made.hash_struct())))


def sealed(world: World, batch_no: int) -> int:
    return world.batches[batch_no].header.sealed_at


def test_a_receipt_that_was_kept(world: World) -> None:
    outcome = audited(world, Evidence([receipt(world, sealed(world, 1))]))
    assert found(outcome) == set()
    assert state_of(outcome, 27) == "held"


@pytest.mark.parametrize(
    ("how", "code"),
    [
        (lambda world: receipt(world, sealed(world, 1) - 1), "receipt-broken"),
        (lambda world: receipt(world, sealed(world, 2), nonce=99), "receipt-broken"),
        (lambda world: receipt(world, sealed(world, 1), event_hash=b"\x07" * 32), "receipt-of-another"),
    ],
    ids=["merged too late", "never merged", "another event under its number"],
)
def test_a_receipt_that_was_not(world: World, how: Callable[[World], Held], code: str) -> None:
    outcome = audited(world, Evidence([how(world)]))
    assert set(outcome.findings.counts) == {code}
    assert found(outcome) == {27}


@pytest.mark.parametrize(
    ("how", "told"),
    [
        (lambda world: receipt(world, sealed(world, 4), nonce=99), "not due yet"),
        (lambda world: receipt(world, sealed(world, 1) - 1, key=PrivateKey(b"\x52" * 32)), "not by a receipt key"),
        (lambda world: receipt(world, sealed(world, 1) - 1, accepted_at=FOR_EVER), "not by a receipt key"),
    ],
)
def test_a_receipt_that_proves_nothing(world: World, how: Callable[[World], Held], told: str) -> None:
    outcome = audited(world, Evidence([how(world)]))
    assert found(outcome) == set()
    assert outcome.receipts[told] == 1
    assert state_of(outcome, 27) == "not checked"


def revoked(registry: Registry, to_batch: int) -> None:
    registry.keys[2, POS].to_batch = to_batch


def going_on(registry: Registry, to_batch: int) -> None:
    assert registry.answers(2, POS, batch_no=to_batch)


def suspended(registry: Registry, to_batch: int) -> None:
    registry.set_status(2, 3, from_batch=to_batch)


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (revoked, {"broken": 2, "ended with its lane": 1}),
        (suspended, {"broken": 2, "ended with its lane": 1}),
        (going_on, {"broken": 1, "not due yet": 2}),
    ],
)
def test_a_promise_ends_with_its_lane(world: World, end: Callable[[Registry, int], None], told: dict[str, int]) -> None:
    """A merchant revokes its key, or is suspended, with promises in hand: the last batch had the time for some."""
    newest = len(world.batches) - 1
    last = sealed(world, newest)
    held = [
        receipt(world, last + 5_400, nonce=99, accepted_at=last - 1_800),
        receipt(world, last + 5_399, nonce=99, accepted_at=last - 1_801),
        receipt(world, last - 1, nonce=99),
    ]
    end(world.registry, newest + 1)
    outcome = audited(world, Evidence(held))
    assert {name: count for name, count in outcome.receipts.items() if count} == told


def test_a_batch_after_the_end_of_a_lane_breaks_no_promise(world: World) -> None:
    suspended(world.registry, 1)
    late = receipt(world, sealed(world, 1) - 1, nonce=99)
    outcome = audited(world, Evidence([late]))
    assert outcome.receipts["ended with its lane"] == 1
    assert 27 not in found(outcome)


def test_receipts_are_read_from_files_and_folders(world: World, tmp_path: Path) -> None:
    held = receipt(world, sealed(world, 1))
    form = {"receipt": to_json(held.receipt), "r": hex_text(held.r), "vs": hex_text(held.vs)}
    (tmp_path / "one.json").write_text(json.dumps(form))
    (tmp_path / "two.json").write_text(json.dumps([form, form]))
    assert load_receipts(tmp_path / "one.json") == [held]
    assert load_receipts(tmp_path) == [held] * 3
    for content in ("", "{}", "[1]", json.dumps(form | {"r": "0x"})):
        (tmp_path / "one.json").write_text(content)
        with pytest.raises(ReceiptError, match="not receipts"):
            load_receipts(tmp_path / "one.json")


# the private journal

Posting = tuple[tuple[int, int, int], int]


def booked(world: World) -> list[list[Posting]]:
    """Journal entries, one for each leaf, that post what the leaves do: points of an issuer, cash in AU."""
    entries = []
    for batch in world.batches:
        for record in batch.records:
            postings: list[Posting] = []
            for step in record.steps:
                if step is None:
                    continue
                party = int.from_bytes(step.account[1:5], "big")
                if step.account[0] == 2:
                    postings.append(((FAMILIES["outstanding"], party, party), -step.delta))
                elif step.account[0] == 3:
                    postings.append(((FAMILIES["cash"], 0, party), step.delta // 10_000))
                else:
                    member = int.from_bytes(step.account[1:4], "big")
                    postings.append(((FAMILIES["member"], record.event.issuer_id, member), step.delta))
            entries.append(postings)
    return entries


def exported(world: World, path: Path, entries: Sequence[Sequence[Posting]], how: Callable[[list[Any]], None]) -> Path:
    """The journal of these entries as a file; `how` spoils its receipts before the headers are made to fit."""
    standing: dict[tuple[int, int, int], tuple[int, int]] = {}
    receipts: list[Any] = []
    for seq, postings in enumerate(entries, start=1):
        posted = []
        for account, amount in postings:
            number, balance = standing.get(account, (0, 0))
            standing[account] = number + 1, balance + amount
            posted.append([list(account), number + 1, 1, amount, balance + amount])
        receipts.append({"seq": seq, "postings": posted})
    how(receipts)
    canonical = [b"{}\n" + json.dumps(each).encode() for each in receipts]
    head, after = bytes(32), 0
    for batch in world.batches[1:]:
        after += len(batch.records)
        for each in canonical[after - len(batch.records) : after]:
            head = journal_link(head, each)
        batch.forced = {"journal_head": head}
    world.rechain()
    with path.open("wb") as file:
        assert write_journal(file, canonical) == len(canonical)
    return path


def test_a_journal_that_agrees(world: World, tmp_path: Path) -> None:
    path = exported(world, tmp_path / "journal", booked(world), lambda _: None)
    outcome = audited(world, Evidence(journal=path))
    assert found(outcome) == set()
    assert (outcome.journal_entries, state_of(outcome, 29)) == (21, "held")


def unbalanced(receipts: list[Any]) -> None:
    receipts[0]["postings"].pop()


def stepped(receipts: list[Any]) -> None:
    receipts[3]["postings"][0][4] += 1


def renumbered(receipts: list[Any]) -> None:
    receipts[5]["seq"] = 9


def worded(receipts: list[Any]) -> None:
    receipts[5]["postings"] = "none"


def other_cash(receipts: list[Any]) -> None:
    """The last entry moves one more AU, balanced; the public log knows nothing of it."""
    receipts[-1]["postings"] += [
        [[FAMILIES["cash"], 0, 1], 1 + numbers(receipts, 1), 1, 1, 1 + balances(receipts, 1)],
        [[8, 0, 1], 1, 1, -1, -1],
    ]


def _of_cash(receipts: list[Any], party: int) -> list[Any]:
    return [p for r in receipts for p in r["postings"] if p[0] == [FAMILIES["cash"], 0, party]]


def numbers(receipts: list[Any], party: int) -> int:
    return int(_of_cash(receipts, party)[-1][1])


def balances(receipts: list[Any], party: int) -> int:
    return int(_of_cash(receipts, party)[-1][4])


@pytest.mark.parametrize(
    ("how", "codes"),
    [
        (unbalanced, {"journal-unbalanced", "journal-step"}),
        (stepped, {"journal-step"}),
        (renumbered, {"journal-order"}),
        (worded, {"journal-malformed", "journal-step", "journal-public"}),
        (other_cash, {"journal-public"}),
    ],
)
def test_private_books_that_are_false(
    world: World, tmp_path: Path, how: Callable[[list[Any]], None], codes: set[str]
) -> None:
    outcome = audited(world, Evidence(journal=exported(world, tmp_path / "journal", booked(world), how)))
    assert outcome.findings.counts.keys() <= codes
    assert found(outcome) == {29}


def test_a_journal_rewritten_later(world: World, tmp_path: Path) -> None:
    """The export is another one than the headers committed to: its chain of hashes never reaches them."""
    path = exported(world, tmp_path / "journal", booked(world), lambda _: None)
    world.batches[3].forced = {"journal_head": b"\x01" * 32}
    world.rechain()
    outcome = audited(world, Evidence(journal=path))
    assert set(outcome.findings.counts) == {"journal-head"}
    assert {each.batch_no for each in outcome.findings.kept} == {3, 4}


def test_a_file_that_is_no_journal(world: World, tmp_path: Path) -> None:
    (tmp_path / "journal").write_bytes(b"something else")
    assert "journal-malformed" in audited(world, Evidence(journal=tmp_path / "journal")).findings.counts


@pytest.mark.parametrize("cut", [1, 3, 5, 9])
def test_an_export_cut_short_is_refused(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "journal"
    with path.open("wb") as file:
        write_journal(file, [b"abc", b"defg"])
    path.write_bytes(path.read_bytes()[:-cut])
    with path.open("rb") as file, pytest.raises(JournalFileError):
        list(read_journal(file))


# what was seen before


def earlier(world: World, path: Path) -> Path:
    path.write_text(json.dumps(report(world.audit(), rpc=[], anchored=False)))
    return path


def test_headers_seen_before_still_stand(world: World, tmp_path: Path) -> None:
    checkpoint = load_checkpoint(earlier(world, tmp_path / "report.json"))
    outcome = audited(world, Evidence(checkpoint=checkpoint))
    assert (found(outcome), outcome.checkpoints) == (set(), 5)


def test_another_header_than_was_seen_before(world: World, tmp_path: Path) -> None:
    checkpoint = load_checkpoint(earlier(world, tmp_path / "report.json"))
    world.batches[3].forced = {"journal_head": b"\x01" * 32}
    world.rechain()
    outcome = audited(world, Evidence(checkpoint=checkpoint))
    assert set(outcome.findings.counts) == {"checkpoint-differs"}
    assert {each.batch_no for each in outcome.findings.kept} >= {3, 4}


def state_with(path: Path, signed: dict[int, bytes], *, sealed_at: int | None = None) -> Checkpoint:
    """An attester's state, read as a checkpoint; with times where `sealed_at` is given."""
    told: dict[str, Any] = {"signed": {str(number): "0x" + each.hex() for number, each in signed.items()}}
    if sealed_at is not None:
        told["sealed"] = {"0x" + each.hex(): [no, sealed_at, "0x" + "00" * 32] for no, each in signed.items()}
    path.write_text(json.dumps(told))
    return load_checkpoint(path)


OTHER = b"\x11" * 32


def test_a_header_signed_before_under_whose_number_another_stands(world: World, tmp_path: Path) -> None:
    outcome = audited(world, Evidence(checkpoint=state_with(tmp_path / "state", {3: OTHER})))
    assert set(outcome.findings.counts) == {"checkpoint-differs"}


def test_what_was_signed_and_is_not_committed_yet_is_no_difference(world: World, tmp_path: Path) -> None:
    """An attester signs before the commit: its state is ahead of the chain, and the report is that of a run without."""
    signed = {number: world.batches[number].header.hash_struct() for number in (2, 3, 4)}
    checkpoint = state_with(tmp_path / "state", signed | {5: OTHER, 6: OTHER}, sealed_at=sealed(world, 4))
    told = report(audited(world, Evidence(checkpoint=checkpoint)), rpc=[], anchored=False)
    plain = report(audited(world, Evidence()), rpc=[], anchored=False)
    assert (told["verdict"], told["findings"]) == ("clean", [])
    assert told.pop("evidence") == plain.pop("evidence") | {"checkpoints": 3}
    assert steady(told) == steady(plain)


def steady(told: dict[str, Any]) -> dict[str, Any]:
    """A report without what is different at every run: how long it took."""
    totals = {name: value for name, value in told["totals"].items() if name != "eventsPerSecond"}
    batches = [{name: value for name, value in each.items() if name != "seconds"} for each in told["batches"]]
    return told | {"seconds": 0, "totals": totals, "batches": batches}


@pytest.mark.parametrize(("past", "codes"), [(0, {"checkpoint-differs"}), (1, set())])
def test_what_was_signed_and_lapsed_may_have_another_in_its_place(
    world: World, tmp_path: Path, past: int, codes: set[str]
) -> None:
    checkpoint = state_with(tmp_path / "state", {3: OTHER}, sealed_at=sealed(world, 2))
    chain = world.chain()
    chain.block_time = sealed(world, 2) + SEAL_LAG_SECONDS_BOUND + past
    assert set(world.audit(chain, evidence=Evidence(checkpoint=checkpoint)).findings.counts) == codes


def test_what_was_seen_and_then_thrown_out_may_have_another_in_its_place(world: World) -> None:
    """Everybody saw the hub throw it out; without that the same is a split view."""
    gone = bytes([9]) * 32
    checkpoint = Evidence(checkpoint=Checkpoint(seen={2: "0x" + gone.hex()}))
    chain = world.chain()
    assert set(world.audit(chain, evidence=checkpoint).findings.counts) == {"checkpoint-differs"}
    assert found(world.audit(replace(chain, reverted=frozenset({gone})), evidence=checkpoint)) == set()


def test_what_a_report_saw_on_the_chain_never_lapses(world: World, tmp_path: Path) -> None:
    told = load_checkpoint(earlier(world, tmp_path / "report.json"))
    old = Sealing(4, 0, bytes(32))
    checkpoint = Checkpoint(seen=told.seen, sealings={bytes.fromhex(told.seen[4][2:]): old})
    chain = world.chain()
    chain.block_time = 2**40
    del chain.commits[4]
    outcome = world.audit(chain, evidence=Evidence(checkpoint=checkpoint))
    assert outcome.findings.counts["checkpoint-differs"] == 1


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"signed": 1}', '{"batches": [{}]}'])
def test_a_checkpoint_that_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "state").write_text(content)
    with pytest.raises(CheckpointError):
        load_checkpoint(tmp_path / "state")


def test_a_report_says_what_it_covered(world: World, tmp_path: Path) -> None:
    told = load_report(earlier(world, tmp_path / "report.json"))
    assert (told.verdict, told.first, told.last, len(told.checkpoint)) == ("clean", 0, 4, 5)
