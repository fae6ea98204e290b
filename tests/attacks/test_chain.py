"""Attacks on the chain of headers, on its times, and on who vouched for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from auditor.attestations import Role
from auditor.chain import OnChain
from proofs.signature import sign
from proofs.words import ZERO_WORD
from tests.attacks.alliance import FOUNDED_AT
from tests.attacks.forge import ATTESTERS, PARAMS, World, address, found


def forced(batch_no: int, **fields: Any) -> Callable[[World], None]:
    def attack(world: World) -> None:
        world.batches[batch_no].forced = fields
        world.rechain()

    return attack


HEADERS: dict[str, tuple[Callable[[World], None], set[str]]] = {
    "a genesis of another hub": (forced(0, prev_header_hash=bytes([1]) * 32), {"genesis"}),
    "a genesis with points": (forced(0, total_points=5), {"genesis", "points-sum", "total-open"}),
    "a header that continues another": (forced(2, prev_header_hash=bytes([1]) * 32), {"prev-header"}),
    "leaf numbers left out": (
        forced(2, first_leaf_no=9),
        {"first-leaf", "lane-step", "leaf-number", "member-open", "posting-step", "row-close"},
    ),
    "a count that is not the file's": (forced(2, leaf_count=4), {"first-leaf", "record-count"}),
    "a batch of no leaf": (forced(2, leaf_count=0), {"first-leaf", "leaf-count", "record-count"}),
    "opened after it was sealed": (forced(2, opened_at=FOUNDED_AT + 10**8), {"times"}),
    "sealed before the batch before": (forced(3, sealed_at=FOUNDED_AT + 1_000), {"times"}),
    "a history that never was": (forced(3, history_root=bytes([1]) * 32), {"history-root"}),
}


@pytest.mark.parametrize("name", HEADERS)
def test_attack_on_a_header_is_found(world: World, name: str) -> None:
    attack, codes = HEADERS[name]
    attack(world)
    assert set(world.audit().findings.counts) == codes


def test_a_hidden_batch(world: World) -> None:
    chain = world.chain()
    del chain.commits[2]
    assert set(world.audit(chain).findings.counts) >= {"batch-missing", "prev-header", "first-leaf"}


def test_two_headers_under_one_number(world: World) -> None:
    chain = world.chain()
    chain.commits.insert(3, chain.commits[2])
    assert "batch-twice" in world.audit(chain).findings.counts


def test_a_log_that_announces_another_hash(world: World) -> None:
    world.batches[4].announced = bytes([1]) * 32
    assert set(world.audit().findings.counts) >= {"header-hash"}


def test_a_hub_that_stores_another_hash(world: World) -> None:
    world.batches[4].on_chain = lambda on_chain: setattr(on_chain, "stored_hash", ZERO_WORD)
    assert set(world.audit().findings.counts) == {"header-not-stored"}


def test_a_batch_committed_too_late(world: World) -> None:
    def late(on_chain: OnChain) -> None:
        on_chain.block_time += PARAMS.seal_lag_seconds_max
        on_chain.final_after += PARAMS.seal_lag_seconds_max

    world.batches[4].on_chain = late
    outcome = world.audit()
    assert set(outcome.findings.counts) == {"sealed-late"}


def test_an_attester_outside_the_set(world: World) -> None:
    def without(on_chain: OnChain) -> None:
        attesters = dict(on_chain.governance.attesters)
        attesters[on_chain.attesters[0]] = (Role.NONE, 0)
        on_chain.governance = replace(on_chain.governance, attesters=attesters)

    world.batches[4].on_chain = without
    assert set(world.audit().findings.counts) >= {"attester-unknown", "attester-weight"}


def test_a_signature_of_nobody(world: World) -> None:
    def unsigned(on_chain: OnChain) -> None:
        on_chain.signatures = ((bytes(32), bytes(32)), *(on_chain.signatures or ())[1:])

    world.batches[4].on_chain = unsigned
    assert set(world.audit().findings.counts) == {"attestation-signature"}


def test_a_signature_over_another_header(world: World) -> None:
    def other(on_chain: OnChain) -> None:
        on_chain.signatures = tuple(sign(key, bytes([3]) * 32) for key in sorted(ATTESTERS, key=address))

    world.batches[4].on_chain = other
    assert set(world.audit().findings.counts) == {"attestation-signature"}


def test_one_attester_twice(world: World) -> None:
    def twice(on_chain: OnChain) -> None:
        first = on_chain.attesters[0]
        signature = (on_chain.signatures or ())[0]
        on_chain.attesters, on_chain.signatures, on_chain.weight = (first, first), (signature, signature), 2
        on_chain.final_after = on_chain.block_time + PARAMS.slow_window_seconds

    world.batches[4].on_chain = twice
    assert set(world.audit().findings.counts) == {"attesters-order"}


@pytest.mark.parametrize("seconds", [0, PARAMS.slow_window_seconds, PARAMS.fast_window_seconds - 1])
def test_another_window_than_the_attestations_give(world: World, seconds: int) -> None:
    world.batches[4].on_chain = lambda on_chain: setattr(on_chain, "final_after", on_chain.block_time + seconds)
    assert set(world.audit().findings.counts) == {"window"}


def test_a_quorum_of_interested_parties_does_not_shorten_a_settling_window(world: World) -> None:
    """The only auditor administers a merchant: in a settling batch it counts as a watcher."""

    def interested(on_chain: OnChain) -> None:
        admins = frozenset(each for each, (role, _) in on_chain.governance.attesters.items() if role == Role.AUDITOR)
        on_chain.governance = replace(on_chain.governance, admins=admins)

    world.batches[3].on_chain = interested
    assert found(world.audit()) == set()
    world.batches[4].on_chain = interested
    assert set(world.audit().findings.counts) == {"window"}
