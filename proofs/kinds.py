"""The kinds of settlement events and what each must do: the rules a leaf obeys, decidable from the leaf and the
registered terms alone.

`effects(event, mode)` says which accounts a well-formed event posts to and by how much; `broken_rules(event, terms,
batch_no)` names every stateless rule it breaks, and `reserve_follows` judges the cash of terms paid for on issuance by
the member's posting beside it. The sealer refuses by them, the auditor finds by them, the contracts'
fraud proofs decide by the same table in Solidity; one set of vectors holds the three together. Nothing here needs
history: balances, sequence and pointers are checked where the chain of postings is. Source: docs/protocol §2.4.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from proofs.accounts import FIRST_RESERVED_ID, OPERATOR_ID, RESERVE_ID, cash_account, points_account
from proofs.messages import PointsEvent
from proofs.words import ZERO_WORD

LEVELS_MAX = 2
BASE_UNITS_PER_AU = 10_000
"""The settlement asset has 6 decimals, the ledgers behind it count minor units (2 decimals): their smallest amount."""
CLOCK_SKEW_SECONDS_MAX = 300

ON_REDEMPTION, ON_ISSUANCE = 0, 1


class Kind(IntEnum):
    """What an event did. The sign of its points, its parties and its cash legs follow from it alone."""

    EARN = 1
    """Points confirmed to a member by their issuer, after the hold."""
    REDEEM = 2
    """Points of one issuer and one set of terms accepted by the signing merchant."""
    REFUND_EARN = 3
    """Points taken back because what earned them was refunded."""
    REFUND_REDEEM = 4
    """Points given back because what they paid for was returned."""
    EXPIRE = 5
    """Points whose time is over."""
    EXCHANGE_OUT = 6
    """Points of another issuer taken in, in exchange for the signer's own."""
    EXCHANGE_IN = 7
    """The signer's own points given for those of the EXCHANGE_OUT it names."""
    REFERRAL = 8
    """A referral reward in the sponsor's points."""
    VOID = 9
    """Burns a nonce; also padding. Does nothing."""
    ADJUST_UP = 10
    """A correction in the member's favour, with its reason in the detail."""
    ADJUST_DOWN = 11
    """A correction against the member, with its reason in the detail."""
    REFERRAL_CASH = 12
    """A referral reward that the rewards contract pays from escrow."""
    FEE = 13
    """One payer's fees of one cycle; the issuer field names who receives them."""
    TRANSFER_OUT = 14
    """Points leaving a member for another member or a merged account."""
    TRANSFER_IN = 15
    """Points arriving from the TRANSFER_OUT it names."""


ADDS = frozenset({Kind.EARN, Kind.REFUND_REDEEM, Kind.EXCHANGE_IN, Kind.REFERRAL, Kind.ADJUST_UP, Kind.TRANSFER_IN})
TAKES = frozenset({Kind.REDEEM, Kind.REFUND_EARN, Kind.EXPIRE, Kind.EXCHANGE_OUT, Kind.ADJUST_DOWN, Kind.TRANSFER_OUT})
ISSUER_SIGNS = frozenset(
    {
        Kind.EARN,
        Kind.REFUND_EARN,
        Kind.EXPIRE,
        Kind.EXCHANGE_IN,
        Kind.REFERRAL,
        Kind.ADJUST_UP,
        Kind.ADJUST_DOWN,
        Kind.TRANSFER_OUT,
        Kind.TRANSFER_IN,
    }
)
MAY_OWE = frozenset({Kind.REFUND_EARN, Kind.ADJUST_DOWN})
"""The only kinds that may leave a member account below zero: what was taken back had been spent, and is now a debt."""
NEEDS_REFERENCE = frozenset(
    {Kind.REFUND_EARN, Kind.REFUND_REDEEM, Kind.EXCHANGE_IN, Kind.REFERRAL, Kind.REFERRAL_CASH, Kind.TRANSFER_IN}
)
CAMPAIGN = frozenset({Kind.REFERRAL, Kind.REFERRAL_CASH})
NO_POINTS = frozenset({Kind.VOID, Kind.REFERRAL_CASH, Kind.FEE})
NO_MEMBER = frozenset({Kind.VOID, Kind.FEE})
RESTRICTED_KINDS = frozenset({Kind.REFUND_EARN, Kind.REFUND_REDEEM, Kind.VOID, Kind.FEE})
"""What the keys of a delinquent, suspended or departed merchant may still sign: what gives back, and what it owes."""
_ACCEPTED_FROM_ISSUER = frozenset({Kind.REDEEM, Kind.EXCHANGE_OUT})


