"""Charge the cycle's fees: what accrued since the last charge moves into cash, one FEE leg per merchant. The verb.

A merchant whose reversals exceed its fees is paid by the operator. Called by the book.
"""

from __future__ import annotations

from ledger import accounts
from ledger.commands import ChargeFees
from ledger.entry import Entry
from ledger.refusals import Refused
from ledger.slice import Claim, Used
from ledger.wants import Wants
from proofs.accounts import OPERATOR_ID
from proofs.kinds import Kind


def wants(command: ChargeFees, want: Wants) -> None:
    want.claims.add(_claim(command))
    want.every_merchant = True


def charge_fees(command: ChargeFees, entry: Entry) -> dict[str, int | str]:
    """Refusals: cycle-charged. Merchants are charged in ascending order."""
    if entry.slice.claims[_claim(command)] is not None:
        raise Refused("cycle-charged", "cycle", cycle=command.cycle)
    total = sum([_charge(entry, merchant_id) for merchant_id in sorted(entry.slice.registry.merchants)])
    entry.claim(_claim(command))
    return {"fee_au": total, "merchants": len(entry.legs)}


def _claim(command: ChargeFees) -> Claim:
    return Claim(Used.CYCLE, 0, command.cycle)


def _charge(entry: Entry, merchant_id: int) -> int:
    """Move one merchant's fees; answers what it paid, negative when it was paid."""
    owed = -entry.slice.accounts[accounts.fees(merchant_id)][1]
    if not owed:
        return 0
    payer, payee = (merchant_id, OPERATOR_ID) if owed > 0 else (OPERATOR_ID, merchant_id)
    leg = entry.leg(Kind.FEE, signer=payer, issuer=payee, member=None, au=abs(owed))
    entry.move(abs(owed), debit=accounts.fees(payer), credit=accounts.fees(payee))
    entry.move(abs(owed), debit=accounts.cash(payee), credit=accounts.cash(payer), leg=leg)
    return owed
