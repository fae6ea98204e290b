"""Check 29: the private journal, for an auditor whom the operator admits to it: hashes, double entry, public balances.

An export is read entry by entry (`proofs.journal_file`). The chain of hashes must pass through every header's
journalHead in order; within an entry the postings of each unit sum to zero; each account counts 1, 2, 3 and its balance
runs on; and where the last audited batch ends, cash and outstanding points are what its rows say. Nothing of the ledger
is imported: the form of a receipt's postings is all that is known here. Memory grows with accounts. Source: protocol
§2.7, §6.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from auditor.findings import Findings
from proofs.accounts import cash_account, points_account
from proofs.headers import journal_link
from proofs.journal_file import JournalFileError, read_journal
from proofs.kinds import BASE_UNITS_PER_AU
from proofs.lpb1 import Row
from proofs.messages import BatchHeader
from proofs.words import ZERO_WORD

CASH_FAMILY, OUTSTANDING_FAMILY = 7, 1
"""The families of accounts that settlement publishes, by the ledger's chart: cash in AU, outstanding negative."""


@dataclass(slots=True)
class _Replay:
    """The state of the books while entries go by. `accounts` holds (postings, balance) by (family, unit, party)."""

    findings: Findings
    batch_no: int = 0
    seq: int = 0
    head: bytes = ZERO_WORD
    accounts: dict[tuple[int, int, int], tuple[int, int]] = field(default_factory=dict)

    def take(self, entry: bytes) -> None:
        """One entry."""
        self.seq, self.head = self.seq + 1, journal_link(self.head, entry)
        try:
            told = json.loads(entry.partition(b"\n")[2])
            seq, postings = told["seq"], [_posting(each) for each in told["postings"]]
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            self._add("journal-malformed", "receipt", "an entry", repr(error))
            return
        if seq != self.seq:
            self._add("journal-order", "seq", self.seq, seq)
        self._post(postings)

    def _post(self, postings: Sequence[tuple[tuple[int, int, int], int, int, int]]) -> None:
        sums: Counter[int] = Counter()
        for account, number, amount, balance in postings:
            sums[account[1]] += amount
            before, there = self.accounts.get(account, (0, 0))
            if (number, balance) != (before + 1, there + amount):
                due = f"posting {before + 1}, balance {there + amount}"
                self._add("journal-step", f"account {account}", due, f"posting {number}, balance {balance}")
            self.accounts[account] = number, balance
        for unit, amount in sums.items():
            if amount:
                self._add("journal-unbalanced", f"unit {unit}", 0, amount)

    def _add(self, code: str, place: str, expected: object, actual: object) -> None:
        self.findings.add(code, self.batch_no, f"entry {self.seq}, {place}", expected=expected, actual=actual)


def check_journal(
    path: Path, headers: Sequence[BatchHeader], rows: Mapping[bytes, Row] | None, findings: Findings
) -> int:
    """Check 29 over the export at `path`, against the headers in order and the rows of the last; answers how many
    entries there were. Entries after the last header's are sealed later and are only replayed.
    """
    replay, waiting, met = _Replay(findings), [each for each in headers if each.batch_no], 0
    try:
        with path.open("rb") as source:
            met = _meet(replay, waiting, met, rows)
            for entry in read_journal(source):
                replay.batch_no = waiting[met].batch_no if met < len(waiting) else 0
                replay.take(entry)
                met = _meet(replay, waiting, met, rows)
    except JournalFileError as error:
        findings.add("journal-malformed", replay.batch_no, str(path.name), expected="an export", actual=error)
    for header in waiting[met:]:
        place = f"journalHead after {replay.seq} entries"
        findings.add("journal-head", header.batch_no, place, expected=header.journal_head, actual="never reached")
    return replay.seq


def _meet(replay: _Replay, waiting: Sequence[BatchHeader], met: int, rows: Mapping[bytes, Row] | None) -> int:
    """How many headers the chain has passed; where it passes the last one, its rows are compared."""
    while met < len(waiting) and waiting[met].journal_head == replay.head:
        met += 1
        if met == len(waiting) and rows is not None:
            _compare(replay, waiting[-1].batch_no, rows)
    return met


def _compare(replay: _Replay, batch_no: int, rows: Mapping[bytes, Row]) -> None:
    """What the private books say of public accounts is what the rows say."""
    for (family, unit, party), (_, balance) in replay.accounts.items():
        if family == CASH_FAMILY:
            account, due = cash_account(party), balance * BASE_UNITS_PER_AU
        elif family == OUTSTANDING_FAMILY:
            account, due = points_account(unit), -balance
        else:
            continue
        row = rows.get(account)
        there = 0 if row is None else row.balance
        if there != due:
            replay.findings.add(
                "journal-public",
                batch_no,
                "row",
                expected=f"{due}, as the journal has it",
                actual=there,
                account=account,
            )


def _posting(told: Any) -> tuple[tuple[int, int, int], int, int, int]:
    (family, unit, party), number, _, amount, balance = told
    if not all(type(each) is int for each in (family, unit, party, number, amount, balance)):
        raise TypeError(f"not whole numbers: {told}")
    return (family, unit, party), number, amount, balance
