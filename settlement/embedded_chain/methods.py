"""The JSON-RPC methods of the embedded node: parameters in, JSON values out, in the encoding of the Ethereum JSON-RPC
specification.

Invariants: quantities are minimal hex, data is even hex; an unknown method, a malformed parameter or an execution
that reverts is an `RpcError` with the code real nodes use, never a stack trace. "safe" and "finalized" are the head:
this chain does not reorganise. Called by `server` under its lock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from eth.abc import BlockAPI, BlockHeaderAPI
from eth.exceptions import Revert, VMError
from eth_bloom.bloom import BloomFilter
from eth_utils.exceptions import ValidationError

from proofs.keccak import keccak256
from settlement.embedded_chain import render
from settlement.embedded_chain.blocks import BLOCK_GAS_MAX, CHAIN_ID, TIP_WEI, Call, EmbeddedChain, Refused

LOGS_MAX = 20_000
FEE_HISTORY_BLOCKS_MAX = 1_024
EMPTY_BLOCKS_MAX = 256

INVALID_PARAMS, METHOD_NOT_FOUND, SERVER_ERROR, EXECUTION_REVERTED = -32602, -32601, -32000, 3


class RpcError(Exception):
    """What the caller gets instead of a result."""

    def __init__(self, code: int, message: str, data: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.data = code, message, data


Method = Callable[[EmbeddedChain, Sequence[Any]], Any]


def answer(chain: EmbeddedChain, method: str, params: Sequence[Any]) -> Any:
    """The result of one call. Raises `RpcError`."""
    run = METHODS.get(method)
    if run is None:
        raise RpcError(METHOD_NOT_FOUND, f"the method {method} does not exist")
    try:
        return run(chain, params)
    except Refused as error:
        raise RpcError(SERVER_ERROR, str(error)) from error
    except (IndexError, KeyError, TypeError, ValueError, AttributeError, ValidationError) as error:
        raise RpcError(INVALID_PARAMS, f"{method}: invalid parameters: {error}") from error


def _quantity(value: Any) -> int:
    return int(value, 16)


def _bytes(value: Any, length: int | None = None) -> bytes:
    if not value.startswith("0x"):
        raise ValueError(f"{value[:10]!r} is not hex data")
    data = bytes.fromhex(value[2:])
    if length is not None and len(data) != length:
        raise ValueError(f"expected {length} bytes, got {len(data)}")
    return data


def _header(chain: EmbeddedChain, tag: Any) -> BlockHeaderAPI | None:
    match tag:
        case "latest" | "safe" | "finalized":
            return chain.head()
        case "pending":
            return chain.next_header()
        case "earliest":
            return chain.header(0)
        case _:
            return chain.header(_quantity(tag))


def _state(chain: EmbeddedChain, params: Sequence[Any], at: int) -> BlockHeaderAPI:
    header = _header(chain, params[at] if len(params) > at else "latest")
    if header is None:
        raise Refused("header not found")
    return header


def _block_by_number(chain: EmbeddedChain, params: Sequence[Any]) -> Any:
    header = _header(chain, params[0])
    if header is None:
        return None
    if params[0] == "pending":
        return render.pending(header)
    return render.block(chain.block_at(header), full=bool(params[1]))


def _block_by_hash(chain: EmbeddedChain, params: Sequence[Any]) -> Any:
    header = chain.header_by_hash(_bytes(params[0], 32))
    return None if header is None else render.block(chain.block_at(header), full=bool(params[1]))


def _transaction(chain: EmbeddedChain, params: Sequence[Any]) -> Any:
    mined = chain.find(_bytes(params[0], 32))
    return None if mined is None else render.transaction(mined.block, mined.index)


def _receipt(chain: EmbeddedChain, params: Sequence[Any]) -> Any:
    mined = chain.find(_bytes(params[0], 32))
    return None if mined is None else render.receipt(mined.block, mined.receipts, mined.index)


def _call_of(params: Sequence[Any]) -> Call:
    asked = params[0]
    return Call(
        sender=_bytes(asked.get("from", "0x" + "00" * 20), 20),
        to=_bytes(asked["to"], 20) if asked.get("to") else b"",
        data=_bytes(asked.get("input") or asked.get("data") or "0x"),
        value=_quantity(asked.get("value", "0x0")),
        gas=min(_quantity(asked["gas"]), BLOCK_GAS_MAX) if "gas" in asked else BLOCK_GAS_MAX,
    )


def _reverted(error: VMError) -> RpcError:
    if isinstance(error, Revert):
        return RpcError(EXECUTION_REVERTED, "execution reverted", render.data(error.args[0] if error.args else b""))
    return RpcError(SERVER_ERROR, f"execution failed: {type(error).__name__}: {error}")


def _call(chain: EmbeddedChain, params: Sequence[Any]) -> str:
    computation = chain.call(_call_of(params), _state(chain, params, 1))
    if computation.is_error:
        raise _reverted(computation.error)
    return render.data(computation.output)


def _estimate(chain: EmbeddedChain, params: Sequence[Any]) -> str:
    try:
        return hex(chain.estimate(_call_of(params)))
    except VMError as error:
        raise _reverted(error) from error


def _fee_history(chain: EmbeddedChain, params: Sequence[Any]) -> Any:
    newest = _state(chain, params, 1)
    count = min(_quantity(params[0]), FEE_HISTORY_BLOCKS_MAX, newest.block_number + 1)
    headers = [chain.header(newest.block_number - back) for back in reversed(range(count))]
    found = [header for header in headers if header is not None]
    percentiles = [one for asked in params[2:3] for one in asked]
    return {
        "oldestBlock": hex(newest.block_number - count + 1),
        "baseFeePerGas": [
            *(hex(render.base_fee(header)) for header in found),
            hex(render.base_fee(chain.next_header())),
        ],
        "gasUsedRatio": [header.gas_used / header.gas_limit for header in found],
        "reward": [[hex(TIP_WEI) for _ in percentiles] for _ in found] if percentiles else [],
    }


def _logs(chain: EmbeddedChain, params: Sequence[Any]) -> list[Any]:
    asked = params[0]
    addresses = _addresses(asked.get("address"))
    topics = [_topic_choices(choice) for choice in asked.get("topics") or []]
    found: list[Any] = []
    for header in _range(chain, asked):
        if not _may_hold(header, addresses, topics):
            continue
        found.extend(_logs_of(chain, chain.block_at(header), addresses, topics))
        if len(found) > LOGS_MAX:
            raise Refused(f"query returned more than {LOGS_MAX} results; ask for fewer blocks")
    return found


def _range(chain: EmbeddedChain, asked: dict[str, Any]) -> list[BlockHeaderAPI]:
    if "blockHash" in asked:
        header = chain.header_by_hash(_bytes(asked["blockHash"], 32))
        if header is None:
            raise Refused("unknown block")
        return [header]
    first, last = (
        _header(chain, asked.get("fromBlock", "latest")),
        _header(chain, asked.get("toBlock", "latest")) or chain.head(),
    )
    if first is None:
        return []
    headers = (chain.header(number) for number in range(first.block_number, last.block_number + 1))
    return [header for header in headers if header is not None]


def _addresses(asked: Any) -> set[bytes]:
    return {_bytes(one, 20) for one in ([asked] if isinstance(asked, str) else asked or [])}


def _topic_choices(choice: Any) -> set[bytes]:
    """The accepted values at one topic position; none means any."""
    return {_bytes(one, 32) for one in ([choice] if isinstance(choice, str) else choice or [])}


def _may_hold(header: BlockHeaderAPI, addresses: set[bytes], topics: list[set[bytes]]) -> bool:
    """The header's bloom filter says whether the block can hold such a log: most blocks are never read."""
    bloom = BloomFilter(header.bloom)
    return all(not wanted or any(item in bloom for item in wanted) for wanted in (addresses, *topics))


