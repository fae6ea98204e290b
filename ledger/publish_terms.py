"""Publish what one point is worth from a time on. The verb; called by the book.

A lot keeps the terms it was earned under, so that publishing changes nothing that exists.
"""

from __future__ import annotations

from ledger.commands import PublishTerms
from ledger.entry import Entry
from ledger.refusals import Refused
from ledger.wants import Wants
from proofs.kinds import ON_REDEMPTION


def wants(command: PublishTerms, want: Wants) -> None:
    want.merchants.add(command.issuer_id)
    want.terms.add((command.issuer_id, command.terms_id))


def publish_terms(command: PublishTerms, entry: Entry) -> dict[str, int | str]:
    """Refusals in order: merchant-unknown, terms-exist, mode-unsupported."""
    registry = entry.slice.registry
    if command.issuer_id not in registry.merchants:
        raise Refused("merchant-unknown", "issuer_id", issuer_id=command.issuer_id)
    if command.terms_id in registry.terms:
        raise Refused("terms-exist", "terms_id", terms_id=command.terms_id)
    if command.mode != ON_REDEMPTION:
        raise Refused("mode-unsupported", "mode", mode=command.mode, offered=ON_REDEMPTION)
    entry.publish_terms(command)
    return {"terms_id": command.terms_id}
