"""What the chain moved, in base units and in whole AU: the hub's own events, summed by party and said in the ledger's
unit.

A default may leave parts of an AU (1 AU = 10,000 base units). The ledger knows whole AU only, so what it is told is the
exact sum of all that was moved for a party since the beginning, in whole AU, never a sum of rounded pieces. Invariants:
the parties' AU sum to zero as their base units do; each is less than one AU from the exact sum; a party whose exact sum
is whole AU has exactly that; so what is rounded never grows, and is gone when the sums are whole again. Pure, but for
`of_batches`, which reads the watcher's rows. Called by submitter and reconciliation.
"""

from __future__ import annotations

from collections.abc import Mapping

from proofs.accounts import GUARANTEE_ID, OPERATOR_ID
from proofs.kinds import BASE_UNITS_PER_AU
from settlement.tables import Conn

_NET_SETTLED = """
SELECT batch_no, merchant_id, amount, (fields->>'shortfall')::numeric FROM settlement.chain_event
WHERE name = 'NetSettled' AND contract = 'SettlementHub' AND batch_no <= %s ORDER BY block_number, log_index
"""

_COVERED = """
SELECT batch_no, (fields->>'fromBond')::numeric, (fields->>'fromFund')::numeric FROM settlement.chain_event
WHERE name = 'LossCovered' AND contract = 'GuaranteeFund' AND batch_no <= %s
"""


class Unbalanced(ValueError):
    """What was moved does not sum to zero: an event is missing."""


def of_batches(conn: Conn, *, upto: int) -> dict[int, dict[int, int]]:
    """Base units by party for each settling batch up to this number, as the watcher stored them. What the operator's
    bond and the guarantee fund paid for defaulters is what OPERATOR and GUARANTEE moved; a defaulter's own shares of
    the fund are its own payment.
    """
    found: dict[int, dict[int, int]] = {}
    for batch_no, merchant_id, net, shortfall in conn.execute(_NET_SETTLED, [upto]).fetchall():
        found.setdefault(batch_no, {})[merchant_id] = really_moved(int(net), int(shortfall))
    for batch_no, from_bond, from_fund in conn.execute(_COVERED, [upto]).fetchall():
        for party, paid in ((OPERATOR_ID, int(from_bond)), (GUARANTEE_ID, int(from_fund))):
            if paid:
                found[batch_no][party] = found[batch_no].get(party, 0) - paid
    return found


def really_moved(net: int, shortfall: int) -> int:
    """Base units that moved: a debtor pays less by what it lacked, a creditor gets less by what was cut."""
    return net - shortfall if net > 0 else net + shortfall


def summed(batches: Mapping[int, Mapping[int, int]], *, upto: int) -> dict[int, int]:
    """Base units by party over all batches up to this number."""
    total: dict[int, int] = {}
    for batch_no, moved in batches.items():
        if batch_no <= upto:
            for party, amount in moved.items():
                total[party] = total.get(party, 0) + amount
    return total


def in_whole_au(base_units: Mapping[int, int]) -> dict[int, int]:
    """Each party's AU: rounded down, then one more for as many as it takes to sum to zero, the largest rests first,
    smaller numbers first where rests are equal. Raises `Unbalanced`.
    """
    if sum(base_units.values()):
        raise Unbalanced(f"{sum(base_units.values())} base units too many")
    floors = {party: amount // BASE_UNITS_PER_AU for party, amount in base_units.items()}
    lacking = -sum(floors.values())
    by_rest = sorted(base_units, key=lambda party: (-(base_units[party] % BASE_UNITS_PER_AU), party))
    return {party: au + (party in by_rest[:lacking]) for party, au in floors.items()}


def newly_settled(batches: Mapping[int, Mapping[int, int]], batch_no: int) -> dict[int, int]:
    """What the ledger is to be told of one batch: AU by party, without zeros, summing to zero."""
    before, after = (in_whole_au(summed(batches, upto=upto)) for upto in (batch_no - 1, batch_no))
    changes = {party: after[party] - before.get(party, 0) for party in sorted(after)}
    return {party: au for party, au in changes.items() if au}
