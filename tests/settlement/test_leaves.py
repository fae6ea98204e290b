"""From journal entries to events: which lane, which numbers, which words, and what cannot be made public."""

from __future__ import annotations

import json
from collections.abc import Callable

import msgspec
import pytest
import rfc8785

from ledger import accounts
from ledger.answers import JournalPosting, LegRef
from ledger.journal import JournalEntry
from proofs.accounts import OPERATOR_ID, RESERVE_ID, cash_account, lane_account, member_ref, points_account
from proofs.keccak import keccak256
from proofs.kinds import Kind
from proofs.messages import event_id
from proofs.words import ZERO_WORD
from settlement.sealing.lanes import BACK_OFFICE, DELEGATED, POS, LaneId
from settlement.sealing.leaves import (
    Move,
    UnsealedLeaf,
    detail_salt,
    detail_text,
    journal_head,
    month_epoch,
    needs,
    nonces_of,
    registered_accounts,
    unsealed,
    void_leaves,
)
from settlement.sealing.refusals import Reason, SealRefused
from tests.settlement.alliance import FOUNDED_AT, Journal, Operator, digest, keystore, secret_of, tag

MARCH_2027 = 2027 * 12 + 2


def some_journal() -> tuple[Journal, LegRef]:
    journal = Journal()
    journal.points(Kind.EARN, 1, "ann", 100)
    spent = journal.redeem(2, "ann", {1: 40})
    journal.fee(2, 3)
    return journal, spent


def test_an_earning() -> None:
    journal, _ = some_journal()
    leaf = Operator().leaves(journal.entries)[0]
    event = leaf.event
    assert leaf.source == LegRef(1, 1)
    assert (event.kind, event.merchant_id, event.key_id, event.nonce) == (1, 1, POS, 1)
    assert (event.issuer_id, event.points, event.terms_id, event.settle_amount) == (1, 100, 1, 0)
    assert event.occurred_at == FOUNDED_AT + 1
    assert event.member_ref == member_ref(secret_of("ann"), 1, month_epoch((FOUNDED_AT + 1) * 1_000))
    assert leaf.issuer == Move(points_account(1), 1, 100, 100)
    assert leaf.member == Move(tag("ann", 1), 1, 100, 100)
    assert (leaf.debtor, leaf.creditor) == (None, None)


def test_a_redemption_moves_cash_in_base_units() -> None:
    journal, _ = some_journal()
    leaf = Operator().leaves(journal.entries)[1]
    assert (leaf.event.kind, leaf.event.merchant_id, leaf.event.issuer_id) == (2, 2, 1)
    assert leaf.event.settle_amount == 400_000
    assert leaf.debtor == Move(cash_account(1), 1, -400_000, -400_000)
    assert leaf.creditor == Move(cash_account(2), 1, 400_000, 400_000)
    assert leaf.issuer == Move(points_account(1), 2, -40, 60)


def test_on_us_moves_no_cash() -> None:
    journal = Journal()
    journal.points(Kind.EARN, 1, "ann", 100)
    journal.redeem(1, "ann", {1: 40})
    leaf = Operator().leaves(journal.entries)[1]
    assert (leaf.event.settle_amount, leaf.debtor, leaf.creditor) == (0, None, None)


def test_a_fee_goes_through_the_delegated_lane() -> None:
    journal, _ = some_journal()
    leaf = Operator().leaves(journal.entries)[2]
    assert (leaf.event.kind, leaf.event.merchant_id, leaf.event.key_id) == (13, 2, DELEGATED)
    assert (leaf.event.issuer_id, leaf.event.member_ref, leaf.event.points) == (OPERATOR_ID, ZERO_WORD, 0)
    assert leaf.creditor == Move(cash_account(OPERATOR_ID), 1, 30_000, 30_000)


