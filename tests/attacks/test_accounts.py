"""Attacks on account rows, totals and nets. The leaves are honest; what is said about their sum is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from auditor.registry import Key
from proofs.accounts import cash_account, lane_account, points_account
from proofs.headers import nets_hash
from proofs.lpb1 import Row
from settlement.sealing.lanes import DELEGATED, POS
from tests.attacks.forge import World, found

Attack = Callable[[World], None]


def rows(batch_no: int, **changes: Callable[[Row], Row]) -> Attack:
    """An attack on rows of one batch; each is named by what it belongs to: cash_2, points_1, lane_3."""

    def attack(world: World) -> None:
        batch = world.batches[batch_no]
        for name, how in changes.items():
            at = next(at for at, row in enumerate(batch.rows) if row.account == ACCOUNTS[name])
            batch.rows[at] = how(batch.rows[at])
        world.rehead(batch_no)

    return attack


ACCOUNTS = {f"cash_{m}": cash_account(m) for m in (1, 2, 3)}
ACCOUNTS |= {f"points_{m}": points_account(m) for m in (1, 2, 3)}
ACCOUNTS |= {f"lane_{m}": lane_account(m, POS) for m in (1, 2, 3)}
UNUSED_LANE = lane_account(3, DELEGATED)


def more(amount: int) -> Callable[[Row], Row]:
    return lambda row: replace(row, balance=row.balance + amount)


def of_rows(batch_no: int, how: Callable[[list[Row]], object]) -> Attack:
    """An attack on the list of rows of one batch."""

    def attack(world: World) -> None:
        how(world.batches[batch_no].rows)
        world.rehead(batch_no)

    return attack


def header(batch_no: int, **fields: Any) -> Attack:
    """Header fields that keep their false value while everything else is made to fit."""

    def attack(world: World) -> None:
        world.batches[batch_no].forced = fields
        world.rehead(batch_no)

    return attack


def drop(list_of_rows: list[Row], account: bytes) -> None:
    list_of_rows[:] = [row for row in list_of_rows if row.account != account]


def unregistered(world: World, account: bytes, *, before: int) -> None:
    """An account without a row until the batch that touches it."""
    for batch in world.batches[:before]:
        drop(batch.rows, account)
    world.rehead(0)


def exchange(list_of_rows: list[Row]) -> None:
    list_of_rows[0], list_of_rows[1] = list_of_rows[1], list_of_rows[0]


CASES: dict[str, tuple[Attack, set[str]]] = {
    "a closing balance that no leaf gives": (rows(1, cash_1=more(-7), cash_2=more(7)), {"row-close", "row-open"}),
    "a merchant's cash out of nothing": (rows(1, cash_2=more(7)), {"cash-sum", "row-close", "row-open"}),
    "an issuer's debt made smaller": (rows(1, points_1=more(-40)), {"points-sum", "row-close", "row-open"}),
    "a closing number that no leaf gives": (
        rows(1, points_2=lambda row: replace(row, seq=row.seq + 1)),
        {"row-close", "row-open"},
    ),
    "a lane's last number that no leaf gives": (
        rows(1, lane_2=lambda row: replace(row, seq=row.seq - 1)),
        {"lane-open", "row-close"},
    ),
    "a last leaf that is not the last": (
        rows(1, points_1=lambda row: replace(row, last_leaf_no=row.last_leaf_no - 1)),
        {"row-close", "row-open"},
    ),
    "an untouched account altered": (rows(3, cash_1=more(-1), cash_3=more(1)), {"row-carry", "row-open"}),
    "a lane with a balance": (rows(1, lane_3=more(1)), {"row-account", "row-carry", "row-close"}),
    "a row left out": (of_rows(1, lambda rows: drop(rows, UNUSED_LANE)), {"row-missing"}),
    "rows in another order": (of_rows(1, exchange), {"row-order"}),
    "a row twice": (of_rows(1, lambda rows: rows.insert(0, rows[0])), {"row-order"}),
    "a new row with a balance": (
        of_rows(3, lambda rows: rows.append(Row(cash_account(950_000_000), 1, 1, 5))),
        {"cash-sum", "row-missing", "row-new"},
    ),
    "a row for no kind of account": (
        of_rows(1, lambda rows: rows.append(Row(b"\x09" + bytes(31), 0, 0, 0))),
        {"row-account", "row-missing"},
    ),
    "an account touched before it has a row": (
        lambda world: unregistered(world, points_account(3), before=4),
        {"account-without-row"},
    ),
    "another root of accounts": (header(1, accounts_root=bytes([1]) * 32), {"accounts-root"}),
    "another count of accounts": (header(1, accounts_count=99), {"row-count"}),
    "another root of leaves": (header(1, leaves_root=bytes([1]) * 32), {"leaves-root"}),
    "points from nothing in the header": (header(1, total_points=1_000), {"points-sum", "total-close", "total-open"}),
}


@pytest.mark.parametrize("name", CASES)
def test_attack_on_accounts_is_found(world: World, name: str) -> None:
    attack, codes = CASES[name]
    attack(world)
    outcome = world.audit()
    assert set(outcome.findings.counts) == codes
    assert not outcome.incomplete


def test_nets_that_favour_somebody(world: World) -> None:
    skew(world, {1: -100, 3: 100})
    assert found(world.audit()) == {18}


def test_nets_that_keep_a_part(world: World) -> None:
    skew(world, {1: -100})
    assert found(world.audit()) == {18}


def test_nets_that_forget_somebody(world: World) -> None:
    world.batches[2].nets.pop()
    world.rehead(2)
    assert found(world.audit()) == {18}


def test_nets_out_of_order(world: World) -> None:
    world.batches[2].nets.reverse()
    world.rehead(2)
    assert set(world.audit().findings.counts) == {"nets-form"}


def test_nets_with_a_zero(world: World) -> None:
    world.batches[2].nets.append((950_000_000, 0))
    world.rehead(2)
    assert found(world.audit()) == {18}


def test_nets_on_the_chain_that_are_not_those_of_the_file(world: World) -> None:
    """The file is honest, the chain was told and moved something else, and the header commits to what the chain had."""
    batch = world.batches[2]
    batch.chain_nets = [(merchant, amount * 2) for merchant, amount in batch.nets]
    batch.forced = {"nets_hash": nets_hash(batch.chain_nets, settling=True)}
    world.rechain()
    outcome = world.audit()
    assert found(outcome) == {18}
    assert set(outcome.findings.counts) == {"nets-differ", "nets-hash"}


def test_nets_counted_from_another_batch(world: World) -> None:
    """The last settling batch left out: what was settled there would be paid a second time."""
    world.batches[4].forced = {"nets_since_batch": 0}
    world.rehead(4)
    assert set(world.audit().findings.counts) == {"nets-since"}


def test_nets_in_a_log_batch(world: World) -> None:
    batch = world.batches[1]
    batch.nets = [(1, -5), (2, 5)]
    world.rehead(1)
    assert found(world.audit()) == {18}


def test_the_contract_moved_other_sums(world: World) -> None:
    world.batches[2].on_chain = lambda on_chain: on_chain.settled.update({1: (-1, 0)})
    assert set(world.audit().findings.counts) == {"settled-differs"}


def test_the_contract_moved_nothing(world: World) -> None:
    world.batches[2].on_chain = lambda on_chain: on_chain.settled.clear()
    assert found(world.audit()) == {19}


def test_an_issuer_that_owes_less_than_nothing(world: World) -> None:
    """A claw-back of points that were never there, without the member's side: outstanding sinks below the debts."""
    record = world.batches[2].records[1]
    assert record.issuer is not None
    lie = replace(record, member=None, issuer=replace(record.issuer, delta=-9_000))
    world.batches[2].records[1] = lie
    world.relink(2)
    world.rehead(2)
    assert "issuer-below-debts" in world.audit().findings.counts


def skew(world: World, changes: dict[int, int]) -> None:
    batch = world.batches[2]
    batch.nets = [(merchant, amount + changes.get(merchant, 0)) for merchant, amount in batch.nets]
    world.rehead(2)


def test_a_lane_opened_after_sealing_needs_no_row_yet(world: World) -> None:
    """Registered while batches 1 to 3 were sealed and not committed: only batch 4 was opened after it."""
    lane = (1, 77)
    opened_at = world.batches[4].header.opened_at
    world.registry.keys[lane] = Key(bytes(20), 1, 0, 0, opened_at)
    assert found(world.audit()) == set()
    world.registry.keys[lane].registered_at -= 1
    outcome = world.audit()
    assert set(outcome.findings.counts) == {"row-missing"}
    assert {finding.batch_no for finding in outcome.findings.kept} == {4}
