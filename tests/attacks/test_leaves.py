"""Attacks on leaves: events, signatures, lanes, kinds, terms, postings. Each test names the findings it must give.

Unless an attack says otherwise the operator has made everything else consistent (`relink`, `rehead`), so that nothing
but the named findings can show it, and they must be exactly the ones that are made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from proofs.accounts import OPERATOR_ID, cash_account, member_account, points_account
from proofs.lpb1 import Record, Step
from proofs.messages import domain_separator, signed_digest
from proofs.signature import HALF_ORDER, ORDER, sign
from settlement.sealing.lanes import BACK_OFFICE, POS
from tests.attacks import alliance
from tests.attacks.alliance import CHAIN_ID, HUB
from tests.attacks.forge import Forged, World, found, resigned

Attack = Callable[[World], None]


def event(record: Record, **fields: Any) -> Record:
    """The record with other event fields, its signature left as it was."""
    return replace(record, event=replace(record.event, **fields))


def signed(record: Record, **fields: Any) -> Record:
    """The record with other event fields, signed anew by the merchant: the merchant is in it, or its key is stolen."""
    return resigned(record, replace(record.event, **fields))


def change(batch_no: int, place: int, how: Callable[[Record], Record]) -> Attack:
    """An attack on one leaf, made consistent afterwards."""

    def attack(world: World) -> None:
        records = world.batches[batch_no].records
        records[place] = how(records[place])
        world.relink(batch_no)
        world.rehead(batch_no)

    return attack


def in_place(batch_no: int, place: int, how: Callable[[Record], Record]) -> Attack:
    """An attack on one leaf whose running figures are left as the attack sets them; only roots are made to fit."""

    def attack(world: World) -> None:
        records = world.batches[batch_no].records
        records[place] = how(records[place])
        world.rehead(batch_no)

    return attack


def rearrange(batch_no: int, how: Callable[[list[Record]], object], *, linked: bool = True) -> Attack:
    """An attack on the sequence of leaves, made consistent afterwards unless `linked` is False."""

    def attack(world: World) -> None:
        how(world.batches[batch_no].records)
        if linked:
            world.relink(batch_no)
        world.rehead(batch_no)

    return attack


def swap(records: list[Record], one: int, other: int) -> None:
    records[one], records[other] = records[other], records[one]


def step(record: Record, slot: str, **fields: Any) -> Record:
    changed: dict[str, Any] = {slot: replace(getattr(record, slot), **fields)}
    return replace(record, **changed)


def without(record: Record, *slots: str) -> Record:
    empty: dict[str, Any] = dict.fromkeys(slots)
    return replace(record, **empty)


def bonus(record: Record, points: int) -> Record:
    """Points for nobody's event: both point postings larger than the signed amount."""
    assert record.issuer is not None
    assert record.member is not None
    more = step(record, "issuer", delta=record.issuer.delta + points)
    return step(more, "member", delta=record.member.delta + points)


def high_s_twin(record: Record) -> Record:
    """The other signature of the same event that a careless verifier takes: (r, n - s) with the other parity."""
    packed = int.from_bytes(record.sig_vs, "big")
    s = packed % 2**255
    return replace(record, sig_vs=(ORDER - s).to_bytes(32, "big"))


def elsewhere(record: Record, chain_id: int, hub: bytes) -> Record:
    """The same event under the signature that its merchant gave to another alliance."""
    key = alliance.key_of(record.event.merchant_id, record.event.key_id)
    digest = signed_digest(domain_separator(chain_id=chain_id, hub=hub), record.event.hash_struct())
    r, vs = sign(key, digest)
    return replace(record, sig_r=r, sig_vs=vs)


def s_above_half(record: Record) -> Record:
    return replace(record, sig_vs=(HALF_ORDER + 1).to_bytes(32, "big"))


X1 = member_account(alliance.secret_of("x"), 1)
STRANGER = member_account(alliance.secret_of("nobody"), 1)


def reissued(record: Record) -> Record:
    """The same earning of member x in merchant 1's points, though merchant 2 signs it."""
    other = step(signed(record, issuer_id=1, terms_id=1), "issuer", account=points_account(1))
    return step(other, "member", account=X1)


