"""Check 19: the money of the alliance, replayed from the hub's and the fund's logs and held against what they say now.

Every unit that came in, moved between merchants, was borne by shares, bond or fund, cut from creditors, repaid and
collected is in a log. `Money` adds them up as they come; `check_money` compares each merchant's balance, the bond, what
the hub owes and the token's own word for what it holds. Who bears a loss follows from the waterfall to the unit.
Fed by `replay`, judged by `audit`. Source: protocol §4.6, contracts/hub, contracts/fund.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from auditor.findings import Findings

BOND_SLICE_DIVISOR = 5
"""The operator's bond bears at most this part of one batch's losses."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """What the contracts say at the block that is read: each merchant's free and locked together, the bond, what the
    hub owes in all by its own account, and what the token says the hub holds.
    """

    merchants: Mapping[int, int]
    bond: int
    owed: int
    held: int


@dataclass(slots=True)
class Loss:
    """What was missing in one batch, after each defaulter's own shares, and who bore it. `bond` and `fund` are what
    there was to take from.
    """

    missing: int = 0
    own_shares: Counter[int] = field(default_factory=Counter)
    bond: int = 0
    fund: int = 0
    from_bond: int = 0
    from_fund: int = 0
    left: int = 0
    cuts: Counter[int] = field(default_factory=Counter)
    claims: Counter[int] = field(default_factory=Counter)
    recovered: int = 0
    collected: Counter[int] = field(default_factory=Counter)


@dataclass(slots=True)
class Money:
    """The state that the logs describe. `fund` is what the fund said last that it has, `fund_moved` what came into it
    less what went out. `wrong` holds what contradicts itself on the way: (code, batch, place, due, found).
    """

    totals: Counter[int] = field(default_factory=Counter)
    bond: int = 0
    fund: int = 0
    fund_moved: int = 0
    owed: int = 0
    losses: dict[int, Loss] = field(default_factory=dict)
    wrong: list[tuple[str, int, str, int, int]] = field(default_factory=list)

    def take(self, name: str, told: Mapping[str, Any]) -> bool:
        """One log by the name of its event; False for events that move no money."""
        move = _MOVES.get(name)
        if move is None:
            return False
        getattr(self, move)(told)
        return True

    def _deposited(self, told: Mapping[str, Any]) -> None:
        self.totals[told["merchantId"]] += told["amount"]
        self.owed += told["amount"]

    def _withdrawn(self, told: Mapping[str, Any]) -> None:
        self.totals[told["merchantId"]] -= told["amount"]
        self.owed -= told["amount"]

    def _bond_posted(self, told: Mapping[str, Any]) -> None:
        self.bond += told["amount"]
        self.owed += told["amount"]

    def _bond_withdrawn(self, told: Mapping[str, Any]) -> None:
        self.bond -= told["amount"]
        self.owed -= told["amount"]

    def _bounty_paid(self, told: Mapping[str, Any]) -> None:
        self.owed -= told["amount"]

    def _penalty_paid(self, told: Mapping[str, Any]) -> None:
        self.bond -= told["amount"]
        self.totals[told["merchantId"]] += told["amount"]

    def _reverted(self, told: Mapping[str, Any]) -> None:
        self.bond -= told["slashed"]
        self.fund_moved += told["slashed"]

    def _bounty_earned(self, told: Mapping[str, Any]) -> None:
        self.fund_moved -= told["amount"]

    def _assets_changed(self, told: Mapping[str, Any]) -> None:
        self.fund = told["assets"]

    def _joined(self, told: Mapping[str, Any]) -> None:
        self.totals[told["merchantId"]] -= told["amount"]
        self.fund_moved += told["amount"]

    def _left(self, told: Mapping[str, Any]) -> None:
        self.totals[told["merchantId"]] += told["amount"]
        self.fund_moved -= told["amount"]

    def _own_shares(self, told: Mapping[str, Any]) -> None:
        self.fund_moved -= told["amount"]
        self._loss(told["defaultId"]).own_shares[told["merchantId"]] += told["amount"]

    def _settled(self, told: Mapping[str, Any]) -> None:
        merchant, net, shortfall = told["merchantId"], told["net"], told["shortfall"]
        loss = self._loss(told["batchNo"])
        if net < 0:
            loss.missing += shortfall
            self.totals[merchant] += net + shortfall + loss.own_shares[merchant]
        else:
            loss.cuts[merchant] += shortfall
            self.totals[merchant] += net - shortfall

    def _covered(self, told: Mapping[str, Any]) -> None:
        loss = self._loss(told["defaultId"])
        loss.bond, loss.from_bond, loss.from_fund, loss.left = (
            self.bond,
            told["fromBond"],
            told["fromFund"],
            told["left"],
        )
        loss.fund = self.fund + told["fromFund"]
        self.bond -= told["fromBond"]
        self.fund_moved -= told["fromFund"]

    def _allocated(self, told: Mapping[str, Any]) -> None:
        self._loss(told["batchNo"]).claims[told["creditorId"]] += told["cut"]

    def _repaid(self, told: Mapping[str, Any]) -> None:
        self.totals[told["merchantId"]] -= told["amount"]
        self._loss(told["defaultId"]).recovered += told["amount"]

    def _restored(self, told: Mapping[str, Any]) -> None:
        self.bond += told["toBond"]
        self.fund_moved += told["toFund"]

    def _collected(self, told: Mapping[str, Any]) -> None:
        creditor, loss = told["creditorId"], self._loss(told["defaultId"])
        loss.collected[creditor] += told["amount"]
        self.totals[creditor] += told["amount"]
        if sum(loss.collected.values()) > min(loss.recovered, loss.left):
            told_of = f"claims collected by merchant {creditor}"
            most = min(loss.recovered, loss.left)
            self.wrong.append(("claims-differ", told["defaultId"], told_of, most, sum(loss.collected.values())))

    def _loss(self, batch_no: int) -> Loss:
        return self.losses.setdefault(batch_no, Loss())


_MOVES: Mapping[str, str] = {
    "Deposited": "_deposited",
    "Withdrawn": "_withdrawn",
    "BondPosted": "_bond_posted",
    "BondWithdrawn": "_bond_withdrawn",
    "BountyEarned": "_bounty_earned",
    "BountyPaid": "_bounty_paid",
    "PenaltyPaid": "_penalty_paid",
    "BatchReverted": "_reverted",
    "AssetsChanged": "_assets_changed",
    "GuaranteeJoined": "_joined",
    "GuaranteeLeft": "_left",
    "OwnSharesTaken": "_own_shares",
    "NetSettled": "_settled",
    "LossCovered": "_covered",
    "LossAllocated": "_allocated",
    "DebtRepaid": "_repaid",
    "ReservesRestored": "_restored",
    "ClaimCollected": "_collected",
}
"""The method for each event that moves money."""


def check_money(money: Money, holdings: Holdings, nets: Mapping[int, Mapping[int, int]], findings: Findings) -> None:
    """What the logs add up to against what the contracts say; `nets` are those of each final settling batch."""
    for code, batch_no, place, due, found in money.wrong:
        findings.add(code, batch_no, place, expected=f"at most {due}", actual=found)
    for merchant in sorted(money.totals.keys() | holdings.merchants.keys()):
        due, found = money.totals[merchant], holdings.merchants.get(merchant, 0)
        if due != found:
            findings.add("balance-differs", 0, f"merchant {merchant}", expected=due, actual=found)
    if money.bond != holdings.bond:
        findings.add("balance-differs", 0, "operatorBond", expected=money.bond, actual=holdings.bond)
    if money.fund_moved != money.fund:
        findings.add("balance-differs", 0, "guarantee fund", expected=money.fund_moved, actual=money.fund)
    if money.owed != holdings.owed:
        findings.add("balance-differs", 0, "solvency.owed", expected=money.owed, actual=holdings.owed)
    if holdings.held < holdings.owed:
        findings.add("insolvent", 0, "token.balanceOf(hub)", expected=f"{holdings.owed} or more", actual=holdings.held)
    for batch_no, loss in sorted(money.losses.items()):
        if batch_no in nets:
            _check_loss(batch_no, loss, nets[batch_no], findings)


def _check_loss(batch_no: int, loss: Loss, nets: Mapping[int, int], findings: Findings) -> None:
    """Own shares first, then a fifth of the bond, the fund, and what is left pro rata from the creditors."""
    from_bond = min(loss.missing, loss.bond // BOND_SLICE_DIVISOR)
    from_fund = min(loss.missing - from_bond, loss.fund)
    due = {"from the bond": from_bond, "from the fund": from_fund, "left": loss.missing - from_bond - from_fund}
    found = {"from the bond": loss.from_bond, "from the fund": loss.from_fund, "left": loss.left}
    for place, amount in due.items():
        if found[place] != amount:
            findings.add("loss-differs", batch_no, place, expected=amount, actual=found[place])
    for creditor, cut in cuts_of(loss.left, nets).items():
        told = {"cut from": loss.cuts[creditor], "claim of": loss.claims[creditor]}
        for what, amount in told.items():
            if amount != cut:
                place = f"{what} merchant {creditor}"
                findings.add("loss-differs", batch_no, place, expected=cut, actual=amount)


def cuts_of(missing: int, nets: Mapping[int, int]) -> dict[int, int]:
    """What each creditor loses of `missing`: floor of its share, the odd units one each from the first ones."""
    creditors = {merchant: net for merchant, net in sorted(nets.items()) if net > 0}
    gross = sum(creditors.values())
    if not missing or not gross:
        return dict.fromkeys(creditors, 0)
    cuts = {merchant: missing * net // gross for merchant, net in creditors.items()}
    odd = missing - sum(cuts.values())
    return {merchant: cut + (place < odd) for place, (merchant, cut) in enumerate(cuts.items())}
