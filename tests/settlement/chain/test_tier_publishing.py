"""Epochs of tiers on the real contract: one effect however often a worker is killed; what is refused is not signed."""

from threading import Thread

import pytest

from settlement.chain.contracts import Refused
from settlement.status import transactions
from tests.settlement.chain.field import Field
from tests.settlement.chain.tier_driver import DAY_S, header, killed_at, on_chain, publish_first


@pytest.mark.parametrize("point", ["signed", "sent", "included"])
def test_a_worker_killed_anywhere_has_published_once(field: Field, point: str) -> None:
    with on_chain(field) as (s, _):
        begins = s.alliance.chain.now()
    assert killed_at(field, begins, point)
    if point == "signed":
        assert killed_at(field, begins, point), "who takes over may die there as well"
    publish_first(field, begins)
    publish_first(field, begins)
    with on_chain(field) as (s, registry):
        assert registry.last()[0] == 1
        assert registry.held(1).header_hash == registry.last()[1]
        assert s.alliance.tiers is not None
        (event,) = s.alliance.tiers.events("EpochPublished", first=0)
        assert (event.fields["epoch"], event.fields["header"]["root"]) == (1, 7)
        assert [tx.purpose for tx in transactions(s.conn)].count("tier-epoch:1") == 1


def test_two_workers_at_once_publish_once(field: Field) -> None:
    with on_chain(field) as (s, _):
        begins = s.alliance.chain.now()
    workers = [Thread(target=publish_first, args=(field, begins)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    with on_chain(field) as (s, registry):
        assert registry.last()[0] == 1
        assert s.alliance.tiers is not None
        assert len(s.alliance.tiers.events("EpochPublished", first=0)) == 1


def test_epochs_follow_each_other_and_what_the_contract_refuses_is_not_signed(field: Field) -> None:
    with on_chain(field) as (s, registry):
        begins = s.alliance.chain.now()
        registry.publish(header(registry, begins))
        registry.publish(header(registry, begins))
        assert registry.last()[0] == 2
        sent = len(transactions(s.conn))
        for changes, name in (
            ({"previous": bytes(32)}, "PreviousMismatch"),
            ({"epoch": 0}, "EpochNotRising"),
            ({"alliance_id": 1}, "AllianceMismatch"),
            ({"vk_hash": bytes(32)}, "VkHashMismatch"),
            ({"not_before": 1, "not_after": 2}, "EpochOver"),
            ({"depth": 23}, "DepthMismatch"),
        ):
            with pytest.raises(Refused) as refused:
                registry.publish(header(registry, begins, **changes))
            assert refused.value.name == name
        assert len(transactions(s.conn)) == sent


def test_a_revoked_epoch_is_revoked_once(field: Field) -> None:
    with on_chain(field) as (s, registry):
        registry.publish(header(registry, s.alliance.chain.now()))
        assert not registry.held(1).revoked
        registry.revoke(1)
        registry.revoke(1)
        assert registry.held(1).revoked
        assert s.alliance.tiers is not None
        assert len(s.alliance.tiers.events("EpochWithdrawn", first=0)) == 1
        now = s.alliance.chain.now()
        assert not s.alliance.tiers.read("isActive", 1, now)
        registry.publish(header(registry, now))
        assert s.alliance.tiers.read("isActive", 2, now + DAY_S)
