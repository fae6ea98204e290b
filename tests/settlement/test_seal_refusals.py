"""What sealing refuses, one row per reason: how a good range is spoilt, and where the refusal points."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from coincurve import PrivateKey

from ledger.answers import LegRef
from proofs.accounts import CASH, LANE, POINTS, points_account
from proofs.kinds import Kind
from proofs.lpb1 import LEAVES_MAX
from proofs.signature import HALF_ORDER, ORDER
from proofs.words import ZERO_WORD
from settlement.sealing.chains import Tip
from settlement.sealing.lanes import POS, Keystore, LaneId, Signature, SignRequest
from settlement.sealing.leaves import UnsealedLeaf
from settlement.sealing.refusals import Reason, SealRefused
from settlement.sealing.seal import Opening, Sealed, seal
from settlement.sealing.signing import PIECE_LEAVES
from tests.settlement.alliance import (
    FOUNDED_AT,
    Journal,
    Operator,
    digest,
    keystore,
    registered,
    rules,
    tag,
)

SEALED_AT = FOUNDED_AT + 900


def range_of_leaves() -> list[UnsealedLeaf]:
    """Ann earns 100 at 1, uses 40 AU of it at 2, 3 takes 5 back from her in goods, bo's adjustment makes a debt."""
    journal = Journal()
    journal.points(Kind.EARN, 1, "ann", 100)
    spent = journal.redeem(2, "ann", {1: 40})
    journal.return_goods(spent, 2, "ann", 1, 5)
    journal.points(Kind.ADJUST_DOWN, 1, "bo", 7)
    return Operator().leaves(journal.entries)


def attempt(
    leaves: Sequence[UnsealedLeaf],
    *,
    opening: Opening | None = None,
    member_tips: dict[bytes, Tip] | None = None,
    opened_at: int = FOUNDED_AT,
    sealed_at: int = SEALED_AT,
) -> Sealed:
    return seal(
        opening or Operator().opening,
        leaves,
        rules=rules(),
        signer=keystore(),
        member_tips=member_tips or {},
        registered=registered(),
        batch_secret=digest("batch secret", 1),
        journal_head=digest("head"),
        opened_at=opened_at,
        sealed_at=sealed_at,
        settling=True,
    )


def refusal(work: Callable[[], object]) -> SealRefused:
    with pytest.raises(SealRefused) as caught:
        work()
    return caught.value


def spoilt(at: int, **fields: object) -> list[UnsealedLeaf]:
    """The range with other event fields in leaf `at`."""
    leaves = range_of_leaves()
    leaves[at] = leaves[at]._replace(event=replace(leaves[at].event, **fields))  # type: ignore[arg-type] # any field
    return leaves


def moved(at: int, slot: str, **fields: object) -> list[UnsealedLeaf]:
    """The range with another move in one slot of leaf `at`."""
    leaves = range_of_leaves()
    move = getattr(leaves[at], slot)
    leaves[at] = leaves[at]._replace(**{slot: move._replace(**fields)})
    return leaves


def test_the_range_itself_is_good() -> None:
    sealed = attempt(range_of_leaves())
    assert sealed.header.total_points == 100 - 40 + 5 - 7
    assert sealed.nets == [(1, -350_000), (2, 350_000)]
    assert sealed.member_tips[tag("bo", 1)] == Tip(1, 4, -7)


@pytest.mark.parametrize(
    ("leaves", "reason", "at"),
    [
        (spoilt(0, kind=77), Reason.RULE, 1),
        (spoilt(0, points=0), Reason.RULE, 1),
        (spoilt(0, settle_amount=1), Reason.RULE, 1),
        (spoilt(0, member_ref=ZERO_WORD), Reason.RULE, 1),
        (spoilt(0, ref_event_id=digest("ref")), Reason.RULE, 1),
        (spoilt(0, terms_id=9), Reason.RULE, 1),
        (spoilt(0, terms_id=2), Reason.RULE, 1),
        (spoilt(0, campaign_id=1), Reason.RULE, 1),
        (spoilt(1, settle_amount=410_000), Reason.RULE, 2),
        (spoilt(2, ref_event_id=ZERO_WORD), Reason.RULE, 3),
        (spoilt(0, key_id=9), Reason.LANE_UNKNOWN, 1),
        (spoilt(0, key_id=2), Reason.LANE_UNKNOWN, 1),
        (spoilt(0, nonce=2), Reason.LANE_GAP, 1),
        (spoilt(2, nonce=1), Reason.LANE_GAP, 3),
        (spoilt(2, nonce=3), Reason.LANE_GAP, 3),
        (spoilt(0, occurred_at=SEALED_AT + 301), Reason.CLOCK, 1),
        (spoilt(0, points=99), Reason.POSTINGS, 1),
        (moved(0, "issuer", delta=99), Reason.POSTINGS, 1),
        (moved(0, "member", delta=99), Reason.POSTINGS, 1),
        (moved(1, "debtor", delta=-399_999), Reason.POSTINGS, 2),
        (moved(1, "creditor", account=bytes(32)), Reason.POSTINGS, 2),
        (moved(0, "issuer", seq=2), Reason.STEP_GAP, 1),
        (moved(1, "member", seq=1), Reason.STEP_GAP, 2),
        (moved(1, "member", balance=61), Reason.BALANCE, 2),
        (moved(1, "creditor", balance=0), Reason.BALANCE, 2),
        (moved(1, "debtor", seq=5), Reason.STEP_GAP, 2),
    ],
)
def test_spoilt_leaves(leaves: list[UnsealedLeaf], reason: Reason, at: int) -> None:
    caught = refusal(lambda: attempt(leaves))
    assert (caught.reason, caught.where) == (reason, LegRef(at, 1))
    assert caught.expected != caught.actual


