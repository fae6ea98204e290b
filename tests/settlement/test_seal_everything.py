"""Whatever the ledger does can be sealed and the auditor finds nothing: both modes, every verb, awkward rates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from auditor.evidence import Evidence
from ledger import journal
from ledger.book import Book
from proofs.accounts import CASH, RESERVE_ID
from proofs.journal_file import write_journal
from proofs.kinds import ON_ISSUANCE, ON_REDEMPTION, Kind
from settlement.sealing.seal import Sealed
from tests.attacks.forge import found, resigned
from tests.ledger.scene import Scene
from tests.ledger.test_july import JULY, alliance, by_number, play
from tests.properties.choices import Choices
from tests.properties.pair import Pair
from tests.properties.test_ledger_machine import PLAYED
from tests.settlement.sealer import key_of, seal_all

COMMANDS = 2_500
SEEDS = (1, 2, 3)
FROM_THE_LEDGER = frozenset(Kind) - {Kind.VOID, Kind.REFERRAL_CASH}


def sealed_clean(book: Book, rows: Iterable[tuple[bytes, bytes]], folder: Path) -> list[Sealed]:
    """The batches of everything the book has decided, (command, receipt) by row, after an audit without a finding."""
    entries = [journal.entry(*row) for row in rows]
    sealer, batches = seal_all(entries, book.slice.registry.terms.values())
    world = sealer.world(folder)
    with (folder / "journal").open("wb") as file:
        write_journal(file, (entry.canonical for entry in entries))
    outcome = world.audit(evidence=Evidence(journal=folder / "journal"))
    assert (found(outcome), outcome.incomplete) == (set(), [])
    assert outcome.journal_entries == len(entries)
    assert len(outcome.batches) == len(batches) + 1
    return batches


@pytest.mark.parametrize(
    ("mode", "net"), [(ON_REDEMPTION, "net_on_redemption"), (ON_ISSUANCE, "net_on_issuance")], ids=["later", "at once"]
)
def test_july(mode: int, net: str, tmp_path: Path) -> None:
    scene = Scene()
    scene.play(*alliance(mode=mode))
    play(scene)
    rows = [(row.command, row.receipt) for row in scene.book.effects.journal]
    closing = sealed_clean(scene.book, rows, tmp_path)[-1]
    cash = {int.from_bytes(row.account[1:5], "big"): row.balance for row in closing.rows if row.account[0] == CASH}
    expected = by_number(JULY["expected"][net])
    assert cash[RESERVE_ID] == expected.get(RESERVE_ID, 0) * 10_000
    assert (cash[RESERVE_ID] > 0) == (mode == ON_ISSUANCE)
    assert sum(cash.values()) == 0


def test_random_histories_of_all_verbs(tmp_path: Path) -> None:
    kinds: set[int] = set()
    in_debt: Counter[int] = Counter()
    fractions = 0
    for seed in SEEDS:
        pair = Pair.opened()
        choices = Choices(Random(seed), pair.oracle)
        for _ in range(COMMANDS):
            pair.apply(choices.command(PLAYED))
        terms = pair.book.slice.registry.terms
        batches = sealed_clean(pair.book, pair.witness.entries, tmp_path / str(seed))
        for record in [record for batch in batches for record in batch.records]:
            kinds.add(record.event.kind)
            if record.event.terms_id and terms[record.event.terms_id].mode == ON_ISSUANCE and record.member:
                in_debt[record.event.kind] += record.member.balance < 0
                fractions += terms[record.event.terms_id].au_den > 1
    assert kinds == FROM_THE_LEDGER
    assert in_debt[Kind.REFUND_EARN]
    assert in_debt[Kind.EARN] + in_debt[Kind.ADJUST_UP], "no debt was repaid in part"
    assert fractions


def test_an_issuer_that_pays_less_than_its_members_have_is_found(tmp_path: Path) -> None:
    """Two points' worth is missing; postings, rows, nets and roots are made to fit, and the issuer signs."""
    scene = Scene()
    scene.play(*alliance(mode=ON_ISSUANCE))
    play(scene)
    entries = [journal.entry(row.command, row.receipt) for row in scene.book.effects.journal]
    sealer, _ = seal_all(entries, scene.book.slice.registry.terms.values())
    world = sealer.world(tmp_path)
    place, record = next(
        (place, record)
        for place, record in enumerate(world.batches[1].records)
        if record.event.kind == Kind.EARN and record.event.settle_amount > 20_000
    )
    assert record.debtor is not None
    assert record.creditor is not None
    terms = sealer.rules.terms[record.event.terms_id]
    less = 2 * max(terms.num, 10_000)
    event = replace(record.event, settle_amount=record.event.settle_amount - less)
    world.batches[1].records[place] = resigned(
        replace(
            record,
            debtor=replace(record.debtor, delta=record.debtor.delta + less),
            creditor=replace(record.creditor, delta=record.creditor.delta - less),
        ),
        event,
        key_of(event.merchant_id, event.key_id),
    )
    world.relink(1)
    world.rehead(1)
    outcome = world.audit()
    assert dict(outcome.findings.counts) == {"reserve": 1}
