"""Publish what one point is worth from a time on. The verb; called by the book.

A lot keeps the terms it was earned under, so that publishing changes nothing that exists.
"""

from __future__ import annotations

from ledger.commands import PublishTerms
from ledger.entry import Entry
from ledger.refusals import Refused
from ledger.registry import Registry, in_force_from, place
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
    """A worth below any that is in force between its publication and its effect needs the merchant's notice period
    between the two, whichever of the two is published first: else a worse rate could be published while it is none, and
    what makes it one, a better rate before it, afterwards.
    """
    notice_ms = registry.merchants[command.issuer_id].notice_ms
    line = sorted([*registry.terms_of.get(command.issuer_id, ()), command], key=place)
    at = line.index(command)
    pairs = [(command, each) for each in line[:at]] + [(each, command) for each in line[at + 1 :]]
    for worse, better in pairs:
        begins, earliest = in_force_from(worse), worse.at_ms + notice_ms
        if begins < earliest and _is_less(worse, better) and _is_seen(line, better, worse):
            raise Refused("notice-too-short", "from_ms", from_ms=begins, earliest_ms=earliest)


def _is_less(terms: PublishTerms, than: PublishTerms) -> bool:
    return terms.au_num * than.au_den < than.au_num * terms.au_den


def _is_seen(line: list[PublishTerms], better: PublishTerms, worse: PublishTerms) -> bool:
    """Whether the better terms, but for the worse ones, are in force at some instant from when those were published to
    when they begin.
    """
    after = [each for each in line[line.index(better) + 1 :] if each is not worse]
    known = min(worse.at_ms, in_force_from(worse))
    return not after or in_force_from(after[0]) > max(known, in_force_from(better))
