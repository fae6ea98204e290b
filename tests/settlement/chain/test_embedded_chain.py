"""The embedded node: what it answered for survives a kill, and it is reachable from this machine only."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from settlement.chain.client import Chain, ChainUnclear, NodeRefused, Reverted, SendCase
from settlement.embedded_chain.blocks import SNAPSHOTS_MAX
from settlement.embedded_chain.methods import EMPTY_BLOCKS_MAX, METHODS
from settlement.embedded_chain.process import EmbeddedNode, NodeFailed, attach, give_up, start, use
from settlement.embedded_chain.server import BATCH_CALLS_MAX, BODY_BYTES_MAX, POLL_S
from tests.settlement.chain.tiny import ADDRESS, RUNTIME, SENDER, TOPIC, deploy, send, signed

EVERYWHERE = "0.0.0.0"  # noqa: S104 - must be refused


def post(url: str, body: bytes, **headers: str) -> tuple[int, bytes]:
    request = urllib.request.Request(  # noqa: S310 - our node
        url, data=body, headers={"Content-Type": "application/json", **headers}
    )
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def ask(node: EmbeddedNode, method: str, *params: object) -> dict[str, object]:
    status, body = post(node.url, json.dumps({"jsonrpc": "2.0", "id": 7, "method": method, "params": params}).encode())
    assert status == 200
    answer: dict[str, object] = json.loads(body)
    assert answer["id"] == 7
    return answer


def test_blocks_survive_sigkill_and_the_chain_goes_on(tmp_path: Path) -> None:
    node = start(tmp_path, fund=[SENDER.address], idle_s=60)
    chain = Chain(node.url)
    genesis, address = chain.genesis_hash(), deploy(chain)
    chain.advance_time(86_400)
    before = chain.head()
    node.kill()
    again = start(tmp_path, idle_s=60)
    try:
        chain = Chain(again.url)
        assert chain.genesis_hash() == genesis
        assert chain.head() == before
        assert chain.code(address) == RUNTIME
        assert chain.now() > before.timestamp
        sent, receipt = send(chain, to=address, data=b"after the kill")
        assert sent.case is SendCase.ACCEPTED
        assert receipt is not None
        assert receipt.succeeded
    finally:
        again.stop()
    assert attach(tmp_path) is None
    assert not (tmp_path / "node.json").exists()


def test_a_second_node_on_one_folder_is_refused_and_start_joins_the_first(
    embedded: EmbeddedNode, tmp_path: Path
) -> None:
    assert start(embedded.folder) == embedded
    other = [
        sys.executable,
        "-m",
        "settlement.embedded_chain",
        "--dir",
        str(embedded.folder),
        "--port-file",
        str(tmp_path / "p"),
    ]
    run = subprocess.run(other, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 1
    assert "is another node running" in run.stderr


def test_two_fresh_chains_never_share_a_genesis(embedded: EmbeddedNode, tmp_path: Path) -> None:
    with start(tmp_path, fund=[SENDER.address], idle_s=60) as other:
        assert Chain(other.url).genesis_hash() != Chain(embedded.url).genesis_hash()


def test_only_loopback(tmp_path: Path, embedded: EmbeddedNode) -> None:
    outside = [
        sys.executable,
        "-m",
        "settlement.embedded_chain",
        "--dir",
        str(tmp_path),
        "--port-file",
        str(tmp_path / "p"),
        "--host",
        EVERYWHERE,
    ]
    run = subprocess.run(outside, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 1
    assert "not a loopback address" in run.stderr
    assert post(embedded.url, b"{}", Host="chain.example")[0] == 403


def test_a_page_in_a_browser_reaches_nothing(embedded: EmbeddedNode, chain: Chain) -> None:
    """A page may post plain text anywhere without asking first, and a form likewise: the window must not pass so."""
    shift, before = b'{"method": "evm_increaseTime", "params": [604800]}', chain.now()
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        assert post(embedded.url, shift, **{"Content-Type": kind})[0] == 415
    for origin in ("https://page.example", "null", embedded.url):
        assert post(embedded.url, shift, Origin=origin)[0] == 403
    assert chain.now() - before < 604_800


def test_a_folder_that_is_no_folder_says_so(tmp_path: Path) -> None:
    (tmp_path / "chain.sqlite3").write_bytes(b"not a database, but long enough to have a header" * 40)
    with pytest.raises(NodeFailed, match="cannot open the chain"):
        start(tmp_path, idle_s=60)


def test_a_node_nobody_talks_to_stops(tmp_path: Path) -> None:
    node = start(tmp_path, idle_s=0.5)
    process_gone = subprocess.run([sys.executable, "-c", WAIT_FOR_END, str(node.pid)], timeout=30, check=False)
    assert process_gone.returncode == 0
    node.stop()


LEAVER = """
import os, pathlib, sys
from settlement.embedded_chain.process import start
print(start(pathlib.Path(sys.argv[1])).pid, flush=True)
os.kill(os.getpid(), 9)
"""


def test_a_node_ends_with_the_last_who_used_it(tmp_path: Path) -> None:
    use(tmp_path)
    left = subprocess.run([sys.executable, "-c", LEAVER, str(tmp_path)], capture_output=True, text=True, check=False)
    time.sleep(2 * POLL_S)
    node = attach(tmp_path)
    assert node is not None, "who started it was killed, but this process uses it"
    assert node.pid == int(left.stdout)
    give_up(tmp_path)
    assert subprocess.run([sys.executable, "-c", WAIT_FOR_END, str(node.pid)], timeout=30, check=False).returncode == 0


WAIT_FOR_END = """
import pathlib, sys, time
for _ in range(1000):
    state = pathlib.Path(f"/proc/{sys.argv[1]}/stat")
    if not state.exists() or state.read_text().rsplit(")", 1)[1].split()[0] == "Z":
        raise SystemExit(0)
    time.sleep(0.02)
