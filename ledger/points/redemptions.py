"""What redeeming and authorising share: which lots may be drawn, and whether every issuer's collateral bears it. Verbs
call it; what is posted is `ledger.points.drawn`.

Each (issuer, terms) drawn is one leg. What an issuer would owe counts against its collateral together with what it owes
already and what open authorisations promise, so that two authorisations at once cannot both pass a limit.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec.structs import replace

from ledger.commands import Authorize, OpenMerchant, Redeem
from ledger.entry import Entry
from ledger.members import membership
from ledger.points import drawn, limits, reserve
from ledger.points.drawn import Deal
from ledger.points.lots import Draw, draw, spendable
from ledger.records import Drawn, DrawnLot, RecordKind, RecordName, Redemption
from ledger.refusals import Refused
from ledger.slice import Claim, Lot, Member, Slice, Used
from ledger.wants import Wants

HELD = "held"
"""Authorised: the points are promised to the acceptor."""
CAPTURED = "captured"
"""The acceptor has been paid; what was given back is no longer among the draws."""
RELEASED = "released"
"""Voided, lapsed or lost in a dispute: nothing is held any more."""
DISPUTED = "disputed"
"""Captured once, held again until the dispute ends."""


class Chosen(NamedTuple):
    """Who pays whom with what, and the issuers whose lots were left out."""

    acceptor: OpenMerchant
    member: Member
    draws: list[Draw]
    skipped: list[int]


def name(acceptor: int, redemption: str) -> RecordName:
    """Where a redemption's record stands."""
    return RecordName(RecordKind.REDEMPTION.value, acceptor, redemption)


def resolution(acceptor: int, redemption: str) -> Claim:
    """What the end of an authorised redemption takes, once."""
    return Claim(Used.RESOLUTION.value, acceptor, redemption)


def wants(command: Redeem | Authorize, want: Wants) -> None:
    want.merchants.add(command.merchant_id)
    want.members.add(command.member)
    want.spenders.add(command.member)
    want.records.add(name(command.merchant_id, command.redemption))


def wants_existing(acceptor: int, redemption: str, want: Wants) -> None:
    """A redemption that was made before, with its lots and their owners' accounts."""
    want.merchants.add(acceptor)
    want.records.add(name(acceptor, redemption))
    want.claims.add(resolution(acceptor, redemption))


def existing(state: Slice, acceptor: int, redemption: str) -> Redemption:
    """The redemption. Refusals: redemption-unknown."""
    record = state.records[name(acceptor, redemption)]
    if not isinstance(record, Redemption):
        raise Refused("redemption-unknown", "redemption", redemption=redemption)
    return record


def open_hold(state: Slice, acceptor: int, redemption: str) -> Redemption:
    """The authorised redemption, not resolved yet. Refusals in order: redemption-unknown, already-resolved."""
    record = existing(state, acceptor, redemption)
    if record.state != HELD:
        raise Refused("already-resolved", "redemption", redemption=redemption, state=record.state)
    assert state.claims[resolution(acceptor, redemption)] is None
    return record


def captured(state: Slice, acceptor: int, redemption: str) -> Redemption:
    """The redemption, neither held, released nor disputed. Refusals in order: redemption-unknown, not-captured."""
    record = existing(state, acceptor, redemption)
    if record.state != CAPTURED:
        raise Refused("not-captured", "redemption", redemption=redemption, state=record.state)
    return record


def choose(command: Redeem | Authorize, state: Slice) -> Chosen:
    """Refusals in order: merchant-unknown, merchant-closed, member-unknown, member-closed, member-frozen,
    redemption-exists, issuer-over-limit, nothing-to-redeem, balance-too-low.
    """
    acceptor = state.registry.merchants.get(command.merchant_id)
    if acceptor is None:
        raise Refused("merchant-unknown", "merchant_id", merchant_id=command.merchant_id)
    if state.registry.is_closed(command.merchant_id):
        raise Refused("merchant-closed", "merchant_id", merchant_id=command.merchant_id)
    member = membership.spender(state, command.member)
    if state.records[name(command.merchant_id, command.redemption)] is not None:
        raise Refused("redemption-exists", "redemption", redemption=command.redemption)
    draws, skipped = _within_limits(command, state, state.lots_of[member.no])
    au = sum(each.au for each in draws)
    if command.at_most and not au:
        raise Refused("nothing-to-redeem", "member", asked_au=command.au)
    if not command.at_most and au < command.au:
        raise Refused("balance-too-low", "au", asked_au=command.au, available_au=au)
    return Chosen(acceptor, member, draws, skipped)


