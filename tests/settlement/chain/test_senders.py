"""Keys: made encrypted, opened by password, asked of a signer elsewhere that may cheat, refused where all have them."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
from eth_account import Account
from web3 import Web3

from settlement.chain.client import Chain, ChainUnclear
from settlement.chain.outbox import Intent, Outbox
from settlement.chain.refused import SignerRefused, SignerSilent
from settlement.chain.senders import (
    KeyRefused,
    LocalSigner,
    RemoteSigner,
    open_keystore,
    refuse_test_keys,
)
from settlement.networks import main
from settlement.steps import Fate
from tests.loopback import Quiet, listening
from tests.settlement.chain.tiny import ADDRESS, SENDER, deploy

CUT_OFF_S_MAX = 10.0
PASSWORD = "correct horse battery staple"
FIELDS: dict[str, Any] = {
    "type": 2,
    "chainId": 1,
    "nonce": 3,
    "gas": 50_000,
    "maxFeePerGas": 9,
    "maxPriorityFeePerGas": 1,
    "value": 0,
    "data": b"hello",
    "to": b"\x07" * 20,
}


def test_a_key_is_made_encrypted_and_opens_with_its_password_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, password = tmp_path / "operator.json", tmp_path / "password"
    password.touch(mode=0o600)
    password.write_text(PASSWORD + "\n")
    assert main(["new-key", "--password-file", str(password), str(store)]) == 0
    signer = open_keystore(store, password)
    assert capsys.readouterr().out.strip() == "0x" + signer.address.hex()
    assert store.stat().st_mode & 0o077 == 0
    assert json.loads(store.read_text())["version"] == 3
    tx_hash, raw = signer.sign(FIELDS)
    assert Account.recover_transaction(raw) == Web3.to_checksum_address(signer.address)
    assert tx_hash == Web3.keccak(raw)
    assert main(["new-key", "--password-file", str(password), str(store)]) == 1, "an existing key is never overwritten"
    password.chmod(0o640)
    with pytest.raises(KeyRefused, match="others may read this file; chmod 600 it"):
        open_keystore(store, password)
    password.chmod(0o600)
    password.write_text("another, wrong one")
    with pytest.raises(KeyRefused, match="does not open"):
        open_keystore(store, password)
    password.write_text("short")
    assert main(["new-key", "--password-file", str(password), str(tmp_path / "other.json")]) == 1
    assert not (tmp_path / "other.json").exists()


@pytest.mark.parametrize(
    "key", ["ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80", "00" * 31 + "01", "00" * 30 + "0123"]
)
def test_a_key_that_everybody_has_is_refused(key: str) -> None:
    with pytest.raises(KeyRefused, match="everybody has its key"):
        refuse_test_keys(LocalSigner(bytes.fromhex(key)))


def test_a_key_of_ones_own_is_not() -> None:
    refuse_test_keys(LocalSigner(SENDER.key))


Reply = Callable[[dict[str, Any]], Any]


@contextmanager
def signer_that(reply: Reply) -> Iterator[str]:
    """A signer elsewhere: an HTTP server that answers `eth_signTransaction`."""

    class Handler(Quiet):
        def do_POST(self) -> None:
            asked = json.loads(self.asked())
            self.answer(json.dumps({"jsonrpc": "2.0", "id": 1, "result": reply(asked["params"][0])}).encode())

    with listening(Handler) as url:
        yield url


def signed(asked: dict[str, Any], key: bytes = SENDER.key, **changes: Any) -> str:
    fields = {name: value for name, value in asked.items() if name != "from"}
    return "0x" + bytes(Account.sign_transaction({**fields, **changes}, key).raw_transaction).hex()


def test_a_signer_elsewhere_signs_what_the_outbox_sends(database: str, chain: Chain) -> None:
    address = deploy(chain)
    with signer_that(signed) as url, psycopg.connect(database, autocommit=True) as conn:
        outbox = Outbox(conn, chain, RemoteSigner(url, ADDRESS))
        assert outbox.submit(Intent("from elsewhere", address, b"remote", 60_000)).fate is Fate.MINED
    assert [log.data for log in chain.logs(address, first=0)] == [b"remote"]


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (lambda asked: signed(asked, gas=21_000), "changed gas"),
        (lambda asked: signed(asked, to="0x" + "08" * 20), "changed to"),
        (lambda asked: signed(asked, data="0x"), "changed data"),
        (lambda asked: signed(asked, value=1), "changed value"),
        (lambda asked: signed(asked, accessList=[{"address": "0x" + "08" * 20, "storageKeys": []}]), "access list"),
        (lambda asked: signed(asked, key=b"\x44" * 32), "signed by"),
        (lambda _asked: "0x02f8", "no EIP-1559 transaction"),
        (lambda _asked: None, "no signature"),
    ],
)
def test_a_signer_that_cheats_is_found_out(reply: Reply, why: str) -> None:
    with signer_that(reply) as url, pytest.raises(SignerRefused, match=why):
        RemoteSigner(url, ADDRESS).sign(FIELDS)


def test_a_creation_that_comes_back_as_a_call_is_refused() -> None:
    creation = {name: value for name, value in FIELDS.items() if name != "to"}
    with signer_that(signed) as url:
        RemoteSigner(url, ADDRESS).sign(creation)
    called = signer_that(lambda asked: signed(asked, to="0x" + "08" * 20))
    with called as url, pytest.raises(SignerRefused, match="changed to"):
        RemoteSigner(url, ADDRESS).sign(creation)


@contextmanager
def trickling() -> Iterator[str]:
    """Whoever asks is answered one byte after another, in time each, and never to the end of the first line."""
    over = threading.Event()

    class Handler(Quiet):
        def do_POST(self) -> None:
            self.close_connection = True
            with suppress(OSError):
                while not over.wait(0.1):
                    self.wfile.write(b"H")

    with listening(Handler) as url:
        try:
            yield url
        finally:
            over.set()


def ask_signer(url: str) -> None:
    with suppress(SignerRefused):
        RemoteSigner(url, ADDRESS, sign_s_max=1.0).sign(FIELDS)


def ask_node(url: str) -> None:
    with suppress(ChainUnclear):
        Chain(url, answer_s_max=1.0).chain_id()


@pytest.mark.parametrize("ask", [ask_signer, ask_node])
def test_who_trickles_is_cut_off_within_its_time(ask: Callable[[str], None]) -> None:
    with trickling() as url:
        asking = threading.Thread(target=ask, args=(url,))
        asking.start()
        asking.join(CUT_OFF_S_MAX)
        hangs = asking.is_alive()
    asking.join()
    assert not hangs


def dies(_asked: dict[str, Any]) -> Any:
    raise ConnectionAbortedError


def test_of_a_signer_that_is_not_there_or_dies_nobody_knows_whether_it_signed() -> None:
    with pytest.raises(SignerSilent, match="no signature"):
        RemoteSigner("http://127.0.0.1:9", ADDRESS).sign(FIELDS)
    with signer_that(dies) as url, pytest.raises(SignerSilent, match="no signature"):
        RemoteSigner(url, ADDRESS).sign(FIELDS)


@pytest.mark.parametrize(("status", "silent"), [(403, False), (500, False), (502, True), (503, True), (504, True)])
def test_a_gateway_without_an_answer_is_silence_and_a_refusal_is_none(*, status: int, silent: bool) -> None:
    class Handler(Quiet):
        def do_POST(self) -> None:
            self.asked()
            self.answer(b"{}", status)

    with listening(Handler) as url, pytest.raises(SignerRefused, match=f"answered {status}") as told:
        RemoteSigner(url, ADDRESS).sign(FIELDS)
    assert isinstance(told.value, SignerSilent) == silent
