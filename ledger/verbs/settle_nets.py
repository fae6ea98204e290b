"""Settle nets: record what the chain moved when a settling batch became final, and later of what it left open. The
verb; called by the book.

Cash is cumulative since genesis and is never reset; `settled` counts what of it was moved, so that
position = cash + fees − settled at any journal position. No leg: the chain knows already.
"""

from __future__ import annotations

from ledger import accounts
from ledger.commands import SettleNets
from ledger.entry import Entry
from ledger.refusals import Refused
from ledger.registry import Registry
from ledger.slice import Claim, Used
from ledger.wants import Wants
from proofs.accounts import GUARANTEE_ID, OPERATOR_ID, RESERVE_ID


def wants(command: SettleNets, want: Wants) -> None:
    want.claims.add(_claim(command))
    want.merchants.update(net.merchant_id for net in command.nets)


def settle_nets(command: SettleNets, entry: Entry) -> dict[str, int | str]:
    """Refusals in order: nets-unordered, nets-unbalanced, merchant-unknown, batch-settled."""
    ids = [net.merchant_id for net in command.nets]
    if ids != sorted(set(ids)) or not all(net.au for net in command.nets):
        raise Refused("nets-unordered", "nets")
    total = sum(net.au for net in command.nets)
    if total:
        raise Refused("nets-unbalanced", "nets", sum_au=total)
    for merchant_id in ids:
        if not _is_party(entry.slice.registry, merchant_id):
            raise Refused("merchant-unknown", "nets", merchant_id=merchant_id)
    if entry.slice.claims[_claim(command)] is not None:
        raise Refused("batch-settled", "batch_no", batch_no=command.batch_no)
    chain = accounts.settled(accounts.CHAIN)
    for net in command.nets:
        party = accounts.settled(net.merchant_id)
        debit, credit = (party, chain) if net.au > 0 else (chain, party)
        entry.move(abs(net.au), debit=debit, credit=credit)
    entry.claim(_claim(command))
    return {"batch_no": command.batch_no, "moved_au": sum(net.au for net in command.nets if net.au > 0)}


def _claim(command: SettleNets) -> Claim:
    recovered = f"@{command.recovered_in}" if command.recovered_in else ""
    return Claim(Used.SETTLED_BATCH, 0, f"{command.batch_no}{recovered}")


def _is_party(registry: Registry, merchant_id: int) -> bool:
    return merchant_id in registry.merchants or merchant_id in {OPERATOR_ID, RESERVE_ID, GUARANTEE_ID}
