"""The same client, outbox and settlement on anvil: blocks that are not final at once, a pool, replacements, reorgs.

Collected where the npm package is installed (see `conftest`).
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from settlement.batches import seal_next
from settlement.chain.client import Chain, NodeRefused, Reverted, SendCase
from settlement.chain.gas import FEE_WEI_MAX
from settlement.chain.outbox import FeeCeiling, ForeignPending, Intent, LocalSigner, Outbox, Outcome
from settlement.observing import purpose
from settlement.status import status
from settlement.steps import Fate
from settlement.submitter import drive
from tests.settlement.chain.anvil import Anvil, running
from tests.settlement.chain.field import ATTESTERS, Field, attest, day, registry_commands
from tests.settlement.chain.liar import lying
from tests.settlement.chain.test_pen import Conn, cut_when_decided, raws
from tests.settlement.chain.tiny import (
    ADDRESS,
    MINED_LOOK_S,
    MINED_LOOKS_MAX,
    RUNTIME,
    SENDER,
    TOPIC,
    deploy,
    send,
    signed,
)


@pytest.fixture
def anvil() -> Iterator[Anvil]:
    with running() as node:
        node.ask("evm_mine")
        yield node


@pytest.fixture
def conn(database: str) -> Iterator[Conn]:
    with psycopg.connect(database, autocommit=True) as made:
        yield made


@pytest.fixture
def outbox(conn: Conn, anvil: Anvil) -> Outbox:
    return Outbox(conn, Chain(anvil.url), LocalSigner(SENDER.key))


def seen_mined(outbox: Outbox, purpose: str) -> Outcome:
    """What has become of it, once it is mined: anvil may answer a send before it mines."""
    for _ in range(MINED_LOOKS_MAX):
        seen = outbox.observe(purpose)
        if seen.fate is Fate.MINED:
            return seen
        time.sleep(MINED_LOOK_S)
    raise AssertionError(f"{purpose} was not mined")


def test_the_client_sees_what_it_sees_on_the_embedded_chain(anvil: Anvil) -> None:
    chain = Chain(anvil.url)
    address = deploy(chain)
    assert chain.code(address) == RUNTIME
    sent, receipt = send(chain, to=address, data=b"hello")
    assert sent.case is SendCase.ACCEPTED
    assert receipt is not None
    assert receipt.succeeded
    assert [log.data for log in chain.logs(address, first=0, topics=[TOPIC])] == [b"hello"]
    with pytest.raises(Reverted):
        chain.call(address, b"x")
    before = chain.now()
    chain.advance_time(3_600)
    assert 3_600 <= chain.now() - before < 3_700
    assert chain.head("finalized").number < chain.head().number
    assert len(chain.genesis_hash()) == 32


def test_what_anvil_says_has_its_case(anvil: Anvil) -> None:
    chain = Chain(anvil.url)
    address, nonce = deploy(chain), chain.nonce(ADDRESS)
    anvil.mine_at_once(on=False)
    _, raw = signed(chain, to=address, data=b"one", nonce=nonce)
    assert chain.send(raw).case is SendCase.ACCEPTED
    assert chain.send(raw).case is SendCase.ALREADY_KNOWN
    assert send(chain, to=address, data=b"two", nonce=nonce)[0].case is SendCase.UNDERPRICED
    assert send(chain, to=address, data=b"two", nonce=nonce - 1)[0].case is SendCase.NONCE_TOO_LOW
    assert send(chain, to=address, data=b"two", nonce=nonce + 1, fee=10**20)[0].case is SendCase.NO_FUNDS
    assert send(chain, to=address, data=b"two", nonce=nonce + 1, gas=40_000_000)[0].case is SendCase.GAS_CAP
    anvil.ask("evm_mine")


def test_what_is_stuck_is_replaced_and_takes_effect_once(anvil: Anvil, outbox: Outbox) -> None:
    chain = Chain(anvil.url)
    address = deploy(chain)
    anvil.mine_at_once(on=False)
    intent = Intent("stuck", address, b"stuck", 60_000)
    assert outbox.submit(intent).fate is Fate.WAITING
    first = outbox.observe("stuck").newest
    bumped = outbox.bump("stuck")
    assert (bumped.fate, bumped.replacements) == (Fate.WAITING, 1)
    assert first is not None
    assert bumped.newest is not None
    assert bumped.newest.nonce == first.nonce
    assert bumped.newest.max_fee * 8 >= first.max_fee * 9
    anvil.ask("evm_mine")
    assert outbox.observe("stuck").fate is Fate.MINED
    anvil.finalise()
    assert outbox.observe("stuck").fate is Fate.MINED
    assert outbox.submit(intent).fate is Fate.MINED
    assert len(chain.logs(address, first=0)) == 1


def test_a_nonce_that_somebody_else_holds_in_the_pool_is_not_signed_for(
    conn: Conn, anvil: Anvil, outbox: Outbox
) -> None:
    """It was decided, and its signer was not asked yet; whoever has the key as well got there first."""
    chain = Chain(anvil.url)
    intent = Intent("left", deploy(chain), b"left", 60_000)
    cut_when_decided(conn, chain, intent)
    anvil.mine_at_once(on=False)
    send(chain, to=intent.to, data=b"from elsewhere")
    for sign in (outbox.submit, lambda later: outbox.submit(replace(later, purpose="later")), void_of(outbox)):
        with pytest.raises(ForeignPending, match="did not sign"):
            sign(intent)
    anvil.ask("evm_mine")
    with pytest.raises(ForeignPending):
        outbox.submit(intent)
    assert (outbox.observe("left").fate, outbox.observe("later").fate) == (Fate.ASKED, Fate.NEVER), "not final yet"
    anvil.finalise()
    assert (outbox.submit(intent).fate, raws(conn)) == (Fate.DROPPED, [])
    outbox.retire("left")
    outbox.submit(intent)
    anvil.finalise()
    assert outbox.observe("left").fate is Fate.MINED
    assert [log.data for log in chain.logs(intent.to or b"", first=0)] == [b"from elsewhere", b"left"]


def test_a_count_that_runs_ahead_of_its_block_proves_nothing_dead(conn: Conn, anvil: Anvil) -> None:
    """As a node's may that is asked while it mines: the state has the transaction already, and no block yet."""
    address, torn = deploy(Chain(anvil.url)), True
    anvil.mine_at_once(on=False)

    def count_ahead(method: str, params: list[Any], result: Any) -> Any:
        nonlocal torn
        if not torn or method != "eth_getTransactionCount" or not params[1].startswith("0x"):
            return result
        torn = False
        return hex(int(anvil.ask(method, params[0], "pending"), 16))

    with lying(anvil.url) as liar:
        outbox = Outbox(conn, Chain(liar.url), LocalSigner(SENDER.key))
        assert outbox.submit(Intent("mined", address, b"mined", 60_000)).fate is Fate.WAITING
        liar.distort = count_ahead
        assert outbox.observe("mined").fate is Fate.WAITING
        assert not torn, "was asked"
        anvil.finalise()
        assert outbox.observe("mined").fate is Fate.MINED


