"""Batches whose lanes are signed for elsewhere, by signers that refuse, cheat or are silent."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from coincurve import PrivateKey

from proofs.kinds import Kind
from proofs.signature import sign
from settlement.batches import Settlement, seal_next
from settlement.lane_budget import Budget
from settlement.lane_limits import Policy
from settlement.lane_signer import Server
from settlement.sealing.lanes import SILENT, Keystore, Roster, open_keystore
from settlement.sealing.refusals import Reason, SealRefused
from settlement.sealing.remote_lanes import RemoteLanes, Route, read_roster, write_roster
from settlement.steps import State
from settlement.submitter import drive
from settlement.watch.alerts import alerts
from tests.settlement.chain.field import MERCHANTS, Field, day
from tests.settlement.chain.test_lane_signer import AMPLE, HERE, TILL, TODAY, TOKEN, policy_for, running, served

SILENCE_S = 3.0
"""Whoever answers has time for it, beside one who does not, on a machine that has much else to do."""


def elsewhere(field: Field) -> tuple[Keystore, Roster, Policy]:
    """The field's own lanes, as another process holds them, with ample limits on its chain."""
    with field.settlement() as s:
        keystore = open_keystore(field.folder / "lanes.json", production=False)
        anchor = s.alliance.anchor
    write_roster(field.folder / "public.json", keystore.roster)
    return keystore, read_roster(field.folder / "public.json"), policy_for(anchor.chain_id, anchor.hub)


def test_a_batch_is_sealed_with_keys_that_are_elsewhere(field: Field) -> None:
    """And one whose signer signs by other keys is refused before anything is stored."""
    keystore, roster, policy = elsewhere(field)
    field.post(day(1))
    with field.settlement() as plain:
        with cheating(field.folder) as url, pytest.raises(SealRefused) as found:
            seal_next(replace(plain, lanes=RemoteLanes(url, roster, token=TOKEN)))
        assert found.value.reason is Reason.SIGNATURE
        with served(keystore, field.folder, policy) as url:
            batch = seal_next(replace(plain, lanes=RemoteLanes(url, roster, token=TOKEN)))
        assert batch is not None
        assert (batch.batch_no, batch.state) == (1, State.PUBLISHED)


def signers_in(s: Settlement, batch_no: int) -> set[int]:
    """Whose leaves a batch holds."""
    rows = s.conn.execute("SELECT event_id FROM settlement.batch_leaf WHERE batch_no = %s", [batch_no]).fetchall()
    return {int.from_bytes(event_id[:4], "big") for (event_id,) in rows}


def parked(s: Settlement) -> set[str]:
    return {row.place for row in alerts(s.conn) if row.code == "lane-parked"}


def test_what_a_signer_refuses_waits_and_goes_when_it_may(field: Field) -> None:
    keystore, roster, ample = elsewhere(field)
    narrow = Policy(
        separator=ample._separator,
        default=AMPLE,
        lanes={TILL: replace(AMPLE, kinds=frozenset({Kind.REDEEM}))},
    )
    field.post(day(1))
    with field.settlement() as plain:
        with served(keystore, field.folder, narrow) as url:
            first = seal_next(replace(plain, lanes=RemoteLanes(url, roster, token=TOKEN)))
        assert first is not None
        assert parked(plain) == {"lane 1/1: kind"}
        assert {2, 3} <= signers_in(plain, 1)
        legs = first.done.header.leaf_count
        field.post(day(2))
        with served(keystore, field.folder, ample) as url:
            second = seal_next(replace(plain, lanes=RemoteLanes(url, roster, token=TOKEN)))
        assert second is not None
        assert parked(plain) == set()
        (total,) = plain.conn.execute("SELECT count(*) FROM settlement.batch_leaf").fetchone() or (0,)
        assert legs + second.done.header.leaf_count == total
        assert plain.conn.execute("SELECT count(*) FROM settlement.parked WHERE sealed_in IS NULL").fetchone() == (0,)