def test_each_lane_counts_for_itself_and_goes_on_from_the_rows() -> None:
    journal, _ = some_journal()
    for _ in range(2):
        journal.points(Kind.EARN, 2, "ann", 1)
    journal.points(Kind.ADJUST_UP, 2, "ann", 1)
    leaves = Operator().leaves(journal.entries)
    assert [(leaf.event.merchant_id, leaf.event.key_id, leaf.event.nonce) for leaf in leaves] == [
        (1, POS, 1),
        (2, POS, 1),
        (2, DELEGATED, 1),
        (2, POS, 2),
        (2, POS, 3),
        (2, BACK_OFFICE, 1),
    ]
    operator = Operator()
    operator.seal(journal.entries)
    assert nonces_of(operator.opening.rows)[LaneId(2, POS)] == 3
    journal.points(Kind.EARN, 2, "ann", 1)
    assert operator.leaves(journal.entries[6:])[0].event.nonce == 4


def test_references_inside_and_before_the_range() -> None:
    journal, spent = some_journal()
    journal.return_goods(spent, 2, "ann", 1, 5)
    inside = Operator().leaves(journal.entries)[3].event
    assert inside.ref_event_id == event_id(merchant_id=2, key_id=POS, nonce=1)
    assert needs(journal.entries).references == frozenset()
    assert needs(journal.entries[3:]).references == {spent}
    operator = Operator()
    operator.seal(journal.entries[:3])
    assert operator.leaves(journal.entries[3:])[0].event.ref_event_id == inside.ref_event_id


def test_needs_name_members_and_accounts() -> None:
    journal, _ = some_journal()
    wanted = needs(journal.entries)
    assert wanted.members == {"ann"}
    assert wanted.accounts == {(1, "ann")}


def test_a_detail_is_canonical_and_salted_by_the_member() -> None:
    journal, _ = some_journal()
    entry = msgspec.structs.replace(journal.entries[0], key='till "7"/\\1')
    leaf = Operator().leaves([entry])[0]
    text = detail_text(entry, 1, keccak256(entry.canonical))
    assert text == rfc8785.dumps(json.loads(text))
    assert json.loads(text)["key"] == 'till "7"/\\1'
    salt = detail_salt(LegRef(1, 1), secret_of("ann"))
    assert leaf.event.detail_hash == keccak256(salt + text)
    assert salt != detail_salt(LegRef(1, 1), secret_of("bo")) != detail_salt(LegRef(1, 2), secret_of("bo"))


@pytest.mark.parametrize(
    ("at_ms", "epoch"),
    [
        (0, 1970 * 12),
        (1_803_859_200_000 - 1, MARCH_2027 - 1),
        (1_803_859_200_000, MARCH_2027),
        (1_709_164_800_000, 2024 * 12 + 1),
    ],
)
def test_epoch_is_the_calendar_month(at_ms: int, epoch: int) -> None:
    assert month_epoch(at_ms) == epoch


def test_journal_head_takes_every_entry_in_order() -> None:
    journal, _ = some_journal()
    journal.note()
    whole = journal_head(ZERO_WORD, journal.entries)
    assert whole == journal_head(journal_head(ZERO_WORD, journal.entries[:2]), journal.entries[2:])
    assert whole != journal_head(ZERO_WORD, journal.entries[:-1])
    assert whole == journal_head(ZERO_WORD, journal.entries[::-1])  # their numbers say the order
    first, second, *rest = journal.entries
    of = msgspec.structs.replace
    exchanged = [of(first, seq=second.seq), of(second, seq=first.seq), *rest]
    assert whole != journal_head(ZERO_WORD, exchanged)


def test_entries_without_legs_give_no_leaf() -> None:
    journal = Journal()
    journal.note()
    assert Operator().leaves(journal.entries) == []


def entry_with(change: Callable[[JournalPosting], JournalPosting]) -> JournalEntry:
    journal, _ = some_journal()
    entry = journal.entries[1]
    return msgspec.structs.replace(entry, postings=tuple(change(posting) for posting in entry.postings))


