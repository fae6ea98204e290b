"""Sum trees: EX1's liabilities, and every way a total or a path may lie."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs.accounts import member_account, points_account, salt
from proofs.keccak import keccak256
from proofs.messages import IssuerLiability, LiabilityLeaf
from proofs.sums import SUM_MAX, Sum, SumError, sum_leaf, sum_node, sum_path, sum_root, verify_sum
from tests.proofs.test_ex1 import EX1, raw, struct_of

ISSUER_ROOTS = {
    1: "1bbfc89be50e20496b7de50a8192c5ea011088fffdae903c993fe0ae4bbeee06",
    2: "a963016be211ab57ed08ff40d2218584ff81e11b65d72ba15d147b5b4393d64e",
}
EPOCH_ROOT = "a758df032c91065c6987ec48cab37081dc27fec4d267da6b393bb8c3d1a8fe8f"


def leaves_of(balances: list[int]) -> list[Sum]:
    """Leaves of distinct items."""
    return [sum_leaf(keccak256(at.to_bytes(4, "big")), balance) for at, balance in enumerate(balances)]


def test_the_worked_example() -> None:
    secret, issuers = raw(EX1["secrets"]["batch"]), []
    for vector, member in zip(EX1["liabilities"]["issuers"], ("memberX", "memberY"), strict=True):
        issuer = struct_of(IssuerLiability, vector)
        [leaf] = [struct_of(LiabilityLeaf, leaf) for leaf in vector["leaves"]]
        assert leaf.account == member_account(raw(EX1["secrets"][member]), issuer.issuer_id)
        assert leaf.salt == salt(secret, leaf.account, 0)
        assert issuer.salt == salt(secret, points_account(issuer.issuer_id), 0)
        root = sum_root([sum_leaf(leaf.hash_struct(), leaf.balance)])
        assert (root.hash.hex(), root.total) == (ISSUER_ROOTS[issuer.issuer_id], issuer.total)
        assert issuer.sum_root == root.hash
        issuers.append(sum_leaf(issuer.hash_struct(), issuer.total))
    epoch = sum_root(issuers)
    assert (epoch.hash.hex(), epoch.total) == (EPOCH_ROOT, 400)
    assert raw(EX1["liabilities"]["sumRoot"]) == epoch.hash
    assert int(EX1["liabilities"]["total"]) - int(EX1["liabilities"]["debtTotal"]) == int(EX1["header"]["totalPoints"])


@given(balances=st.lists(st.integers(0, 10**12), min_size=1, max_size=33))
def test_every_path_leads_to_the_total_at_its_place_only(balances: list[int]) -> None:
    leaves = leaves_of(balances)
    root, size = sum_root(leaves), len(leaves)
    assert root.total == sum(balances)
    for index, leaf in enumerate(leaves):
        path = sum_path(leaves, index)
        assert verify_sum(root, leaf, index, size, path)
        assert not any(verify_sum(root, leaf, other, size, path) for other in range(size) if other != index)
        assert not verify_sum(root, leaf, index, size, [*path, Sum(bytes(32), 0)])
        assert not path or not verify_sum(root, leaf, index, size, path[:-1])


@given(balances=st.lists(st.integers(0, 1000), min_size=2, max_size=20), data=st.data())
def test_no_sum_can_be_moved(balances: list[int], data: st.DataObject) -> None:
    leaves = leaves_of(balances)
    root, index = sum_root(leaves), data.draw(st.integers(0, len(leaves) - 1))
    path = sum_path(leaves, index)
    at, by = data.draw(st.integers(0, len(path) - 1)), data.draw(st.integers(-5, 5).filter(bool))
    forged = [*path[:at], dataclasses.replace(path[at], total=path[at].total + by), *path[at + 1 :]]
    shifted = dataclasses.replace(leaves[index], total=leaves[index].total - by)
    for leaf, claimed in ((leaves[index], root), (shifted, root), (leaves[index], Sum(root.hash, root.total + by))):
        assert not verify_sum(claimed, leaf, index, len(leaves), forged)


@pytest.mark.parametrize("balance", [-1, SUM_MAX + 1])
def test_a_balance_out_of_range_is_no_leaf(balance: int) -> None:
    with pytest.raises(SumError):
        sum_leaf(bytes(32), balance)


def test_a_sum_out_of_range_is_no_node() -> None:
    with pytest.raises(SumError):
        sum_node(sum_leaf(bytes(32), SUM_MAX), sum_leaf(bytes(32), 1))


def test_an_odd_last_leaf_is_promoted_never_doubled() -> None:
    for size in range(1, 34):
        leaves = leaves_of(list(range(1, size + 1)))
        assert sum_root(leaves) != sum_root([*leaves, leaves[-1]])


def test_the_empty_tree_owes_nothing_and_proves_nothing() -> None:
    assert sum_root([]) == Sum(bytes(32), 0)
    assert not verify_sum(Sum(bytes(32), 0), sum_leaf(bytes(32), 0), 0, 0, [])
    with pytest.raises(IndexError):
        sum_path([], 0)