@contextmanager
def silent(*, trickle: bytes = b"") -> Iterator[str]:
    """A signer that takes what it is asked and says nothing, or says it a byte at a time and never comes to an end."""
    over = threading.Event()

    def hold(connected: socket.socket) -> None:
        with connected:
            for byte in trickle * 1_000:
                try:
                    connected.sendall(bytes([byte]))
                except OSError:
                    return
                if over.wait(0.05):
                    return
            over.wait()

    def accept(listening: socket.socket) -> None:
        while not over.is_set():
            try:
                connected, _ = listening.accept()
            except TimeoutError:
                continue
            threading.Thread(target=hold, args=(connected,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.05)
        accepting = threading.Thread(target=accept, args=(listening,))
        accepting.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            over.set()
            accepting.join()


@pytest.mark.parametrize("trickle", [b"", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n "])
def test_one_silent_signer_leaves_out_its_own_lanes_only(field: Field, trickle: bytes) -> None:
    keystore, roster, policy = elsewhere(field)
    field.post(day(1))
    with field.settlement() as plain, served(keystore, field.folder, policy) as url:
        with silent(trickle=trickle) as nobody:
            lanes = RemoteLanes(url, roster, token=TOKEN, elsewhere={2: Route(nobody)}, sign_seconds_max=SILENCE_S)
            first = seal_next(replace(plain, lanes=lanes))
        assert first is not None
        assert (first.state, signers_in(plain, 1)) == (State.PUBLISHED, {1, 3})
        assert parked(plain) == {f"lane 2/1: {SILENT}"}
        field.post(day(2))
        again = RemoteLanes(url, roster, token=TOKEN, elsewhere={2: Route(url, TOKEN)})
        assert seal_next(replace(plain, lanes=again)) is not None
        assert (signers_in(plain, 2), parked(plain)) == ({1, 2, 3}, set())


def test_while_no_signer_answers_nothing_is_sealed_and_the_next_turn_goes_on(field: Field) -> None:
    keystore, roster, policy = elsewhere(field)
    field.post(day(1))
    with field.settlement() as plain:
        with silent() as nobody:
            lanes = RemoteLanes(nobody, roster, token=TOKEN, sign_seconds_max=0.3)
            assert seal_next(replace(plain, lanes=lanes)) is None
        assert len(parked(plain)) == len(MERCHANTS)
        with served(keystore, field.folder, policy) as url:
            batch = seal_next(replace(plain, lanes=RemoteLanes(url, roster, token=TOKEN)))
        assert batch is not None
        assert (batch.batch_no, batch.incarnation, parked(plain)) == (1, 0, set())


def test_a_batch_that_is_made_again_waits_for_its_signer(field: Field) -> None:
    """A mirror was down after sealing; when it is back the signer is silent, and then it is not."""
    keystore, roster, policy = elsewhere(field)
    field.post(day(1))
    down = field.mirrors[1]
    with field.settlement() as plain:
        down.rename(down.with_name("away"))
        down.write_text("no folder")
        with served(keystore, field.folder, policy) as url:
            sealed = seal_next(replace(plain, lanes=RemoteLanes(url, roster, token=TOKEN)))
        assert sealed is not None
        assert sealed.state is State.SEALED
        down.unlink()
        down.with_name("away").rename(down)
        with silent() as nobody:
            lanes = RemoteLanes(nobody, roster, token=TOKEN, sign_seconds_max=0.3)
            (standing,) = drive(replace(plain, lanes=lanes))
        assert (standing.state, standing.alarm) == (State.SEALED, "signer-refused")
        with served(keystore, field.folder, policy) as url:
            (standing,) = drive(replace(plain, lanes=RemoteLanes(url, roster, token=TOKEN)))
        assert standing.state is State.PUBLISHED


@contextmanager
def cheating(folder: Path) -> Iterator[str]:
    """A signer that signs everything with a key of its own."""
    key = PrivateKey(b"\x31" * 32)

    class Other(Server):
        def signed(self, asked: Any) -> list[dict[str, str]]:
            digests = [bytes.fromhex(each["digest"].removeprefix("0x")) for each in asked]
            return [{"signature": f"0x{(r + vs).hex()}"} for r, vs in (sign(key, digest) for digest in digests)]

    with ExitStack() as stack:
        budget = stack.enter_context(closing(Budget(folder / "cheating", HERE, today=lambda: TODAY)))
        server = Other(("127.0.0.1", 0), Keystore({}), TOKEN, policy=HERE, budget=budget)
        yield stack.enter_context(running(server))
