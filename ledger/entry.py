"""A journal entry in the making: what verbs write with. Balanced by construction, undone as a whole.

`move` writes both sides at once, so postings sum to zero per unit whatever a verb does. A verb checks, then posts, then
changes rows: the one refusal that can come late, a balance out of range, finds only postings, and `undo` takes them
back. Only the book makes entries.
"""

from __future__ import annotations

from typing import NamedTuple

from ledger.accounts import AccountName
from ledger.answers import JournalPosting, Leg, LegRef, LotMove
from ledger.commands import Configuring
from ledger.effects import Effects
from ledger.records import AnyRecord, RecordName
from ledger.refusals import Refused
from ledger.slice import Claim, Lot, Member, Order, Role, Slice
from ledger.units import BALANCE_MAX
from proofs.kinds import Kind


class Reward(NamedTuple):
    """What a REFERRAL leg adds: which campaign paid which level above the buyer, for how much of the sale (minor
    units).
    """

    campaign_id: int
    level: int
    basis: int


NO_REWARD = Reward(0, 0, 0)
_BASE = Role.BASE.value


class Entry:
    """Journal entry `seq` of a command that happened at `at_ms`: its legs, postings and lot moves so far."""

    __slots__ = ("_effects", "at_ms", "legs", "lots", "postings", "seq", "slice")

    def __init__(self, state: Slice, effects: Effects, at_ms: int) -> None:
        self.slice = state
        self.seq = state.seq + 1
        self.at_ms = at_ms
        self.legs: list[Leg] = []
        self.postings: list[JournalPosting] = []
        self.lots: list[LotMove] = []
        self._effects = effects

    def leg(
        self,
        kind: Kind,
        *,
        signer: int,
        issuer: int,
        member: str | None,
        points: int = 0,
        terms_id: int = 0,
        au: int = 0,
        ref: LegRef | None = None,
        fee_au: int = 0,
        reward: Reward = NO_REWARD,
    ) -> int:
        """Add a future leaf; answers its number, for the postings that belong to it."""
        no = len(self.legs) + 1
        self.legs.append(
            Leg(
                no=no,
                kind=int(kind),
                signer=signer,
                issuer=issuer,
                member=member,
                points=points,
                terms_id=terms_id,
                au=au,
                ref=ref,
                fee_au=fee_au,
                campaign_id=reward.campaign_id,
                level=reward.level,
                basis=reward.basis,
            )
        )
        return no

    def move(self, amount: int, *, debit: AccountName, credit: AccountName, leg: int = 0) -> None:
        """Debit one account and credit another by `amount` > 0 of their common unit."""
        assert amount > 0
        assert debit.unit == credit.unit
        self._post(debit, amount, leg)
        self._post(credit, -amount, leg)

    def _post(self, account: AccountName, amount: int, leg: int) -> None:
        n, balance = self.slice.accounts[account]
        n += 1
        balance += amount
        if not -BALANCE_MAX <= balance <= BALANCE_MAX:
            raise Refused("balance-out-of-range", account=account.label(), balance=balance)
        self.slice.accounts[account] = (n, balance)
        self.postings.append(JournalPosting(account, n, leg, amount, balance))

    def undo(self) -> None:
        """Take every posting back, newest first."""
        for account, n, _, amount, balance in reversed(self.postings):
            self.slice.accounts[account] = (n - 1, balance - amount)

    def claim(self, claim: Claim) -> None:
        """Take a name for good."""
        self.slice.claims[claim] = self.seq
        self._effects.claims[claim] = self.seq

    def record(self, name: RecordName, record: AnyRecord) -> None:
        """Put a record in its place; called when everything is posted."""
        self.slice.records[name] = record
        self._effects.records[name] = (self.seq, record)

    def enrol(self, member: str) -> None:
        """A new member, numbered by this entry; owns nothing yet."""
        self.slice.members[member] = self.seq
        self.slice.people[self.seq] = Member(no=self.seq, name=member)
        self.slice.lots_of[self.seq] = []
        self.slice.bought[self.seq] = []
        self._effects.members.append((self.seq, member))

    def change_member(self, member: Member) -> None:
        """Note that a verb changed what is known of it."""
        self._effects.changed_members[member.no] = member

    def rewire(self, member: Member) -> None:
        """Note that a verb changed whom it leads to: who referred it, or whom it means."""
        self._effects.rewired = True
        self.change_member(member)

    def mean(self, member: Member, means: int | None) -> None:
        """The member's number stands for `means` from now on, or for itself again."""
        if member.merged_into is not None:
            self.slice.merged[member.merged_into].discard(member.no)
        if means is not None:
            self.slice.merged.setdefault(means, set()).add(member.no)
        member.merged_into = means
        self.rewire(member)

    def rehome(self, lot: Lot, owner: Member) -> None:
        """All that is left of the lot goes to another account of the same person, and the lot with it."""
        points, lot.remaining = lot.remaining, 0
        self.change_lot(lot, points=-points)
        self._own(lot, owner)
        lot.remaining = points
        self.change_lot(lot, points=points)

    def _own(self, lot: Lot, owner: Member) -> None:
        """Among the lots of `owner` from now on, where those are held."""
        bought = lot in self.slice.bought.get(lot.member_no, ())
        for lots_of, is_listed in ((self.slice.lots_of, True), (self.slice.bought, bought)):
            if lot in lots_of.get(lot.member_no, ()):
                lots_of[lot.member_no].remove(lot)
            if is_listed and owner.no in lots_of:
                lots_of[owner.no].append(lot)
        lot.member_no, lot.member = owner.no, owner.name

    def configure(self, command: Configuring) -> None:
        """Take the command into the registry."""
        self.slice.registry.play(command)
        self._effects.configured.append((self.seq, command))

    def open_order(self, order: Order) -> None:
        """A new order with its lots; called when everything is posted."""
        self.slice.orders[order.merchant_id, order.name] = order
        self._effects.new_orders[order.merchant_id, order.name] = order
        for lot in order.lots:
            self._new_lot(lot)

    def add_lot(self, lot: Lot, *, points: int) -> None:
        """A new lot that no order makes; called when everything is posted. `points`: as `change_lot`."""
        self._new_lot(lot)
        self._moved(lot, points, 0)

    def _new_lot(self, lot: Lot) -> None:
        self.slice.lots[lot.id] = lot
        self._effects.new_lots[lot.id] = lot
        mine = self.slice.lots_of.get(lot.member_no)
        if mine is not None and lot.remaining:
            mine.append(lot)
        bought = self.slice.bought.get(lot.member_no) if lot.role == _BASE else None
        if bought is not None:
            bought.append(lot)

    def change_order(self, order: Order) -> None:
        """Note that a verb changed it."""
        name = (order.merchant_id, order.name)
        if order.seq != self.seq and name not in self._effects.new_orders:
            self._effects.changed_orders[name] = order

    def change_lot(self, lot: Lot, *, points: int, au: int = 0) -> None:
        """Note that a verb changed it, with `points` the signed change of what remains. What comes back to a lot of
        somebody who was merged meanwhile comes to whom the owner means today, and is among its open lots again.
        """
        if points > 0 and lot.id.seq != self.seq:
            self._come_back(lot)
        if lot.id.seq != self.seq and lot.id not in self._effects.new_lots:
            self._effects.changed_lots[lot.id] = lot
        self._moved(lot, points, au)

    def _come_back(self, lot: Lot) -> None:
        if self.slice.identity(lot.member_no) != lot.member_no:
            self._own(lot, self.slice.person(lot.member_no))
        mine = self.slice.lots_of.get(lot.member_no)
        if mine is not None and lot not in mine:
            mine.append(lot)

    def _moved(self, lot: Lot, points: int, au: int) -> None:
        self.lots.append(
            LotMove(lot.id, lot.issuer, lot.member, lot.terms_id, points, lot.remaining, lot.expires_at_ms, au)
        )
