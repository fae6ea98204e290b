"""A settlement that takes more than one call: more debts and claims than the hub writes at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.commands import Command, Earn, Enrol, Redeem
from settlement.alliance import PARAMS
from settlement.batches import Settlement, seal_next
from settlement.chain.outbox import unwatched
from settlement.embedded_chain.process import EmbeddedNode
from settlement.status import status
from settlement.steps import ATTEMPTS_MAX
from settlement.submitter import drive
from tests.settlement.chain.field import AT_MS, ATTESTERS, Field, attest, registry_commands
from tests.settlement.chain.tiny import send

MERCHANTS = tuple(range(1, 51))
"""Half of them owe and have nothing, the other half have that to claim: 50 writes, where one call makes 48."""


class Cut(Exception):
    """The process ends here."""


def owing() -> list[Command]:
    """Each odd merchant's points are redeemed at the next one, by a member of its own."""
    commands: list[Command] = []
    for issuer in MERCHANTS[::2]:
        name, member = f"e{issuer}", f"p{issuer}"
        commands.append(Enrol(key=f"n{issuer}", at_ms=AT_MS, member=member))
        commands.append(
            Earn(key=name, at_ms=AT_MS, merchant_id=issuer, member=member, order=name, amount_minor=10_000 + issuer)
        )
        redeemed = f"r{issuer}"
        commands.append(
            Redeem(
                key=redeemed,
                at_ms=AT_MS,
                merchant_id=issuer + 1,
                member=member,
                redemption=redeemed,
                au=100,
                at_most=True,
            )
        )
    return commands


@pytest.fixture
def poor(database: str, embedded: EmbeddedNode, tmp_path: Path) -> Field:
    params = PARAMS._replace(operator_bond_min=0)
    made = Field(dsn=database, url=embedded.url, folder=tmp_path, collateral=0, params=params, merchants=MERCHANTS)
    made.post([*registry_commands(MERCHANTS), *owing()])
    return made


def lost(s: Settlement, *, calls: int) -> None:
    """The finalisation is called so often; the next call is signed, and its nonce used by another transaction."""
    left = calls

    def cut(point: str) -> None:
        nonlocal left
        if point == "signed":
            left -= 1
            if left < 0:
                raise Cut

    s.outbox._checkpoint = cut
    with pytest.raises(Cut):
        drive(s)
    s.outbox._checkpoint = unwatched
    send(s.alliance.chain, to=s.outbox.sender, data=b"", nonce=s.alliance.chain.nonce(s.outbox.sender))


def test_calls_that_did_their_part_are_no_failed_attempts(poor: Field) -> None:
    with poor.settlement() as s:
        batch = seal_next(s, settling=True)
        assert batch is not None
        assert len(batch.done.nets) == len(MERCHANTS)
        attest(s, poor.folder, [(1, batch.header_hash)], list(ATTESTERS))
        drive(s)
        s.alliance.chain.advance_time(6 * 3_600)
        lost(s, calls=1)
        for _ in range(ATTEMPTS_MAX - 1):
            lost(s, calls=0)
        (standing,) = drive(s)
        assert standing.state.name == "FINALISED", standing
        assert len(s.alliance.hub.events("SettlementContinues", first=0)) == 1
        finalising = [tx for tx in status(s.conn)[1].transactions if tx.purpose.startswith("finalise")]
        assert [tx.status for tx in finalising] == ["MINED", *["DROPPED"] * ATTEMPTS_MAX, "MINED"]
        held, owed = s.alliance.hub.read("solvency")
        assert held == owed
