"""One alliance played through the pure book: random events, cycles of fees and nets, some of them with a default, and
exact books that see every receipt.

The book is the one that posts, `ledger.book`, with nothing left out: commands are admitted, decided, answered. Nets are
taken from its cash accounts as sealing takes them (`proofs.headers`), and what the chain moved is said in whole AU as
the submitter says it (`settlement.watch.moved`). What can no longer change is forgotten now and then, as the store does
it that holds nothing but what a batch asks for. Seeded: the same seed and length play the same events. Called by
`bench.drift` and its test.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from bench.drift.alliance import LATER_TERMS, STEP_MS_MAX, Stream, founding
from bench.drift.balances import Drifted, same
from bench.drift.exact import Exact
from ledger.accounts import CHAIN, Family, settled
from ledger.answers import Receipt
from ledger.book import Book
from ledger.commands import AnyCommand, ChargeFees, Net, SettleNets
from ledger.points.limits import position
from ledger.slice import Slice
from proofs.headers import nets_from
from proofs.kinds import BASE_UNITS_PER_AU
from settlement.watch.moved import newly_settled, summed

CYCLE_EVENTS = 1_000
COMPARE_EVENTS = 2_500
FORGET_EVENTS = 5_000
TELL_EVENTS = 5_000
REFUSED_PER_EVENT_MAX = 3
DEFAULT_ONE_IN = 2

Moved = Mapping[int, int]
"""Base units by party."""


def unheard(_: int) -> None:
    """Nobody wants to know how far it is."""


@dataclass(slots=True)
class Played:
    """An alliance and what was done in it. `moved` is what the chain moved so far, `owed` what a default left open."""

    seed: str
    events: int
    book: Book = field(default_factory=lambda: Book(Slice.whole()))
    exact: Exact = field(default_factory=Exact)
    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    cycles: int = 0
    defaults: int = 0
    moved: Moved = field(default_factory=dict)
    cash_settled: Moved = field(default_factory=dict)
    owed: Moved = field(default_factory=dict)

    def play(self, tell: Callable[[int], None] = unheard) -> Played:
        """All of it. Raises `Drifted` at the first figure that is not exact."""
        dice = Random(self.seed)
        for command in founding(later_ms=self.events * STEP_MS_MAX // 4):
            self._do(command)
        self.book.slice.bought.clear()
        self.done.clear()
        stream = Stream(dice, self.book.slice, self.exact)
        told = 0
        while (count := self.done.total()) < self.events:
            if self._do(stream.command()):
                self._in_between(dice, stream.at_ms, count + 1)
            elif self.refused.total() > REFUSED_PER_EVENT_MAX * self.events:
                raise Drifted(f"hardly anything is done: {self.refused}")
            if count - told >= TELL_EVENTS:
                tell(count)
                told = count
        self._end_cycle(dice, stream.at_ms)
        self._recover(stream.at_ms)
        self._agree()
        return self

    def _in_between(self, dice: Random, at_ms: int, count: int) -> None:
        if count % CYCLE_EVENTS == 0:
            self._end_cycle(dice, at_ms)
        if count % COMPARE_EVENTS == 0:
            self._agree()
        if count % FORGET_EVENTS == 0:
            self._forget()

    def _do(self, command: AnyCommand) -> bool:
        """Whether it was done."""
        outcome = self.book.apply(command).outcome
        if not isinstance(outcome, Receipt):
            self.refused[outcome.code] += 1
            return False
        self.exact.see(command, outcome)
        self.done[outcome.verb] += 1
        return True

    def _must(self, command: AnyCommand) -> None:
        if not self._do(command):
            raise Drifted(f"{command.key} is refused: {self.refused}")

    def _end_cycle(self, dice: Random, at_ms: int) -> None:
        """What the last one left open is paid; fees go into cash; nets, and what the chain moves of them."""
        self._recover(at_ms)
        self.cycles += 1
        name = f"cycle {self.cycles}"
        self._must(ChargeFees(key=f"fees {name}", at_ms=at_ms, cycle=f"c{self.cycles}"))
        cash = self._cash()
        nets = dict(nets_from(cash, self.cash_settled))
        same("nets together", sum(nets.values()), 0)
        self.cash_settled = cash
        if not dice.randrange(DEFAULT_ONE_IN):
            self.owed = _default(nets, dice)
            self.defaults += 1
        self._tell(f"nets {name}", at_ms, summed([nets, self.owed]))

    def _recover(self, at_ms: int) -> None:
        """What a default left open is paid."""
        if self.owed:
            back = {party: -amount for party, amount in self.owed.items()}
            self.owed = {}
            self._tell(f"recovered {self.cycles}", at_ms, back, recovered_in=1)
        cash = self._cash()
        for merchant in self.exact.merchants:
            unsettled = cash.get(merchant, 0) - self.cash_settled.get(merchant, 0)
            open_au = position(self.book.slice, merchant) - self.exact.balances.fees[merchant]
            same("position when all is paid", open_au * BASE_UNITS_PER_AU, unsettled)

    def _tell(self, key: str, at_ms: int, moved: Moved, recovered_in: int = 0) -> None:
        """The ledger hears it in whole AU, as the change of the exact sum since the beginning."""
        au = newly_settled([self.moved, moved], 1)
        self.moved = summed([self.moved, moved])
        same("AU moved together", sum(au.values()), 0)
        if au:
            nets = tuple(Net(party, amount) for party, amount in au.items())
            self._must(SettleNets(key=key, at_ms=at_ms, batch_no=self.cycles, recovered_in=recovered_in, nets=nets))
        for party, amount in self.moved.items():
            off = amount - self.book.slice.accounts[settled(party)][1] * BASE_UNITS_PER_AU
            if abs(off) >= BASE_UNITS_PER_AU:
                raise Drifted(f"{party} is told {off} base units less than was moved for it")

    def _cash(self) -> dict[int, int]:
        """Base units by party, as a batch's rows have them."""
        return {
            account.party: balance * BASE_UNITS_PER_AU
            for account, (_, balance) in self.book.slice.accounts.items()
            if account.family == Family.CASH
        }

    def _agree(self) -> None:
        self.exact.balances.agree(self.book.slice)
        same("what the chain moved", -self.exact.balances.settled[CHAIN], sum(self._settled()))

    def _settled(self) -> Iterable[int]:
        return [au for party, au in self.exact.balances.settled.items() if party != CHAIN]

    def _forget(self) -> None:
        """Orders and redemptions of which nothing is given back any more, lots that are empty for good, names."""
        state = self.book.slice
        self.book.take_effects()
        state.answers.clear()
        state.claims.clear()
        orders, redemptions = self.exact.orders.by_name, self.exact.redemptions.by_name
        for place in [each for each in state.orders if each[1] not in orders]:
            del state.orders[place]
        for name in [each for each in state.records if each.name not in redemptions]:
            del state.records[name]
        wanted = {lot.id for order in state.orders.values() if order for lot in order.lots}
        wanted |= {lot for record in state.records.values() if record for lot in record.lot_ids()}
        for lot in [each for each in state.lots.values() if not each.remaining and each.id not in wanted]:
            del state.lots[lot.id]
        for member_no, lots in state.lots_of.items():
            state.lots_of[member_no] = [lot for lot in lots if lot.remaining]
        gc.collect()

    def told(self) -> dict[str, Any]:
        """For the record."""
        return {
            "seed": self.seed,
            "events": self.done.total(),
            "done": dict(sorted(self.done.items())),
            "refused": dict(sorted(self.refused.items())),
            "postings": self.exact.balances.postings,
            "cycles": self.cycles,
            "defaults": self.defaults,
            "partsOfOneMost": self.exact.parts_max,
            "laterTermsUsed": any(points for each, points in self.exact.balances.points.items() if each > LATER_TERMS),
            "remaindersAu": self.exact.balances.remainders_au(),
            "books": self.exact.told(self.book.slice),
        }


def _default(nets: Moved, dice: Random) -> dict[int, int]:
    """A debtor pays less, by any number of base units, and creditors are cut in proportion, the first one by what that
    leaves over: the change to what moves.
    """
    debtors = [party for party, net in nets.items() if net < 0]
    creditors = {party: net for party, net in nets.items() if net > 0}
    if not debtors:
        return {}
    debtor, all_owed = dice.choice(debtors), sum(creditors.values())
    short = dice.randint(1, -nets[debtor])
    cuts = {party: -(short * net // all_owed) for party, net in creditors.items()}
    cuts[next(iter(cuts))] -= short + sum(cuts.values())
    return cuts | {debtor: short}
