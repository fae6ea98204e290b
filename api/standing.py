"""A member's tier, explained: what it is and since when, what it lacks, what is at risk, what would raise it.

It is judged at the moment of asking; what was recorded, and when, is its history. Reading only. Mounted by `api.app`.
"""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api.clock import now_ms
from api.door import door_of
from api.members import MEMBER, READER, UNKNOWN, found_person, json_of
from api.openapi import PathText, documented
from api.parse import moment, no_parameters
from api.shapes.members import RaiseOut, TierChangeOut, TierOut
from ledger.members.tiers import Explanation
from ledger.standing import TierChange, explain_tier, tier_history
from proofs.accounts import OPERATOR_ID

router = APIRouter()


@router.get(
    "/v1/members/{member}/tier",
    **documented(
        "A member's tier",
        "By what its purchases of the window are worth as they stand, refunds deducted; spending points lowers"
        " nothing.",
        gives=(200, "As of now", "TierOut"),
        parameters=(MEMBER,),
        codes=UNKNOWN,
    ),
)
def get_tier(request: Request, member: PathText, caller: READER) -> Response:
    no_parameters(request)
    door = door_of(request)
    at_ms = now_ms(door.now())
    with door.reading() as connection:
        who = found_person(connection, member)
        found, history = explain_tier(connection, member, at_ms), tier_history(connection, member)
    return json_of(_tier(who.name, at_ms, found, history, caller.merchant_id))


def _tier(member: str, at_ms: int, found: Explanation | None, history: list[TierChange], merchant_id: int) -> TierOut:
    judged = found.judged if found else None
    return TierOut(
        member=member,
        as_of=moment(at_ms),
        tier=judged.tier if judged else None,
        since=moment(judged.since_ms) if judged else None,
        reached=judged.reached if judged else None,
        qualifying_au=judged.qualifying_au if judged else 0,
        next_tier=(found.next_tier or None) if found else None,
        missing_au=found.missing_au if found else 0,
        lost_from=_moment(found.lost_from_ms) if found else None,
        kept_until=_moment(found.kept_until_ms) if found else None,
        falls_to=(found.falls_to or None) if found else None,
        raise_by=[
            RaiseOut(merchant=issuer, amount_minor=amount)
            for issuer, amount in (found.raise_by if found else ())
            if merchant_id in {issuer, OPERATOR_ID}
        ],
        history=[_change(each) for each in history],
    )


def _moment(at_ms: int | None) -> str | None:
    return None if at_ms is None else moment(at_ms)


def _change(change: TierChange) -> TierChangeOut:
    return TierChangeOut(
        journal_seq=change.seq,
        at=moment(change.at_ms),
        was=change.was or None,
        tier=change.tier,
        qualifying_au=change.qualifying_au,
    )
