"""What passes at a glance is what has no fault: held against each other over every word of leaves of every kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditor.examine import Law, faults
from auditor.scan import Job, _Scanner, record_hashes
from proofs.kinds import Kind
from proofs.lpb1 import FileError, Record, parse_record
from proofs.words import WORD_BYTES
from settlement.publish import Recipient
from tests.attacks import alliance
from tests.attacks.forge import KID, PRIVATE, SEPARATOR, honest_registry
from tests.auditor import ex1

WORDS = 40
SIGNED_WORDS = 15
PATTERNS = (bytes(WORD_BYTES), b"\xff" * WORD_BYTES, (1).to_bytes(WORD_BYTES, "big"), (2).to_bytes(WORD_BYTES, "big"))


def honest() -> list[tuple[Law, Record]]:
    """One leaf of each kind of the honest alliance, and the worked example's."""
    law = Law(ex1.SEPARATOR, ex1.registry(), 1, ex1.HEADER.sealed_at)
    found = [(law, record) for record in ex1.RECORDS]
    for batch in alliance.history(Recipient(KID, PRIVATE.public_key().public_bytes_raw())):
        law = Law(SEPARATOR, honest_registry(), batch.header.batch_no, batch.header.sealed_at)
        found += [(law, record) for record in batch.sealed.records]
    return found


LEAVES = honest()


def scanned(law: Law, raw: bytes, leaf_no: int) -> set[str]:
    """The codes that a shard of this one leaf gives."""
    scanner = _Scanner(Job(Path(), 0, 0, 1, leaf_no, bytes(32), law))
    scanner.take(0, raw)
    return set(scanner.finish().findings.counts)


def explained(law: Law, raw: bytes, leaf_no: int) -> set[str]:
    """The codes that the slow examination gives."""
    try:
        record = parse_record(raw)
    except FileError:
        return {"file-malformed"}
    return {fault.code for fault in faults(law, record, leaf_no, record_hashes(raw, bytes(32))[0])}


def changed(raw: bytes) -> list[bytes]:
    """The leaf with each of its words replaced, and with its last bit turned."""
    made = []
    for at in range(0, WORDS * WORD_BYTES, WORD_BYTES):
        word = raw[at : at + WORD_BYTES]
        flipped = word[:-1] + bytes([word[-1] ^ 1])
        made += [raw[:at] + other + raw[at + WORD_BYTES :] for other in (*PATTERNS, flipped) if other != word]
    return made


def test_all_kinds_are_looked_at() -> None:
    assert {record.event.kind for _, record in LEAVES} >= set(Kind) - {6, 7, 8}


@pytest.mark.parametrize("at", range(len(LEAVES)))
def test_a_glance_passes_exactly_what_has_no_fault(at: int) -> None:
    law, record = LEAVES[at]
    raw = record.to_bytes()
    assert scanned(law, raw, record.leaf_no) == explained(law, raw, record.leaf_no) == set()
    for other in changed(raw):
        assert scanned(law, other, record.leaf_no) - {"member-below-zero"} == explained(law, other, record.leaf_no)
