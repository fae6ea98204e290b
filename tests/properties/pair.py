"""The pure book and the oracle side by side: one command to both, answers and books compared.

Whoever finds a difference gets an AssertionError that names it. Only what both must agree on by the rule book is
compared: done or refused with which code, what cleared, what rules asked, granted and why, balances, pending, held,
lots, positions, reserve and dust. On the way every receipt is held against the invariants that it alone can break.
Tests and the long run use it.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
from msgspec.structs import astuple

from ledger import accounts
from ledger.accounts import Family
from ledger.answers import Answer, Receipt
from ledger.book import VERBS as LEDGER_VERBS
from ledger.book import Book
from ledger.commands import Command, parse
from ledger.slice import Member, Slice
from proofs.accounts import RESERVE_ID
from tests.oracle.books import Books
from tests.oracle.oracle import VERBS as ORACLE_VERBS
from tests.oracle.oracle import Oracle, Outcome
from tests.properties import invariants
from tests.properties.witness import Witness, clearing
from tests.properties.worlds import Plain, opening

VERBS = frozenset(str(each.__struct_config__.tag) for each in LEDGER_VERBS) & frozenset(ORACLE_VERBS)
"""The verbs that both know."""
TYPES = {str(each.__struct_config__.tag): each for each in LEDGER_VERBS}
Figures = dict[Any, Any]


def command_of(plain: Plain) -> Command:
    """The ledger's command of a plain one."""
    return msgspec.convert(plain, TYPES[plain["verb"]])


class Pair:
    """A ledger and an oracle that have seen the same commands."""

    def __init__(self) -> None:
        self.book = Book(Slice.whole())
        self.oracle = Oracle()
        self.witness = Witness()
        self.done: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()

    @classmethod
    def opened(cls) -> Pair:
        """With the alliance of `worlds` in it."""
        pair = cls()
        for plain in opening():
            if plain["verb"] in VERBS:
                assert "done" in pair.apply(plain)[1], plain
        return pair

    def apply(self, plain: Plain) -> tuple[Answer, Outcome]:
        """Both answers, found equal."""
        return self.follow(command_of(plain))[1]

    def follow(self, command: Command) -> tuple[Plain, tuple[Answer, Outcome]]:
        """As `apply`, of the ledger's own command; answers how it reads as a plain one, too."""
        plain = msgspec.to_builtins(command)
        seq = self.book.slice.seq
        answer = self.book.apply(command)
        outcome = self.oracle.apply(plain)
        said = compared(answer)
        assert said == outcome, f"{plain}: the ledger says {said}, the oracle {outcome}"
        self.witness.see(plain, answer, self.book.take_effects())
        self.witness.ask_again(self.book, command, plain)
        if isinstance(answer.outcome, Receipt) and not answer.replayed:
            assert self.book.slice.seq == answer.outcome.seq == seq + 1
            self.done[plain["verb"]] += 1
        else:
            assert self.book.slice.seq == seq
            self.refused[str(outcome.get("refused", "replayed"))] += 1
        return plain, (answer, outcome)

    def rebuild(self) -> None:
        """What the journal alone says is what the book holds: receipts byte for byte, and every row."""
        again = Book(Slice.whole())
        for command, receipt in self.witness.entries:
            assert again.apply(parse(command)).body == receipt
        ours, theirs = rows(self.book.slice), rows(again.slice)
        for what, mine in ours.items():
            assert mine == theirs[what], f"{what} rebuilt: {different(mine, theirs[what])}"

    def compare(self) -> None:
        """All that both hold, and every invariant of the rule book."""
        self.witness.stands(self.book.slice)
        invariants.check(self.book.slice)
        oracles = oracle_figures(self.oracle)
        for what, ours in ledger_figures(self.book.slice).items():
            theirs = oracles[what]
            if what == "people" and "bind_referral" not in VERBS:
                continue  # a ledger without bonds decides none
            assert ours == theirs, f"{what}: {different(ours, theirs)}"


def rows(state: Slice) -> dict[str, Figures]:
    """Everything a rebuild must bring back, as values that can be compared."""
    return {
        "accounts": dict(state.accounts),
        "people": {no: astuple(person) for no, person in state.people.items()},
        "lots": {lot.id: astuple(lot) for lot in state.lots.values()},
        "orders": {
            name: (order.refunded_minor, order.confirmed_at_ms) for name, order in state.orders.items() if order
        },
        "claims": {claim: seq for claim, seq in state.claims.items() if seq},
        "records": {name: record for name, record in state.records.items() if record},
    }