def _logs_of(chain: EmbeddedChain, block: BlockAPI, addresses: set[bytes], topics: list[set[bytes]]) -> list[Any]:
    logs = render.logs(block, chain.receipts(block))
    return [log for log in logs if _fits(log, addresses, topics)]


def _fits(log: dict[str, Any], addresses: set[bytes], topics: list[set[bytes]]) -> bool:
    if addresses and _bytes(log["address"]) not in addresses:
        return False
    held = log["topics"]
    return len(held) >= len(topics) and all(
        not wanted or _bytes(held[at]) in wanted for at, wanted in enumerate(topics)
    )


def _mine(chain: EmbeddedChain, params: Sequence[Any]) -> str:
    count = _quantity(params[0]) if params and isinstance(params[0], str) else 1
    if not 1 <= count <= EMPTY_BLOCKS_MAX:
        raise Refused(f"between 1 and {EMPTY_BLOCKS_MAX} blocks at once")
    for _ in range(count):
        chain.mine()
    return "0x0"


def _increase_time(chain: EmbeddedChain, params: Sequence[Any]) -> str:
    seconds = params[0] if isinstance(params[0], int) else _quantity(params[0])
    return hex(chain.shift_time(seconds))


METHODS: dict[str, Method] = {
    "web3_clientVersion": lambda _chain, _params: "tongdui-embedded/1",
    "web3_sha3": lambda _chain, params: render.data(keccak256(_bytes(params[0]))),
    "net_version": lambda _chain, _params: str(CHAIN_ID),
    "eth_chainId": lambda _chain, _params: hex(CHAIN_ID),
    "eth_syncing": lambda _chain, _params: False,
    "eth_accounts": lambda _chain, _params: [],
    "eth_blockNumber": lambda chain, _params: hex(chain.head().block_number),
    "eth_gasPrice": lambda chain, _params: hex(render.base_fee(chain.next_header()) + TIP_WEI),
    "eth_maxPriorityFeePerGas": lambda _chain, _params: hex(TIP_WEI),
    "eth_feeHistory": _fee_history,
    "eth_getBlockByNumber": _block_by_number,
    "eth_getBlockByHash": _block_by_hash,
    "eth_getTransactionByHash": _transaction,
    "eth_getTransactionReceipt": _receipt,
    "eth_getTransactionCount": lambda chain, params: hex(chain.nonce(_bytes(params[0], 20), _state(chain, params, 1))),
    "eth_getBalance": lambda chain, params: hex(chain.balance(_bytes(params[0], 20), _state(chain, params, 1))),
    "eth_getCode": lambda chain, params: render.data(chain.code(_bytes(params[0], 20), _state(chain, params, 1))),
    "eth_getStorageAt": lambda chain, params: render.word(
        chain.storage(_bytes(params[0], 20), _quantity(params[1]), _state(chain, params, 2))
    ),
    "eth_call": _call,
    "eth_estimateGas": _estimate,
    "eth_sendRawTransaction": lambda chain, params: render.data(chain.send(_bytes(params[0]))),
    "eth_getLogs": _logs,
    "evm_increaseTime": _increase_time,
    "evm_mine": _mine,
    "evm_snapshot": lambda chain, _params: hex(chain.snapshot()),
    "evm_revert": lambda chain, params: chain.revert(_quantity(params[0])),
}