def outside(posting: JournalPosting) -> JournalPosting:
    return posting._replace(leg=0)


def of_no_leg(posting: JournalPosting) -> JournalPosting:
    return posting._replace(leg=9)


def twice(posting: JournalPosting) -> JournalPosting:
    return posting._replace(account=accounts.outstanding(1))


@pytest.mark.parametrize(
    ("change", "reason"), [(outside, Reason.UNLEAFED), (of_no_leg, Reason.UNLEAFED), (twice, Reason.SLOT_TWICE)]
)
def test_postings_that_no_leaf_would_show(change: Callable[[JournalPosting], JournalPosting], reason: Reason) -> None:
    with pytest.raises(SealRefused) as caught:
        Operator().leaves([entry_with(change)])
    assert caught.value.reason == reason


def test_what_was_not_loaded_is_refused() -> None:
    journal, spent = some_journal()
    journal.return_goods(spent, 2, "ann", 1, 5)
    given = {"roster": keystore().roster, "nonces": {}, "batch_secret": digest("secret")}
    with pytest.raises(SealRefused, match=Reason.SECRET_MISSING):
        unsealed(journal.entries[:1], secrets={}, references={}, **given)  # type: ignore[arg-type] # three of the five
    with pytest.raises(SealRefused, match=Reason.REFERENCE_UNKNOWN):
        unsealed(journal.entries[3:], secrets={"ann": bytes(32)}, references={}, **given)  # type: ignore[arg-type] # as above


def test_a_merchant_without_a_lane_is_refused() -> None:
    journal, _ = some_journal()
    entry = journal.entries[0]
    stranger = msgspec.structs.replace(entry, legs=(msgspec.structs.replace(entry.legs[0], signer=77),))
    with pytest.raises(SealRefused, match=Reason.LANE_UNKNOWN):
        Operator().leaves([stranger])


def test_registered_accounts_are_ascending_and_complete() -> None:
    made = registered_accounts(keystore().roster, issuers=[2, 1], parties=[1, RESERVE_ID, 1])
    assert made == sorted(made)
    assert {points_account(1), points_account(2), cash_account(1), cash_account(RESERVE_ID)} <= set(made)
    assert {lane_account(OPERATOR_ID, key_id) for key_id in (POS, BACK_OFFICE, DELEGATED)} <= set(made)
    assert len(made) == 4 * 3 + 4


def test_a_void_leaf_makes_an_empty_settling_batch_possible() -> None:
    operator, journal = Operator(), Journal()
    journal.points(Kind.EARN, 1, "ann", 10)
    operator.seal(journal.entries)
    voids = void_leaves(
        1,
        after=[],
        source=LegRef(1, 0),
        roster=keystore().roster,
        nonces=nonces_of(operator.opening.rows),
        occurred_at=operator.opening.header.sealed_at,
    )
    sealed = operator.try_seal(voids, head=operator.head, settling=True)
    assert (sealed.header.leaf_count, sealed.header.total_points, sealed.nets) == (1, 10, [])
    assert sealed.records[0].steps == (None, None, None, None)


def test_padding_follows_the_leaves_on_the_operators_lane() -> None:
    operator, journal = Operator(), Journal()
    journal.points(Kind.EARN, 1, "ann", 10)
    leaves = operator.leaves(journal.entries)
    at = operator.opening.header.sealed_at
    pads: list[UnsealedLeaf] = []
    for count in (2, 3):
        pads += void_leaves(
            count,
            after=[*leaves, *pads],
            source=LegRef(1, 0),
            roster=keystore().roster,
            nonces=nonces_of(operator.opening.rows),
            occurred_at=at,
        )
    assert [pad.event.nonce for pad in pads] == [1, 2, 3, 4, 5]
    sealed = operator.try_seal([*leaves, *pads], head=operator.head, settling=True)
    assert (sealed.header.leaf_count, sealed.header.total_points) == (6, 10)
