"""The outbox on a real node and database: once for each purpose, whatever happens; and the lease before it."""

import weakref
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from settlement import lease
from settlement.chain.client import Chain
from settlement.chain.outbox import Intent, LocalSigner, NotAutocommit, Outbox, TransactionFailed
from settlement.steps import Fate
from settlement.vault import MemberUnknown, Vault, VaultError, fresh
from tests.settlement.chain.tiny import ADDRESS, SENDER, deploy, send

Conn = psycopg.Connection[Any]


@pytest.fixture
def conn(database: str) -> Iterator[Conn]:
    with psycopg.connect(database, autocommit=True) as made:
        yield made


@pytest.fixture
def outbox(conn: Conn, chain: Chain) -> Outbox:
    return Outbox(conn, chain, LocalSigner(SENDER.key))


_ROWS = """
SELECT nonce, done, status FROM settlement.chain_nonce JOIN settlement.chain_tx USING (chain_id, sender, nonce)
WHERE purpose = %s ORDER BY max_fee
"""


def rows(conn: Conn, purpose: str) -> list[tuple[int, bool, str]]:
    found = conn.execute(_ROWS, [purpose])
    return found.fetchall()


def statuses(conn: Conn, purpose: str) -> list[str]:
    return [status for _, _, status in rows(conn, purpose)]


def test_a_purpose_is_served_once_however_often_it_is_asked(conn: Conn, chain: Chain, outbox: Outbox) -> None:
    address = deploy(chain)
    intent = Intent("say hello", address, b"hello", 60_000)
    before = chain.nonce(ADDRESS)
    outcomes = [outbox.submit(intent) for _ in range(3)]
    again = Outbox(conn, chain, LocalSigner(SENDER.key)).submit(intent)
    assert [outcome.fate for outcome in (*outcomes, again)] == [Fate.MINED] * 4
    assert [log.data for log in chain.logs(address, first=0)] == [b"hello"]
    assert chain.nonce(ADDRESS) == before + 1
    assert rows(conn, "say hello") == [(before, True, "MINED")]


def test_what_was_signed_before_a_crash_is_sent_after_it(conn: Conn, chain: Chain) -> None:
    address = deploy(chain)

    def cut(point: str) -> None:
        if point == "signed":
            raise InterruptedError

    intent = Intent("once", address, b"once", 60_000)
    with pytest.raises(InterruptedError):
        Outbox(conn, chain, LocalSigner(SENDER.key), checkpoint=cut).submit(intent)
    assert statuses(conn, "once") == ["SIGNED"]
    assert chain.logs(address, first=0) == []
    restarted = Outbox(conn, chain, LocalSigner(SENDER.key))
    assert restarted.observe("once").fate is Fate.WAITING
    assert restarted.submit(intent).fate is Fate.MINED
    assert len(chain.logs(address, first=0)) == 1


def test_a_gap_below_is_filled_with_the_bytes_that_were_stored_for_it(conn: Conn, chain: Chain, outbox: Outbox) -> None:
    address = deploy(chain)

    def cut(point: str) -> None:
        if point == "signed":
            raise InterruptedError

    with pytest.raises(InterruptedError):
        Outbox(conn, chain, LocalSigner(SENDER.key), checkpoint=cut).submit(Intent("first", address, b"one", 60_000))
    assert outbox.submit(Intent("second", address, b"two", 60_000)).fate is Fate.MINED
    assert [log.data for log in chain.logs(address, first=0)] == [b"one", b"two"]
    assert outbox.observe("first").fate is Fate.MINED


def test_a_revert_is_known_and_a_retired_purpose_starts_anew(chain: Chain, outbox: Outbox) -> None:
    address = deploy(chain)
    assert outbox.submit(Intent("say x", address, b"x", 60_000)).fate is Fate.REVERTED
    with pytest.raises(TransactionFailed):
        outbox.complete(Intent("say x", address, b"x", 60_000))
    outbox.retire("say x")
    assert (outbox.attempts("say x"), outbox.nonce_of("say x")) == (1, None)
    assert outbox.submit(Intent("say x", address, b"xx", 60_000)).fate is Fate.MINED


