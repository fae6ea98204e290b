"""Whom a command names, and whether that person may do what it asks: the checks that verbs about members share. Pure.

A name means a person: itself, or the member it was merged into. Who has closed is refused whatever is asked; who is
frozen may earn and be refunded, and may not spend, transfer or exchange.
"""

from __future__ import annotations

from ledger.refusals import Refused
from ledger.slice import Member, Slice


def known(state: Slice, name: str, field: str = "member") -> Member:
    """Whom the name means. Refusals in order: member-unknown (referrer-unknown), member-closed."""
    person = state.member(name)
    if person is None:
        raise Refused("referrer-unknown" if field == "referrer" else "member-unknown", field, member=name)
    if person.closed:
        raise Refused("member-closed", field, member=name)
    return person


def spender(state: Slice, name: str, field: str = "member") -> Member:
    """Whom the name means, if it may spend. Refusals in order: member-unknown, member-closed, member-frozen."""
    person = known(state, name, field)
    if person.frozen:
        raise Refused("member-frozen", field, member=name)
    return person
