"""Publish what one point is worth from a time on. The verb; called by the book.

A lot keeps the terms it was earned under, so that publishing changes nothing that exists.
"""

from __future__ import annotations

from ledger.commands import PublishTerms
from ledger.entry import Entry
from ledger.refusals import Refused
from ledger.registry import Registry, in_force_from
from ledger.wants import Wants


def wants(command: PublishTerms, want: Wants) -> None:
    want.merchants.add(command.issuer_id)
    want.terms.add((command.issuer_id, command.terms_id))


def publish_terms(command: PublishTerms, entry: Entry) -> dict[str, int | str]:
    """Refusals in order: merchant-unknown, terms-exist, notice-too-short."""
    registry = entry.slice.registry
    if command.issuer_id not in registry.merchants:
        raise Refused("merchant-unknown", "issuer_id", issuer_id=command.issuer_id)
    if command.terms_id in registry.terms:
        raise Refused("terms-exist", "terms_id", terms_id=command.terms_id)
    _notice(registry, command)
    entry.configure(command)
    return {"terms_id": command.terms_id}


def _notice(registry: Registry, command: PublishTerms) -> None:
    """A worth below the one it follows needs the merchant's notice period between publication and effect."""
    before = registry.terms_at(command.issuer_id, in_force_from(command))
    worse = before is not None and command.au_num * before.au_den < before.au_num * command.au_den
    earliest = command.at_ms + registry.merchants[command.issuer_id].notice_ms
    if worse and in_force_from(command) < earliest:
        raise Refused("notice-too-short", "from_ms", from_ms=in_force_from(command), earliest_ms=earliest)
