"""Signers that take their time, are overtaken, say no, sign something else or are not there: nobody waits for them, and
of what they sign for one decision one signature is kept and sent.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from settlement import lease
from settlement.batches import seal_next
from settlement.chain.client import Chain
from settlement.chain.intents import is_filler
from settlement.chain.nonces import NonceBook
from settlement.chain.outbox import Intent, LocalSigner, Outbox
from settlement.chain.refused import SignerRefused, SignerSilent
from settlement.chain.senders import RemoteSigner
from settlement.steps import Fate, State
from settlement.submitter import drive
from settlement.watch.watcher import watch
from tests.settlement.chain.field import ATTESTERS, Field, attest, day
from tests.settlement.chain.test_senders import Reply, signed, signer_that
from tests.settlement.chain.tiny import ADDRESS, SENDER, deploy, send

Conn = psycopg.Connection[Any]
NOBODY = "http://127.0.0.1:9"
NO_WAIT = "-c lock_timeout=1s"
_TOUCHES = (
    "UPDATE settlement.lease SET holder = holder",
    "UPDATE settlement.chain_nonce SET done = done",
    "UPDATE settlement.batch SET state = state",
    "SELECT pg_advisory_xact_lock(hashtextextended('settlement.chain_nonce', 0))",
)
_WAITING_OPEN = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'
"""


def nothing() -> None:
    """Nothing happens while the signer thinks."""


class Thinking:
    """A signer that thinks for a while, once: until `meanwhile` has happened."""

    def __init__(self, meanwhile: Callable[[], object] = nothing) -> None:
        self._key = LocalSigner(SENDER.key)
        self.address, self.meanwhile, self.asked = self._key.address, meanwhile, list[dict[str, Any]]()

    def sign(self, fields: dict[str, Any]) -> tuple[bytes, bytes]:
        made = self._key.sign(fields)
        self.asked.append(fields)
        happens, self.meanwhile = self.meanwhile, nothing
        happens()
        return made


@pytest.fixture
def conn(database: str) -> Iterator[Conn]:
    with psycopg.connect(database, autocommit=True) as made:
        yield made


@pytest.fixture
def other(database: str) -> Iterator[Conn]:
    """Another session, which is not willing to wait for anybody's lock."""
    with psycopg.connect(database, autocommit=True, options=NO_WAIT) as made:
        yield made


def raws(conn: Conn) -> list[bytes]:
    return [bytes(raw) for (raw,) in conn.execute("SELECT raw FROM settlement.chain_tx").fetchall()]


def test_while_the_signer_thinks_rows_are_free_and_the_watcher_goes_on(field: Field, other: Conn) -> None:
    field.post(day(1))
    signer, watched = Thinking(), list[object]()
    with replace(field, signer=signer).settlement() as s:
        batch = seal_next(s)
        assert batch is not None
        attest(s, field.folder, [(1, batch.header_hash)], list(ATTESTERS))

        def meanwhile() -> None:
            watched.append(watch(other, s.alliance))
            for touch in _TOUCHES:
                other.execute(touch)
            watched.append(other.execute(_WAITING_OPEN).fetchone())

        signer.meanwhile = meanwhile
        (standing,) = drive(s)
        assert standing.state is State.CONFIRMED
        assert watched[1:] == [(0,)]


@pytest.mark.parametrize("goes_on", [True, False])
def test_what_a_signer_answers_to_who_lost_the_lead_is_thrown_away(
    conn: Conn, other: Conn, chain: Chain, *, goes_on: bool
) -> None:
    intent = Intent("once", deploy(chain), b"once", 60_000)
    mine = lease.take(conn, "submitter", holder="first")
    successor, held = Thinking(), list[lease.Lease]()

    def go_on() -> Fate:
        return Outbox(other, chain, successor, lease=held[0]).submit(intent).fate

    def overtake() -> None:
        other.execute("UPDATE settlement.lease SET expires_at = clock_timestamp() - interval '1 second'")
        held.append(lease.take(other, "submitter", holder="second"))
        if goes_on:
            assert go_on() is Fate.MINED

    sleeper = Thinking(overtake)
    with pytest.raises(lease.LeaseLost):
        Outbox(conn, chain, sleeper, lease=mine).submit(intent)
    assert len(raws(conn)) == int(goes_on)
    assert go_on() is Fate.MINED
    assert successor.asked == sleeper.asked, "the same transaction, to the byte"
    assert len(raws(conn)) == 1
    assert [log.data for log in chain.logs(intent.to or b"", first=0)] == [b"once"]


def test_what_is_signed_for_what_was_decided_otherwise_meanwhile_is_thrown_away(
    conn: Conn, other: Conn, chain: Chain
) -> None:
    intent = Intent("late", deploy(chain), b"late", 60_000)
    signer = Thinking(lambda: Outbox(other, chain, LocalSigner(SENDER.key)).void("late"))
    assert Outbox(conn, chain, signer).submit(intent).fate is Fate.DROPPED
    assert [is_filler(raw, ADDRESS) for raw in raws(conn)] == [True]
    assert chain.logs(intent.to or b"", first=0) == []


