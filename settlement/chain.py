"""The one client of every chain: embedded, anvil, Hardhat or a real network, each behind one JSON-RPC address.

Invariants: no answer is believed beyond its type (a malformed one is `ChainUnclear`); a send whose outcome is unknown
counts as sent, for the bytes may be on their way; what nodes say in a dozen wordings comes out as one `SendCase`;
nothing is retried here, the caller decides. No clock, no keys, no SQL. Called by the submitter, deployment,
orchestration and the watcher.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

import requests
from web3 import HTTPProvider
from web3.exceptions import Web3Exception
from web3.types import RPCEndpoint

from proofs.words import WORD_BYTES

ANSWER_S_MAX = 20.0
TRANSACTION_GAS_MAX = 16_777_216
"""EIP-7825: no network takes a transaction above it, and we offer none."""
DEFAULT_TIP_WEI = 10**9
WITHOUT_TRANSACTIONS = False

Tag = Literal["latest", "safe", "finalized", "pending", "earliest"] | int


class ChainError(Exception):
    """What can go wrong between us and a node; `Reverted` and `NoSuchMethod` are kinds of `NodeRefused`."""


class ChainUnclear(ChainError):
    """No usable answer came: connection, timeout, or not JSON-RPC. Whether the node acted is unknown."""


class NodeRefused(ChainError):
    """The node answered with an error."""

    def __init__(self, code: int, message: str, data: bytes = b"") -> None:
        super().__init__(f"{message} ({code})")
        self.code, self.message, self.data = code, message, data


class Reverted(NodeRefused):
    """A contract refused the call; `data` is its ABI-encoded error."""


class NoSuchMethod(NodeRefused):
    """This node does not know the method."""


class SendCase(Enum):
    """What a node made of a raw transaction."""

    ACCEPTED = "taken into the pool or a block"
    ALREADY_KNOWN = "these very bytes are there already"
    NONCE_TOO_LOW = "another transaction used the nonce"
    NONCE_TOO_HIGH = "a lower nonce is missing"
    UNDERPRICED = "the replacement does not pay enough more than the one it replaces"
    FEE_TOO_LOW = "the fee cap is below the block's base fee or the pool's minimum"
    NO_FUNDS = "the sender cannot pay"
    GAS_CAP = "the gas limit is above what the network takes, or below what the transaction needs"
    UNCLEAR = "no answer; treat as sent"
    REFUSED = "another reason, in the message"


_SEND_CASES: tuple[tuple[SendCase, str], ...] = (
    (SendCase.ALREADY_KNOWN, r"already (known|imported|exists)|known transaction|transaction with the same hash"),
    (SendCase.NONCE_TOO_LOW, r"nonce (is )?too low|oldnonce"),
    (SendCase.NONCE_TOO_HIGH, r"nonce (is )?too high|nonce gap"),
    (SendCase.UNDERPRICED, r"replacement|underpriced|too low to replace"),
    (SendCase.FEE_TOO_LOW, r"block base fee|fee cap (is )?(below|less than|too low)|max ?fee ?per ?gas"),
    (SendCase.NO_FUNDS, r"insufficient ?(funds|balance)|doesn't have enough funds"),
    (
        SendCase.GAS_CAP,
        r"exceeds (the )?block gas limit|gas limit.*(exceeds|greater|too high)|gas ?cap|16777216|gas too (low|high)",
    ),
)


@dataclass(frozen=True, slots=True)
class Sent:
    """The outcome of one send: the case and the node's own words."""

    case: SendCase
    message: str


@dataclass(frozen=True, slots=True)
class Head:
    """One block's place and time (Unix seconds); the pending block has no hash."""

    number: int
    hash: bytes | None
    timestamp: int
    base_fee_wei: int


@dataclass(frozen=True, slots=True)
class Log:
    """One event as it lies in a block."""

    address: bytes
    topics: tuple[bytes, ...]
    data: bytes
    block_number: int
    block_hash: bytes
    tx_hash: bytes
    log_index: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """One mined transaction."""

    tx_hash: bytes
    block_number: int
    block_hash: bytes
    succeeded: bool
    gas_used: int
    contract: bytes | None
    logs: tuple[Log, ...]


@dataclass(frozen=True, slots=True)
class Fees:
    """What an EIP-1559 transaction offers, in wei per gas."""

    max_fee_wei: int
    tip_wei: int


