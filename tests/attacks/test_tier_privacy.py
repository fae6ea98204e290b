"""Who holds everything that is public of an epoch, and more, and wants to know whose leaf says what.

The guesser has the tree's file, every commitment and the alliance's tariff, so attributes are few and can be tried.
What keeps leaves closed is the salt alone.
"""

from __future__ import annotations

import logging
from itertools import product
from typing import Any

import psycopg
import pytest

from proofs.poseidon import poseidon
from proofs.tier import statement
from proofs.tier.attributes import Attributes
from proofs.tier.epoch_tree import EpochTree
from proofs.tier.tree_file import empty
from settlement.tiers import epoch_secrets, forgetting, rows
from settlement.tiers.salts import EpochSecret
from settlement.tiers.trees import Leaf, leaf_of
from settlement.tiers.witness import Witness, witness
from tests.settlement.tiers.conftest import bare, ground  # noqa: F401  # fixtures, used by their names
from tests.settlement.tiers.ground import BEGIN, NOW, VAULT, Ground, public, secret

MEMBERS = ("m1", "m2", "m3", "m4", "graced", "two", "idle")
DAY = 86_400


@pytest.fixture
def sealed(ground: Ground) -> Ground:  # noqa: F811
    ground.enrol(*MEMBERS)
    ground.drive()
    return ground


def fetch(made: Ground, member: str, number: int | None = None) -> Witness:
    with made.conn() as conn:
        return witness(conn, VAULT, made.trees, member, number=number)


def leaves_of(made: Ground, number: int) -> list[int]:
    with EpochTree(made.trees.path(number)) as tree:
        return [tree.leaf(place) for place in range(tree.count)]


def likely(told: Attributes) -> list[Attributes]:
    """What a guesser tries: every tier with amounts around what is right, and the times that the tariff gives."""
    around = range(-3, 4)
    return [
        Attributes(told.points + more, told.spend + most, told.since, told.valid_until, told.key_epoch, tier)
        for more, most, tier in product(around, around, range(4))
        if told.points + more >= 0 and told.spend + most >= 0
    ]


def test_without_salts_every_leaf_falls_to_a_guesser_and_with_them_none(sealed: Ground) -> None:
    tag = rows_tag(sealed)
    salted = set(leaves_of(sealed, BEGIN))
    for member in MEMBERS:
        told, commitment = fetch(sealed, member).attributes, int.from_bytes(public(member), "big")
        bare_leaf = poseidon([commitment, tag, told.packed(), 0])
        guesses = {statement.leaf(commitment, tag, each, 0): each for each in likely(told)}
        assert guesses[bare_leaf] == told, "an unsalted leaf says everything to who tries"
        assert not guesses.keys() & salted


def test_with_the_secret_of_the_epoch_a_leaf_falls_and_without_the_members_blind_not(sealed: Ground) -> None:
    """What a thief of the vault's key and of a live epoch can do, until the epoch is erased or the member is."""
    tag = rows_tag(sealed)
    with sealed.conn() as conn:
        stolen = epoch_secrets.opened(conn, VAULT, BEGIN)
        blinds: dict[str, bytes] = dict(
            conn.execute(
                "SELECT name, blind FROM vault.tier_blind JOIN ledger.member USING (shard, member_no)"
            ).fetchall()
        )
    told, public_leaves = fetch(sealed, "m1").attributes, set(leaves_of(sealed, BEGIN))

    def falls(blind: bytes) -> bool:
        packed = [each.packed().to_bytes(Attributes.BYTES, "big") for each in likely(told)]
        return any(leaf_of(tag, stolen, Leaf(public("m1"), each, blind)) in public_leaves for each in packed)

    assert falls(blinds["m1"])
    assert not falls(bytes(32))
    with sealed.conn() as conn:
        forgetting.erase(conn, VAULT, "m1", now=NOW)
        left = [bytes(blind) for (blind,) in conn.execute("SELECT blind FROM vault.tier_blind")]
    assert not any(map(falls, left))


def rows_tag(made: Ground) -> int:
    with made.conn() as conn:
        epoch = rows.epoch(conn, BEGIN)
    assert epoch is not None
    return statement.epoch_tag(epoch.alliance_id, BEGIN)


def test_two_epochs_of_the_same_members_share_nothing(sealed: Ground) -> None:
    """Nothing was bought in between, so attributes are the same; leaves, inner nodes, salts and places are not."""
    sealed.drive(NOW + DAY)
    first, second = ({member: fetch(sealed, member, number) for member in MEMBERS} for number in (BEGIN, BEGIN + 1))
    assert first["idle"].attributes.spend == second["idle"].attributes.spend
    with EpochTree(sealed.trees.path(BEGIN)) as old, EpochTree(sealed.trees.path(BEGIN + 1)) as new:
        assert not {old.leaf(place) for place in range(old.count)} & {new.leaf(place) for place in range(new.count)}
    # One of seven leaves has an empty place beside it, and it may be the same member's twice.
    nothing = {empty(level) for level in range(statement.DEPTH)}
    for member in MEMBERS:
        assert set(first[member].path) & set(second[member].path) <= nothing
        assert set(first[member].path[:3]) - nothing
    assert not {each.salt for each in first.values()} & {each.salt for each in second.values()}


def test_the_order_of_leaves_says_nothing_of_the_order_of_members() -> None:
    orders = [EpochSecret(bytes([number]) * 32).order(1_000) for number in range(3)]
    assert all(sorted(order) == list(range(1_000)) for order in orders)
    assert EpochSecret(bytes(32)).order(1_000) == orders[0], "and is the same again from the same secret"
    for one, other in ((0, 1), (1, 2)):
        assert sum(a == b for a, b in zip(orders[one], orders[other], strict=True)) < 20
    assert sum(place == number for number, place in enumerate(orders[0])) < 20


def every_cell(conn: psycopg.Connection[Any]) -> str:
    """Every row of every table of ours, as text: bytes in hex, numbers in decimal."""
    tables = conn.execute(
        "SELECT table_schema, table_name FROM information_schema.tables"
        " WHERE table_type = 'BASE TABLE' AND table_schema IN ('ledger', 'settlement', 'vault', 'api', 'pgmq')"
    ).fetchall()
    found = []
    for schema, table in tables:
        dumped = conn.execute(f'SELECT t::text FROM "{schema}"."{table}" AS t')  # names of our own
        found += [row for (row,) in dumped]
    return "\n".join(found)


def spellings(number: int) -> set[str]:
    """A number as it might be written somewhere."""
    return {str(number), f"{number:x}", f"{number:064x}", f"{number:062x}"}


def test_tables_and_logs_hold_no_secret_witness_or_salt_in_clear(
    ground: Ground,  # noqa: F811
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    ground.enrol(*MEMBERS)
    ground.drive()
    found = {member: fetch(ground, member) for member in MEMBERS}
    with ground.conn() as conn:
        epoch_secret = epoch_secrets.opened(conn, VAULT, BEGIN).secret
        dumped = every_cell(conn)
    captured = capsys.readouterr()
    told = "\n".join([dumped, caplog.text, captured.out, captured.err, repr(list(found.values()))])
    assert public("m1").hex() in dumped, "the search finds what is there"
    inner = {node for each in found.values() for node in each.path[:3] if node}  # 0 is the empty leaf
    hidden = {secret(member) for member in MEMBERS} | {each.salt for each in found.values()} | inner
    words = {spelling for number in hidden for spelling in spellings(number)}
    words |= {epoch_secret.hex(), str(int.from_bytes(epoch_secret, "big"))}
    assert [word for word in words if word.lower() in told.lower()] == []
