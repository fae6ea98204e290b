"""Checks 7, 9, 11, 12, 13 and 25 for one leaf, slowly and in words: everything that is false about it by itself.

`scan` asks only for leaves that are not in order at a glance, and for the first of each form; so nothing here is hot,
and nothing that is false is decided anywhere else. Source: protocol §2.3-§2.5.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from auditor.registry import Registry
from proofs.accounts import MEMBER
from proofs.kinds import CLOCK_SKEW_SECONDS_MAX, ON_REDEMPTION, Kind, Terms, broken_rules, effects, reserve_follows
from proofs.lpb1 import Record, Step
from proofs.messages import PointsEvent, signed_digest
from proofs.signature import SignatureError, recover
from proofs.tariff import Tariff

_KINDS = frozenset(Kind)


@dataclass(frozen=True, slots=True)
class Law:
    """What leaves of one batch are judged by."""

    separator: bytes
    registry: Registry
    batch_no: int
    sealed_at: int
    tariff: Tariff | None = None
    dormant_before: int = 0
    """A member whose last leaf has a lower number had been still for long."""

    @property
    def latest(self) -> int:
        """The last second at which an event of this batch may have happened."""
        return self.sealed_at + CLOCK_SKEW_SECONDS_MAX


class Fault(NamedTuple):
    """One thing that is false about a leaf: the finding without its place in the history."""

    code: str
    place: str
    expected: object
    actual: object
    account: bytes | None = None


def faults(law: Law, record: Record, leaf_no: int, event_hash: bytes) -> Iterator[Fault]:
    """Everything false about the leaf that stands at `leaf_no`."""
    if record.leaf_no != leaf_no:
        yield Fault("leaf-number", "leafNo", leaf_no, record.leaf_no)
    yield from _of_signature(law, record, event_hash)
    yield from _of_rules(law, record.event)
    terms = law.registry.terms.get(record.event.terms_id)
    if record.event.kind in _KINDS and (terms is not None or record.event.terms_id == 0):
        yield from _of_postings(record, mode_of(terms))
        if terms is not None and record.member is not None:
            yield from _of_reserve(record.event, terms, record.member)


def mode_of(terms: Terms | None) -> int:
    """How cash moves: an event without terms moves none, whatever the mode."""
    return ON_REDEMPTION if terms is None else terms.mode


def _of_signature(law: Law, record: Record, event_hash: bytes) -> Iterator[Fault]:
    event = record.event
    expected = law.registry.key_at(event.merchant_id, event.key_id, batch_no=law.batch_no, kind=event.kind)
    try:
        signer = recover(signed_digest(law.separator, event_hash), record.sig_r, record.sig_vs)
    except SignatureError as error:
        yield Fault("signature-malformed", "sigR, sigVS", "compact, low-s", error)
        return
    if expected is None:
        wanted = f"a key for kind {event.kind} in batch {law.batch_no}"
        yield Fault("key-not-valid", f"lane {event.merchant_id}:{event.key_id}", wanted, "none registered")
    elif signer != expected:
        yield Fault("signature-of-another", "sigR, sigVS", expected, signer)


def _of_rules(law: Law, event: PointsEvent) -> Iterator[Fault]:
    for name in broken_rules(event, law.registry.terms.get(event.terms_id), law.batch_no):
        actual = f"kind {event.kind}, terms {event.terms_id}, {event.points} points, {event.settle_amount} units"
        yield Fault(name, "event", "the rule of this name", actual)
    if event.occurred_at > law.latest:
        yield Fault("event-in-future", "event.occurredAt", f"at most {law.latest}", event.occurred_at)


def _of_postings(record: Record, mode: int) -> Iterator[Fault]:
    due = effects(record.event, mode)
    yield from _of_slot("issuer", record.issuer, due.issuer)
    yield from _of_slot("debtor", record.debtor, due.debtor)
    yield from _of_slot("creditor", record.creditor, due.creditor)
    member = record.member
    tag = member.account if member is not None and member.account[0] == MEMBER else bytes([MEMBER])
    yield from _of_slot("member", member, None if due.member is None else (tag, due.member))


def _of_reserve(event: PointsEvent, terms: Terms, member: Step) -> Iterator[Fault]:
    if not reserve_follows(event, terms, member.balance):
        due = f"what follows from a balance of {member.balance} after {member.delta}"
        yield Fault("reserve", "settleAmount", due, event.settle_amount, member.account)


def _of_slot(slot: str, step: Step | None, due: tuple[bytes, int] | None) -> Iterator[Fault]:
    if step is None and due is None:
        return
    if step is None or due is None:
        code = "posting-missing" if step is None else "posting-surplus"
        wanted = "no posting" if due is None else f"{due[1]} on 0x{due[0].hex()}"
        yield Fault(code, slot, wanted, step)
        return
    account, delta = due
    if step.account != account:
        yield Fault("posting-account", slot, account, step.account, step.account)
    if step.delta != delta:
        yield Fault("posting-delta", slot, delta, step.delta, step.account)
