"""The chain's half of the demonstration, interrupted where only time can tell: between the attesters and the commit."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from api.demo.settling import Keys, attest_all, finalise, found_settlement, seal
from ledger.answers import Receipt
from ledger.commands.earning import Earn
from ledger.poster import Poster
from ledger.store import open_store
from settlement.batches import seal_next
from settlement.chain.client import Chain
from settlement.embedded_chain.process import start
from settlement.networks import require_addresses
from settlement.reconcile import reconcile
from settlement.sealing.refusals import SealRefused
from settlement.status import status
from settlement.tiers import signing_keys
from settlement.watch.alerts import URGENT
from tests.settlement.chain.field import day, registry_commands

TOO_OLD_S = 7 * 3_600
ATTESTERS = 3
AHEAD_S = 400 * 86_400

pytestmark = pytest.mark.slow


def test_a_run_resumed_too_late_for_the_commit_is_signed_again(tmp_path: Path, database: str) -> None:
    """The attesters signed a header that is then too old: the batch is sealed anew when it has lapsed, and signed."""
    keys = Keys(tmp_path / "keys")
    with (
        start(tmp_path / "chain", fund=[f"0x{keys.operator().address.hex()}"], idle_s=60) as node,
        psycopg.connect(database, autocommit=True) as conn,
        Poster(open_store(database)) as poster,
    ):
        poster.post([*registry_commands(), *day(1)])
        chain = Chain(node.url)
        settling = found_settlement(conn, poster, chain, keys, tmp_path)
        seal_next(settling.settlement)
        attest_all(settling)
        chain.advance_time(TOO_OLD_S)
        attest_all(settling)
        attest_all(settling)
        finalise(settling)
        (batch,) = status(conn, first=1)
        assert (batch.incarnation, batch.state, len(batch.attesters)) == (1, "FINALISED", ATTESTERS)
        told = require_addresses(chain, tmp_path / "addresses.json")
        assert told["hub"] == f"0x{settling.settlement.alliance.anchor.hub.hex()}"


def test_a_journal_dated_ahead_by_the_test_clock_is_sealed_all_the_same(tmp_path: Path, database: str) -> None:
    """Points that expired in a year that has not come yet: the chain's time follows them."""
    keys = Keys(tmp_path / "keys")
    with (
        start(tmp_path / "chain", fund=[f"0x{keys.operator().address.hex()}"], idle_s=60) as node,
        psycopg.connect(database, autocommit=True) as conn,
        Poster(open_store(database)) as poster,
    ):
        poster.post([*registry_commands(), *day(1)])
        chain = Chain(node.url)
        settling = found_settlement(conn, poster, chain, keys, tmp_path)
        ahead_ms = (chain.now() + AHEAD_S) * 1_000
        bought = Earn(key="e-1", at_ms=ahead_ms, merchant_id=2, member="bo", order="e-1", amount_minor=9_000)
        [earned] = poster.post([bought])
        assert isinstance(earned.outcome, Receipt)
        with pytest.raises(SealRefused, match="clock"):
            seal_next(settling.settlement)
        alliance = settling.settlement.alliance
        assert alliance.tiers is not None
        told = require_addresses(chain, tmp_path / "addresses.json")
        assert told["tiers"]["registry"]["address"] == f"0x{alliance.tiers.address.hex()}"
        assert bytes.fromhex(alliance.tiers.read("epochKey")[2:]) == signing_keys.newest(conn)
        assert not [
            each for each in reconcile(conn, alliance, sender=alliance.anchor.deployer) if each.severity == URGENT
        ]
        seal(settling, lambda: None)
        attest_all(settling)
        finalise(settling)
        assert {batch.state for batch in status(conn)} == {"FINALISED"}
        assert chain.now() >= ahead_ms // 1_000
