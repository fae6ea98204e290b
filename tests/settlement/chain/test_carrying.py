"""A running ledger goes on at another hub: everything is carried over, found by the auditor, and settled there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from coincurve import PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from auditor.attest import Attested, attest
from auditor.audit import Means, audit
from auditor.chain import Chain as Reading
from auditor.extract import judge
from auditor.fetch import AuditorKey
from auditor.mirrors import mirror
from auditor.outcome import Verdict
from auditor.progress import Watch
from auditor.reading import read, read_through
from auditor.rpc import Node, Nodes
from ledger import queries
from proofs.accounts import RESERVE_ID, cash_account
from proofs.headers import carried_anchor
from settlement import tables
from settlement.alliance import Alliance, BetweenHubs, attach
from settlement.batches import Settlement, seal_next
from settlement.carrying import Carry
from settlement.chain.outbox import Outbox
from settlement.chain.transactions import call
from settlement.deploy import found
from settlement.deployment.leaving import StillHeld, going_on, leave, old_alliance, require_free
from settlement.deployment.record import scope_of
from settlement.founding import Founding
from settlement.reconcile import reconcile
from settlement.sealing import desk
from settlement.sealing.inclusions import Inclusions
from settlement.sealing.self_signed import IntakeRefused, void
from settlement.settings import SettlementSettings
from settlement.steps import State
from settlement.submitter import drive
from settlement.tables import Batch
from settlement.tasks import turn
from settlement.tasks.__main__ import now_ms
from settlement.tasks.ticks import BY_NAME
from settlement.tasks.turn import Outcome
from settlement.tasks.works import Works
from settlement.watch import unfinished
from settlement.watch.alerts import alerts
from tests.settlement.chain.field import ATTESTERS, LEASE_S, MERCHANTS, OPERATOR, Field, cycle, day, founding
from tests.settlement.chain.field import attest as attested
from tests.settlement.chain.test_self_signed import lane_of, register, sign_all, signed, take_in
from tests.settlement.chain.tiny import SENDER
from tests.settlement.tasks.stage import keep_keys

HOURS_6 = 6 * 3_600
KEYS = list(ATTESTERS)


def made_final(s: Settlement, field: Field, batch: Batch | None) -> Batch:
    assert batch is not None
    drive(s)
    attested(s, field.folder, [(batch.batch_no, batch.header_hash)], KEYS)
    drive(s)
    s.alliance.chain.advance_time(HOURS_6)
    drive(s)
    final = tables.batch(s.conn, batch.batch_no)
    assert final is not None
    assert final.state is State.FINALISED
    return final


@pytest.fixture
def settled(field: Field) -> Field:
    """A day that the first hub has settled, the second one is only in the ledger; a merchant signs itself."""
    field.post(day(1))
    with field.settlement() as s:
        register(s)
        made_final(s, field, seal_next(s, settling=True))
    field.post([*day(2), cycle(2)])
    return field


class Hubs:
    """The step from one to the other, with the parts that the command has."""

    def __init__(self, field: Field, s: Settlement) -> None:
        first = tables.last_finalised(s.conn) + 1
        made = founding(s.conn, s.lanes, field.collateral)  # type: ignore[arg-type] # the field's own keystore
        self.field, self.s = field, s
        self.founding: Founding = going_on(s.conn, s.alliance.chain, made, first, second=s.alliance.second)
        self.outbox = Outbox(s.conn, s.alliance.chain, OPERATOR, lease_s=LEASE_S, scope=scope_of(first))
        self.old = old_alliance(s.conn, s.alliance.chain, second=s.alliance.second)

    def require_free(self) -> None:
        require_free(self.s.conn, self.old, self.outbox, self.founding, self.s.publication.mirrors)

    def leave(self) -> None:
        leave(self.s.conn, self.old, self.outbox, self.founding, self.s.publication.mirrors, seconds_max=0)

    def step(self, carry: Carry | None = None) -> Alliance:
        self.require_free()
        self.leave()
        founding = self.founding if carry is None else replace(self.founding, carry=carry)
        return found(self.s.conn, self.s.alliance.chain, self.outbox, founding, self.s.publication)


def names(hubs: Hubs) -> list[str]:
    with pytest.raises(StillHeld) as held:
        hubs.require_free()
    return [line.partition(":")[0] for line in str(held.value).splitlines()]


def means(field: Field) -> Means:
    key = AuditorKey("auditor", X25519PrivateKey.from_private_bytes(b"\x05" * 32))
    return Means([mirror(str(field.mirrors[0]))], key, 1, Watch(quiet=True))


@pytest.fixture
def nodes(field: Field) -> Iterator[Nodes]:
    with Nodes([Node(field.url)]) as made:
        yield made


def reading(nodes: Nodes, alliance: Alliance) -> Reading:
    return read_through(nodes, alliance.anchor.hub, tag="latest", from_block=alliance.anchor.deploy_block)


def signed_by_an_attester(field: Field, nodes: Nodes, alliance: Alliance, state: Path) -> Attested:
    return attest(reading(nodes, alliance), means(field), key=PrivateKey(KEYS[0]), state=state)


def test_a_ledger_goes_on_at_another_hub_with_everything_and_is_audited_through_both(
    settled: Field, nodes: Nodes, tmp_path: Path
) -> None:
    with settled.settlement() as s:
        desk.prepare(s.conn, s.publication.vault, s.lanes.roster, batch_no=2)
        source, event = desk.waiting(s.conn, lane_of(s))[0]
        assert event is not None
        nonce = desk.last_nonce(s.conn, lane_of(s).id) + 1
        for_the_old = signed(s, replace(event, nonce=nonce), source)
        take_in(s, for_the_old)
        last = tables.last_sealed(s.conn)
        assert last is not None
        hubs = Hubs(settled, s)
        new = hubs.step()
        opening = tables.batch(s.conn, 2)
        assert opening is not None
        header = opening.done.header
        assert hubs.founding.carry is not None
        left, at = hubs.founding.carry.before, new.anchor
        assert header.prev_header_hash == carried_anchor(left, chain_id=at.chain_id, hub=at.hub)
        assert (header.first_leaf_no, header.total_points) == (last.done.last_leaf + 1, last.done.header.total_points)
        assert list(opening.done.rows) == list(last.done.rows)
        old_hub = s.alliance.anchor.hub
        assert attach(s.conn, s.alliance.chain).anchor.hub == new.anchor.hub != old_hub
    with settled.settlement() as s:
        assert s.alliance.anchor.hub == new.anchor.hub
        assert desk.last_nonce(s.conn, lane_of(s).id) == nonce - 1, "it has to be signed again"
        with pytest.raises(IntakeRefused, match="signature"):
            take_in(s, for_the_old)
        assert sign_all(s) > 1
        batch = seal_next(s)
        assert batch is not None
        assert batch.batch_no == 3
        told = signed_by_an_attester(settled, nodes, s.alliance, tmp_path / "state.json")
        assert [each.batch_no for each in told.signed] == [3], told.outcome
        before = {merchant: s.alliance.hub.read("balanceOf", merchant)[0] for merchant in MERCHANTS}
        made_final(s, settled, batch)
        sign_all(s)  # what refers to batch 3 has only now an id to name
        paid = made_final(s, settled, seal_next(s, settling=True))
        after = {merchant: s.alliance.hub.read("balanceOf", merchant)[0] for merchant in MERCHANTS}
        nets = dict(paid.done.nets)
        assert {merchant: after[merchant] - before[merchant] for merchant in MERCHANTS} == {
            merchant: nets.get(merchant, 0) for merchant in MERCHANTS
        }
        assert any(nets.values())
        totals = {party: each.cash - each.settled for party, each in queries.positions(s.conn).items()}
        assert {party: left for party, left in totals.items() if left} == {}
        assert [
            each for each in reconcile(s.conn, s.alliance, sender=s.outbox.sender) if each.severity == "urgent"
        ] == []
        found_by_strangers(settled, nodes, s.alliance, paid)
        shown = reading(nodes, s.alliance)
        pages = Inclusions(vault=s.publication.vault, mirrors=s.publication.mirrors)
        for number in (opening.batch_no, paid.batch_no):
            given = pages.extract(s.conn, number, merchant_id=1, after=0, limit=100)
            assert judge([given], shown).problems == [], number


def found_by_strangers(field: Field, nodes: Nodes, alliance: Alliance, newest: Batch) -> None:
    """Through both hubs everything holds; of the new one alone it is said what was not seen."""
    whole = audit(chain := reading(nodes, alliance), chain.commits, means(field))
    assert (whole.verdict, [each.batch_no for each in whole.batches]) == (Verdict.CLEAN, [0, 1, 2, 3, 4]), whole
    assert whole.liabilities - whole.debts == whole.points == newest.done.header.total_points > 0
    alone = read(nodes, alliance.anchor.hub, tag="latest", from_block=alliance.anchor.deploy_block)
    outcome = audit(alone, alone.commits, means(field))
    assert outcome.verdict is Verdict.INCOMPLETE
    assert "which was not read" in outcome.incomplete[0]
    assert audit(alone, alone.commits, means(field), first=3).verdict is Verdict.CLEAN


def test_a_balance_carried_over_with_one_unit_more_is_found_and_nobody_signs_after_it(
    settled: Field, nodes: Nodes, tmp_path: Path
) -> None:
    with settled.settlement() as s:
        hubs = Hubs(settled, s)
        carry = hubs.founding.carry
        assert carry is not None
        closing = list(carry.last.done.rows)
        at = next(at for at, row in enumerate(closing) if row.account == cash_account(RESERVE_ID))
        closing[at] = replace(closing[at], balance=closing[at].balance + 1)
        hubs.step(replace(carry, last=replace(carry.last, sealed=replace(carry.last.done, rows=closing))))
    with settled.settlement() as s:
        sealed = seal_next(s)
        assert sealed is not None
        told = signed_by_an_attester(settled, nodes, s.alliance, tmp_path / "state.json")
        kept = told.outcome.findings.kept
        assert {each.code for each in kept if each.batch_no == 2} == {"row-carry", "cash-sum"}, kept
        assert told.outcome.last == sealed.batch_no
        assert told.signed == []


def compared(field: Field) -> tuple[Outcome, list[tuple[str, str]]]:
    """A turn of the periodic comparison, and what is open of a step to another hub after it."""
    keep_keys(field.folder, operator=bytes(SENDER.key), vault=b"\x06" * 32, recipients={})
    settings = SettlementSettings(var=field.folder, keys=field.folder, rpc_url=field.url)
    outcome = turn.take(BY_NAME["reconcile"], Works(settings=settings, dsn=field.dsn, now_ms=now_ms))
    with psycopg.connect(field.dsn, autocommit=True) as conn:
        return outcome, [(each.code, each.severity) for each in alerts(conn) if each.source == unfinished.SOURCE]


def test_what_the_old_hub_can_never_take_is_sealed_anew_and_nobody_works_between(settled: Field) -> None:
    with settled.settlement() as s:
        hubs = Hubs(settled, s)
        call(s.outbox, "end", hubs.old.hub, "beginWindDown")
        sealed = seal_next(s)
        assert sealed is not None
        assert sealed.batch_no == 2
        hubs.require_free()

        def dies_there(point: str) -> None:
            if point == "signed" and hubs.outbox.nonce_of(f"deploy:SettlementHub{hubs.outbox.scope}") is not None:
                raise KeyboardInterrupt

        cut = Outbox(
            s.conn, s.alliance.chain, OPERATOR, lease_s=LEASE_S, checkpoint=dies_there, scope=hubs.outbox.scope
        )
        with pytest.raises(KeyboardInterrupt):
            found(s.conn, s.alliance.chain, cut, hubs.founding, s.publication)
        with pytest.raises(BetweenHubs, match="batch 2 opens another hub"):
            attach(s.conn, s.alliance.chain)
        assert compared(settled) == (Outcome.OVERTAKEN, [("carry-over-unfinished", "urgent")])
        nonce = desk.last_nonce(s.conn, lane_of(s).id) + 1
        with pytest.raises(IntakeRefused, match="hub at domain: expected the hub that is being founded"):
            take_in(s, signed(s, void(lane_of(s), nonce=nonce, occurred_at=1), None))
        found(s.conn, s.alliance.chain, hubs.outbox, hubs.founding, s.publication)
    assert compared(settled) == (Outcome.DONE, [])
    with settled.settlement() as s:
        again = seal_next(s)
        assert again is not None
        assert again.batch_no == 3
        assert again.done.first_seq == sealed.done.first_seq