raise SystemExit(1)
"""


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"[", -32700),
        (b"[" * 100_000, -32700),
        (b"[]", -32600),
        (b"7", -32600),
        (b'{"method": 1, "params": []}', -32600),
        (b'{"method": "eth_chainId", "params": {}}', -32600),
        (b'{"method": "eth_mine_me", "params": []}', -32601),
        (b'{"method": "eth_getBalance", "params": []}', -32602),
        (b'{"method": "eth_getBalance", "params": ["0x12", "latest"]}', -32602),
        (b'{"method": "eth_getBalance", "params": ["no hex", "latest"]}', -32602),
        (b'{"method": "eth_sendRawTransaction", "params": ["0x02ff"]}', -32000),
        (b'{"method": "evm_increaseTime", "params": [-5]}', -32000),
        (b'{"method": "eth_call", "params": [{"value": "0x%s"}, "latest"]}' % (b"f" * 64), -32602),
        (b'{"method": "eth_call", "params": [{"value": "0x1%s"}, "latest"]}' % (b"f" * 64), -32602),
        (b'{"method": "eth_getStorageAt", "params": ["0x%s", "-0x1", "latest"]}' % (b"0" * 40), -32602),
        (b'{"method": "evm_increaseTime", "params": ["0x%s"]}' % (b"f" * 64), -32000),
        (b'{"method": "evm_mine", "params": ["0xffff"]}', -32000),
    ],
)
def test_malformed_requests_get_the_codes_of_the_specification(embedded: EmbeddedNode, body: bytes, code: int) -> None:
    status, said = post(embedded.url, body)
    assert status == 200
    assert json.loads(said)["error"]["code"] == code


def test_a_snapshot_is_gone_back_to_once(embedded: EmbeddedNode, chain: Chain) -> None:
    first = ask(embedded, "evm_snapshot")["result"]
    before = chain.head()
    address = deploy(chain)
    refused = [ask(embedded, "evm_snapshot").get("error") for _ in range(SNAPSHOTS_MAX)][-1]
    assert isinstance(refused, dict)
    assert refused["code"] == -32000
    chain.advance_time(86_400)
    assert ask(embedded, "evm_revert", first)["result"] is True
    assert (chain.head(), chain.code(address)) == (before, b"")
    assert chain.now() < before.timestamp + 86_400
    assert ask(embedded, "evm_revert", first)["result"] is False
    assert deploy(chain) == address, "the same transaction is new again"


def test_sizes_are_bounded(embedded: EmbeddedNode) -> None:
    many = [{"jsonrpc": "2.0", "id": at, "method": "eth_chainId", "params": []} for at in range(BATCH_CALLS_MAX + 1)]
    assert len(json.loads(post(embedded.url, json.dumps(many[:-1]).encode())[1])) == BATCH_CALLS_MAX
    assert json.loads(post(embedded.url, json.dumps(many).encode())[1])["error"]["code"] == -32600
    assert post(embedded.url, b"{}", **{"Content-Length": str(BODY_BYTES_MAX + 1)})[0] == 413


def test_transactions_are_refused_in_the_words_of_real_nodes(chain: Chain) -> None:
    address = deploy(chain)
    nonce = chain.nonce(ADDRESS)
    first, _ = send(chain, to=address, data=b"one", nonce=nonce)
    assert first.case is SendCase.ACCEPTED
    known, raw = signed(chain, to=address, data=b"two")
    assert chain.send(raw).case is SendCase.ACCEPTED
    assert chain.send(raw).case is SendCase.ALREADY_KNOWN
    refused = {
        SendCase.NONCE_TOO_LOW: {"nonce": nonce},
        SendCase.NONCE_TOO_HIGH: {"nonce": nonce + 3},
        SendCase.FEE_TOO_LOW: {"fee": 1},
        SendCase.GAS_CAP: {"gas": 31_000_000},
        SendCase.NO_FUNDS: {"fee": 10**22},
    }
    assert [send(chain, to=address, data=b"three", **how)[0].case for how in refused.values()] == list(refused)
    assert chain.receipt(known) is not None
    assert chain.nonce(ADDRESS) == nonce + 2


def test_a_reverting_transaction_is_mined_and_pays(chain: Chain) -> None:
    address = deploy(chain)
    funds = chain.balance(ADDRESS)
    sent, receipt = send(chain, to=address, data=b"x")
    assert sent.case is SendCase.ACCEPTED
    assert receipt is not None
    assert not receipt.succeeded
    assert receipt.logs == ()
    assert chain.balance(ADDRESS) < funds


def test_logs_by_address_topic_and_range(chain: Chain) -> None:
    address, other = deploy(chain), deploy(chain)
    blocks = []
    for data in (b"first", b"second", b"third"):
        _, receipt = send(chain, to=address, data=data)
        assert receipt is not None
        blocks.append(receipt.block_number)
        send(chain, to=other, data=b"noise")
    assert [log.data for log in chain.logs(address, first=0)] == [b"first", b"second", b"third"]
    assert [log.data for log in chain.logs(address, first=blocks[1], last=blocks[1], topics=[TOPIC])] == [b"second"]
    assert chain.logs(address, first=0, topics=[TOPIC[::-1]]) == []
    assert chain.logs(address, first=0, topics=[None, TOPIC]) == []
    assert chain.logs(address, first=10**6) == []


def test_time_moves_only_forward_and_stays(chain: Chain) -> None:
    before = chain.now()
    chain.advance_time(3_600)
    assert 3_600 <= chain.now() - before < 3_700
    with pytest.raises(NodeRefused, match="only moves forward"):
        chain.advance_time(-1)


def test_finalized_and_safe_are_the_head(chain: Chain) -> None:
    deploy(chain)
    assert chain.head("finalized") == chain.head("safe") == chain.head("latest")
    assert chain.head("earliest").number == 0
    assert chain.head("pending").number == chain.head().number + 1
    with pytest.raises(ChainUnclear, match="has no block"):
        chain.head(10**9)


def test_calls_estimate_and_revert(embedded: EmbeddedNode, chain: Chain) -> None:
    address = deploy(chain)
    assert chain.call(address, b"two bytes") == b""
    with pytest.raises(Reverted):
        chain.call(address, b"x")
    call = {"to": "0x" + address.hex(), "data": "0x0102"}
    estimate = int(str(ask(embedded, "eth_estimateGas", call)["result"]), 16)
    _, receipt = send(chain, to=address, data=b"\x01\x02")
    assert receipt is not None
    assert receipt.gas_used <= estimate <= receipt.gas_used + 21_000
    refused = ask(embedded, "eth_estimateGas", {**call, "data": "0x01"})["error"]
    assert isinstance(refused, dict)
    assert refused["code"] == 3


def test_every_method_answers_something_sensible(embedded: EmbeddedNode, chain: Chain) -> None:
    address = deploy(chain)
    _, receipt = send(chain, to=address, data=b"look at me")
    assert receipt is not None
    shown, tx, block = "0x" + address.hex(), "0x" + receipt.tx_hash.hex(), "0x" + receipt.block_hash.hex()
    asked: dict[str, list[object]] = {
        "web3_sha3": ["0x"],
        "eth_feeHistory": ["0x4", "latest", [10, 50]],
        "eth_getBlockByNumber": ["pending", True],
        "eth_getBlockByHash": [block, True],
        "eth_getTransactionByHash": [tx],
        "eth_getTransactionReceipt": [tx],
        "eth_getTransactionCount": [shown, "latest"],
        "eth_getBalance": [shown, "finalized"],
        "eth_getCode": [shown],
        "eth_getStorageAt": [shown, "0x0", "latest"],
        "eth_call": [{"to": shown, "data": "0x"}, "pending"],
        "eth_estimateGas": [{"to": shown, "data": "0x"}],
        "eth_sendRawTransaction": ["0x00"],
        "eth_getLogs": [{"blockHash": block, "address": [shown], "topics": [["0x" + TOPIC.hex()]]}],
        "evm_increaseTime": ["0x0"],
        "evm_mine": [hex(EMPTY_BLOCKS_MAX // 100)],
        "evm_revert": ["0xffff"],
    }
    answers = {method: ask(embedded, method, *asked.get(method, [])) for method in METHODS}
    assert [method for method, answer in answers.items() if "error" in answer] == ["eth_sendRawTransaction"]
    found = answers["eth_getTransactionByHash"]["result"]
    assert isinstance(found, dict)
    assert (found["hash"], found["from"], found["blockHash"]) == (tx, SENDER.address.lower(), block)
    logs = answers["eth_getLogs"]["result"]
    assert isinstance(logs, list)
    assert [log["data"] for log in logs] == ["0x" + b"look at me".hex()]
