"""Attacks on the step to another hub: what its first header says it goes on after, and what a point is worth there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from auditor.carried import check_carried
from auditor.chain import Chain, Commit
from auditor.findings import Findings
from auditor.headers import HeaderWalk
from proofs.headers import Predecessor, carried_header, genesis_header
from proofs.words import ZERO_WORD
from tests.attacks.alliance import CHAIN_ID
from tests.attacks.forge import World

NEXT_HUB = bytes([0x77]) * 20
Attack = Callable[[Chain, Chain], None]


def hubs(world: World) -> tuple[Chain, Chain]:
    """The honest history up to its last settling batch, final and wound down, and a hub that goes on after it."""
    before = world.chain()
    settling = [at for at, commit in enumerate(before.commits) if commit.header.nets_hash != ZERO_WORD]
    del before.commits[settling[-1] + 1 :]
    before.winds_down_since = 1_800_100_000
    last = before.commits[-1]
    assert last.on_chain is not None
    last.on_chain.final = True
    carried = Predecessor(CHAIN_ID, before.hub, last.header_hash)
    first = genesis_header(
        chain_id=CHAIN_ID,
        hub=NEXT_HUB,
        accounts_count=last.header.accounts_count,
        accounts_root=last.header.accounts_root,
        founded_at=last.header.sealed_at,
        config_hash=last.header.config_hash,
        data_hash=last.header.data_hash,
    )
    header = carried_header(first, carried, last.header, chain_id=CHAIN_ID, hub=NEXT_HUB)
    commits = [Commit(header, header.hash_struct())]
    registry = replace(before.registry, terms=dict(before.registry.terms))
    return before, replace(before, hub=NEXT_HUB, commits=commits, registry=registry, carried=carried, before=before)


def said(attack: Attack, world: World) -> set[str]:
    before, after = hubs(world)
    attack(before, after)
    findings = Findings()
    HeaderWalk(CHAIN_ID, NEXT_HUB, findings, after.carried).take(after.commits[0])
    check_carried(before, after, after.commits[0], findings)
    return set(findings.counts)


def opens(**fields: object) -> Attack:
    def attack(_: Chain, after: Chain) -> None:
        header = replace(after.commits[0].header, **fields)  # type: ignore[arg-type] # of a header
        after.commits[0] = Commit(header, header.hash_struct())

    return attack


def names_another(_: Chain, after: Chain) -> None:
    assert after.carried is not None
    after.carried = replace(after.carried, header_hash=bytes([1]) * 32)


def went_on(before: Chain, _: Chain) -> None:
    following = replace(before.commits[-1].header, batch_no=before.commits[-1].header.batch_no + 1)
    before.commits.append(Commit(following, following.hash_struct()))


def still_runs(before: Chain, _: Chain) -> None:
    before.winds_down_since = 0


def may_be_thrown_out(before: Chain, _: Chain) -> None:
    assert before.commits[-1].on_chain is not None
    before.commits[-1].on_chain.final = False


def worth_more(_: Chain, after: Chain) -> None:
    terms_id, terms = next(iter(after.registry.terms.items()))
    after.registry.terms[terms_id] = replace(terms, num=terms.num + 1)


def forgotten(_: Chain, after: Chain) -> None:
    after.registry.terms.popitem()


ATTACKS: dict[str, tuple[Attack, set[str]]] = {
    "an honest step": (lambda _before, _after: None, set()),
    "the header of nobody": (names_another, {"carried-from", "genesis"}),
    "an old hub that went on": (went_on, {"carried-from"}),
    "an old hub that takes batches still": (still_runs, {"carried-from"}),
    "after a batch that may be thrown out": (may_be_thrown_out, {"carried-from"}),
    "more points": (opens(total_points=10**9), {"carried-from"}),
    "another number": (opens(batch_no=1), {"carried-from"}),
    "nets since another batch": (opens(nets_since_batch=0), {"carried-from"}),
    "leaf numbers anew": (opens(first_leaf_no=1), {"carried-from"}),
    "a journal of its own": (opens(journal_head=bytes([3]) * 32), {"carried-from"}),
    "opened before the last was sealed": (opens(opened_at=1, sealed_at=1), {"carried-from"}),
    "a history of others": (opens(history_root=bytes([4]) * 32), {"history-root"}),
    "a point worth more": (worth_more, {"carried-terms"}),
    "terms left behind": (forgotten, {"carried-terms"}),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_attack_on_the_step_is_found(world: World, name: str) -> None:
    attack, codes = ATTACKS[name]
    assert said(attack, world) == codes


def test_nothing_of_the_old_hub_is_no_predecessor(world: World) -> None:
    assert said(lambda before, _: before.commits.clear(), world) == {"carried-from"}