def test_what_comes_after_somebody_has_asked_again_is_thrown_away(conn: Conn, other: Conn, chain: Chain) -> None:
    intent = Intent("again", deploy(chain), b"again", 60_000)

    def ask_again() -> None:
        with pytest.raises(SignerSilent):
            Outbox(other, chain, RemoteSigner(NOBODY, ADDRESS)).submit(intent)

    outbox = Outbox(conn, chain, Thinking(ask_again))
    assert (outbox.submit(intent).fate, raws(conn)) == (Fate.ASKED, [])
    assert (outbox.submit(intent).fate, len(raws(conn))) == (Fate.MINED, 1)


def test_what_a_silent_signer_was_asked_keeps_its_nonce_and_goes_first(conn: Conn, chain: Chain) -> None:
    address, used = deploy(chain), chain.nonce(ADDRESS)
    first, second = (Intent(name, address, name.encode(), 60_000) for name in ("first", "second"))
    silent = Outbox(conn, chain, RemoteSigner(NOBODY, ADDRESS))
    for intent in (first, second, first):
        with pytest.raises(SignerSilent):
            silent.submit(intent)
    outbox = Outbox(conn, chain, LocalSigner(SENDER.key))
    assert (outbox.observe("first").fate, outbox.observe("second").fate) == (Fate.ASKED, Fate.NEVER)
    assert (outbox.nonce_of("first"), raws(conn)) == (used, [])
    assert outbox.submit(second).fate is Fate.MINED
    assert [log.data for log in chain.logs(address, first=0)] == [b"first", b"second"]
    assert outbox.observe("first").fate is Fate.MINED


@pytest.mark.parametrize("reply", [lambda asked: signed(asked, data="0x"), lambda _asked: None])
def test_what_a_signer_will_not_sign_as_it_was_asked_holds_nothing_up(conn: Conn, chain: Chain, reply: Reply) -> None:
    address, used = deploy(chain), chain.nonce(ADDRESS)
    with signer_that(reply) as url, pytest.raises(SignerRefused):
        Outbox(conn, chain, RemoteSigner(url, ADDRESS)).submit(Intent("unwelcome", address, b"u", 60_000))
    outbox = Outbox(conn, chain, LocalSigner(SENDER.key))
    assert (outbox.observe("unwelcome").fate, raws(conn), chain.nonce(ADDRESS)) == (Fate.NEVER, [], used)
    assert outbox.submit(Intent("welcome", address, b"welcome", 60_000)).fate is Fate.MINED
    assert outbox.nonce_of("welcome") == used


def cut_when_decided(conn: Conn, chain: Chain, intent: Intent) -> Outbox:
    """An outbox after its process ended before the signer was asked."""

    def cut(point: str) -> None:
        if point == "decided":
            raise InterruptedError

    with pytest.raises(InterruptedError):
        Outbox(conn, chain, LocalSigner(SENDER.key), checkpoint=cut).submit(intent)
    return Outbox(conn, chain, LocalSigner(SENDER.key))


@pytest.mark.parametrize(("obsolete", "fate"), [(frozenset[str](), Fate.MINED), (frozenset({"left"}), Fate.DROPPED)])
def test_what_was_left_unsigned_is_signed_or_its_nonce_filled(
    conn: Conn, chain: Chain, obsolete: frozenset[str], fate: Fate
) -> None:
    intent = Intent("left", deploy(chain), b"left", 60_000)
    outbox = cut_when_decided(conn, chain, intent)
    outbox.tend(obsolete=obsolete, owned=["left"])
    assert outbox.observe("left").fate is Fate.ASKED, "somebody else decides about it"
    outbox.tend(obsolete=obsolete, owned=[])
    assert outbox.observe("left").fate is fate
    assert len(raws(conn)) == 1
    assert outbox.submit(intent).fate is fate


def test_what_is_to_be_something_else_by_now_is_decided_anew(conn: Conn, chain: Chain) -> None:
    intent = Intent("left", deploy(chain), b"left", 60_000)
    outbox = cut_when_decided(conn, chain, intent)
    nonce = outbox.nonce_of("left")
    assert outbox.submit(replace(intent, data=b"right")).fate is Fate.MINED
    assert [log.data for log in chain.logs(intent.to or b"", first=0)] == [b"right"]
    assert (outbox.nonce_of("left"), len(raws(conn))) == (nonce, 1)


def test_a_nonce_that_another_used_before_it_was_signed_for_is_dropped(conn: Conn, chain: Chain) -> None:
    intent = Intent("left", deploy(chain), b"left", 60_000)
    outbox = cut_when_decided(conn, chain, intent)
    send(chain, to=intent.to, data=b"from elsewhere")
    assert [outbox.observe("left").fate, outbox.submit(intent).fate] == [Fate.DROPPED] * 2
    outbox.retire("left")
    assert outbox.submit(intent).fate is Fate.MINED


def test_what_was_tried_again_elsewhere_is_not_signed_for_its_first_nonce_too(conn: Conn, chain: Chain) -> None:
    intent = Intent("left", deploy(chain), b"left", 60_000)
    outbox = cut_when_decided(conn, chain, intent)
    nonce = outbox.nonce_of("left")
    assert nonce is not None
    book = NonceBook(conn, chain_id=chain.chain_id(), sender=ADDRESS)
    book.close(nonce)  # by the word of a node that counts too high
    outbox.retire("left")
    book.reopen(used=nonce)
    assert outbox.submit(intent).fate is Fate.MINED
    assert outbox.nonce_of("left") == nonce + 1
    assert [log.data for log in chain.logs(intent.to or b"", first=0)] == [b"left"], "once"
    assert [is_filler(raw, ADDRESS) for raw in raws(conn)].count(True) == 1
