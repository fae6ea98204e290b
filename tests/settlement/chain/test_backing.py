"""Collateral that is announced to leave, left, or came back: what counts of a limit follows the chain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace as changed

from ledger import queries
from ledger.answers import Refusal
from ledger.commands import Command, OpenMerchant, Redeem
from proofs.kinds import BASE_UNITS_PER_AU
from settlement import reconcile
from settlement.alliance import UNIT
from settlement.batches import Settlement, seal_next
from settlement.chain.transactions import call
from settlement.embedded_chain.process import EmbeddedNode
from settlement.steps import ATTESTATION_WAIT_S
from settlement.submitter import drive
from settlement.watch.backing import tell_backing
from tests.settlement.chain.field import AT_MS, Field, day, registry_commands

LIMIT_AU, KEPT_AU = 5_000, 20
COLLATERAL = 10_000 * UNIT
LEAVING = COLLATERAL - KEPT_AU * BASE_UNITS_PER_AU
DAYS_7 = 7 * 86_400


def with_limit(command: Command) -> Command:
    if isinstance(command, OpenMerchant) and command.merchant_id == 1:
        return changed(command, credit_limit_au=LIMIT_AU)
    return command


def all_limited(command: Command) -> Command:
    return changed(command, credit_limit_au=LIMIT_AU) if isinstance(command, OpenMerchant) else command


@pytest.fixture
def limited(database: str, embedded: EmbeddedNode, tmp_path: Path) -> Field:
    """Merchant 1 has a limit, and more collateral than that."""
    field = Field(dsn=database, url=embedded.url, folder=tmp_path, collateral=COLLATERAL)
    field.post([*map(with_limit, registry_commands()), *day(1)])
    return field


def on_hub(s: Settlement, purpose: str, function: str, *arguments: int) -> None:
    with s.outbox.leading() as led:
        call(led, purpose, s.alliance.hub, function, *arguments, gas=250_000)


def compared(s: Settlement) -> tuple[bool, int, int | None]:
    """Whether a withdrawal is an alert, of how many merchants the ledger was told, and what counts of the limit."""
    found = reconcile.reconcile(s.conn, s.alliance, sender=s.outbox.sender)
    leaving = ("collateral-leaving", "merchant 1") in [(each.code, each.place) for each in found]
    return leaving, tell_backing(s), queries.registry(s.conn).merchants[1].credit_limit_au


def redeemed(s: Settlement, name: str) -> Any:
    """What comes of using everything that a member has, merchant 1's points among it, at another merchant."""
    command = Redeem(
        key=name,
        at_ms=AT_MS + 2 * 86_400_000,
        merchant_id=2,
        member="ann",
        redemption=name,
        au=LIMIT_AU,
        at_most=True,
        over_limit="decline",
    )
    (answer,) = s.ledger.post([command])
    return answer.outcome


def test_what_is_announced_to_leave_counts_no_more_and_counts_again_when_it_stays(limited: Field) -> None:
    with limited.settlement() as s:
        assert compared(s) == (False, 0, LIMIT_AU), "no more than was agreed"
        on_hub(s, "leave", "requestWithdraw", 1, LEAVING)
        assert compared(s) == (True, 1, KEPT_AU)
        assert compared(s) == (True, 0, KEPT_AU), "told once"
        refusal = redeemed(s, "announced")
        assert isinstance(refusal, Refusal)
        assert refusal.code == "issuer-over-limit"
        on_hub(s, "stay", "cancelWithdraw", 1)
        assert compared(s) == (False, 1, LIMIT_AU)
        assert not isinstance(redeemed(s, "stayed"), Refusal)

        on_hub(s, "leave again", "requestWithdraw", 1, LEAVING)
        assert compared(s) == (True, 1, KEPT_AU)
        s.alliance.chain.advance_time(2 * DAYS_7 + 1)
        assert compared(s) == (False, 1, LIMIT_AU), "it lapsed"


def test_what_has_left_counts_no_more(limited: Field) -> None:
    with limited.settlement() as s:
        on_hub(s, "leave", "requestWithdraw", 1, LEAVING)
        s.alliance.chain.advance_time(DAYS_7)
        on_hub(s, "gone", "executeWithdraw", 1)
        assert compared(s) == (False, 1, KEPT_AU)


def test_what_paid_a_debt_is_gone_before_the_debt_is(database: str, embedded: EmbeddedNode, tmp_path: Path) -> None:
    """Else a merchant owes as much again in the minute before the next comparison."""
    collateral = LIMIT_AU * BASE_UNITS_PER_AU
    field = Field(dsn=database, url=embedded.url, folder=tmp_path, collateral=collateral)
    field.post([*map(all_limited, registry_commands()), *day(1)])
    with field.settlement() as s:
        batch = seal_next(s, settling=True)
        assert batch is not None
        drive(s)
        for seconds in (ATTESTATION_WAIT_S, DAYS_7):
            s.alliance.chain.advance_time(seconds)
            drive(s)
        assert any(each.settled for each in queries.positions(s.conn).values())
        limits = {number: each.credit_limit_au for number, each in queries.registry(s.conn).merchants.items()}
        paid = {party: -amount for party, amount in batch.done.nets if amount < 0 and party in limits}
        assert paid
        left = {party: (collateral - paid.get(party, 0)) // BASE_UNITS_PER_AU for party in limits}
        assert limits == left


def test_a_hub_that_takes_no_batch_any_more_bears_no_new_debt(limited: Field) -> None:
    with limited.settlement() as s:
        on_hub(s, "end", "beginWindDown")
        assert compared(s) == (False, 1, 0)
