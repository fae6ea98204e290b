"""What stands behind each merchant's debts on the chain, told to the ledger: what it has in the hub, free and locked,
less what it has announced to take out.

Invariants: only what was seen in a final block is told, and only where it changes what counts of a limit: a merchant
whose collateral bears its whole limit, or that has none, is told nothing of. Announcing is enough: the days until the
withdrawal are for debts to be sealed and paid, not for new ones. What paid a debt is told before the ledger hears that
the debt is paid. In a hub that takes no batch any more only what is locked counts. Safe to repeat. Called by the
periodic comparison, and by the submitter when a settlement is final. Source: docs/decisions/0220, 0242.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from ledger import queries
from ledger.answers import Refusal
from ledger.commands import SetCollateral
from ledger.registry import Registry
from proofs.kinds import BASE_UNITS_PER_AU
from settlement import second_node
from settlement.batches import Settlement
from settlement.chain.client import Head
from settlement.sealing.leaves import MS_PER_SECOND
from settlement.watch import look
from settlement.watch.look import Collateral

log = structlog.get_logger(__name__)


def tell_backing(s: Settlement) -> int:
    """Tell the ledger of collateral that bears more or less of a limit than it knows; how many merchants."""
    kept = look.kept(s.conn)
    if kept is None:
        return 0
    return _tell(s, *kept)


def tell_paid(s: Settlement, parties: Sequence[int]) -> int:
    """The same of what these parties have left now, after they paid; how many. Raises `ChainError`."""
    final = second_node.settled(s.alliance)
    return _tell(s, final, look.collateral(s.alliance, parties, final))


def _tell(s: Settlement, final: Head, seen: Sequence[Collateral]) -> int:
    known = queries.registry(s.conn)
    due = [_command(each, final) for each in seen if _changes(each, known)]
    for answer in s.ledger.post(due) if due else ():
        if isinstance(answer.outcome, Refusal):
            log.warning("collateral not told", code=answer.outcome.code, reason=answer.outcome.message)
    return len(due)


def backing_au(money: Collateral) -> int:
    """Whole AU; what is locked for a net is there until the debt it pays is settled."""
    free = 0 if money.ending_since else money.free - money.leaving
    return max(0, free + money.locked) // BASE_UNITS_PER_AU


def _changes(money: Collateral, known: Registry) -> bool:
    merchant = known.merchants.get(money.merchant_id)
    if merchant is None or merchant.credit_limit_au is None:
        return False
    agreed = known.agreed.get(money.merchant_id) or merchant.credit_limit_au
    return min(agreed, backing_au(money)) != merchant.credit_limit_au


def _command(money: Collateral, final: Head) -> SetCollateral:
    return SetCollateral(
        key=f"collateral:{money.merchant_id}:{final.number}",
        at_ms=final.timestamp * MS_PER_SECOND,
        merchant_id=money.merchant_id,
        collateral_au=backing_au(money),
    )
