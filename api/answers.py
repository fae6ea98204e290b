"""How the ledger's answers look to a merchant: a receipt with what is its own, or a problem.

Invariants: rendering is a pure function of the recorded answer and the merchant, so a repeated request gets the same
bytes; a merchant sees the parts it signs or owes, its own lots and accounts, and no balance that a member has with
another merchant. Called by the handlers of this room.
"""

from __future__ import annotations

from api.parse import moment
from api.problems import Pointed, Problem
from api.shapes import BalancesOut, LegOut, LotOut, ReceiptOut
from ledger.accounts import MONEY, Family
from ledger.answers import Leg, LotMove, Receipt, Refusal
from proofs.kinds import Kind

_POINTERS = {"at_ms": "/occurred_at", "verb": "/type", "merchant_id": "#header/Authorization"}
"""Fields of commands that a body calls otherwise."""
_BALANCES = {Family.MEMBER: "points", Family.PENDING: "pending", Family.CASH: "cash_au", Family.FEES: "fees_au"}


def receipt_of(receipt: Receipt, *, merchant_id: int) -> ReceiptOut:
    """What one merchant is told of an entry that it caused."""
    return ReceiptOut(
        event_id=receipt.key.partition(":")[2],
        verb=receipt.verb,
        journal_seq=receipt.seq,
        occurred_at=moment(receipt.at_ms),
        legs=[_leg(leg) for leg in receipt.legs],
        lots=[_lot(move) for move in receipt.lots if move.issuer == merchant_id],
        balances=_balances(receipt, merchant_id),
        why=receipt.why,
    )


def _leg(leg: Leg) -> LegOut:
    return LegOut(
        no=leg.no,
        kind=Kind(leg.kind).name.lower(),
        signer=leg.signer,
        issuer=leg.issuer,
        member=leg.member,
        points=leg.points,
        terms_id=leg.terms_id,
        au=leg.au,
        fee_au=leg.fee_au,
    )


def _lot(move: LotMove) -> LotOut:
    expires_at = None if move.expires_at_ms is None else moment(move.expires_at_ms)
    lot = f"{move.lot.seq}-{move.lot.no}"
    return LotOut(lot=lot, points=move.points, remaining=move.remaining, au=move.au, expires_at=expires_at)


def _balances(receipt: Receipt, merchant_id: int) -> BalancesOut:
    """The last balance of each account that is the merchant's own, or the member's with it."""
    found: dict[str, int] = {}
    for posting in receipt.postings:
        family, unit, party = posting.account
        if merchant_id == (party if unit == MONEY else unit) and family in _BALANCES:
            found[_BALANCES[Family(family)]] = posting.balance
    return BalancesOut(**found)


def problem_of(refusal: Refusal) -> Problem:
    """A refusal of the ledger, pointing at the field it names."""
    errors: tuple[Pointed, ...] = ()
    if refusal.field is not None:
        pointer = _POINTERS.get(refusal.field, "/" + refusal.field)
        errors = (Pointed(pointer, refusal.code, refusal.message),)
    return Problem(refusal.code, refusal.message, errors, refusal.data)
