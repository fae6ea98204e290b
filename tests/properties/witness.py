"""A witness of every answer: what the rule book demands of one receipt, and of all of them together, without an oracle.

It keeps its own running figures from receipts alone: the last posting of every account, what is left of every lot, what
legs issued and took, what each gave and how much of it was taken back, refunds by order, holds that were resolved,
points that rules granted, the first answer to every key. `see` is told each answer with what the book would write for
it; `stands` asks a whole slice whether it agrees. Only tests use it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec

from ledger import accounts
from ledger.accounts import AccountName, Family
from ledger.answers import Answer, JournalPosting, Leg, LegRef, LotId, Receipt, Refusal
from ledger.book import Book
from ledger.commands import Command
from ledger.effects import Effects
from ledger.records import RuleBudget
from ledger.slice import Slice
from ledger.units import BPS
from proofs.kinds import Kind
from tests.properties.worlds import Plain

ADDING = {Kind.EARN, Kind.REFUND_REDEEM, Kind.EXCHANGE_IN, Kind.REFERRAL, Kind.ADJUST_UP, Kind.TRANSFER_IN}
RESOLVING = {"capture", "void", "lapse_hold"}

OTHERWISE_EVERY_ENTRIES = 8
"""How often a key is also used for something else, to hear what differs."""


class Witness:
    """Everything seen so far. `roots` are the entries as the journal keeps them."""

    def __init__(self) -> None:
        self.first: dict[str, tuple[Plain, bytes]] = {}
        self.entries: list[tuple[bytes, bytes]] = []
        self.last: dict[AccountName, tuple[int, int]] = {}
        self.lots: dict[LotId, int] = {}
        self.outstanding: Counter[int] = Counter()
        self.given: dict[LegRef, int] = {}
        self.taken_back: Counter[LegRef] = Counter()
        self.terms: dict[int, Plain] = {}
        self.campaigns: dict[int, Plain] = {}
        self.refunded: Counter[tuple[int, str]] = Counter()
        self.bought: dict[tuple[int, str], int] = {}
        self.resolved: set[tuple[int, str]] = set()
        self.granted: Counter[int] = Counter()
        self.budgets: dict[int, list[int | None]] = {}

    def see(self, plain: Plain, answer: Answer, effects: Effects) -> None:
        """One answer, and what is to be written for it."""
        known = self.first.get(plain["key"])
        if known is not None:
            answered_again(known, plain, answer)
            assert not written(effects), "an answer given again leaves no trace"
        elif isinstance(answer.outcome, Refusal):
            assert set(written(effects)) <= {"answers"}, "what is refused leaves nothing but its answer"
        else:
            self._see_receipt(plain, answer.outcome)
            self.entries += [(row.command, row.receipt) for row in effects.journal]
            assert self.entries[-1][1] == answer.body
        if known is None and (not isinstance(answer.outcome, Refusal) or answer.outcome.code != "malformed"):
            self.first[plain["key"]] = plain, answer.body

    def ask_again(self, book: Book, command: Command, plain: Plain) -> None:
        """Its answer byte for byte; with another time it is refused, naming the time."""
        first = self.first.get(plain["key"])
        if first is None or first[0] != plain:
            return
        again = book.apply(command)
        assert again.replayed
        assert again.body == first[1]
        if book.slice.seq % OTHERWISE_EVERY_ENTRIES:
            return
        later = book.apply(msgspec.structs.replace(command, at_ms=command.at_ms + 1)).outcome
        assert isinstance(later, Refusal)
        assert (later.code, later.field) == ("key-reused", "at_ms")
        assert not written(book.take_effects())

    def _see_receipt(self, plain: Plain, receipt: Receipt) -> None:
        assert receipt.seq == len(self.entries) + 1, "the journal is gapless"
        units: Counter[int] = Counter()
        for posting in receipt.postings:
            units[posting.account.unit] += posting.amount
            self._see_posting(posting)
        assert not any(units.values()), "debits equal credits"
        assert not sum(clearing((each.account, each.amount) for each in receipt.postings).values())
        self._see_published(plain)
        for leg in receipt.legs:
            if leg.points:
                self.outstanding[leg.issuer] += leg.points if leg.kind in ADDING else -leg.points
            self._see_leg(LegRef(receipt.seq, leg.no), leg)
        for move in receipt.lots:
            assert move.remaining >= 0, "no lot is below zero"
            assert move.remaining == self.lots.get(move.lot, 0) + move.points, move
            self.lots[move.lot] = move.remaining
        self._see_names(plain)
        self._see_rules(plain, receipt.why)

    def _see_published(self, plain: Plain) -> None:
        if plain["verb"] == "publish_terms":
            self.terms[plain["terms_id"]] = plain
        if plain["verb"] == "publish_campaign":
            self.campaigns[plain["campaign_id"]] = plain

    def _see_leg(self, name: LegRef, leg: Leg) -> None:
        """A reward is its campaign's rule for one level; no leg is taken back beyond what it gave."""
        self.given[name] = leg.points
        if leg.kind == Kind.REFERRAL:
            campaign, terms = self.campaigns[leg.campaign_id], self.terms[leg.terms_id]
            value = leg.basis * campaign["level_bps"][leg.level - 1]
            if campaign["reward_au_max"] is not None:
                value = min(value, campaign["reward_au_max"] * BPS)
            assert leg.points == value * terms["au_den"] // (terms["au_num"] * BPS), f"{name} is not its level's rule"
        if leg.kind == Kind.REFUND_EARN and leg.ref is not None:
            self.taken_back[leg.ref] += leg.points
            assert self.taken_back[leg.ref] <= self.given[leg.ref], f"more is taken back of {leg.ref} than it gave"

    def _see_posting(self, posting: JournalPosting) -> None:
        """The account's next one, with the running balance."""
        n, balance = self.last.get(posting.account, (0, 0))
        assert posting.amount
        assert (posting.n, posting.balance) == (n + 1, balance + posting.amount), posting
        self.last[posting.account] = posting.n, posting.balance

    def _see_names(self, plain: Plain) -> None:
        """Refunds of an order stay within it, and a hold is resolved once."""
        if plain["verb"] == "earn":
            self.bought[plain["merchant_id"], plain["order"]] = plain["amount_minor"]
        if plain["verb"] == "observe":
            self.bought[plain["merchant_id"], plain["event"]] = 1
        if plain["verb"] == "refund" and plain["order"] is not None:
            name = plain["merchant_id"], plain["order"]
            self.refunded[name] += plain["amount_minor"]
            assert self.refunded[name] <= self.bought[name], f"{name} was refunded beyond its amount"
        if plain["verb"] in RESOLVING:
            name = plain["merchant_id"], plain["redemption"]
            assert name not in self.resolved, f"{name} was resolved twice"
            self.resolved.add(name)

    def _see_rules(self, plain: Plain, why: dict[str, int | str]) -> None:
        """Nothing is granted beyond what was asked, nor beyond the largest budget of a rule that always had one."""
        if plain["verb"] == "publish_rule":
            rule = plain["rule"]
            self.budgets.setdefault(rule["rule_id"], []).append(rule["caps"]["budget_points"])
        for name, granted in why.items():
            if name.startswith("rule:") and name.endswith(":granted"):
                number = int(name.split(":")[1])
                assert 0 <= int(granted) <= int(why[f"rule:{number}:asked"])
                self.granted[number] += int(granted)
                budgets = [budget for budget in self.budgets[number] if budget is not None]
                if len(budgets) == len(self.budgets[number]):
                    assert self.granted[number] <= max(budgets), f"rule {number} passed its budget"

    def stands(self, state: Slice) -> None:
        """The slice is what the receipts add up to."""
        held = {name: last for name, last in state.accounts.items() if last[0]}
        assert held == self.last, sorted(set(held.items()) ^ set(self.last.items()))[:4]
        remaining = {lot.id: lot.remaining for lot in state.lots.values()}
        assert remaining == self.lots, sorted(set(remaining.items()) ^ set(self.lots.items()))[:4]
        for issuer, points in self.outstanding.items():
            _, balance = self.last.get(accounts.outstanding(issuer), (0, 0))
            assert -balance == points, f"the roll-forward of issuer {issuer} does not close: {-balance}, {points}"
        for name, record in state.records.items():
            if isinstance(record, RuleBudget):
                budgets = [budget or 0 for budget in self.budgets[int(name.name)]]
                assert record.points <= max(budgets), f"rule {name.name} passed its budget"


def clearing(moves: Iterable[tuple[AccountName, int]]) -> dict[int, int]:
    """Party -> change of its position; zeros left out."""
    total: Counter[int] = Counter()
    for account, amount in moves:
        if account.family in {Family.CASH, Family.FEES}:
            total[account.party] += amount
        elif account.family == Family.SETTLED and account.party != accounts.CHAIN:
            total[account.party] -= amount
    return {party: au for party, au in total.items() if au}


def answered_again(known: tuple[Plain, bytes], plain: Plain, answer: Answer) -> None:
    """A key that is used again gets its first answer byte for byte, or is refused naming what differs."""
    first, body = known
    if first == plain:
        assert answer.replayed
        assert answer.body == body
        return
    assert isinstance(answer.outcome, Refusal)
    assert answer.outcome.code == "key-reused"
    field = str(answer.outcome.field)
    assert first.get(field) != plain.get(field), f"{field} is named, and the same"


def written(effects: Effects) -> list[str]:
    """Tables that would be written."""
    return [name for name in Effects.__slots__ if getattr(effects, name)]