def paid(merchant: int, amount: int) -> Step:
    return Step(cash_account(merchant), 0, 0, amount, 0)


def overcharged(record: Record, more: int) -> Record:
    """A redemption whose cash, signed and posted alike, does not follow from its points."""
    assert record.debtor is not None
    assert record.creditor is not None
    settle = record.event.settle_amount + more
    return step(step(signed(record, settle_amount=settle), "debtor", delta=-settle), "creditor", delta=settle)


def raised(record: Record, slot: str, more: int, *, seq: int = 0) -> Record:
    old = getattr(record, slot)
    return step(record, slot, balance=old.balance + more, seq=old.seq + seq)


def worthless(record: Record) -> Record:
    """An event of no points, signed and posted."""
    return step(step(signed(record, points=0), "issuer", delta=0), "member", delta=0)


def overdrawn(record: Record) -> Record:
    """A transfer out of more points than there are, signed by the issuer and posted as signed."""
    return step(step(signed(record, points=9_000), "issuer", delta=-9_000), "member", delta=-9_000)


CASES: dict[str, tuple[Attack, set[str]]] = {
    # signatures and keys
    "event altered after signing": (
        change(1, 0, lambda r: event(r, detail_hash=bytes([7]) * 32)),
        {"signature-of-another"},
    ),
    "time altered after signing": (
        change(1, 0, lambda r: event(r, occurred_at=r.event.occurred_at - 1)),
        {"signature-of-another"},
    ),
    "points altered after signing": (change(1, 0, lambda r: bonus(event(r, points=505), 5)), {"signature-of-another"}),
    "high-s twin": (in_place(1, 0, high_s_twin), {"signature-of-another"}),
    "s just above half": (in_place(1, 0, s_above_half), {"signature-malformed"}),
    "r zero": (in_place(1, 0, lambda r: replace(r, sig_r=bytes(32))), {"signature-malformed"}),
    "signed by another merchant": (
        in_place(1, 0, lambda r: resigned(r, r.event, alliance.key_of(2, POS))),
        {"signature-of-another"},
    ),
    "signed by the right merchant's wrong lane": (
        in_place(1, 0, lambda r: resigned(r, r.event, alliance.key_of(1, BACK_OFFICE))),
        {"signature-of-another"},
    ),
    "signed for another hub": (
        in_place(1, 0, lambda r: elsewhere(r, CHAIN_ID, b"\x22" * 20)),
        {"signature-of-another"},
    ),
    "signed for another chain": (in_place(1, 0, lambda r: elsewhere(r, 1, HUB)), {"signature-of-another"}),
    # lanes
    "an event left out": (rearrange(1, lambda records: records.pop(5)), {"lane-step"}),
    "an event twice": (rearrange(1, lambda records: records.insert(5, records[4])), {"lane-step"}),
    "an event of an earlier batch again": (
        lambda world: rearrange(2, lambda records: records.append(world.batches[1].records[1]))(world),
        {"lane-open", "lane-step"},
    ),
    "two events of a lane in the other order": (
        rearrange(1, lambda records: swap(records, 5, 6)),
        {"lane-open", "lane-step"},
    ),
    "lane pointer to another leaf": (in_place(1, 2, lambda r: replace(r, lane_prev_leaf_no=1)), {"lane-step"}),
    "two leaves exchanged, nothing else changed": (
        rearrange(1, lambda records: swap(records, 0, 1), linked=False),
        {"lane-step", "leaf-number", "posting-step", "total-open", "total-step"},
    ),
    "leaf number of another leaf": (in_place(1, 6, lambda r: replace(r, leaf_no=99)), {"leaf-number"}),
    # kinds
    "points created by somebody else than their issuer": (
        change(1, 6, reissued),
        {"issuer-must-sign"},
    ),
    "a third level": (change(2, 4, lambda r: signed(r, level=3)), {"level-for-campaign"}),
    "a claw-back that names no earning": (
        change(2, 1, lambda r: signed(r, ref_event_id=bytes(32))),
        {"reference-for-kind"},
    ),
    "a campaign where none may be": (change(1, 0, lambda r: signed(r, campaign_id=7)), {"campaign-for-kind"}),
    "an event from tomorrow": (
        change(1, 0, lambda r: signed(r, occurred_at=r.event.occurred_at + 86_400)),
        {"event-in-future"},
    ),
    "a fee between two merchants": (
        change(2, 3, lambda r: step(signed(r, issuer_id=3), "creditor", account=cash_account(3))),
        {"fee-parties"},
    ),
    "a kind that nobody knows": (
        change(1, 0, lambda r: signed(r, kind=99)),
        {"key-not-valid", "kind-unknown", "total-open"},
    ),
    "an event without a number": (change(1, 0, lambda r: signed(r, nonce=0)), {"lane-open", "lane-step", "lane-zero"}),
    "an earning of nothing": (change(1, 6, worthless), {"points-for-kind"}),
    "a VOID for somebody": (change(3, 0, lambda r: signed(r, member_ref=bytes([7]) * 32)), {"member-for-kind"}),
    "a VOID of somebody's points": (change(3, 0, lambda r: signed(r, issuer_id=1)), {"issuer-not-allowed"}),
    "a VOID that pays": (change(3, 0, lambda r: signed(r, settle_amount=5)), {"cash-not-allowed"}),
    "a VOID under terms": (change(3, 0, lambda r: signed(r, terms_id=1)), {"terms-not-allowed"}),
    "points of nobody who may issue": (
        change(1, 2, lambda r: signed(r, issuer_id=OPERATOR_ID)),
        {"issuer-unknown", "points-of-another", "posting-account", "refund-of-another", "terms-of-others"},
    ),
    # terms and rate
    "terms nobody registered": (change(1, 0, lambda r: signed(r, terms_id=44)), {"terms-unknown"}),
    "terms of another issuer": (change(1, 0, lambda r: signed(r, terms_id=2)), {"terms-of-others"}),
    "an acceptor overcharges": (change(1, 2, lambda r: overcharged(r, 10_000)), {"rate"}),
    "an issuer underpays": (change(1, 2, lambda r: overcharged(r, -10_000)), {"rate"}),
    # postings
    "the member loses more than was signed": (change(1, 2, lambda r: bonus(r, -1)), {"posting-delta", "total-step"}),
    "the cash goes to another merchant": (
        change(1, 2, lambda r: step(r, "creditor", account=cash_account(3))),
        {"posting-account"},
    ),
    "debtor and creditor exchanged": (
        change(1, 2, lambda r: replace(r, debtor=r.creditor, creditor=r.debtor)),
        {"posting-account", "posting-delta"},
    ),
    "a redemption that nobody pays": (change(1, 2, lambda r: without(r, "debtor", "creditor")), {"posting-missing"}),
    "a hidden payment in an earning": (
        change(1, 0, lambda r: replace(r, debtor=paid(1, -500), creditor=paid(3, 500))),
        {"posting-surplus"},
    ),
    "points to an account of no member": (
        change(1, 0, lambda r: step(r, "member", account=bytes([9]) * 32)),
        {"account-without-row", "member-below-zero", "member-of-another", "posting-account", "row-missing"},
    ),
    "the member's points on a stranger's account": (
        change(1, 2, lambda r: step(r, "member", account=STRANGER)),
        {"member-below-zero", "member-of-another"},
    ),
    "two members on one account": (
        change(1, 4, lambda r: step(r, "member", account=X1)),
        {"member-below-zero", "member-of-another"},
    ),
    # running figures
    "a running balance that is false once": (in_place(1, 2, lambda r: raised(r, "issuer", 1)), {"posting-step"}),
    "a member's balance that is false once": (
        in_place(1, 0, lambda r: raised(r, "member", 7)),
        {"member-open", "posting-step"},
    ),
    "a posting number left out": (
        in_place(1, 2, lambda r: raised(r, "member", 0, seq=1)),
        {"member-open", "posting-step"},
    ),
    "a pointer to another leaf": (in_place(1, 2, lambda r: step(r, "issuer", prev_leaf_no=2)), {"posting-step"}),
    "a member's pointer to another batch": (
        in_place(2, 2, lambda r: step(r, "member", prev_leaf_no=3)),
        {"posting-step"},
    ),
    "a total that is false once": (
        in_place(1, 3, lambda r: replace(r, total_points_after=r.total_points_after + 1)),
        {"total-step"},
    ),
    "more points taken than the member has, and none of them arrive": (
        change(3, 2, overdrawn),
        {"member-below-zero", "pair-differs"},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_attack_is_found_for_what_it_is(world: World, name: str) -> None:
    attack, codes = CASES[name]
    attack(world)
    outcome = world.audit()
    assert set(outcome.findings.counts) == codes
    assert not outcome.incomplete


def test_the_honest_history_has_no_finding(world: World) -> None:
    outcome = world.audit()
    assert found(outcome) == set()
    assert outcome.verdict == "clean"
    assert outcome.points == outcome.liabilities - outcome.debts > 0


def test_the_honest_history_put_together_by_the_workshop_has_no_finding(world: World) -> None:
    world.relink(1)
    world.rehead(1)
    assert found(world.audit()) == set()


@pytest.mark.parametrize(
    ("to_batch", "codes"),
    [(0, set()), (2, {"key-not-valid"}), (3, {"key-not-valid"}), (4, {"key-not-valid"}), (5, set())],
    ids="to batch {}".format,
)
def test_a_key_that_was_revoked_signs_no_more(world: World, to_batch: int, codes: set[str]) -> None:
    world.registry.keys[2, POS].to_batch = to_batch
    assert set(world.audit().findings.counts) == codes


def test_a_key_signs_only_its_kinds(world: World) -> None:
    world.registry.keys[2, POS].kind_mask &= ~(1 << 2)
    assert found(world.audit()) == {9}


def test_a_suspended_merchant_signs_no_new_points(world: World) -> None:
    world.registry.set_status(3, 3, from_batch=2)
    outcome = world.audit()
    assert found(outcome) == {9}
    assert {finding.batch_no for finding in outcome.findings.kept} == {4}


def test_terms_that_have_ended(world: World) -> None:
    world.registry.end_terms(1, to_batch=3)
    outcome = world.audit()
    assert set(outcome.findings.counts) == {"terms-not-in-force"}
    assert {finding.batch_no for finding in outcome.findings.kept} == {3}


def test_a_leaf_altered_without_a_new_root(world: World) -> None:
    batch: Forged = world.batches[1]
    batch.records[0] = replace(batch.records[0], event=replace(batch.records[0].event, detail_hash=bytes(32)))
    world.rechain()
    assert found(world.audit()) == {8, 9}


def test_words_outside_their_type(world: World) -> None:
    """A bit above uint8 in `kind`: hashes fit, but no contract would read the same event."""
    batch = world.batches[1]
    at = len(batch.plain_file()) - 1280 * len(batch.records)
    batch.plain = lambda data: data[:at] + b"\x01" + data[at + 1 :]
    world.rechain()
    assert found(world.audit()) >= {6, 8}


def test_one_account_for_points_of_two_issuers(world: World) -> None:
    """A member's tag takes in two issuers' points, so that one issuer's debt is paid with what the other owes."""
    merge(world, *(member_account(alliance.secret_of("x"), issuer) for issuer in (2, 1)))
    assert set(world.audit().findings.counts) == {"points-of-another"}


def test_an_account_that_takes_another_issuers_points_in_a_later_batch(world: World) -> None:
    merge(world, *(member_account(alliance.secret_of("x"), issuer) for issuer in (3, 1)))
    outcome = world.audit()
    assert set(outcome.findings.counts) == {"points-of-another"}
    assert {finding.batch_no for finding in outcome.findings.kept} == {4}


def merge(world: World, gone: bytes, into: bytes) -> None:
    """Every posting on one member account becomes one on the other, consistently."""
    for batch in world.batches:
        for at, record in enumerate(batch.records):
            if record.member is not None and record.member.account == gone:
                batch.records[at] = replace(record, member=replace(record.member, account=into))
    world.relink(1)
    world.rehead(1)
