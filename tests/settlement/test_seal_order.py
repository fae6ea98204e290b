"""Order: purchases that commute come to the same balances however they are told, and a batch is in the ledger's order,
bit for bit, whatever order its parts are handed in.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
from coincurve import PrivateKey

from ledger.accounts import AccountName
from ledger.book import Book
from ledger.commands import Command, Earn
from ledger.journal import JournalEntry
from ledger.slice import Slice
from proofs.kinds import Kind, Terms
from settlement.sealing.chains import Tip
from settlement.sealing.choosing import Late, choose
from settlement.sealing.lanes import Keystore, LaneId
from settlement.sealing.leaves import LeafMaker, journal_head, needs
from settlement.sealing.refusals import SealRefused
from settlement.sealing.seal import Opening, seal
from settlement.sealing.self_signed import Inbox
from tests.settlement import ledger_traffic
from tests.settlement.alliance import (
    FOUNDED_AT,
    MEMBERS,
    MERCHANTS,
    Journal,
    Operator,
    digest,
    keystore,
    registered,
    rules,
    secret_of,
)
from tests.settlement.ledger_traffic import START_MS, founding

PURCHASES = 40
ORDERS_TOLD = 4
FIRST_BATCH_ENTRIES = 12
LATE_ENTRIES = 6
SHUFFLES = 5


def purchases() -> list[Command]:
    """At merchants with holds and without, by members who came by one another and who did not."""
    return [
        Earn(
            key=f"earn/{number:03d}",
            at_ms=START_MS + 1_000 + number // 3,
            merchant_id=list(ledger_traffic.RATES)[number % len(ledger_traffic.RATES)],
            member=ledger_traffic.MEMBERS[number * 7 % len(ledger_traffic.MEMBERS)],
            order=f"order-{number}",
            amount_minor=1_000 + 777 * number,
        )
        for number in range(PURCHASES)
    ]


def balances(commands: list[Command]) -> dict[AccountName, int]:
    book = Book(Slice.whole())
    for command in [*founding(), *commands]:
        book.apply(command)
    return {account: balance for account, (_, balance) in book.slice.accounts.items()}


def test_the_order_of_telling_changes_no_balance() -> None:
    told = [balances(random.Random(seed).sample(purchases(), PURCHASES)) for seed in range(ORDERS_TOLD)]
    assert all(each == told[0] for each in told)
    assert any(told[0].values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the second batch is made of, each part in some order."""

    entries: list[JournalEntry]
    late: list[Late]
    lanes: list[tuple[LaneId, tuple[PrivateKey, frozenset[Kind]]]]
    terms: dict[int, Terms]
    opening: Opening
    tips: dict[bytes, Tip]
    registered: list[bytes]
    secrets: dict[str, bytes]
    references: dict[Any, bytes]
    head: bytes


def journal() -> Journal:
    """Enough of each kind for two batches, at all merchants and members."""
    made, earned, spent = Journal(), {}, []
    for number in range(3):
        for merchant in MERCHANTS:
            member = MEMBERS[(number + merchant) % len(MEMBERS)]
            earned[merchant, member] = made.points(Kind.EARN, merchant, member, 100 + 10 * number)
    for number, member in enumerate(MEMBERS):
        held = {issuer: 2 for issuer in MERCHANTS if made.balance(member, issuer) > 0}
        spent.append((made.redeem(1 + number % 3, member, held), 1 + number % 3, member, next(iter(held))))
        made.note()
    for (merchant, member), ref in earned.items():
        made.points(Kind.REFUND_EARN, merchant, member, 3, ref)
    for number, (ref, acceptor, member, issuer) in enumerate(spent):
        made.return_goods(ref, acceptor, member, issuer, 1)
        made.transfer(issuer, member, MEMBERS[(number + 1) % len(MEMBERS)], 1)
    for merchant in MERCHANTS:
        made.fee(merchant, merchant)
        made.points(Kind.EARN, merchant, MEMBERS[merchant - 1], 7)
    return made


def parts() -> Parts:
    """After a first batch: some legs that an earlier range left, then whole entries."""
    entries, operator = journal().entries, Operator()
    operator.seal(entries[:FIRST_BATCH_ENTRIES], settling=True)
    late = entries[FIRST_BATCH_ENTRIES : FIRST_BATCH_ENTRIES + LATE_ENTRIES]
    rest = entries[FIRST_BATCH_ENTRIES + LATE_ENTRIES :]
    wanted = needs([*late, *rest])
    lanes = {lane.id: (PrivateKey(digest("lane", *lane.id)), lane.kinds) for lane in keystore().roster}
    return Parts(
        entries=rest,
        late=[(entry, leg) for entry in late for leg in entry.legs],
        lanes=list(lanes.items()),
        terms=dict(rules().terms),
        opening=operator.opening,
        tips=operator.tips,
        registered=registered(),
        secrets={member: secret_of(member) for member in sorted(wanted.members)},
        references={ref: operator.events[ref] for ref in sorted(wanted.references) if ref in operator.events},
        head=operator.head,
    )


