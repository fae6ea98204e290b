"""What the chain moved, in base units and in whole AU: the contracts' own events, in the chain's order, summed by party
and said in the ledger's unit.

A default may leave parts of an AU (1 AU = 10,000 base units). The ledger knows whole AU only, so what it is told of
each step is how the exact sum of all that was moved for a party since the beginning, in whole AU, changes by it; never
a sum of rounded pieces. Invariants: the parties' AU sum to zero as their base units do; each is less than one AU from
the exact sum; a party whose exact sum is whole AU has exactly that; so what is rounded never grows, and is gone when
the sums are whole again. What a step comes to depends on final blocks only, whenever it is asked. Pure, but for
`steps`, which reads the watcher's rows. Called by submitter, `recoveries` and reconciliation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from proofs.accounts import GUARANTEE_ID, OPERATOR_ID
from proofs.kinds import BASE_UNITS_PER_AU
from settlement.tables import Conn

_NET_SETTLED = """
SELECT batch_no, merchant_id, amount, (fields->>'shortfall')::numeric FROM settlement.chain_event
WHERE name = 'NetSettled' AND contract = 'SettlementHub' ORDER BY block_number, log_index
"""

_COVERED = """
SELECT batch_no, (fields->>'fromBond')::numeric, (fields->>'fromFund')::numeric FROM settlement.chain_event
WHERE name = 'LossCovered' AND contract = 'GuaranteeFund'
"""

_FINALISED = """
SELECT batch_no, block_number FROM settlement.chain_event WHERE name = 'BatchFinalised' AND contract = 'SettlementHub'
"""

_RECOVERED = """
SELECT block_number, batch_no, merchant_id, name, amount, (fields->>'toBond')::numeric FROM settlement.chain_event
WHERE name IN ('DebtRepaid', 'ClaimCollected', 'ReservesRestored') AND contract = 'GuaranteeFund'
"""


class Unbalanced(ValueError):
    """What was moved does not sum to zero: an event is missing."""


@dataclass(frozen=True, slots=True)
class Step:
    """What moved together, in base units by party: the nets of a batch, in the block in which it became final; or what
    in one block was recovered of a batch's losses.
    """

    block_number: int
    batch_no: int
    moved: Mapping[int, int]
    recovered: bool = False


def steps(conn: Conn) -> list[Step]:
    """All that moved, in the chain's order as far as it was watched; within a block the batches first.

    What the operator's bond and the guarantee fund paid for defaulters is what OPERATOR and GUARANTEE moved; a
    defaulter's own shares of the fund are its own payment. What a defaulter repays is GUARANTEE's until a creditor
    collects it or the bond is refilled with it.
    """
    found = [*_batches(conn), *_recoveries(conn)]
    return sorted(found, key=lambda step: (step.block_number, step.recovered, step.batch_no))


def _batches(conn: Conn) -> list[Step]:
    found: dict[int, dict[int, int]] = {}
    for batch_no, merchant_id, net, shortfall in conn.execute(_NET_SETTLED).fetchall():
        found.setdefault(batch_no, {})[merchant_id] = really_moved(int(net), int(shortfall))
    for batch_no, from_bond, from_fund in conn.execute(_COVERED).fetchall():
        for party, paid in ((OPERATOR_ID, int(from_bond)), (GUARANTEE_ID, int(from_fund))):
            if paid:
                moved = found.setdefault(batch_no, {})
                moved[party] = moved.get(party, 0) - paid
    final = conn.execute(_FINALISED).fetchall()
    return [Step(block, batch_no, found[batch_no]) for batch_no, block in final if batch_no in found]


def _recoveries(conn: Conn) -> list[Step]:
    found: dict[tuple[int, int], dict[int, int]] = {}
    for block, default_id, merchant_id, name, amount, to_bond in conn.execute(_RECOVERED).fetchall():
        party, got = _recovery(name, merchant_id, int(amount or 0), int(to_bond or 0))
        moved = found.setdefault((block, default_id), {})
        moved[party] = moved.get(party, 0) + got
        moved[GUARANTEE_ID] = moved.get(GUARANTEE_ID, 0) - got
    return [Step(block, default_id, moved, recovered=True) for (block, default_id), moved in found.items()]


def _recovery(name: str, merchant_id: int, amount: int, to_bond: int) -> tuple[int, int]:
    """Who got how much out of what defaulters repaid; who repays gets less than nothing."""
    if name == "DebtRepaid":
        return merchant_id, -amount
    return (OPERATOR_ID, to_bond) if name == "ReservesRestored" else (merchant_id, amount)


def really_moved(net: int, shortfall: int) -> int:
    """Base units that moved: a debtor pays less by what it lacked, a creditor gets less by what was cut."""
    return net - shortfall if net > 0 else net + shortfall


def summed(moved: Iterable[Mapping[int, int]]) -> dict[int, int]:
    """Base units by party over all of these."""
    total: dict[int, int] = {}
    for each in moved:
        for party, amount in each.items():
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


def newly_settled(moved: Sequence[Mapping[int, int]], at: int) -> dict[int, int]:
    """What the ledger is to be told of the step at this place: AU by party, without zeros, summing to zero."""
    before, after = (in_whole_au(summed(moved[:upto])) for upto in (at, at + 1))
    changes = {party: after[party] - before.get(party, 0) for party in sorted(after)}
    return {party: au for party, au in changes.items() if au}