def test_what_left_the_pool_again_leaves_the_nonce_to_its_purpose(conn: Conn, anvil: Anvil, outbox: Outbox) -> None:
    chain = Chain(anvil.url)
    intent = Intent("left", deploy(chain), b"left", 60_000)
    cut_when_decided(conn, chain, intent)
    anvil.mine_at_once(on=False)
    tx_hash, raw = signed(chain, to=intent.to, data=b"from elsewhere")
    chain.send(raw)
    with pytest.raises(ForeignPending):
        outbox.submit(intent)
    anvil.ask("anvil_dropTransaction", "0x" + tx_hash.hex())
    outbox.submit(intent)
    anvil.finalise()
    assert outbox.observe("left").fate is Fate.MINED
    assert [log.data for log in chain.logs(intent.to or b"", first=0)] == [b"left"]


def void_of(outbox: Outbox) -> Callable[[Intent], Outcome]:
    return lambda intent: outbox.void(intent.purpose)


def test_replacements_end_at_a_ceiling(anvil: Anvil, outbox: Outbox) -> None:
    anvil.mine_at_once(on=False)
    intent = Intent("never", ADDRESS, b"n", 60_000)
    outbox.submit(intent)

    def pay_more() -> None:
        for _ in range(20):
            outbox.bump("never")

    with pytest.raises(FeeCeiling, match="replaced 10 times"):
        pay_more()
    anvil.ask("evm_mine")


