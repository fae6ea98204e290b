"""What a merchant may ask about a member: who it is, what it has here and what it could use here, and how that came.

Invariant: no merchant learns what a member has with another one, only the worth of everything together, which it needs
at the till; the operator sees every issuer. Reading only. Mounted by `api.app`.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import psycopg
from fastapi import APIRouter, Depends, Request, Response

from api.auth import Caller, allowed
from api.clock import now_ms
from api.door import door_of
from api.openapi import CURSOR, LIMIT, NAME_SCHEMA, PathText, documented, in_path
from api.paging import cursor_of, one_page, page_of
from api.parse import id_in, moment, no_parameters
from api.problems import invalid
from api.shapes.members import (
    ChangeOut,
    ChangesOut,
    IssuerBalanceOut,
    LotsOut,
    MemberBalancesOut,
    MemberLotOut,
    MemberOut,
    ReferralsOut,
)
from api.shapes.values import NAME_CHARS_MAX
from ledger.answers import LotId
from ledger.journal import head_seq
from ledger.member_history import NEWEST, Change, OpenLot, Person, Place, changes, lots, person, referred
from ledger.queries import MemberBalance, member_balances, registry
from ledger.registry import Registry
from proofs.accounts import OPERATOR_ID

router = APIRouter()
READER = Annotated[Caller, Depends(allowed("members:read"))]
MEMBER = in_path("member", NAME_SCHEMA, "m-1001")
UNKNOWN = ("field-invalid", "member-unknown")
_encode = msgspec.json.Encoder().encode
_NOTHING = MemberBalance(issuer=0, confirmed=0, pending=0, held=0, debt=0, available_points=0, available_au=0)


def json_of(found: Any) -> Response:
    """An answer to a question."""
    return Response(_encode(found), media_type="application/json")


def found_person(connection: psycopg.Connection[Any], name: str) -> Person:
    """Who has this name. Refuses with member-unknown."""
    id_in(name, pointer="#path/member", chars_max=NAME_CHARS_MAX)
    found = person(connection, name)
    if found is None:
        raise invalid("#path/member", f"no member is called {name}", code="member-unknown")
    return found


@router.get(
    "/v1/members/{member}",
    **documented(
        "A member",
        "Who it is, and what it has: with you, or with every issuer if you are the operator.",
        gives=(200, "As of the journal position named", "MemberOut"),
        parameters=(MEMBER,),
        codes=UNKNOWN,
    ),
)
def get_member(request: Request, member: PathText, caller: READER) -> Response:
    no_parameters(request)
    door = door_of(request)
    at_ms = now_ms(door.now())
    with door.reading() as connection:
        who = found_person(connection, member)
        seq, balances = head_seq(connection), member_balances(connection, member, at_ms)
    return json_of(
        MemberOut(
            member=who.name,
            journal_seq=seq,
            as_of=moment(at_ms),
            state="closed" if who.closed else "merged" if who.merged_into else "frozen" if who.frozen else "active",
            merged_into=who.merged_into,
            tier=who.tier or None,
            available_au=sum(each.available_au for each in balances),
            issuers=[_issuer(each) for each in balances if caller.merchant_id in {each.issuer, OPERATOR_ID}],
        )
    )


def _issuer(balance: MemberBalance) -> IssuerBalanceOut:
    return IssuerBalanceOut(
        issuer=balance.issuer,
        points=balance.confirmed,
        pending=balance.pending,
        held=balance.held,
        debt=balance.debt,
        available_points=balance.available_points,
        available_au=balance.available_au,
    )


@router.get(
    "/v1/members/{member}/balances",
    **documented(
        "What a member has",
        "The member's points with the calling merchant, and what can be used there of all issuers' points together.",
        gives=(200, "As of the journal position named", "MemberBalancesOut"),
        parameters=(MEMBER,),
        codes=UNKNOWN,
    ),
)
def get_balances(request: Request, member: PathText, caller: READER) -> Response:
    no_parameters(request)
    door = door_of(request)
    at_ms = now_ms(door.now())
    with door.reading() as connection:
        found_person(connection, member)
        seq, balances = head_seq(connection), member_balances(connection, member, at_ms)
    here = next((each for each in balances if each.issuer == caller.merchant_id), _NOTHING)
    return json_of(
        MemberBalancesOut(
            member=member,
            journal_seq=seq,
            as_of=moment(at_ms),
            points=here.confirmed,
            pending=here.pending,
            held=here.held,
            debt=here.debt,
            available_au=sum(each.available_au for each in balances),
        )
    )


@router.get(
    "/v1/members/{member}/lots",
    **documented(
        "A member's lots with you",
        "Points of yours that are not used up, in the order in which they came, each with its own rate and expiry.",
        gives=(200, "A page", "LotsOut"),
        parameters=(MEMBER, CURSOR, LIMIT),
        codes=UNKNOWN,
    ),
)
def get_lots(request: Request, member: PathText, caller: READER) -> Response:
    after, limit = page_of(request, LotId)
    with door_of(request).reading() as connection:
        who = found_person(connection, member)
        found = lots(connection, who.account, caller.merchant_id, after=after or LotId(0, 0), limit=limit + 1)
        promised = registry(connection)
    page, more = one_page(found, limit, lambda each: each.lot)
    return json_of(LotsOut(data=[_lot(each, promised) for each in page], next_cursor=more))


def _lot(lot: OpenLot, promised: Registry) -> MemberLotOut:
    terms = promised.terms[lot.terms_id]
    return MemberLotOut(
        lot=f"{lot.lot.seq}-{lot.lot.no}",
        points=lot.points,
        remaining=lot.remaining,
        terms_id=lot.terms_id,
        au_num=terms.au_num,
        au_den=terms.au_den,
        order=lot.order,
        confirmed_at=None if lot.confirmed_at_ms is None else moment(lot.confirmed_at_ms),
        expires_at=None if lot.expires_at_ms is None else moment(lot.expires_at_ms),
    )


@router.get(
    "/v1/members/{member}/transactions",
    **documented(
        "What changed a member's points with you",
        "Newest first, each with what it changed, what was there afterwards, and why.",
        gives=(200, "A page", "ChangesOut"),
        parameters=(MEMBER, CURSOR, LIMIT),
        codes=UNKNOWN,
    ),
)
def get_transactions(request: Request, member: PathText, caller: READER) -> Response:
    below, limit = page_of(request, Place)
    with door_of(request).reading() as connection:
        who = found_person(connection, member)
        found, after = changes(connection, who.account, caller.merchant_id, below=below or NEWEST, limit=limit)
    page = [_change(each, caller.merchant_id) for each in found]
    return json_of(ChangesOut(data=page, next_cursor=None if after is None else cursor_of(after)))


def _change(change: Change, merchant_id: int) -> ChangeOut:
    receipt = change.receipt
    owner, _, event_id = receipt.key.partition(":")
    mine = owner == str(merchant_id)
    signers = {leg.signer for leg in receipt.legs if leg.issuer == merchant_id}
    return ChangeOut(
        journal_seq=receipt.seq,
        verb=receipt.verb,
        occurred_at=moment(receipt.at_ms),
        event_id=event_id if mine else None,
        merchant=min(signers, default=None),
        points=change.points,
        pending=change.pending,
        held=change.held,
        points_after=change.points_after,
        pending_after=change.pending_after,
        held_after=change.held_after,
        why=receipt.why if mine else {},
    )


@router.get(
    "/v1/members/{member}/referrals",
    **documented(
        "Who brought a member, and whom it brought",
        "`decided`: by a bond, or by a first purchase without one; it never changes then.",
        gives=(200, "As of now", "ReferralsOut"),
        parameters=(MEMBER,),
        codes=UNKNOWN,
    ),
)
def get_referrals(request: Request, member: PathText, _caller: READER) -> Response:
    no_parameters(request)
    with door_of(request).reading() as connection:
        who = found_person(connection, member)
        below = referred(connection, who.account)
    return json_of(ReferralsOut(member=who.name, referrer=who.referrer, decided=who.bonded, referred=below))
