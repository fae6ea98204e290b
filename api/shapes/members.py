"""Answers about members. Data only. A field is added, never renamed. Made by `api.members`."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class IssuerBalanceOut(Struct, frozen=True, kw_only=True):
    """A member's points with one issuer: confirmed (below zero: owed), pending, held by authorisations, owed, and what
    can be used now, in points and in AU.
    """

    issuer: int
    points: int
    pending: int
    held: int
    debt: int
    available_points: int
    available_au: int


class MemberOut(Struct, frozen=True, kw_only=True):
    """A member: `state` active, frozen, merged (into `merged_into`, whose figures these are) or closed; `tier` the
    last one recorded; `issuers` what the caller may see; `available_au` what everything together is worth at a till.
    """

    member: str
    journal_seq: int
    as_of: str
    state: Literal["active", "frozen", "merged", "closed"]
    merged_into: str | None
    tier: str | None
    available_au: int
    issuers: list[IssuerBalanceOut]


class MemberBalancesOut(Struct, frozen=True, kw_only=True):
    """What a member has with the calling merchant, and what can be used there of all issuers' points together."""

    member: str
    journal_seq: int
    as_of: str
    points: int
    pending: int
    debt: int
    available_au: int
    held: int


class MemberLotOut(Struct, frozen=True, kw_only=True):
    """Points that came together: worth au_num/au_den AU each, used before `expires_at` or not at all. Times are null
    while they are pending; `order` is null where no order brought them.
    """

    lot: str
    points: int
    remaining: int
    terms_id: int
    au_num: int
    au_den: int
    order: str | None
    confirmed_at: str | None
    expires_at: str | None


class LotsOut(Struct, frozen=True, kw_only=True):
    """A page of lots; `next_cursor` null: the last one."""

    data: list[MemberLotOut]
    next_cursor: str | None


class ChangeOut(Struct, frozen=True, kw_only=True):
    """One journal entry: what it changed of the member's points with the caller, and what was there afterwards (null:
    not touched). `merchant` is who had it signed; `event_id` and `why` are there where the caller asked for it itself.
    """

    journal_seq: int
    verb: str
    occurred_at: str
    event_id: str | None
    merchant: int | None
    points: int
    pending: int
    held: int
    points_after: int | None
    pending_after: int | None
    held_after: int | None
    why: dict[str, int | str]


class ChangesOut(Struct, frozen=True, kw_only=True):
    """A page of changes, newest first; `next_cursor` null: the last one."""

    data: list[ChangeOut]
    next_cursor: str | None


class RaiseOut(Struct, frozen=True, kw_only=True):
    """An order of `amount_minor` at `merchant`, once confirmed, would reach the next tier."""

    merchant: int
    amount_minor: int


class TierChangeOut(Struct, frozen=True, kw_only=True):
    """One change that was recorded, on how many qualifying AU; `was` null: the first one."""

    journal_seq: int
    at: str
    was: str | None
    tier: str
    qualifying_au: int


class TierOut(Struct, frozen=True, kw_only=True):
    """A member's tier now and why. `tier` null: the alliance has none.

    `reached` by `qualifying_au` within the window; `next_tier` lacks `missing_au`; the window will not hold enough from
    `lost_from` on, and from `kept_until` on the tier falls to `falls_to` (null: nothing is at risk). `raise_by`: what
    would reach the next tier at the caller's, or anybody's for the operator.
    """

    member: str
    as_of: str
    tier: str | None
    since: str | None
    reached: str | None
    qualifying_au: int
    next_tier: str | None
    missing_au: int
    lost_from: str | None
    kept_until: str | None
    falls_to: str | None
    raise_by: list[RaiseOut]
    history: list[TierChangeOut]


class ReferralsOut(Struct, frozen=True, kw_only=True):
    """`referred`: how many members this one brought. `decided`: whether its own referral can still be bound."""

    member: str
    referrer: str | None
    decided: bool
    referred: int