class Chain:
    """One node at one address. Thread-safe as far as `requests` sessions are: use one per thread."""

    def __init__(self, url: str, *, answer_s_max: float = ANSWER_S_MAX) -> None:
        self.url = url
        session = requests.Session()
        session.trust_env = False
        self._provider = HTTPProvider(
            url, request_kwargs={"timeout": answer_s_max}, session=session, exception_retry_configuration=None
        )

    def chain_id(self) -> int:
        return _quantity(self._ask("eth_chainId"))

    def genesis_hash(self) -> bytes:
        """Hash of block 0: another one is another chain, whatever its id says."""
        return _word(self._block(0)["hash"])

    def head(self, tag: Tag = "latest") -> Head:
        """The block at a tag or height. Raises `ChainUnclear` when the node has none."""
        head: Head = _shaped(_head, self._block(tag))
        return head

    def now(self) -> int:
        """Unix seconds by the chain's own clock: what the next block would say."""
        return self.head("pending").timestamp

    def nonce(self, address: bytes, tag: Tag = "latest") -> int:
        """Number of transactions `address` has in blocks up to `tag` ("pending": and in the pool)."""
        return _quantity(self._ask("eth_getTransactionCount", _hex(address), _tag(tag)))

    def balance(self, address: bytes) -> int:
        """Wei of `address` now."""
        return _quantity(self._ask("eth_getBalance", _hex(address), "latest"))

    def code(self, address: bytes, tag: Tag = "latest") -> bytes:
        """Runtime code at `address`; empty where there is no contract."""
        return _data(self._ask("eth_getCode", _hex(address), _tag(tag)))

    def call(
        self, to: bytes | None, data: bytes, *, sender: bytes | None = None, gas: int | None = None, tag: Tag = "latest"
    ) -> bytes:
        """Execute without sending.

        Raises `Reverted` with the contract's error, `NodeRefused` when it runs out of gas.
        """
        asked: dict[str, str] = {"data": _hex(data)}
        if to is not None:
            asked["to"] = _hex(to)
        if sender is not None:
            asked["from"] = _hex(sender)
        if gas is not None:
            asked["gas"] = hex(gas)
        return _data(self._ask("eth_call", asked, _tag(tag)))

    def send(self, raw: bytes) -> Sent:
        """Hand a signed transaction over, once. Never raises for what a node may say: the case tells."""
        try:
            self._ask("eth_sendRawTransaction", _hex(raw))
        except ChainUnclear as error:
            return Sent(SendCase.UNCLEAR, str(error))
        except NodeRefused as error:
            return Sent(send_case(error.message), error.message)
        return Sent(SendCase.ACCEPTED, "")

    def receipt(self, tx_hash: bytes) -> Receipt | None:
        """The receipt of a mined transaction, None while it is in no block."""
        found = self._ask("eth_getTransactionReceipt", _hex(tx_hash))
        return None if found is None else _shaped(_receipt, found)

    def logs(
        self, address: bytes, *, first: int, last: Tag = "latest", topics: Sequence[bytes | None] = ()
    ) -> list[Log]:
        """Events of one contract from block `first` to `last`, in chain order; None in `topics` matches anything."""
        asked = {
            "address": _hex(address),
            "fromBlock": hex(first),
            "toBlock": _tag(last),
            "topics": [None if topic is None else _hex(topic) for topic in topics],
        }
        return [_shaped(_log, found) for found in _shaped(list, self._ask("eth_getLogs", asked))]

    def fees(self) -> Fees:
        """An offer that holds for some full blocks: twice the base fee and the node's own idea of a tip."""
        try:
            tip = _quantity(self._ask("eth_maxPriorityFeePerGas"))
        except NodeRefused:
            tip = DEFAULT_TIP_WEI
        return Fees(2 * self.head().base_fee_wei + tip, tip)

    def advance_time(self, seconds: int) -> None:
        """Let `seconds` pass on a development chain and mine a block.

        Raises `NoSuchMethod` where time cannot be moved.
        """
        self._ask("evm_increaseTime", seconds)
        self._ask("evm_mine")

    def _block(self, tag: Tag) -> Mapping[str, Any]:
        found = self._ask("eth_getBlockByNumber", _tag(tag), WITHOUT_TRANSACTIONS)
        if not isinstance(found, Mapping):
            raise ChainUnclear(f"{self.url} has no block {tag}")
        return found

    def _ask(self, method: str, *params: Any) -> Any:
        try:
            answer = self._provider.make_request(RPCEndpoint(method), list(params))
        except (requests.RequestException, Web3Exception, TypeError, ValueError, OSError) as error:
            raise ChainUnclear(f"{method} at {self.url}: {error}") from error
        if "error" in answer:
            raise _refusal(answer["error"])
        if "result" not in answer:
            raise ChainUnclear(f"{method} at {self.url}: not a JSON-RPC answer")
        return answer["result"]


