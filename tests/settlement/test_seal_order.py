"""Purchases that commute, told in any order: the same balances, and put into their canonical order the same batches."""

from __future__ import annotations

import random

from ledger import journal
from ledger.accounts import AccountName
from ledger.book import Book
from ledger.commands import Command, Earn, PublishTerms
from ledger.slice import Slice
from tests.settlement.ledger_traffic import MEMBERS, RATES, START_MS, founding
from tests.settlement.sealer import seal_all

PURCHASES = 40
ORDERS_TOLD = 4
TERMS = [command for command in founding() if isinstance(command, PublishTerms)]


def purchases() -> list[Command]:
    """At merchants with holds and without, by members who came by one another and who did not."""
    return [
        Earn(
            key=f"earn/{number:03d}",
            at_ms=START_MS + 1_000 + number // 3,
            merchant_id=list(RATES)[number % len(RATES)],
            member=MEMBERS[number * 7 % len(MEMBERS)],
            order=f"order-{number}",
            amount_minor=1_000 + 777 * number,
        )
        for number in range(PURCHASES)
    ]


def played(commands: list[Command]) -> tuple[dict[AccountName, int], list[journal.JournalEntry]]:
    """Balances by account, and the journal."""
    book = Book(Slice.whole())
    for command in [*founding(), *commands]:
        book.apply(command)
    balances = {account: balance for account, (_, balance) in book.slice.accounts.items()}
    return balances, [journal.entry(row.command, row.receipt) for row in book.take_effects().journal]


def told() -> list[list[Command]]:
    """The purchases, shuffled in several ways."""
    return [random.Random(seed).sample(purchases(), PURCHASES) for seed in range(ORDERS_TOLD)]


def canonical(commands: list[Command]) -> list[Command]:
    """By time, then by key."""
    return sorted(commands, key=lambda command: (command.at_ms, command.key))


def test_the_order_of_telling_changes_no_balance() -> None:
    balances = [played(commands)[0] for commands in told()]
    assert all(each == balances[0] for each in balances)
    assert any(balances[0].values())


def test_in_canonical_order_the_batches_have_the_same_roots() -> None:
    roots = []
    for commands in told():
        _, batches = seal_all(played(canonical(commands))[1], TERMS)
        roots.append([(batch.header.leaves_root, batch.header.accounts_root) for batch in batches])
    assert all(each == roots[0] for each in roots)
    _, shuffled = seal_all(played(told()[0])[1], TERMS)
    assert [(batch.header.leaves_root, batch.header.accounts_root) for batch in shuffled] != roots[0]
