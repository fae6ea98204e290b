"""Accounts by the names that documents write: the inverse of `AccountName.label`. Pure, but for looking a member up.

A member's account may name the member instead of its number: `points:1:member:@alice`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg

from ledger import accounts
from ledger.accounts import ALLIANCE, CHAIN, AccountName
from proofs.accounts import OPERATOR_ID, RESERVE_ID

Connection = psycopg.Connection[Any]

FORMS = (
    "points:ISSUER:outstanding, points:ISSUER:pendings, points:ISSUER:holds, points:ISSUER:member:M, "
    "points:ISSUER:pending:M, points:ISSUER:held:M (M a member's number or @name), cash:PARTY, fees:PARTY, "
    "settled:PARTY, promised:PARTY (PARTY a merchant's number, operator, reserve, chain, alliance), "
    "rounding:ISSUER:TERMS, rounded:ISSUER:TERMS"
)
_PARTIES = {"operator": OPERATOR_ID, "reserve": RESERVE_ID, "chain": CHAIN, "alliance": ALLIANCE}
_OF_ISSUER = {"outstanding": accounts.outstanding, "pendings": accounts.pendings, "holds": accounts.holds}
_OF_MEMBER = {"member": accounts.member, "pending": accounts.pending, "held": accounts.held}
_OF_PARTY = {
    "cash": accounts.cash,
    "fees": accounts.fees,
    "settled": accounts.settled,
    "promised": accounts.promised,
}
_OF_TERMS = {"rounding": accounts.rounding, "rounded": accounts.rounded}


class UnknownAccount(Exception):
    """The text names no account."""


def parse(label: str, member_no: Callable[[str], int | None] = lambda _: None) -> AccountName:
    """The account that `label` names; `member_no` finds a member by name. Raises UnknownAccount."""
    try:
        match label.split(":"):
            case ["points", issuer, side]:
                return _OF_ISSUER[side](int(issuer))
            case ["points", issuer, kind, member] if member.startswith("@"):
                return _OF_MEMBER[kind](int(issuer), _found(member[1:], member_no))
            case ["points", issuer, kind, member]:
                return _OF_MEMBER[kind](int(issuer), int(member))
            case [kind, party, terms_id]:
                return _OF_TERMS[kind](int(party), int(terms_id))
            case [kind, party]:
                return _OF_PARTY[kind](_PARTIES[party] if party in _PARTIES else int(party))
            case _:
                raise UnknownAccount(f"{label!r} names no account: {FORMS}")
    except (KeyError, ValueError) as error:
        raise UnknownAccount(f"{label!r} names no account: {FORMS}") from error


def member_number(conn: Connection) -> Callable[[str], int | None]:
    """How the store finds a member by name: whom the name means today."""

    def find(name: str) -> int | None:
        row = conn.execute(
            "SELECT coalesce(merged_into, member_no) FROM ledger.person WHERE shard = 0 AND name = %s", [name]
        ).fetchone()
        return None if row is None else int(row[0])

    return find


def _found(name: str, member_no: Callable[[str], int | None]) -> int:
    found = member_no(name)
    if found is None:
        raise UnknownAccount(f"no member is named {name!r}")
    return found
