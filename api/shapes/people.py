"""Members and family pools: the bodies. Data only. Decoded and documented by `api.people`."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from api.shapes.values import Body, Name, Taken
from ledger.units import AMOUNT_MAX


class NewMember(Taken, frozen=True, kw_only=True):
    """As the event member.joined, for callers that think in requests."""


class MergeMember(Body, frozen=True, kw_only=True):
    """The member of the address and `into` are one person: everything moves to `into`."""

    into: Name


class UnmergeMember(Body, frozen=True, kw_only=True):
    """A merge was a mistake; it can be taken back until either side has spent."""


class FreezeAccount(Body, frozen=True, kw_only=True):
    """The member may earn and may not spend, transfer or exchange, for `reason` (a word)."""

    reason: Name


class UnfreezeAccount(Body, frozen=True, kw_only=True):
    """The member may spend again."""


class CloseAccount(Body, frozen=True, kw_only=True):
    """The member leaves for good, with nothing left, nothing pending and nothing owed."""


class NewPool(Body, frozen=True, kw_only=True):
    """A family: its members may give each other points, of each issuer at most so many a day (UTC) and member."""

    pool: Name
    owner: Name
    day_points_max: Annotated[int, Meta(ge=0, le=AMOUNT_MAX)]


class PoolMember(Taken, frozen=True, kw_only=True):
    """A member joins or leaves the pool of the address."""
