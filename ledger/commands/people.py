"""Commands about members: who they are, who referred them, which accounts are one person's. No behaviour."""

from __future__ import annotations

from ledger.commands.command import Command
from ledger.units import Name, NotNegative


class Enrol(Command, frozen=True, kw_only=True, gc=False, tag="enrol"):
    """A member joins the alliance."""

    member: Name


class BindReferral(Command, frozen=True, kw_only=True, gc=False, tag="bind_referral"):
    """`member` came by `referrer`: made once, before the first purchase."""

    member: Name
    referrer: Name


class FreezeMember(Command, frozen=True, kw_only=True, gc=False, tag="freeze_member"):
    """The member may earn and may not spend, transfer or exchange until unfrozen."""

    member: Name
    reason: Name


class UnfreezeMember(Command, frozen=True, kw_only=True, gc=False, tag="unfreeze_member"):
    """The member may spend again."""

    member: Name


class CloseMember(Command, frozen=True, kw_only=True, gc=False, tag="close_member"):
    """The member leaves for good, with nothing left, nothing pending and nothing owed."""

    member: Name


class Merge(Command, frozen=True, kw_only=True, gc=False, tag="merge"):
    """`member` and `into` are one person: everything moves to `into`, and `member` means `into` from now on."""

    member: Name
    into: Name


class Unmerge(Command, frozen=True, kw_only=True, gc=False, tag="unmerge"):
    """A merge was a mistake and is taken back, as long as neither side has spent."""

    member: Name


class OpenPool(Command, frozen=True, kw_only=True, gc=False, tag="open_pool"):
    """A family may move points among its members, at most `day_points_max` of each issuer a day (UTC) and member."""

    pool: Name
    owner: Name
    day_points_max: NotNegative


class JoinPool(Command, frozen=True, kw_only=True, gc=False, tag="join_pool"):
    """A member of no pool joins one."""

    pool: Name
    member: Name


class LeavePool(Command, frozen=True, kw_only=True, gc=False, tag="leave_pool"):
    """A member leaves its pool."""

    pool: Name
    member: Name


class EvaluateTier(Command, frozen=True, kw_only=True, gc=False, tag="evaluate_tier"):
    """Look at the member's qualifying AU at `at_ms` and record the tier that follows."""

    member: Name