def compared(answer: Answer) -> Outcome:
    """The ledger's answer as the oracle words it."""
    if not isinstance(answer.outcome, Receipt):
        return {"refused": answer.outcome.code}
    receipt = answer.outcome
    cleared = {"done": True, "clearing": clearing((each.account, each.amount) for each in receipt.postings)}
    return cleared | {"rules": said} if (said := said_by_rules(receipt.why)) else cleared


def said_by_rules(why: dict[str, int | str]) -> Figures:
    """What a receipt tells of rules: asked, granted, reason; of tasks: how much is done, of how much."""
    told: dict[str, dict[str, int | str]] = {}
    for name, value in why.items():
        if name.startswith(("rule:", "task:")):
            what, _, figure = name.rpartition(":")
            told.setdefault(what, {})[figure] = value
    figures = {"rule": ("asked", "granted", "reason"), "task": ("done", "of")}
    return {what: tuple(each[figure] for figure in figures[what[:4]]) for what, each in told.items()}


def ledger_figures(state: Slice) -> dict[str, Figures]:
    """By name of the idea: figures of the ledger's accounts and lots."""
    names = {number: name for name, number in state.members.items() if number is not None}
    of_members: dict[str, Figures] = {"balances": {}, "pending": {}, "held": {}}
    families = {Family.MEMBER: "balances", Family.PENDING: "pending", Family.HELD: "held"}
    dust: Figures = {}
    outstanding: Figures = {}
    for account, (_, balance) in state.accounts.items():
        if account.family in families and balance:
            of_members[families[Family(account.family)]][names[account.party], account.unit] = balance
        if account.family == Family.ROUNDING and balance:
            dust[-account.unit] = balance
        if account.family == Family.OUTSTANDING and balance:
            outstanding[account.unit] = -balance
    lots: Counter[Any] = Counter()
    for lot in state.lots.values():
        if lot.confirmed_at_ms is not None:
            where = state.person(lot.member_no).name, lot.issuer, lot.terms_id, lot.expires_at_ms, lot.confirmed_at_ms
            lots[where] += lot.remaining
    positions = clearing((account, balance) for account, (_, balance) in state.accounts.items())
    reserve = state.accounts[accounts.cash(RESERVE_ID)][1] if state.accounts.get(accounts.cash(RESERVE_ID)) else 0
    return {
        **of_members,
        "lots": without_zeros(lots),
        "dust": dust,
        "positions": positions,
        "reserve": {"cash": reserve},
        "outstanding": outstanding,
        "people": {person.name: told(state, person) for person in state.people.values()},
    }


def told(state: Slice, person: Member) -> tuple[Any, ...]:
    """What the ledger knows of a member: referrer, whether that is decided, whom it means, frozen, closed, its tier."""
    names = [state.people[no].name if no is not None else None for no in (person.referrer, person.merged_into)]
    tier = (person.tier, person.tier_since_ms)
    return (names[0], person.bonded, names[1] or person.name, person.frozen, person.closed, tier)


def oracle_figures(oracle: Oracle) -> dict[str, Figures]:
    """The same of the oracle's books."""
    lots: Counter[Any] = Counter()
    for lot in oracle.books.all_lots():
        lots[oracle.books.who(lot.member), lot.issuer, lot.terms_id, lot.expires_ms, lot.confirmed_ms] += lot.left
    return {
        "balances": oracle.balances(),
        "pending": oracle.books.pending(),
        "held": oracle.held(),
        "lots": without_zeros(lots),
        "dust": oracle.dust(),
        "positions": oracle.books.positions(),
        "reserve": {"cash": sum(oracle.books.reserve.values())},
        "outstanding": without_zeros({issuer: oracle.closing(issuer) for issuer in oracle.books.merchants}),
        "people": {name: told_by_oracle(oracle.books, name) for name in oracle.books.members},
    }


def told_by_oracle(books: Books, name: str) -> tuple[Any, ...]:
    """As `told`."""
    states = (name in books.frozen, name in books.closed)
    return (books.referrers.get(name), name in books.decided, books.who(name), *states, books.tier.get(name, ("", 0)))


def without_zeros(figures: Figures) -> Figures:
    return {name: value for name, value in figures.items() if value}


def different(ours: Figures, theirs: Figures) -> str:
    """The figures that differ, the ledger's before the oracle's."""
    names = [name for name in {*ours, *theirs} if ours.get(name, 0) != theirs.get(name, 0)]
    return "; ".join(f"{name}: ledger {ours.get(name, 0)}, oracle {theirs.get(name, 0)}" for name in names)
