"""How what is known below looks outside: a receipt with what is the merchant's own, a problem, a settlement batch.

Invariants: rendering is a pure function of the recorded answer and the merchant, so a repeated request gets the same
bytes; a merchant sees the parts it signs or owes, its own lots and accounts, and no balance that a member has with
another merchant. Called by the handlers of this room.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import UNSET
from msgspec.structs import replace

from api.parse import moment
from api.problems import Pointed, Problem
from api.shapes.reading import AttestationOut, NetOut, SettlementBatchOut, TransactionOut
from api.shapes.receipts import BalancesOut, LegOut, LotOut, ReceiptOut
from ledger.accounts import MONEY, AccountName, Family
from ledger.answers import Leg, LotMove, Receipt, Refusal
from proofs.accounts import OPERATOR_ID
from proofs.json_form import hex_text, to_json
from proofs.kinds import Kind
from settlement.status import BatchStatus

_POINTERS = {
    "at_ms": "/occurred_at",
    "verb": "#header/Idempotency-Key",
    "merchant_id": "#header/Authorization",
    "order_merchant_id": "#header/Authorization",
    "by_merchant_id": "#header/Authorization",
    "issuer_id": "#header/Authorization",
    "from_issuer_id": "/from_issuer",
    "to_issuer_id": "/to_issuer",
    "hold_until_ms": "/hold_until",
    "expires_at_ms": "/expires_at",
    "from_ms": "/starts_at",
    "until_ms": "/ends_at",
}
"""Fields of commands that a request calls otherwise or has elsewhere."""
_OVER_ALL_ISSUERS = frozenset({"merge", "unmerge"})
"""Verbs whose receipts say in `why` what a member has with all issuers together."""
_KINDS = {kind.value: kind.name.lower() for kind in Kind}
_BALANCES = {
    Family.MEMBER: "points",
    Family.PENDING: "pending",
    Family.HELD: "held",
    Family.CASH: "cash_au",
    Family.FEES: "fees_au",
}


def concerns(leg: Leg, merchant_id: int) -> bool:
    """Whether the merchant signs the leg or owes it, or is the operator, whom every leg concerns."""
    return merchant_id in {leg.signer, leg.issuer, OPERATOR_ID}


def preview_of(receipt: Receipt, *, merchant_id: int) -> ReceiptOut:
    """What one merchant is told of an entry that would be made. Nobody has signed anything, so that trying out how
    much a member could pay tells no acceptor what it has with every other issuer.
    """
    tried = receipt_of(receipt, merchant_id=merchant_id)
    return replace(tried, legs=[leg for leg in tried.legs if merchant_id in {leg.issuer, OPERATOR_ID}])


def receipt_of(receipt: Receipt, *, merchant_id: int) -> ReceiptOut:
    """What one merchant is told of an entry that it caused."""
    return ReceiptOut(
        event_id=receipt.key.partition(":")[2],
        verb=receipt.verb,
        journal_seq=receipt.seq,
        occurred_at=moment(receipt.at_ms),
        legs=[_leg(leg) for leg in receipt.legs if concerns(leg, merchant_id)],
        lots=[_lot(move) for move in receipt.lots if merchant_id in {move.issuer, OPERATOR_ID}],
        balances=_balances(receipt, merchant_id),
        why={} if receipt.verb in _OVER_ALL_ISSUERS and merchant_id != OPERATOR_ID else receipt.why,
    )


def _leg(leg: Leg) -> LegOut:
    return LegOut(
        no=leg.no,
        kind=_KINDS[leg.kind],
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
    """Balances of the accounts that are the merchant's own, or a member's with it. Of several members it is the first
    that the entry touches, whom the command is about; the others stand by name where a leg names them.
    """
    seen: dict[str, AccountName] = {}
    found: dict[str, int] = {}
    others: dict[str, int] = {}
    for posting in receipt.postings:
        family, unit, party = posting.account
        if merchant_id != (party if unit == MONEY else unit) or family not in _BALANCES:
            continue
        name = _BALANCES[Family(family)]
        if seen.setdefault(name, posting.account) == posting.account:
            found[name] = posting.balance
        elif family == Family.MEMBER and posting.leg:
            others[str(receipt.legs[posting.leg - 1].member)] = posting.balance
    return replace(BalancesOut(others=others or UNSET), **found)


def batch_of(batch: BatchStatus, attestations: Sequence[tuple[bytes, bytes]]) -> SettlementBatchOut:
    """A settlement batch; `attestations` are (attester, r ‖ vs)."""
    return SettlementBatchOut(
        batch_no=batch.batch_no,
        state=batch.state.lower(),
        settling=batch.settling,
        header_hash=hex_text(batch.header_hash),
        header={name: str(value) for name, value in to_json(batch.header).items()},
        nets=[NetOut(merchant_id=merchant, base_units=str(amount)) for merchant, amount in batch.nets],
        attestations=[
            AttestationOut(attester=hex_text(attester), r=hex_text(sig[:32]), vs=hex_text(sig[32:]))
            for attester, sig in attestations
        ],
        transactions=[
            TransactionOut(
                purpose=tx.purpose.partition(":")[0],
                hash=hex_text(tx.tx_hash),
                status=tx.status.lower(),
                block_number=tx.block_number,
                gas_used=tx.gas_used,
            )
            for tx in batch.transactions
        ],
    )


def problem_of(refusal: Refusal, pointers: Mapping[str, str], *, merchant_id: int) -> Problem:
    """A refusal of the ledger, pointing at the field it names; `pointers` are this request's own. Figures of another
    issuer's points stay inside, and so does whose account is full; which issuer it is about is said.
    """
    errors: tuple[Pointed, ...] = ()
    if refusal.field is not None:
        pointer = pointers.get(refusal.field) or _POINTERS.get(refusal.field, "/" + refusal.field)
        errors = (Pointed(pointer, refusal.code, refusal.message),)
    return Problem(refusal.code, refusal.message, errors, _shown(refusal, merchant_id))


def _shown(refusal: Refusal, merchant_id: int) -> Mapping[str, int | str]:
    issuer = refusal.data.get("issuer", merchant_id)
    if merchant_id == OPERATOR_ID:
        return refusal.data
    if refusal.code == "balance-out-of-range":
        return {}
    return refusal.data if issuer == merchant_id else {"issuer": issuer}
