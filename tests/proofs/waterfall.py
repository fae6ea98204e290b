"""A default's waterfall in plain integers: the model that the hub's Solidity is held against, and the vectors of both.

    python -m tests.proofs.waterfall     writes proofs/vectors/waterfall.json

Written from the rules (protocol §4.6), not from the contracts. A case says what everybody has and what a batch's nets
are; its result says what each tranche bore, whom it was cut from, and what everybody has afterwards.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

VECTORS = Path(__file__).parents[2] / "proofs" / "vectors" / "waterfall.json"
NOBODYS_SHARES = 10**6
BOND_SLICE_DIVISOR = 5
RANDOM_CASES = 24
MERCHANTS_MAX = 12


@dataclass
class Fund:
    """Assets, and whose shares they are; a million shares more belong to nobody."""

    assets: int = 0
    shares: dict[int, int] = field(default_factory=dict)

    @property
    def _priced(self) -> tuple[int, int]:
        """(assets, shares) by which a share is priced."""
        return self.assets + 1, sum(self.shares.values()) + NOBODYS_SHARES

    def join(self, member: int, amount: int) -> None:
        assets, shares = self._priced
        self.shares[member] = self.shares.get(member, 0) + amount * shares // assets
        self.assets += amount

    def worth(self, member: int) -> int:
        assets, shares = self._priced
        return self.shares.get(member, 0) * assets // shares

    def take_own(self, member: int, lacking: int) -> int:
        held, worth = self.shares.get(member, 0), self.worth(member)
        assets, shares = self._priced
        taken = min(worth, lacking)
        burnt = held if worth <= lacking else -(-taken * shares // assets)
        self.shares[member] = held - burnt
        self.assets -= taken
        return taken


def cuts(missing: int, nets: Sequence[tuple[int, int]]) -> dict[int, int]:
    """What is missing, shared among the creditors: floors, then one odd unit each from the first of them."""
    creditors = [(party, net) for party, net in nets if net > 0]
    gross = sum(net for _, net in creditors)
    floors = {party: missing * net // gross for party, net in creditors}
    odd = missing - sum(floors.values())
    return {party: floor + (place < odd) for place, (party, floor) in enumerate(floors.items())}


def settled(case: dict[str, Any]) -> dict[str, Any]:
    """What a case comes to."""
    nets = [(net["merchantId"], net["amount"]) for net in case["nets"]]
    free = {each["merchantId"]: each["amount"] for each in case["collateral"]}
    fund, bond = Fund(), case["bond"]
    for each in case["joins"]:
        free[each["merchantId"]] -= each["amount"]
        fund.join(each["merchantId"], each["amount"])
    own, owed = {}, {}
    for party, net in nets:
        if net < 0:
            paid = min(-net, free.get(party, 0))
            free[party] = free.get(party, 0) - paid
            own[party] = fund.take_own(party, -net - paid)
            owed[party] = -net - paid - own[party]
    missing = sum(owed.values())
    from_bond = min(missing, bond // BOND_SLICE_DIVISOR)
    from_fund = min(missing - from_bond, fund.assets)
    fund.assets -= from_fund
    cut = cuts(missing - from_bond - from_fund, nets)
    for party, net in nets:
        if net > 0:
            free[party] = free.get(party, 0) + net - cut[party]
    return {
        "ownShares": _listed(own),
        "fromBond": from_bond,
        "fromFund": from_fund,
        "cuts": _listed(cut),
        "owed": _listed(owed),
        "free": _listed(free),
        "bond": bond - from_bond,
        "assets": fund.assets,
        "shares": _listed(fund.shares),
    }


def _listed(amounts: dict[int, int]) -> list[dict[str, int]]:
    return [{"merchantId": party, "amount": amount} for party, amount in sorted(amounts.items()) if amount]


def cases() -> list[dict[str, Any]]:
    """EX1's default variation with its odd-unit sibling, then random ones, the same at every call."""
    chosen = [
        _case("EX1: one creditor", [-1_500_000, -500_000, 2_000_000], {1: 1_000_000, 2: 5_000_000}),
        _case("EX1: two creditors, an odd unit", [-2_000_000, 0, 1_999_999, 1], {1: 1_499_999}),
        _case("the bond bears it", [-1_000, 1_000], {1: 900}, bond=500),
        _case("the fund bears it", [-1_000, 1_000], {1: 900, 3: 100}, joins={3: 100}),
        _case("its own shares bear it, in part", [-1_000, 1_000], {1: 950}, joins={1: 60}),
        _case("nothing is left for anybody", [-7, 5, 2], {}),
    ]
    dice = Random(20_260)
    return chosen + [_random(dice, number) for number in range(RANDOM_CASES)]


def _case(
    name: str, amounts: Sequence[int], collateral: dict[int, int], *, joins: dict[int, int] | None = None, bond: int = 0
) -> dict[str, Any]:
    nets = dict(enumerate(amounts, start=1))
    return {
        "name": name,
        "bond": bond,
        "collateral": _listed(collateral),
        "joins": _listed(joins or {}),
        "nets": _listed(nets),
    }


def _random(dice: Random, number: int) -> dict[str, Any]:
    count = dice.randint(2, MERCHANTS_MAX)
    amounts = [dice.choice([-1, 1]) * dice.randint(1, 10 ** dice.randint(1, 9)) for _ in range(count - 1)]
    amounts.append(-sum(amounts) or 1)
    if sum(amounts):
        amounts[0] -= sum(amounts)
    collateral = {
        party: dice.choice([0, abs(amount) // 3, abs(amount) // 2, abs(amount)])
        for party, amount in enumerate(amounts, start=1)
    }
    joins = {party: has // dice.choice([2, 5]) for party, has in collateral.items() if has and dice.random() < 1 / 2}
    return _case(f"random {number}", amounts, collateral, joins=joins, bond=dice.choice([0, 7, 10**6]))


def main() -> None:
    """Write the vectors."""
    found = [case | {"result": settled(case)} for case in cases()]
    VECTORS.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