def test_broken_rules_are_named() -> None:
    assert refusal(lambda: attempt(spoilt(0, points=0))).actual == "points-for-kind"


def test_a_missing_or_unasked_slot_is_refused() -> None:
    leaves = range_of_leaves()
    without = [leaves[0]._replace(issuer=None), *leaves[1:]]
    assert refusal(lambda: attempt(without)).reason == Reason.POSTINGS
    without = [leaves[0]._replace(member=None), *leaves[1:]]
    assert refusal(lambda: attempt(without)).reason == Reason.POSTINGS
    more = [leaves[0]._replace(creditor=leaves[1].creditor), *leaves[1:]]
    assert refusal(lambda: attempt(more)).reason == Reason.POSTINGS


@pytest.mark.parametrize("kind", [Kind.EXPIRE, Kind.TRANSFER_OUT])
def test_only_claw_backs_make_debts(kind: Kind) -> None:
    journal = Journal()
    journal.points(kind, 1, "ann", 7)
    caught = refusal(lambda: attempt(Operator().leaves(journal.entries)))
    assert (caught.reason, caught.actual) == (Reason.OVERDRAWN, -7)


def test_a_redemption_may_not_overdraw() -> None:
    journal = Journal()
    journal.redeem(2, "ann", {1: 1})
    assert refusal(lambda: attempt(Operator().leaves(journal.entries))).reason == Reason.OVERDRAWN


def test_earning_while_in_debt_is_no_overdraft() -> None:
    journal = Journal()
    journal.points(Kind.ADJUST_DOWN, 1, "ann", 7)
    journal.points(Kind.EARN, 1, "ann", 3)
    assert attempt(Operator().leaves(journal.entries)).member_tips[tag("ann", 1)].balance == -4


def without_rows(opening: Opening, lost: Callable[[bytes], bool]) -> Opening:
    """The opening as if some accounts had not been registered yet."""
    rows = [row for row in opening.rows if not lost(row.account)]
    header = replace(opening.header, accounts_count=len(rows))
    return replace(opening, rows=rows, header=header, header_hashes=[header.hash_struct()])


def test_an_account_needs_a_row_in_the_batch_before() -> None:
    opening = Operator().opening
    for family in (LANE, POINTS, CASH):
        bare = without_rows(opening, lambda account, family=family: account[0] == family)  # type: ignore[misc] # bound now
        with pytest.raises(SealRefused, match=Reason.NO_ROW):
            attempt(range_of_leaves(), opening=bare)


def test_a_registered_account_gets_its_row_first() -> None:
    bare = without_rows(Operator().opening, lambda account: account == points_account(1))
    journal = Journal()
    journal.fee(3, 10)
    sealed = attempt(Operator().leaves(journal.entries), opening=bare)
    assert len(sealed.rows) == len(bare.rows) + 1
    following = bare.after(sealed, sealed.finish(digest("manifest", 1)))
    later = Journal()
    later.points(Kind.EARN, 1, "ann", 5)
    assert attempt(Operator().leaves(later.entries), opening=following).header.batch_no == 2


def test_a_member_tip_that_is_not_loaded_is_a_gap() -> None:
    operator, journal = Operator(), Journal()
    journal.points(Kind.EARN, 1, "ann", 5)
    operator.seal(journal.entries)
    journal.points(Kind.EARN, 1, "ann", 5)
    leaves = operator.leaves(journal.entries[1:])
    later = operator.opening.header.sealed_at
    caught = refusal(lambda: attempt(leaves, opening=operator.opening, sealed_at=later))
    assert (caught.reason, caught.expected, caught.actual) == (Reason.STEP_GAP, 1, 2)
    sealed = attempt(leaves, opening=operator.opening, sealed_at=later, member_tips=operator.tips)
    assert sealed.member_tips[tag("ann", 1)] == Tip(2, 2, 10)


def test_times_run_forward() -> None:
    leaves = range_of_leaves()
    assert refusal(lambda: attempt(leaves, sealed_at=FOUNDED_AT - 1)).where == "sealedAt"
    assert refusal(lambda: attempt(leaves, opened_at=SEALED_AT + 1)).where == "openedAt"
    assert refusal(lambda: attempt(leaves, sealed_at=FOUNDED_AT - 1)).reason == Reason.CLOCK


