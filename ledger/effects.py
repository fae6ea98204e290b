"""What a batch changed, as rows to write: filled by the book, taken by the store. No decisions.

New and changed rows are kept as the live objects, so that a row changed twice in a batch is written once, as it ended.
"""

from __future__ import annotations

from typing import NamedTuple

from ledger.answers import JournalPosting, LotId
from ledger.commands import Configuring
from ledger.records import AnyRecord, RecordName
from ledger.slice import Claim, Lot, Member, Order


class JournalRow(NamedTuple):
    """One journal entry: the command's and the receipt's canonical bytes."""

    seq: int
    verb: str
    at_ms: int
    command: bytes
    receipt: bytes


class AnswerRow(NamedTuple):
    """One key: of a receipt the journal position, of a refusal the bytes themselves."""

    key: str
    seq: int | None
    command: bytes | None
    body: bytes | None


class Effects:
    """Everything to be written after a batch."""

    __slots__ = (
        "answers",
        "changed_lots",
        "changed_members",
        "changed_orders",
        "claims",
        "configured",
        "journal",
        "members",
        "new_lots",
        "new_orders",
        "postings",
        "records",
        "rewired",
    )

    def __init__(self) -> None:
        self.journal: list[JournalRow] = []
        self.answers: list[AnswerRow] = []
        self.postings: list[tuple[int, JournalPosting]] = []
        self.members: list[tuple[int, str]] = []
        self.changed_members: dict[int, Member] = {}
        self.rewired = False
        self.configured: list[tuple[int, Configuring]] = []
        self.records: dict[RecordName, tuple[int, AnyRecord]] = {}
        self.claims: dict[Claim, int] = {}
        self.new_orders: dict[tuple[int, str], Order] = {}
        self.changed_orders: dict[tuple[int, str], Order] = {}
        self.new_lots: dict[LotId, Lot] = {}
        self.changed_lots: dict[LotId, Lot] = {}
