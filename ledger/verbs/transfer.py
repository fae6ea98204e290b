"""Transfer: points of one issuer go from one member to another. The verb; called by the book.

Only what could be redeemed now moves, in drawing order. Every lot keeps issuer, rate, confirmation and expiry: the
receiver gets a lot for each lot drawn. Nothing changes hands among merchants; what the receiver owes the issuer is
repaid first, and where those points were paid for on issuance, what stood behind them returns to the issuer.
"""

from __future__ import annotations

from ledger.answers import LegRef, LotId
from ledger.commands import Transfer
from ledger.entry import Entry
from ledger.members import membership
from ledger.points import lots, pools, wallet
from ledger.refusals import Refused
from ledger.slice import Claim, Lot, Member, Role, Slice, Used
from ledger.wants import Wants
from proofs.kinds import Kind


def wants(command: Transfer, want: Wants) -> None:
    want.member_with(command.from_member, command.issuer_id)
    want.member_with(command.to_member, command.issuer_id)
    want.spenders.add(command.from_member)
    want.claims.add(_claim(command))
    want.records |= pools.wanted(command)


def transfer(command: Transfer, entry: Entry) -> dict[str, int | str]:
    """Refusals in order: merchant-unknown, member-unknown, member-closed, member-frozen, self-transfer,
    transfer-exists, transfers-off, not-in-one-pool, pool-cap, balance-too-low.
    """
    giver, receiver = _parties(command, entry.slice)
    if entry.slice.claims[_claim(command)] is not None:
        raise Refused("transfer-exists", "transfer", transfer=command.transfer)
    in_pool = _allowed(command, entry.slice)
    mine = [lot for lot in entry.slice.lots_of[giver.no] if lot.issuer == command.issuer_id]
    mine = lots.spendable(mine, command.at_ms)
    available = sum(lot.remaining for lot in mine)
    if available < command.points:
        raise Refused("balance-too-low", "points", asked=command.points, available=available)
    parts = lots.take(mine, command.points)
    arrived = _post(entry, giver, receiver, parts)
    wallet.draw_down(entry, parts)
    for lot, points in arrived:
        entry.add_lot(lot, points=points)
    if in_pool:
        pools.count(entry, command)
    entry.claim(_claim(command))
    return {"points": command.points, "repaid": command.points - sum(points for _, points in arrived)}


def _claim(command: Transfer) -> Claim:
    return Claim(Used.TRANSFER, command.issuer_id, command.transfer)


def _parties(command: Transfer, state: Slice) -> tuple[Member, Member]:
    if command.issuer_id not in state.registry.merchants:
        raise Refused("merchant-unknown", "issuer_id", issuer_id=command.issuer_id)
    giver = membership.spender(state, command.from_member, "from_member")
    receiver = membership.known(state, command.to_member, "to_member")
    if giver.no == receiver.no:
        raise Refused("self-transfer", "to_member", member=command.to_member)
    return giver, receiver


def _allowed(command: Transfer, state: Slice) -> bool:
    """Whether the transfer counts against a pool's cap; refused if the issuer's policy forbids it."""
    policy = state.registry.merchants[command.issuer_id].transfers
    if policy == "none":
        raise Refused("transfers-off", "issuer_id", issuer_id=command.issuer_id)
    if policy == "pool":
        pools.check(command, state)
    return policy == "pool"


def _post(entry: Entry, giver: Member, receiver: Member, parts: list[tuple[Lot, int]]) -> list[tuple[Lot, int]]:
    """A pair of legs for each set of terms; answers the receiver's lots."""
    arrived: list[tuple[Lot, int]] = []
    for terms_id, points in lots.by_terms(parts).items():
        terms = entry.slice.registry.terms[terms_id]
        out = wallet.depart(entry, Kind.TRANSFER_OUT, member=giver, terms=terms, points=points)
        ref = LegRef(entry.seq, out)
        leg, repaid = wallet.arrive(entry, Kind.TRANSFER_IN, member=receiver, terms=terms, points=points, ref=ref)
        for lot, given in parts:
            if lot.terms_id != terms_id:
                continue
            kept = max(0, given - repaid)
            repaid -= given - kept
            if kept:
                number = LotId(entry.seq, len(arrived) + 1)
                arrived.append((_arriving(lot, number, receiver, kept, LegRef(entry.seq, leg)), kept))
    return arrived


def _arriving(lot: Lot, number: LotId, receiver: Member, points: int, earned_by: LegRef) -> Lot:
    return Lot(
        id=number,
        issuer=lot.issuer,
        member_no=receiver.no,
        member=receiver.name,
        terms_id=lot.terms_id,
        role=Role.TRANSFERRED.value,
        points=points,
        standing=points,
        remaining=points,
        confirmed_at_ms=lot.confirmed_at_ms,
        expires_at_ms=lot.expires_at_ms,
        earned_by=earned_by,
    )
