"""A journal entry as reports read it: the command and its receipt. From a pure book, or from the store by
`ledger.reports.reading`. No behaviour.
"""

from __future__ import annotations

from typing import NamedTuple

from ledger.answers import Receipt
from ledger.commands import AnyCommand


class Recorded(NamedTuple):
    """One entry. `order_seq` is, for a refund of an order and a cancelled one, the entry that made it, else None."""

    command: AnyCommand
    receipt: Receipt
    order_seq: int | None = None