@dataclass(frozen=True, slots=True)
class Terms:
    """Registered terms of one issuer's points: num/den base units a point, locked into a lot when it is earned.

    `acceptor_id` 0 means any merchant; `mode` is ON_REDEMPTION or ON_ISSUANCE; valid for batches from_batch <= n <
    to_batch, to_batch 0 meaning no end.
    """

    terms_id: int
    issuer_id: int
    acceptor_id: int
    num: int
    den: int
    mode: int
    from_batch: int
    to_batch: int


@dataclass(frozen=True, slots=True)
class Effects:
    """What an event must post.

    An account and a signed change for each slot that is used. The member's account is a tag, so only its change is
    known.
    """

    issuer: tuple[bytes, int] | None = None
    debtor: tuple[bytes, int] | None = None
    creditor: tuple[bytes, int] | None = None
    member: int | None = None
    total: int = 0


def points_sign(kind: int) -> int:
    """Which way a kind moves points: 1, -1, or 0 where it moves none."""
    if kind in ADDS:
        return 1
    return -1 if kind in TAKES else 0


def points_delta(event: PointsEvent) -> int:
    """The signed change of the issuer's and the member's points."""
    return points_sign(event.kind) * event.points


def _cash_legs(event: PointsEvent, mode: int) -> tuple[int, int] | None:
    """(debtor id, creditor id), or None where the kind moves no cash in this mode."""
    kind, signer, issuer = event.kind, event.merchant_id, event.issuer_id
    if kind == Kind.FEE:
        return signer, issuer
    if kind == Kind.TRANSFER_OUT:
        return None
    if kind == Kind.TRANSFER_IN:
        return (RESERVE_ID, signer) if mode == ON_ISSUANCE else None
    if mode == ON_ISSUANCE:
        if kind in ADDS:
            return signer, RESERVE_ID
        return (RESERVE_ID, signer) if kind in TAKES else None
    if kind in _ACCEPTED_FROM_ISSUER:
        return issuer, signer
    return (signer, issuer) if kind == Kind.REFUND_REDEEM else None


def effects(event: PointsEvent, mode: int) -> Effects:
    """The postings that follow from `event` under terms of `mode`. A slot is None where nothing may be posted."""
    legs = _cash_legs(event, mode) if event.settle_amount else None
    if legs is not None and legs[0] == legs[1]:
        legs = None
    change = points_delta(event)
    moves_points = event.kind not in NO_POINTS
    return Effects(
        issuer=(points_account(event.issuer_id), change) if moves_points else None,
        debtor=(cash_account(legs[0]), -event.settle_amount) if legs else None,
        creditor=(cash_account(legs[1]), event.settle_amount) if legs else None,
        member=change if moves_points else None,
        total=change,
    )


def rate_holds(event: PointsEvent, terms: Terms) -> bool:
    """Points = ceil(settleAmount·den/num).

    For a returned redemption, within one point of it: dust below a point stays with the issuer. Between an issuer and
    the reserve, no more than the points are worth and what rounding may leave: how much less, `reserve_follows` knows.
    """
    scaled = event.settle_amount * terms.den
    if pays_reserve(event.kind, terms):
        return scaled < event.points * terms.num + rounding_max(terms)
    if event.kind == Kind.REFUND_REDEEM:
        return abs(scaled - event.points * terms.num) < terms.num
    return (event.points - 1) * terms.num < scaled <= event.points * terms.num


def rounding_max(terms: Terms) -> int:
    """By less than this, in 1/den base units, a payment into or out of the reserve may miss the worth of its points:
    one point, or one AU where a point is worth less. The rest is the issuer's dust, used up by later legs.
    """
    return max(terms.num, BASE_UNITS_PER_AU * terms.den)


