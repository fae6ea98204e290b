"""Publish how many points of one issuer are given for another's. The verb; called by the book.

It holds from its own time on; an earlier exchange stays as it was.
"""

from __future__ import annotations

from ledger.commands import PublishExchange
from ledger.entry import Entry
from ledger.refusals import Refused
from ledger.wants import Wants


def wants(command: PublishExchange, want: Wants) -> None:
    want.merchants |= {command.from_issuer_id, command.to_issuer_id}


def publish_exchange(command: PublishExchange, entry: Entry) -> dict[str, int | str]:
    """Refusals in order: merchant-unknown, same-issuer."""
    for field in ("from_issuer_id", "to_issuer_id"):
        issuer = getattr(command, field)
        if issuer not in entry.slice.registry.merchants:
            raise Refused("merchant-unknown", field, issuer_id=issuer)
    if command.from_issuer_id == command.to_issuer_id:
        raise Refused("same-issuer", "to_issuer_id", issuer_id=command.to_issuer_id)
    entry.configure(command)
    return {"num": command.num, "den": command.den}