def test_a_nonce_that_another_transaction_used_is_dropped(conn: Conn, chain: Chain) -> None:
    address = deploy(chain)

    def cut(point: str) -> None:
        if point == "signed":
            raise InterruptedError

    with pytest.raises(InterruptedError):
        Outbox(conn, chain, LocalSigner(SENDER.key), checkpoint=cut).submit(Intent("late", address, b"late", 60_000))
    send(chain, to=address, data=b"from elsewhere")
    outbox = Outbox(conn, chain, LocalSigner(SENDER.key))
    assert outbox.observe("late").fate is Fate.DROPPED
    assert rows(conn, "late")[0][1:] == (True, "DROPPED")


def test_a_voided_purpose_is_proven_dead(conn: Conn, chain: Chain) -> None:
    address = deploy(chain)

    def cut(point: str) -> None:
        if point == "signed":
            raise InterruptedError

    with pytest.raises(InterruptedError):
        Outbox(conn, chain, LocalSigner(SENDER.key), checkpoint=cut).submit(Intent("dead", address, b"dead", 60_000))
    outbox = Outbox(conn, chain, LocalSigner(SENDER.key))
    assert outbox.void("dead").fate is Fate.DROPPED
    assert statuses(conn, "dead") == ["DROPPED", "MINED"]
    assert outbox.submit(Intent("dead", address, b"dead", 60_000)).fate is Fate.DROPPED
    assert chain.logs(address, first=0) == []


def test_one_that_is_dropped_lets_go_of_its_node_at_once(conn: Conn, chain: Chain) -> None:
    dropped = weakref.ref(Outbox(conn, chain, LocalSigner(SENDER.key)))
    assert dropped() is None


def test_it_refuses_a_connection_that_would_hold_a_transaction_open(database: str, chain: Chain) -> None:
    with psycopg.connect(database) as held, pytest.raises(NotAutocommit):
        Outbox(held, chain, LocalSigner(SENDER.key))


def test_one_leads_and_the_one_that_lost_the_lease_signs_nothing(conn: Conn, chain: Chain) -> None:
    address = deploy(chain)
    mine = lease.take(conn, "submitter", holder="first")
    assert lease.take(conn, "submitter", holder="first") == mine
    with pytest.raises(lease.LeaseHeld, match="led by first"):
        lease.take(conn, "submitter", holder="second")
    outbox = Outbox(conn, chain, LocalSigner(SENDER.key), lease=mine)
    assert outbox.submit(Intent("as leader", address, b"leader", 60_000)).fate is Fate.MINED
    conn.execute("UPDATE settlement.lease SET expires_at = clock_timestamp() - interval '1 second'")
    theirs = lease.take(conn, "submitter", holder="second")
    assert theirs.token == mine.token + 1
    with pytest.raises(lease.LeaseLost):
        outbox.submit(Intent("too late", address, b"late", 60_000))
    assert outbox.observe("too late").fate is Fate.NEVER
    with pytest.raises(lease.LeaseHeld):
        mine.renew(conn)
    theirs.release(conn)
    assert lease.take(conn, "submitter", holder="third").token == theirs.token + 1


def test_the_vault_opens_only_what_it_wrapped_under_that_name(conn: Conn) -> None:
    vault, secret = Vault(fresh()), fresh()
    wrapped = vault.wrap(secret, "one")
    assert vault.open(wrapped, "one") == secret
    assert vault.wrap(secret, "one") != wrapped
    for key, name, text in ((vault, "two", wrapped), (Vault(fresh()), "one", wrapped), (vault, "one", wrapped[::-1])):
        with pytest.raises(VaultError):
            key.open(text, name)
    assert secret.hex() not in repr(vault)
    with pytest.raises(MemberUnknown):
        vault.members(conn, ["nobody"])