def send_case(message: str) -> SendCase:
    """The case that a node's wording stands for."""
    said = message.lower()
    return next((case for case, pattern in _SEND_CASES if re.search(pattern, said)), SendCase.REFUSED)


def bounded_gas(estimate: int) -> int:
    """A formula's figure plus a fifth, never above what a network takes."""
    return min(estimate + estimate // 5, TRANSACTION_GAS_MAX)


def commit_gas(*, nets: int, attestations: int) -> int:
    """Gas limit of commitBatch. Each net may open a fresh storage slot; each attestation costs a recovery."""
    return bounded_gas(150_000 + (6_500 + 17_100) * nets + 12_000 * attestations)


def finalise_gas(*, nets: int) -> int:
    """Gas limit of finaliseBatch. A default writes a claim for each creditor, which is the dear case."""
    return bounded_gas(150_000 + 60_000 * nets)


METHOD_NOT_FOUND = -32601
EXECUTION_REVERTED = 3


def _refusal(error: Any) -> NodeRefused:
    if not isinstance(error, Mapping):
        return NodeRefused(0, str(error))
    code, message = int(error.get("code", 0)), str(error.get("message", ""))
    data = _revert_data(error.get("data"))
    if code == METHOD_NOT_FOUND or "does not exist" in message or "unsupported method" in message.lower():
        return NoSuchMethod(code, message)
    if code == EXECUTION_REVERTED or "revert" in message.lower():
        return Reverted(code, message, data)
    return NodeRefused(code, message, data)


def _revert_data(data: Any) -> bytes:
    """Most nodes put the bytes in `data`, Hardhat sometimes one level deeper."""
    held = data.get("data") if isinstance(data, Mapping) else data
    return _data(held) if isinstance(held, str) and re.fullmatch(r"0x([0-9a-fA-F]{2})*", held) else b""


def _shaped(make: Any, value: Any) -> Any:
    try:
        return make(value)
    except (KeyError, TypeError, ValueError) as error:
        raise ChainUnclear(f"an answer has not the expected shape: {error}") from error


def _head(found: Mapping[str, Any]) -> Head:
    block_hash = None if found.get("hash") is None else _word(found["hash"])
    base_fee = _quantity(found.get("baseFeePerGas", "0x0"))
    return Head(_quantity(found["number"]), block_hash, _quantity(found["timestamp"]), base_fee)


def _receipt(found: Mapping[str, Any]) -> Receipt:
    contract = found.get("contractAddress")
    return Receipt(
        tx_hash=_word(found["transactionHash"]),
        block_number=_quantity(found["blockNumber"]),
        block_hash=_word(found["blockHash"]),
        succeeded=_quantity(found["status"]) == 1,
        gas_used=_quantity(found["gasUsed"]),
        contract=None if contract is None else _data(contract),
        logs=tuple(_log(log) for log in found["logs"]),
    )


def _log(found: Mapping[str, Any]) -> Log:
    return Log(
        address=_data(found["address"]),
        topics=tuple(_word(topic) for topic in found["topics"]),
        data=_data(found["data"]),
        block_number=_quantity(found["blockNumber"]),
        block_hash=_word(found["blockHash"]),
        tx_hash=_word(found["transactionHash"]),
        log_index=_quantity(found["logIndex"]),
    )


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def _tag(tag: Tag) -> str:
    return hex(tag) if isinstance(tag, int) else tag


def _quantity(value: Any) -> int:
    if not isinstance(value, str) or not value.startswith("0x"):
        raise ChainUnclear(f"{value!r} is not a hex quantity")
    return int(value, 16)


def _data(value: Any) -> bytes:
    if not isinstance(value, str) or not value.startswith("0x"):
        raise ChainUnclear(f"{value!r} is not hex data")
    return bytes.fromhex(value[2:])


def _word(value: Any) -> bytes:
    data = _data(value)
    if len(data) != WORD_BYTES:
        raise ChainUnclear(f"expected 32 bytes, got {len(data)}")
    return data