def test_gas_dearer_than_we_offer_waits_and_goes_through_when_it_is_cheaper(anvil: Anvil, outbox: Outbox) -> None:
    chain = Chain(anvil.url)
    address = deploy(chain)
    anvil.mine_at_once(on=False)
    anvil.ask("anvil_setNextBlockBaseFeePerGas", hex(3 * FEE_WEI_MAX))
    anvil.ask("evm_mine")
    intent = Intent("dear", address, b"dear", 60_000)
    asked = outbox.submit(intent)
    assert (asked.fate, asked.newest and asked.newest.max_fee) == (Fate.WAITING, FEE_WEI_MAX)
    with pytest.raises(FeeCeiling):
        outbox.bump("dear")
    anvil.ask("anvil_setNextBlockBaseFeePerGas", hex(1))
    anvil.ask("evm_mine")
    outbox.submit(intent)
    anvil.ask("evm_mine")
    assert outbox.observe("dear").fate is Fate.MINED
    assert len(chain.logs(address, first=0)) == 1


def test_after_a_reorganisation_the_same_bytes_are_sent_again(anvil: Anvil, outbox: Outbox) -> None:
    chain = Chain(anvil.url)
    address = deploy(chain)
    anvil.finalise()
    intent = Intent("reorganised", address, b"again", 60_000)
    outbox.submit(intent)
    mined = seen_mined(outbox, intent.purpose)
    anvil.mine_at_once(on=False)
    anvil.ask("anvil_rollback", 1)
    assert outbox.observe("reorganised").fate is Fate.WAITING
    again = outbox.submit(intent)
    anvil.finalise()
    assert outbox.observe("reorganised").fate is Fate.MINED
    assert again.newest is not None
    assert mined.newest is not None
    assert again.newest.tx_hash == mined.newest.tx_hash
    assert len(chain.logs(address, first=0)) == 1


def test_what_was_final_and_is_gone_waits_again_with_the_same_bytes(anvil: Anvil, outbox: Outbox) -> None:
    chain = Chain(anvil.url)
    address = deploy(chain)
    anvil.finalise()
    intent = Intent("undone", address, b"undone", 60_000)
    outbox.submit(intent)
    mined = seen_mined(outbox, intent.purpose)
    anvil.finalise()
    outbox.observe("undone")
    assert outbox.open_purposes() == []
    anvil.mine_at_once(on=False)
    anvil.ask("anvil_rollback", 4)
    assert outbox.observe("undone").fate is Fate.WAITING
    again = outbox.submit(intent)
    anvil.finalise()
    assert outbox.observe("undone").fate is Fate.MINED
    assert again.newest is not None
    assert mined.newest is not None
    assert again.newest.tx_hash == mined.newest.tx_hash
    assert len(chain.logs(address, first=0)) == 1


def test_time_does_not_run_backwards(anvil: Anvil) -> None:
    with pytest.raises(NodeRefused):
        Chain(anvil.url).advance_time(-1)


def finally_seen(s: Any, anvil: Anvil) -> list[str]:
    drive(s)
    anvil.finalise()
    return [standing.state.name for standing in drive(s)]


def test_a_batch_settles_on_anvil(database: str, anvil: Anvil, tmp_path: Path) -> None:
    field = Field(dsn=database, url=anvil.url, folder=tmp_path)
    field.post([*registry_commands(), *day(1)])
    with field.settlement() as s:
        batch = seal_next(s, settling=True)
        assert batch is not None
        attest(s, tmp_path, [(1, batch.header_hash)], list(ATTESTERS))
        drive(s)
        seen_mined(s.outbox, purpose(batch, "commit"))
        (standing,) = drive(s)
        assert standing.reason == "waits for the block of its commit to be finalised"
        assert finally_seen(s, anvil) == ["CONFIRMED"]
        s.alliance.chain.advance_time(6 * 3_600)
        assert finally_seen(s, anvil) == ["FINALISED"]
        assert [tx.status for tx in status(s.conn)[1].transactions] == ["MINED", "MINED"]
        assert len(s.alliance.hub.events("BatchCommitted", first=0)) == 2