def test_leaf_count_limits() -> None:
    assert refusal(lambda: attempt([])).reason == Reason.LEAVES
    assert refusal(lambda: attempt([range_of_leaves()[0]] * (LEAVES_MAX + 1))).reason == Reason.LEAVES


def test_a_doubtful_opening_is_refused() -> None:
    def other_hash(opening: Opening) -> Opening:
        return replace(opening, header_hashes=[digest("other")])

    def too_many(opening: Opening) -> Opening:
        return replace(opening, header_hashes=[digest("other"), *opening.header_hashes])

    def row_lost(opening: Opening) -> Opening:
        return replace(opening, rows=opening.rows[1:])

    for change in (other_hash, too_many, row_lost):
        with pytest.raises(SealRefused, match=Reason.OPENING):
            attempt(range_of_leaves(), opening=change(Operator().opening))


def test_an_opening_whose_cash_does_not_cancel_is_unbalanced() -> None:
    opening = Operator().opening
    skewed = replace(opening, settled_cash={3: 1})
    caught = refusal(lambda: attempt(range_of_leaves(), opening=skewed))
    assert (caught.reason, caught.actual) == (Reason.UNBALANCED, -1)


def test_an_opening_with_another_total_is_unbalanced() -> None:
    opening = Operator().opening
    header = replace(opening.header, total_points=5)
    skewed = replace(opening, header=header, header_hashes=[header.hash_struct()])
    assert refusal(lambda: attempt(range_of_leaves(), opening=skewed)).reason == Reason.UNBALANCED


class Port:
    """A signer that answers what the test tells it to."""

    def __init__(self, answer: Callable[[list[Signature]], list[Signature]]) -> None:
        self._answer = answer

    def sign(self, requests: Sequence[SignRequest]) -> list[Signature]:
        return self._answer(keystore().sign(requests))


def high_s(given: list[Signature]) -> list[Signature]:
    """The twin of each signature: n - s and the other parity."""
    twins = []
    for r, vs in given:
        packed = int.from_bytes(vs, "big")
        s, parity = packed & (1 << 255) - 1, packed >> 255
        assert ORDER - s > HALF_ORDER
        twins.append((r, ((ORDER - s) % (1 << 255) | (1 - parity) << 255).to_bytes(32, "big")))
    return twins


def of_others(given: list[Signature]) -> list[Signature]:
    stranger = Keystore({LaneId(1, POS): (PrivateKey(digest("stranger")), frozenset(Kind))})
    return [*given[:-1], *stranger.sign([SignRequest(LaneId(1, POS), digest("x"), range_of_leaves()[0].event)])]


@pytest.mark.parametrize(
    ("answer", "at"),
    [
        (high_s, 1),
        (of_others, 4),
        (lambda given: given[::-1], 1),
        (lambda given: given[:-1], 4),
        (lambda given: [*given, given[0]], 4),
        (lambda _: [], 1),
        (lambda given: [(ZERO_WORD, ZERO_WORD), *given[1:]], 1),
    ],
)
def test_a_port_that_answers_wrong_is_refused(answer: Callable[[list[Signature]], list[Signature]], at: int) -> None:
    operator = Operator()

    def work() -> Sealed:
        return seal(
            operator.opening,
            range_of_leaves(),
            rules=rules(),
            signer=Port(answer),
            member_tips={},
            registered=registered(),
            batch_secret=digest("batch secret", 1),
            journal_head=digest("head"),
            opened_at=FOUNDED_AT,
            sealed_at=SEALED_AT,
            settling=False,
        )

    caught = refusal(work)
    assert (caught.reason, caught.where) == (Reason.SIGNATURE, LegRef(at, 1))


def test_many_pieces_keep_their_order() -> None:
    journal = Journal()
    for _ in range(PIECE_LEAVES + 10):
        journal.points(Kind.EARN, 1, "ann", 1)
    operator = Operator()
    sealed = operator.seal(journal.entries)
    assert sealed.header.leaf_count == PIECE_LEAVES + 10
    assert [record.event.nonce for record in sealed.records] == list(range(1, PIECE_LEAVES + 11))


def test_a_log_batch_has_no_nets_but_names_the_last_settlement() -> None:
    operator, journal = Operator(), Journal()
    journal.points(Kind.EARN, 1, "ann", 100)
    journal.redeem(2, "ann", {1: 10})
    log = operator.seal(journal.entries)
    assert (log.nets, log.header.nets_hash, log.header.nets_since_batch) == ([], ZERO_WORD, 0)
    journal.redeem(2, "ann", {1: 5})
    settling = operator.seal(journal.entries[2:], settling=True)
    assert (settling.nets, settling.header.nets_since_batch) == ([(1, -150_000), (2, 150_000)], 0)
    journal.redeem(1, "ann", {1: 5})
    again = operator.seal(journal.entries[3:], settling=True)
    assert (again.nets, again.header.nets_since_batch) == ([], 2)
    assert again.header.nets_hash != ZERO_WORD
    assert operator.opening.settled_batch == 3