def sealed(given: Parts) -> tuple[bytes, bytes]:
    """Words of the header and bytes of the file."""
    keys = Keystore(dict(given.lanes))
    chosen = choose(
        given.late,
        given.entries,
        maker=LeafMaker(
            roster=keys.roster, secrets=given.secrets, references=given.references, batch_secret=digest("secret", 2)
        ),
        inbox=Inbox(),
        rows=given.opening.rows,
        batch_no=2,
        last_seq=max(entry.seq for entry in given.entries),
    )
    assert not chosen.parked
    made = seal(
        given.opening,
        chosen.leaves,
        rules=replace(rules(), roster=keys.roster, terms=given.terms),
        signer=keys,
        member_tips=given.tips,
        registered=given.registered,
        batch_secret=digest("secret", 2),
        journal_head=journal_head(given.head, given.entries),
        opened_at=FOUNDED_AT,
        sealed_at=FOUNDED_AT + 2_000_000,
        settling=True,
    )
    assert made.nets
    return made.header.words(), made.file()


def mixed(items: Any, seed: int) -> Any:
    """A list or a mapping in another order."""
    inside, dice = list(items.items()) if isinstance(items, Mapping) else list(items), random.Random(seed)
    assert len(inside) > 1, "nothing to put in another order"
    other = inside
    while other == inside:
        other = dice.sample(inside, len(inside))
    return dict(other) if isinstance(items, Mapping) else other


def in_opening(field: str) -> Callable[[Parts, int], Parts]:
    return lambda given, seed: replace(
        given, opening=replace(given.opening, **{field: mixed(getattr(given.opening, field), seed)})
    )


def in_parts(field: str) -> Callable[[Parts, int], Parts]:
    return lambda given, seed: replace(given, **{field: mixed(getattr(given, field), seed)})


ORDERS: dict[str, Callable[[Parts, int], Parts]] = {
    "journal entries": in_parts("entries"),
    "legs left by an earlier range": in_parts("late"),
    "lanes": in_parts("lanes"),
    "terms": in_parts("terms"),
    "ends of member accounts": in_parts("tips"),
    "registered accounts": in_parts("registered"),
    "members' secrets": in_parts("secrets"),
    "event ids of earlier batches": in_parts("references"),
    "rows of the batch before": in_opening("rows"),
    "cash at the last settlement": in_opening("settled_cash"),
}


@pytest.mark.parametrize("part", ORDERS)
def test_a_batch_is_the_same_in_whatever_order_a_part_comes(part: str) -> None:
    given = parts()
    wanted = sealed(given)
    for seed in range(SHUFFLES):
        assert sealed(ORDERS[part](given, seed)) == wanted, seed


def test_a_batch_is_the_same_in_whatever_order_all_parts_come() -> None:
    given = parts()
    wanted = sealed(given)
    for seed in range(SHUFFLES):
        other = given
        for shuffle in ORDERS.values():
            other = shuffle(other, seed)
        assert sealed(other) == wanted, seed


def test_the_order_is_the_ledgers_and_no_other() -> None:
    """Two purchases that have nothing in common: the batch still tells which the ledger took first."""
    roots = set()
    for order in ((1, 2), (2, 1)):
        made, operator = Journal(), Operator()
        for merchant in order:
            made.points(Kind.EARN, merchant, MEMBERS[merchant], 10)
        header = operator.seal(made.entries).header
        roots.add(header.leaves_root)
        seqs = [record.event.issuer_id for record in Operator().seal(made.entries).records]
        assert seqs == list(order)
    assert len(roots) == 2


def test_leaves_out_of_their_accounts_order_are_refused_or_another_batch() -> None:
    """`seal` itself takes leaves as they come: a neighbour exchanged is never the same header."""
    operator, entries = Operator(), journal().entries[:FIRST_BATCH_ENTRIES]
    leaves, head = operator.leaves(entries), journal_head(bytes(32), entries)
    right = operator.try_seal(leaves, head=head).header
    refused = 0
    for at in range(len(leaves) - 1):
        swapped = [*leaves[:at], leaves[at + 1], leaves[at], *leaves[at + 2 :]]
        try:
            assert operator.try_seal(swapped, head=head).header.leaves_root != right.leaves_root
        except SealRefused:
            refused += 1
    assert refused
