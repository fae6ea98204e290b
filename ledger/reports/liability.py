"""What an issuer owes its members at a journal position, and how it came to that: the roll-forward. Pure.

The roll-forward closes: opening + issued + ... − redeemed − ... = closing, in points. `lots` are points that can be
spent or are held, always worth something; `debt` is what members owe; outstanding = lots + held − debt.
"""

from __future__ import annotations

from msgspec import Struct

from ledger.accounts import Family
from ledger.points import reserve
from ledger.points.lots import value_au
from ledger.reports.tally import BY_OTHERS, ON_US, PENDING_ADDED, PENDING_CANCELLED, PENDING_CONFIRMED, Tally
from proofs.kinds import Kind


class Standing(Struct, frozen=True, kw_only=True):
    """An issuer's points at a position: `outstanding` = `lots` + `held` − `debt`; `au` is what lots and held points
    are worth, `debt_au` what the debt is worth at the terms then in force, `pending` is no liability yet.
    """

    outstanding: int
    lots: int
    held: int
    debt: int
    au: int
    debt_au: int
    pending: int
    pending_au: int


NOTHING = Standing(outstanding=0, lots=0, held=0, debt=0, au=0, debt_au=0, pending=0, pending_au=0)


class RollForward(Struct, frozen=True, kw_only=True):
    """Points of one issuer over a range, all lines positive: opening + issued + cancelled + adjusted_up +
    exchanged_in + transferred_in − redeemed_on_us − redeemed_by_others − clawed_back − expired − adjusted_down −
    exchanged_out − transferred_out = closing. Of `issued`, `rewards` went to referrers.
    """

    opening: int
    issued: int
    rewards: int
    cancelled_on_us: int
    cancelled_by_others: int
    adjusted_up: int
    exchanged_in: int
    transferred_in: int
    redeemed_on_us: int
    redeemed_by_others: int
    clawed_back: int
    expired: int
    adjusted_down: int
    exchanged_out: int
    transferred_out: int
    closing: int

    def redeemed(self) -> int:
        """Redeemed on us and by others, less what was cancelled."""
        return self.redeemed_on_us + self.redeemed_by_others - self.cancelled_on_us - self.cancelled_by_others

    def difference(self) -> int:
        """What the lines leave unexplained: 0, or the books are broken."""
        added = self.issued + self.cancelled_on_us + self.cancelled_by_others + self.adjusted_up
        added += self.exchanged_in + self.transferred_in
        taken = self.redeemed_on_us + self.redeemed_by_others + self.clawed_back + self.expired
        taken += self.adjusted_down + self.exchanged_out + self.transferred_out
        return self.closing - self.opening - added + taken


class Pending(Struct, frozen=True, kw_only=True):
    """Pending points of one issuer over a range: opening + added − confirmed − cancelled = closing."""

    opening: int
    added: int
    confirmed: int
    cancelled: int
    closing: int


class Liability(Struct, frozen=True, kw_only=True):
    """One issuer's report over entries first_seq .. last_seq."""

    issuer: int
    code: str
    first_seq: int
    last_seq: int
    opening: Standing
    roll_forward: RollForward
    pending: Pending
    closing: Standing
    backed_au: int
    """Of the closing worth, what the reserve already holds because the terms are paid on issuance."""


def standing(tally: Tally, issuer: int) -> Standing:
    """An issuer's points now."""
    outstanding, held = -tally.points[Family.OUTSTANDING, issuer], -tally.points[Family.HOLDS, issuer]
    pending = -tally.points[Family.PENDINGS, issuer]
    terms = tally.registry.terms_of.get(issuer, [])
    lots = sum(tally.lots[each.terms_id] for each in terms)
    debt = lots + held - outstanding
    current = tally.registry.terms_at(issuer, tally.at_ms)
    return Standing(
        outstanding=outstanding,
        lots=lots,
        held=held,
        debt=debt,
        au=sum(value_au(tally.lots[each.terms_id] + tally.held_by_terms[each.terms_id], each) for each in terms),
        debt_au=value_au(debt, current) if current else 0,
        pending=pending,
        pending_au=sum(value_au(tally.pending_lots[each.terms_id], each) for each in terms),
    )


def standings(tally: Tally) -> dict[int, Standing]:
    """Of every issuer, by number."""
    return {issuer: standing(tally, issuer) for issuer in sorted(tally.registry.merchants)}


def roll_forward(tally: Tally, issuer: int, opening: Standing) -> RollForward:
    """How `opening` became what stands now, by the flows of the tally."""

    def of(kind: Kind, *where: str) -> int:
        return sum(tally.flows.points[issuer, kind, each] for each in where or (ON_US, BY_OTHERS))

    return RollForward(
        opening=opening.outstanding,
        issued=of(Kind.EARN) + of(Kind.REFERRAL),
        rewards=of(Kind.REFERRAL),
        cancelled_on_us=of(Kind.REFUND_REDEEM, ON_US),
        cancelled_by_others=of(Kind.REFUND_REDEEM, BY_OTHERS),
        adjusted_up=of(Kind.ADJUST_UP),
        exchanged_in=of(Kind.EXCHANGE_IN),
        transferred_in=of(Kind.TRANSFER_IN),
        redeemed_on_us=of(Kind.REDEEM, ON_US),
        redeemed_by_others=of(Kind.REDEEM, BY_OTHERS),
        clawed_back=of(Kind.REFUND_EARN),
        expired=of(Kind.EXPIRE),
        adjusted_down=of(Kind.ADJUST_DOWN),
        exchanged_out=of(Kind.EXCHANGE_OUT),
        transferred_out=of(Kind.TRANSFER_OUT),
        closing=-tally.points[Family.OUTSTANDING, issuer],
    )


def pending(tally: Tally, issuer: int, opening: Standing) -> Pending:
    """How the pending points came to be what they are."""
    flows = tally.flows.pending
    return Pending(
        opening=opening.pending,
        added=flows[issuer, PENDING_ADDED],
        confirmed=flows[issuer, PENDING_CONFIRMED],
        cancelled=flows[issuer, PENDING_CANCELLED],
        closing=-tally.points[Family.PENDINGS, issuer],
    )


def report(tally: Tally, issuer: int, *, first_seq: int, opening: Standing = NOTHING) -> Liability:
    """The report over what was added to the tally since `begin`, `opening` being what stood there."""
    terms = [each for each in tally.registry.terms_of.get(issuer, []) if reserve.is_backed(each)]
    return Liability(
        issuer=issuer,
        code=tally.registry.merchants[issuer].code,
        first_seq=first_seq,
        last_seq=tally.seq,
        opening=opening,
        roll_forward=roll_forward(tally, issuer, opening),
        pending=pending(tally, issuer, opening),
        closing=standing(tally, issuer),
        backed_au=sum(value_au(tally.lots[each.terms_id] + tally.held_by_terms[each.terms_id], each) for each in terms),
    )
