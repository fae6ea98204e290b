"""What a wallet fetches: it leads to the root that is on the chain, can be made again, and ends with its epoch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from proofs.tier import statement
from proofs.tier.epoch_tree import root_from
from settlement.tiers import forgetting, rows
from settlement.tiers.epoch_secrets import Erased
from settlement.tiers.trees import TreeDiffers, Trees
from settlement.tiers.witness import EpochNotInForce, NotEnrolled, NotInEpoch, NotYet, Witness, witness
from tests.settlement.tiers.ground import BEGIN, NOW, VAULT, Ground, public, secret
from tests.settlement.tiers.paper import Paper
from tests.settlement.tiers.reference import root_of_rows

DAY = 86_400
MEMBERS = ("m1", "m2", "m3", "m4", "graced", "two", "idle")


@pytest.fixture
def sealed(ground: Ground) -> Ground:
    """Everybody enrolled, and one epoch on the chain."""
    ground.enrol(*MEMBERS, "icy")
    ground.drive()
    return ground


def fetch(ground: Ground, member: str, number: int | None = None, trees: Trees | None = None) -> Witness:
    with ground.conn() as conn:
        return witness(conn, VAULT, trees or ground.trees, member, number=number)


def leads_to(found: Witness, member: str) -> int:
    """As a wallet checks it, with the secret that only it has."""
    tag = found.signed.header.tag
    leaf = statement.leaf(statement.commitment(secret(member)), tag, found.attributes, found.salt)
    return root_from(leaf, found.index, found.path)


def test_everybodys_witness_leads_to_the_root_on_the_chain(sealed: Ground) -> None:
    (published,) = sealed.registry.published()
    found = {member: fetch(sealed, member) for member in MEMBERS}
    for member, mine in found.items():
        assert leads_to(mine, member) == published.header.root
        assert mine.signed == published
    assert sorted(each.index for each in found.values()) == list(range(len(MEMBERS)))
    assert len({each.salt for each in found.values()}) == len(MEMBERS)
    form = found["m1"].to_json()
    assert set(form) == {"attributes", "salt", "index", "path"}
    assert form["attributes"]["points"] == str(found["m1"].attributes.points)
    assert form["attributes"]["tier"] == 3


def test_the_name_of_a_merged_member_means_the_person(sealed: Ground) -> None:
    assert fetch(sealed, "one").index == fetch(sealed, "two").index


def test_a_witness_is_the_same_from_another_machine(sealed: Ground, tmp_path: Path) -> None:
    elsewhere = Trees(tmp_path / "elsewhere")
    assert fetch(sealed, "m1", trees=elsewhere) == fetch(sealed, "m1")


@pytest.mark.parametrize("harm", ["cut", "torn", "other"])
def test_a_damaged_tree_is_made_again(sealed: Ground, harm: str) -> None:
    whole, path = fetch(sealed, "m1"), sealed.trees.path(BEGIN)
    data = bytearray(path.read_bytes())
    if harm == "cut":
        data = data[:-40]
    elif harm == "torn":
        data[-33] ^= 1
    else:
        data = bytearray(b"something else")
    path.write_bytes(data)
    assert fetch(sealed, "m1") == whole


def test_rows_that_are_not_what_was_signed_give_no_witness(sealed: Ground) -> None:
    with sealed.conn() as conn:
        conn.execute("UPDATE vault.tier_blind SET blind = decode(repeat('00', 32), 'hex')")
    sealed.trees.path(BEGIN).unlink()
    with pytest.raises(TreeDiffers):
        fetch(sealed, "m1")


def test_refusals_of_a_witness(sealed: Ground) -> None:
    with pytest.raises(EpochNotInForce):
        fetch(sealed, "m1", BEGIN + 1)
    with pytest.raises(NotEnrolled):
        fetch(sealed, "m5")
    with pytest.raises(NotEnrolled):
        fetch(sealed, "nobody")
    sealed.enrol("m5", now=NOW)
    with pytest.raises(NotYet):
        fetch(sealed, "m5")
    with pytest.raises(NotInEpoch):
        fetch(sealed, "icy")


def test_an_epoch_not_yet_on_the_chain_over_or_revoked_gives_none(ground: Ground) -> None:
    ground.enrol("m1")
    ground.drive(registry=Paper(ground.registry.file, slow=True))
    with pytest.raises(EpochNotInForce):
        fetch(ground, "m1")
    ground.drive()
    fetch(ground, "m1")
    ground.drive(NOW + 2 * DAY - 10)
    fetch(ground, "m1", BEGIN)
    ground.drive(NOW + 2 * DAY)
    with pytest.raises(EpochNotInForce):
        fetch(ground, "m1", BEGIN)
    with ground.conn() as conn:
        newest = rows.last_anchored(conn)
        assert newest is not None
        rows.revoke(conn, newest.epoch, now=NOW)
    with pytest.raises(EpochNotInForce):
        fetch(ground, "m1", newest.epoch)


def test_erasing_a_member_leaves_the_root_and_nothing_of_theirs(sealed: Ground) -> None:
    (published,) = sealed.registry.published()
    before = {member: fetch(sealed, member) for member in ("m1", "m2")}
    with sealed.conn() as conn:
        assert forgetting.erase(conn, VAULT, "m2", now=NOW) == 1
        assert forgetting.erase(conn, VAULT, "m2", now=NOW) == 0
        held = conn.execute(
            "SELECT count(*) FROM settlement.tier_leaf WHERE commitment = %s OR attributes IS NULL AND leaf IS NULL",
            [public("m2")],
        ).fetchone()
        assert held == (0,)
        blinds = conn.execute("SELECT count(*) FROM vault.tier_blind").fetchone()
        assert blinds == (len(MEMBERS),), "frozen icy has one"
    with pytest.raises(NotEnrolled):
        fetch(sealed, "m2")
    sealed.trees.path(BEGIN).unlink()
    assert fetch(sealed, "m1") == before["m1"], "the tree comes out the same without the row"
    assert leads_to(before["m2"], "m2") == published.header.root, "what the device keeps still verifies"
    sealed.drive(NOW + DAY)
    with pytest.raises(NotEnrolled):
        fetch(sealed, "m2")
    fetch(sealed, "m1", BEGIN + 1)


@pytest.mark.parametrize("point", ["snapshotted", "hashing"])
def test_erasing_while_an_epoch_is_being_made_changes_no_root(ground: Ground, point: str) -> None:
    """Before its leaves are read, or after: then the leaf comes once more, as what is left of the member."""
    ground.enrol(*MEMBERS)
    roots: list[Any] = []

    def erase_here(reached: str) -> None:
        if reached == point:
            with ground.conn() as conn:
                roots.append(root_of_rows(conn, BEGIN))
                forgetting.erase(conn, VAULT, "m3", now=NOW)

    ground.drive(checkpoint=erase_here)
    (published,) = ground.registry.published()
    assert [published.header.root] == roots


def test_an_epoch_whose_secret_is_gone_cannot_be_made_again(sealed: Ground) -> None:
    with sealed.conn() as conn:
        conn.execute("DELETE FROM vault.tier_secret")
    with pytest.raises(Erased):
        fetch(sealed, "m1")
