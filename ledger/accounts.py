"""The chart of accounts: what an account is called. No balances here (`ledger.book`), no SQL.

An account is (family, unit, party). The unit says what is counted: 0 is money in AU, a positive unit is points of that
issuer, a negative one is dust of the terms with that number, in 1/au_den AU. Within one journal entry the postings of
each unit sum to zero. Postings are stored debit-positive: what a member has and what a merchant is owed are positive,
what an issuer owes its members is negative. Everybody may import it.
"""

from __future__ import annotations

from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from proofs.accounts import OPERATOR_ID

MERCHANTS_NAMED_MAX = 4_096
MONEY = 0
"""The unit of cash and fees: AU."""
CHAIN = 0
"""The party of SETTLED that stands for what moved on the chain."""
ALLIANCE = 0
"""The party of PROMISED that stands for all acceptors."""


class Family(IntEnum):
    """What kind of account, and whether settlement publishes it."""

    OUTSTANDING = 1
    """points:{issuer}:outstanding. Confirmed points in members' hands, negative. Public."""
    MEMBER = 2
    """points:{issuer}:member:{m}. What a member may spend; below zero only as debt. Public under a tag."""
    PENDINGS = 3
    """points:{issuer}:pendings. The issuer's side of all pending points, negative."""
    PENDING = 4
    """points:{issuer}:pending:{m}. Earned, seen, not spendable yet."""
    HOLDS = 5
    """points:{issuer}:holds. The issuer's side of all held points, negative."""
    HELD = 6
    """points:{issuer}:held:{m}. Promised to an authorised redemption; still in MEMBER until the capture."""
    CASH = 7
    """cash:{merchant}. Cumulative receivable (+) or payable (-) since genesis. Public."""
    FEES = 8
    """fees:{merchant}, fees:operator. Accrued since the last cycle's charge."""
    SETTLED = 9
    """settled:{merchant} and settled:chain. What the chain has moved of the merchant's cash."""
    ROUNDING = 10
    """rounding:{issuer}. Dust below one point that members gave and the issuer keeps."""
    ROUNDED = 11
    """rounded:{issuer}. The other side of ROUNDING, negative."""
    PROMISED = 12
    """promised:{issuer} and promised:alliance. AU that open authorisations would make an issuer owe; its side is
    negative."""


class AccountName(NamedTuple):
    """(family, unit, party): party is a member's number for MEMBER, PENDING and HELD, a merchant's id for the rest,
    CHAIN for settled:chain.
    """

    family: int
    unit: int
    party: int

    def label(self) -> str:
        """The name as documents write it."""
        party = _party(self.party)
        match Family(self.family):
            case Family.OUTSTANDING | Family.PENDINGS | Family.HOLDS as family:
                return f"points:{self.unit}:{family.name.lower()}"
            case Family.MEMBER | Family.PENDING | Family.HELD as family:
                return f"points:{self.unit}:{family.name.lower()}:{self.party}"
            case Family.ROUNDING | Family.ROUNDED as family:
                return f"{family.name.lower()}:{party}:{-self.unit}"
            case Family.PROMISED if self.party == ALLIANCE:
                return "promised:alliance"
            case family:
                return f"{family.name.lower()}:{party}"


def _party(party: int) -> str:
    if party == CHAIN:
        return "chain"
    return "operator" if party == OPERATOR_ID else str(party)


# One name is one object as long as merchants are few: making it anew costs as much as a posting.
_few = lru_cache(maxsize=MERCHANTS_NAMED_MAX)
# Plain integers: an enum member costs more to name, and accounts are named for every posting.
_CASH = Family.CASH.value
_FEES = Family.FEES.value
_HELD = Family.HELD.value
_HOLDS = Family.HOLDS.value
_MEMBER = Family.MEMBER.value
_OUTSTANDING = Family.OUTSTANDING.value
_PENDING = Family.PENDING.value
_PENDINGS = Family.PENDINGS.value
_PROMISED = Family.PROMISED.value
_ROUNDED = Family.ROUNDED.value
_ROUNDING = Family.ROUNDING.value
_SETTLED = Family.SETTLED.value


@_few
def outstanding(issuer: int) -> AccountName:
    """Confirmed points of `issuer` in members' hands."""
    return AccountName(_OUTSTANDING, issuer, issuer)


def member(issuer: int, member_no: int) -> AccountName:
    """What a member may spend of `issuer`'s points."""
    return AccountName(_MEMBER, issuer, member_no)


@_few
def pendings(issuer: int) -> AccountName:
    """The issuer's side of all its pending points."""
    return AccountName(_PENDINGS, issuer, issuer)


def pending(issuer: int, member_no: int) -> AccountName:
    """A member's pending points of `issuer`."""
    return AccountName(_PENDING, issuer, member_no)


@_few
def holds(issuer: int) -> AccountName:
    """The issuer's side of all its held points."""
    return AccountName(_HOLDS, issuer, issuer)


def held(issuer: int, member_no: int) -> AccountName:
    """A member's points of `issuer` that authorised redemptions hold; still part of `member`."""
    return AccountName(_HELD, issuer, member_no)


@_few
def promised(merchant: int) -> AccountName:
    """AU that open authorisations would make an issuer owe."""
    return AccountName(_PROMISED, MONEY, merchant)


@_few
def cash(merchant: int) -> AccountName:
    """A merchant's receivable or payable since genesis."""
    return AccountName(_CASH, MONEY, merchant)


@_few
def fees(merchant: int) -> AccountName:
    """A merchant's fees since the last charge; the operator's are the other side."""
    return AccountName(_FEES, MONEY, merchant)


@_few
def settled(merchant: int) -> AccountName:
    """What the chain has moved for a merchant."""
    return AccountName(_SETTLED, MONEY, merchant)


def rounding(issuer: int, terms_id: int) -> AccountName:
    """Dust of one set of terms that the issuer keeps."""
    return AccountName(_ROUNDING, -terms_id, issuer)


def rounded(issuer: int, terms_id: int) -> AccountName:
    """The other side of `rounding`."""
    return AccountName(_ROUNDED, -terms_id, issuer)


def of_merchant(merchant: int) -> set[AccountName]:
    """All of a merchant's own accounts but those for dust."""
    return {
        outstanding(merchant),
        pendings(merchant),
        holds(merchant),
        cash(merchant),
        fees(merchant),
        settled(merchant),
        promised(merchant),
    }