def deal(chosen: Chosen) -> Deal:
    """Who pays whom at which fee, as the record will keep it."""
    return Deal(chosen.acceptor.merchant_id, chosen.member, chosen.acceptor.redemption_fee_bps)


def priced(chosen: Chosen) -> list[Drawn]:
    """The chosen legs with their fees, as the redemption's record keeps them."""
    return [
        Drawn(
            issuer=each.terms.issuer_id,
            terms_id=each.terms.terms_id,
            points=each.points,
            au=each.au,
            fee_au=drawn.price(deal(chosen), each.terms.issuer_id, each.au),
            lots=tuple(DrawnLot(lot.id, points, au) for lot, points, au in each.parts()),
        )
        for each in chosen.draws
    ]


def record(chosen: Chosen, state: str, draws: list[Drawn], hold_until_ms: int | None = None) -> Redemption:
    """The redemption as it begins."""
    return Redemption(
        member_no=chosen.member.no,
        member=chosen.member.name,
        state=state,
        fee_bps=chosen.acceptor.redemption_fee_bps,
        draws=tuple(draws),
        hold_until_ms=hold_until_ms,
    )


def why(command: Redeem | Authorize, chosen: Chosen, draws: list[Drawn]) -> dict[str, int | str]:
    """What the receipt says: asked and applied, the fee, the issuers left out."""
    applied, fee = sum(each.au for each in draws), sum(each.fee_au for each in draws)
    told: dict[str, int | str] = {"asked_au": command.au, "au": applied, "fee_au": fee}
    return told | {"skipped": ",".join(map(str, chosen.skipped))} if chosen.skipped else told


def give(entry: Entry, member: Member, draws: list[Draw]) -> None:
    """Take what was drawn out of the lots."""
    for each in draws:
        for lot, points, au in each.parts():
            lot.remaining -= points
            entry.change_lot(lot, points=-points, au=au)
    entry.slice.lots_of[member.no] = [lot for lot in entry.slice.lots_of[member.no] if lot.remaining]


def release(entry: Entry, acceptor: int, redemption: str, record: Redemption) -> dict[str, int | str]:
    """Everything held goes back to its lots, or from who has left to its issuers; what the receipt says of it."""
    deal = drawn.of(entry.slice, acceptor, record)
    returned = [drawn.let_go(entry, deal, each) for each in record.draws]
    back = drawn.forfeit if deal.member.closed else drawn.restore
    points = sum([back(entry, deal, each) for each in returned])
    entry.record(name(acceptor, redemption), replace(record, state=RELEASED, draws=()))
    repaid = sum(each.repaid for each in returned)
    told: dict[str, int | str] = {"au": drawn.total(record.draws), "restored": points, "repaid": repaid}
    return told | {"restored": 0, "forfeited": points} if deal.member.closed else told


def _within_limits(command: Redeem | Authorize, state: Slice, lots: list[Lot]) -> tuple[list[Draw], list[int]]:
    """The draw that every issuer's collateral can bear, and the issuers left out: those that are closed, and in each
    round one more. Empty lots name nobody: which of them a slice holds is chance.
    """
    there = spendable(lots, command.at_ms)
    skipped = sorted({lot.issuer for lot in there if state.registry.is_closed(lot.issuer)})
    while True:
        draws = draw(lots, state.registry.terms, au=command.au, at_ms=command.at_ms, skipped=skipped)
        over = next((each for each in _owed(command, draws).items() if not limits.bears(state, *each)), None)
        if over is None:
            return draws, skipped
        if command.over_limit == "decline":
            raise Refused("issuer-over-limit", "au", issuer=over[0], leg_au=over[1])
        skipped.append(over[0])


def _owed(command: Redeem | Authorize, draws: list[Draw]) -> dict[int, int]:
    """What each issuer would owe the acceptor: nothing more where the reserve pays, but what it was to pay into the
    reserve stands in its position until it is settled, and its collateral has to bear that.
    """
    owed: dict[int, int] = {}
    for each in draws:
        issuer = each.terms.issuer_id
        if issuer != command.merchant_id:
            owed[issuer] = owed.get(issuer, 0) + (0 if reserve.is_backed(each.terms) else each.au)
    return owed
