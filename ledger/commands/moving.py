"""Commands by which points change hands or currency, or end. No behaviour."""

from __future__ import annotations

from ledger.commands.command import Command
from ledger.units import Id, Name, Positive


class Transfer(Command, frozen=True, kw_only=True, gc=False, tag="transfer"):
    """Points of one issuer go from one member to another; each lot keeps its rate and expiry."""

    transfer: Name
    issuer_id: Id
    from_member: Name
    to_member: Name
    points: Positive


class Exchange(Command, frozen=True, kw_only=True, gc=False, tag="exchange"):
    """Up to `points` of one issuer become points of another at the published rate: the fewest that give as many."""

    exchange: Name
    member: Name
    from_issuer_id: Id
    to_issuer_id: Id
    points: Positive


class Expire(Command, frozen=True, kw_only=True, gc=False, tag="expire"):
    """Whatever of a member's lots is over at `at_ms` ends, of every issuer."""

    member: Name
