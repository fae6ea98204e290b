"""What holds a ledger at its hub, each reason by name; what came in too late there; and who was still at it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from auditor.audit import audit
from auditor.outcome import Verdict
from auditor.reading import read
from auditor.rpc import Nodes
from ledger import queries
from proofs.keccak import keccak256
from proofs.kinds import Kind
from settlement import batches, tables
from settlement.alliance import BetweenHubs
from settlement.batches import seal_next
from settlement.chain.client import Chain
from settlement.chain.outbox import LocalSigner, Outbox
from settlement.chain.transactions import call
from settlement.deployment.leaving import StillHeld, old_alliance
from settlement.sealing import desk
from settlement.sealing.seal import cash_balances
from settlement.sealing.self_signed import IntakeRefused, Why
from settlement.steps import State
from settlement.submitter import drive
from settlement.tiers.founding import DEVELOPMENT, TierFounding, read_circuit
from settlement.tiers.place import RegistryPlace, set_registry_place
from settlement.watch import watcher
from settlement.watch.unregistered import lacking
from tests.settlement.chain.field import LEASE_S, MERCHANTS, OPERATOR, Field
from tests.settlement.chain.field import attest as attested
from tests.settlement.chain.test_carrying import HOURS_6, KEYS, Hubs, made_final, means, names, nodes, reading, settled
from tests.settlement.chain.test_forced import force, lane_for
from tests.settlement.chain.test_inspection import inspected
from tests.settlement.chain.test_restored import backed_up
from tests.settlement.chain.test_self_signed import RECEIPT_KEY, lane_of, separator_of, sign_all, signed

__all__ = ["nodes", "settled"]

DAYS_3 = 3 * 86_400


def test_what_is_pending_at_the_old_hub_is_named_and_nothing_is_done(settled: Field) -> None:
    with settled.settlement() as s:
        sealed = seal_next(s)
        drive(s)
        hubs = Hubs(settled, s)
        assert names(hubs) == ["batch-unfinished"]
        assert sealed is not None
        attested(s, settled.folder, [(sealed.batch_no, sealed.header_hash)], KEYS)
        drive(s)
        assert {"batch-not-final", "batch-unfinished", "last-batch-unsettled"} <= set(names(hubs))
        s.alliance.chain.advance_time(HOURS_6)
        drive(s)
        assert names(hubs) == ["batch-unfinished", "last-batch-unsettled"], "it came in after the plan"
        hubs = Hubs(settled, s)
        assert names(hubs) == ["last-batch-unsettled"]
        cut = Outbox(s.conn, s.alliance.chain, OPERATOR, lease_s=LEASE_S, checkpoint=dies)
        with pytest.raises(KeyboardInterrupt), cut.leading() as led:
            call(led, "mint:late", s.alliance.token, "mint", led.sender, 1)
        force(s, lane_for(s, Kind.EXCHANGE_OUT))
        stranger = LocalSigner(keccak256(b"a stranger"))
        hubs.outbox = Outbox(s.conn, s.alliance.chain, stranger, lease_s=LEASE_S, scope=hubs.outbox.scope)
        assert names(hubs) == ["last-batch-unsettled", "forced-open", "outbox-open", "not-winding-down"]
        assert s.alliance.hub.read("windDownAt") == 0


def dies(point: str) -> None:
    if point == "signed":
        raise KeyboardInterrupt


def test_what_is_not_as_this_database_has_it_is_not_taken_along(settled: Field) -> None:
    with settled.settlement() as s:
        hubs = Hubs(settled, s)
        last, at = tables.batch(s.conn, 1), hubs.old.anchor
        assert last is not None
        with s.conn.transaction(force_rollback=True):
            batches.put_aside(s, last)
            assert names(hubs) == ["batch-conflict"]
        with s.conn.transaction(force_rollback=True):
            set_registry_place(
                s.conn, RegistryPlace(chain_id=at.chain_id, address=at.hub, code_hash=bytes(32), deploy_block=1)
            )
            tiers = TierFounding(epoch_key=at.hub, circuit=read_circuit(DEVELOPMENT))
            hubs.founding = replace(hubs.founding, tiers=tiers)
            assert names(hubs) == ["tiers-given"]
        with s.conn.transaction(force_rollback=True):
            tables.set_anchor(s.conn, replace(at, chain_id=at.chain_id + 1, first_batch=1))
            with pytest.raises(StillHeld, match="another-chain: the hub is on chain"):
                old_alliance(s.conn, s.alliance.chain)
        hubs = Hubs(settled, s)
        hubs.require_free()


def test_a_database_that_came_back_from_before_the_step_does_not_take_it_again(settled: Field, nodes: Nodes) -> None:
    """Whoever takes it all the same, with no mirror to say so, leaves two hubs that everybody sees."""
    older = backed_up(settled)
    with settled.settlement() as s:
        one = Hubs(settled, s).step()
    with older.settlement() as s:
        again = Hubs(older, s)
        assert names(again) == ["number-taken"]
        for mirror in settled.mirrors:
            (mirror / "headers" / "2.json").unlink()
        other = again.step()
        assert one.anchor.hub != other.anchor.hub
        chain = reading(nodes, other)
        outcome = audit(chain, chain.commits, means(settled))
        assert outcome.verdict is Verdict.CLEAN, outcome
        assert [one.anchor.hub.hex() in each for each in outcome.on_trust] == [True]


def test_what_came_in_after_the_last_settlement_is_settled_at_the_next_hub(settled: Field, nodes: Nodes) -> None:
    with settled.settlement() as s:
        leaked = next(lane for lane in s.lanes.roster if lane.merchant_id == 3 and Kind.EXCHANGE_OUT in lane.kinds)
        call(s.outbox, "leaked", s.alliance.registry, "revokeKey", *leaked.id)
        own = bytes([0x51]) * 20, bytes([0x52]) * 20
        call(s.outbox, "own", s.alliance.registry, "setAddresses", 2, *own)
        late = made_final(s, settled, seal_next(s))
        first = tables.batch(s.conn, 1)
        assert first is not None
        assert late.done.header.nets_since_batch == first.batch_no
        assert cash_balances(late.done.rows) != cash_balances(first.done.rows), "something is owed"
        hubs = Hubs(settled, s)
        assert names(hubs) == ["last-batch-unsettled"]
        call(s.outbox, "by anybody", hubs.old.hub, "beginWindDown")
        force(s, lane_for(s, Kind.EXCHANGE_OUT))  # in vain, and nobody's duty any more
        new = hubs.step()
        assert int(new.registry.read("key", *leaked.id)[0], 16) == 0, "what was revoked is not registered"
        places = [tuple(bytes.fromhex(each[2:]) for each in new.registry.read("merchant", no)[:2]) for no in (1, 2)]
        assert places == [(OPERATOR.address, OPERATOR.address), own], "who administers itself goes on to"
    with settled.settlement() as s:
        sign_all(s)
        before = {merchant: s.alliance.hub.read("balanceOf", merchant)[0] for merchant in MERCHANTS}
        sealed = seal_next(inspected(settled, s))
        assert sealed is not None
        assert sealed.state is State.PUBLISHED, "the verifier reads through both hubs"
        made_final(s, settled, sealed)
        sign_all(s)
        paid = made_final(s, settled, seal_next(s, settling=True))
        since, now = cash_balances(first.done.rows), cash_balances(paid.done.rows)
        due = {party: now[party] - since.get(party, 0) for party in now}
        assert dict(paid.done.nets) == {party: amount for party, amount in due.items() if amount}
        after = {merchant: s.alliance.hub.read("balanceOf", merchant)[0] for merchant in MERCHANTS}
        assert {party: after[party] - before[party] for party in MERCHANTS} == {
            party: due[party] for party in MERCHANTS
        }
        totals = {party: each.cash - each.settled for party, each in queries.positions(s.conn).items()}
        assert {party: left for party, left in totals.items() if left} == {}
        s.alliance.chain.advance_time(DAYS_3)
        whole = audit(chain := reading(nodes, s.alliance), chain.commits, means(settled))
        assert (whole.verdict, [each.batch_no for each in whole.batches]) == (Verdict.CLEAN, [0, 1, 2, 3, 4, 5]), whole
        alone = read(nodes, s.alliance.anchor.hub, tag="latest", from_block=s.alliance.anchor.deploy_block)
        outcome = audit(alone, alone.commits, means(settled), first=4)
        assert (outcome.verdict, outcome.incomplete) == (
            Verdict.INCOMPLETE,
            ["batch 1, from which nets are counted, was not read"],
        )


def test_who_was_at_the_old_hub_when_the_ledger_left_works_at_neither(settled: Field) -> None:
    with settled.settlement() as s:
        desk.prepare(s.conn, s.publication.vault, s.lanes.roster, batch_no=2)
        source, event = desk.waiting(s.conn, lane_of(s))[0]
        assert event is not None
        offer = signed(s, replace(event, nonce=desk.last_nonce(s.conn, lane_of(s).id) + 1), source)
        new = Hubs(settled, s).step()
        with pytest.raises(BetweenHubs, match="went on to hub"):
            seal_next(s)
        with pytest.raises(BetweenHubs, match="went on to hub"):
            drive(s)
        with pytest.raises(IntakeRefused) as refused:
            desk.take_in(s.conn, offer, separator=separator_of(s), key=RECEIPT_KEY, now=s.alliance.chain.now())
        assert refused.value.why == Why.HUB
        assert desk.waiting(s.conn, lane_of(s))[0] == (source, event)
        watcher.watch(s.conn, s.alliance)
        cautious = replace(new, chain=Chain(settled.url, confirmations=40))
        watcher.watch(s.conn, cautious)
        seen = watcher.cursor(s.conn, new)
        assert seen is not None
        assert seen.number <= cautious.chain.head("finalized").number < new.anchor.deploy_block
        first = new.anchor.deploy_block
        assert [no for no, _ in lacking(s.conn, set(MERCHANTS), first_block=first)] == list(MERCHANTS)
        watcher.watch(s.conn, new)
        assert list(lacking(s.conn, set(MERCHANTS), first_block=first)) == [], "the next registry has them"
        told = s.conn.execute(
            "SELECT count(*) FROM settlement.chain_event WHERE name = 'Deposited' AND block_number >= %s",
            [first],
        ).fetchone()
        assert told == (len(MERCHANTS),)