def pays_reserve(kind: int, terms: Terms) -> bool:
    """Whether cash of such a leaf is between the points' issuer and the reserve."""
    return terms.mode == ON_ISSUANCE and kind in ISSUER_SIGNS


def reserve_points(kind: int, points: int, member_balance: int) -> int:
    """For how many points cash moves between issuer and reserve; see `reserve_follows`."""
    if kind == Kind.TRANSFER_OUT:
        return 0
    moved = abs(max(0, member_balance) - max(0, member_balance - points_sign(kind) * points))
    return points - moved if kind == Kind.TRANSFER_IN else moved


def reserve_follows(event: PointsEvent, terms: Terms, member_balance: int) -> bool:
    """Whether the cash between issuer and reserve follows from what the member has: the reserve stands behind balances
    above zero and behind nothing else, so only points above zero are paid for, in either direction. Of points that
    arrive from another member what repays a debt needs no reserve any more and is what returns.

    `member_balance` is the member's running balance after the leaf; with the points it gives the one before. True for
    all other kinds and terms.
    """
    if not pays_reserve(event.kind, terms):
        return True
    due = reserve_points(event.kind, event.points, member_balance)
    return abs(event.settle_amount * terms.den - due * terms.num) < rounding_max(terms)


def settles_cash(event: PointsEvent, mode: int) -> bool:
    """Whether this kind, between these parties and in this mode, must carry cash that follows from its points."""
    legs = _cash_legs(event, mode)
    return event.kind != Kind.FEE and legs is not None and legs[0] != legs[1]


def broken_rules(event: PointsEvent, terms: Terms | None, batch_no: int) -> Iterator[str]:
    """Every stateless rule of §2.4 that `event` breaks in batch `batch_no`, by name.

    `terms` are those its termsId names, None if there are none.
    """
    try:
        Kind(event.kind)
    except ValueError:
        yield "kind-unknown"
        return
    yield from _broken_shape(event)
    if event.kind in NO_POINTS:
        if event.terms_id:
            yield "terms-not-allowed"
        return
    if terms is None:
        yield "terms-unknown"
    else:
        yield from _broken_terms(event, terms, batch_no)


def _broken_shape(event: PointsEvent) -> Iterator[str]:
    kind = event.kind
    if not event.merchant_id or not event.key_id or not event.nonce:
        yield "lane-zero"
    if (event.points == 0) != (kind in NO_POINTS):
        yield "points-for-kind"
    if (event.member_ref == ZERO_WORD) != (kind in NO_MEMBER):
        yield "member-for-kind"
    if (event.ref_event_id == ZERO_WORD) == (kind in NEEDS_REFERENCE):
        yield "reference-for-kind"
    if kind not in CAMPAIGN and (event.campaign_id or event.level or event.basis):
        yield "campaign-for-kind"
    if kind in CAMPAIGN and not (event.campaign_id and 1 <= event.level <= LEVELS_MAX):
        yield "level-for-campaign"
    yield from _broken_parties(event)


def _broken_parties(event: PointsEvent) -> Iterator[str]:
    kind, signer, issuer = event.kind, event.merchant_id, event.issuer_id
    if kind in ISSUER_SIGNS and issuer != signer:
        yield "issuer-must-sign"
    if kind in {Kind.VOID, Kind.REFERRAL_CASH} and issuer:
        yield "issuer-not-allowed"
    if kind not in NO_POINTS and not 0 < issuer < FIRST_RESERVED_ID:
        yield "issuer-unknown"
    if kind == Kind.FEE and (OPERATOR_ID not in {signer, issuer} or signer == issuer or not event.settle_amount):
        yield "fee-parties"
    if kind in {Kind.VOID, Kind.REFERRAL_CASH} and event.settle_amount:
        yield "cash-not-allowed"


def _broken_terms(event: PointsEvent, terms: Terms, batch_no: int) -> Iterator[str]:
    if terms.issuer_id != event.issuer_id or terms.acceptor_id not in {0, event.merchant_id}:
        yield "terms-of-others"
    if batch_no < terms.from_batch or (terms.to_batch and batch_no >= terms.to_batch):
        yield "terms-not-in-force"
    if settles_cash(event, terms.mode):
        if not rate_holds(event, terms):
            yield "rate"
    elif event.settle_amount:
        yield "cash-not-allowed"
