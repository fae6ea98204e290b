"""Hosted lanes signed for by another process: keys under a password, a token, and signers that cheat."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from coincurve import PrivateKey

from proofs.accounts import OPERATOR_ID
from proofs.signature import recover, sign
from settlement.batches import seal_next
from settlement.chain.senders import SignerRefused
from settlement.lane_signer import KeysRefused, Server, keystore_of, main, open_keys
from settlement.sealing.lanes import POS, Keystore, LaneId, open_keystore
from settlement.sealing.refusals import Reason, SealRefused
from settlement.sealing.remote_lanes import (
    DIGESTS_PER_REQUEST_MAX,
    METHOD,
    RemoteLanes,
    RosterRefused,
    read_roster,
    write_roster,
)
from settlement.steps import State
from tests.settlement.chain.field import MERCHANTS, Field, day

TOKEN, PASSWORD = "a token of some letters", "correct horse battery staple"
TILL = LaneId(1, POS)


def served(keystore: Keystore) -> AbstractContextManager[str]:
    return running(Server(("127.0.0.1", 0), keystore, TOKEN))


@contextmanager
def running(server: Server) -> Iterator[str]:
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def made(folder: Path, *merchants: int) -> Path:
    """Keys by the command, with their public list."""
    (folder / "password").write_text(PASSWORD + "\n")
    numbers = [word for merchant in merchants for word in ("--merchant", str(merchant))]
    where = ["--password-file", str(folder / "password"), "--roster", str(folder / "roster.json")]
    assert main(["new", *where, *numbers, str(folder / "lanes.sealed")]) == 0
    return folder / "lanes.sealed"


def test_keys_are_made_once_and_open_with_their_password_only(tmp_path: Path) -> None:
    path = made(tmp_path, 1)
    keys = open_keys(path, PASSWORD)
    assert keys.keys() == {LaneId(party, key) for party in (1, OPERATOR_ID) for key in (1, 2, 3)}
    assert path.stat().st_mode & 0o077 == 0
    assert all(key.secret.hex() not in path.read_text() for key in keys.values())
    made(tmp_path, 1, 2)
    more = open_keys(path, PASSWORD)
    assert {lane: more[lane].secret for lane in keys} == {lane: key.secret for lane, key in keys.items()}
    roster = read_roster(tmp_path / "roster.json")
    assert [(lane.id, lane.address, lane.kinds) for lane in roster] == [
        (lane.id, lane.address, lane.kinds) for lane in keystore_of(more).roster
    ]
    with pytest.raises(KeysRefused, match="does not open"):
        open_keys(path, PASSWORD + ".")
    (tmp_path / "password").write_text("short")
    where = ["--password-file", str(tmp_path / "password"), "--roster", str(tmp_path / "roster.json")]
    assert main(["new", *where, str(path)]) == 1
    (tmp_path / "roster.json").write_text('{"lanes": [{"merchant_id": 1}]}')
    with pytest.raises(RosterRefused):
        read_roster(tmp_path / "roster.json")


def test_who_has_the_token_is_signed_for(tmp_path: Path) -> None:
    keystore = keystore_of(open_keys(made(tmp_path, 1), PASSWORD))
    roster = read_roster(tmp_path / "roster.json")
    asked = [(TILL, number.to_bytes(32, "big")) for number in range(1, DIGESTS_PER_REQUEST_MAX + 3)]
    with served(keystore) as url:
        signatures = RemoteLanes(url, roster, token=TOKEN).sign(asked)
        lane = roster.get(TILL)
        assert lane is not None
        assert [recover(digest, *each) for (_, digest), each in zip(asked, signatures, strict=True)] == [
            lane.address
        ] * len(asked)
        assert signatures == keystore.sign(asked)
        for token in (None, TOKEN[:-1], TOKEN + "."):
            with pytest.raises(SignerRefused):
                RemoteLanes(url, roster, token=token).sign(asked[:1])
        stranger = keystore_of({LaneId(9, POS): PrivateKey(b"\x09" * 32)}).roster
        with pytest.raises(SignerRefused):
            RemoteLanes(url, stranger, token=TOKEN).sign([(LaneId(9, POS), bytes(32))])
        senseless: list[object] = ["x", [["0x00"]], [[f"0x{lane.address.hex()}", "0x07"]]]
        for params in [*senseless, [[]] * (DIGESTS_PER_REQUEST_MAX + 1)]:
            told = refused(url, {"method": METHOD, "params": params})
            assert told["error"]["code"] == -32602
        assert refused(url, {"method": "eth_sign", "params": []})["error"]["code"] == -32601
    with pytest.raises(SignerRefused, match="no signatures"):
        RemoteLanes(url, roster, token=TOKEN).sign(asked[:1])


def refused(url: str, body: dict[str, object]) -> dict[str, dict[str, int]]:
    answer = requests.post(url, data=json.dumps(body), headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10)
    told: dict[str, dict[str, int]] = answer.json()
    return told


def test_a_batch_is_sealed_with_keys_that_are_elsewhere(field: Field) -> None:
    """And one whose signer signs by other keys is refused before anything is stored."""
    with field.settlement():
        keystore = open_keystore(field.folder / "lanes.json", production=False)
    write_roster(field.folder / "public.json", keystore.roster)
    roster = read_roster(field.folder / "public.json")
    field.post(day(1))
    with field.settlement() as plain:
        with cheating() as url, pytest.raises(SealRefused) as found:
            seal_next(replace(plain, lanes=RemoteLanes(url, roster, token=TOKEN)))
        assert found.value.reason is Reason.SIGNATURE
        with served(keystore) as url:
            batch = seal_next(replace(plain, lanes=RemoteLanes(url, roster, token=TOKEN)))
        assert batch is not None
        assert (batch.batch_no, batch.state) == (1, State.PUBLISHED)


@contextmanager
def cheating() -> Iterator[str]:
    """A signer that signs everything with a key of its own."""
    key = PrivateKey(b"\x31" * 32)

    class Other(Server):
        def signed(self, asked: Any) -> list[str]:
            digests = [bytes.fromhex(digest.removeprefix("0x")) for _, digest in asked]
            return [f"0x{(r + vs).hex()}" for r, vs in (sign(key, digest) for digest in digests)]

    with running(Other(("127.0.0.1", 0), Keystore({}), TOKEN)) as url:
        yield url


def test_the_list_of_lanes_holds_no_key(tmp_path: Path) -> None:
    keys = open_keys(made(tmp_path, *MERCHANTS), PASSWORD)
    text = (tmp_path / "roster.json").read_text()
    assert all(key.secret.hex() not in text for key in keys.values())
