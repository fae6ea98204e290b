"""Answers of a node, from JSON to types: what a block, a receipt, a log and a refusal look like.

Invariants: no answer is believed beyond its type; a malformed one is `ChainUnclear`, also where a number is larger than
any that a chain counts to. What a node says in words is shown short, and without what no log line or table can hold.
Pure. Called by `chain` and `contracts`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from proofs.words import WORD_BYTES

METHOD_NOT_FOUND = -32601
NESTING_MAX = 256
VALUES_MAX = 4_000_000
"""In one answer; the largest one, full of logs, has a third of it."""
COUNT_BITS = 63
"""Blocks, seconds and gas are kept in eight bytes."""
PLACE_BITS = 31
"""Places in a block, in four."""
_ALL_BUT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_ALL_BUT_SEPARATORS = bytes(set(range(256)) - set(b"[]{},"))
EXECUTION_REVERTED = 3
SAID_CHARS_MAX = 500
CODE_BITS = 63
QUANTITY_CHARS_MAX = 2 + 2 * WORD_BYTES


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


@dataclass(frozen=True, slots=True)
class Head:
    """One block's place and time (Unix seconds); the pending block has no hash, and with some nodes no number (0)."""

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
    gas_price: int
    contract: bytes | None
    logs: tuple[Log, ...]


def parsed(body: bytes) -> Any:
    """What an answer's JSON holds. Raises ValueError, also for what is so deep that a parser may never come back, or
    holds so many values that they would fill the memory.

    Brackets and commas in words are counted as well: no node says so many.
    """
    if len(body.translate(None, _ALL_BUT_SEPARATORS)) > VALUES_MAX:
        raise ValueError("too many values")
    depth = 0
    for bracket in body.translate(None, _ALL_BUT_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        if depth > NESTING_MAX:
            raise ValueError("nested too deep")
    return json.loads(body)


def refusal_of(error: Any) -> NodeRefused:
    """The kind of error that a node answered with."""
    if not isinstance(error, Mapping):
        return NodeRefused(0, said(error))
    code, message = error.get("code"), said(error.get("message", ""))
    code = code if isinstance(code, int) and not abs(code) >> CODE_BITS else 0
    data = _revert_data(error.get("data"))
    if code == METHOD_NOT_FOUND or "does not exist" in message or "unsupported method" in message.lower():
        return NoSuchMethod(code, message)
    if code == EXECUTION_REVERTED or "revert" in message.lower():
        return Reverted(code, message, data)
    return NodeRefused(code, message, data)


def said(words: object) -> str:
    """Somebody else's words as they may stand in a log line, in a table and on a screen."""
    whole = words if isinstance(words, str) else str(words)
    shown = "".join(each if each.isprintable() else "?" for each in whole[:SAID_CHARS_MAX])
    return shown if len(whole) <= SAID_CHARS_MAX else f"{shown}…"


def _revert_data(data: Any) -> bytes:
    """Most nodes put the bytes in `data`, Hardhat sometimes one level deeper."""
    held = data.get("data") if isinstance(data, Mapping) else data
    return data_of(held) if isinstance(held, str) and re.fullmatch(r"0x([0-9a-fA-F]{2})*", held) else b""


def shaped(make: Any, value: Any) -> Any:
    """`make(value)`. Raises `ChainUnclear` where `value` has not what `make` needs."""
    try:
        return make(value)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ChainUnclear(f"an answer has not the expected shape: {said(error)}") from error


def head_of(found: Mapping[str, Any]) -> Head:
    """As the Ethereum JSON-RPC specification shapes it."""
    block_hash = None if found.get("hash") is None else word_of(found["hash"])
    base_fee = quantity_of(found.get("baseFeePerGas", "0x0"))
    number = count_of(found["number"] or "0x0")
    return Head(number, block_hash, count_of(found["timestamp"]), base_fee)


def receipt_of(found: Mapping[str, Any]) -> Receipt:
    """As the Ethereum JSON-RPC specification shapes it."""
    contract = found.get("contractAddress")
    return Receipt(
        tx_hash=word_of(found["transactionHash"]),
        block_number=count_of(found["blockNumber"]),
        block_hash=word_of(found["blockHash"]),
        succeeded=quantity_of(found["status"]) == 1,
        gas_used=count_of(found["gasUsed"]),
        gas_price=quantity_of(found.get("effectiveGasPrice", "0x0")),
        contract=None if contract is None else data_of(contract),
        logs=tuple(log_of(log) for log in found["logs"]),
    )


def log_of(found: Mapping[str, Any]) -> Log:
    """As the Ethereum JSON-RPC specification shapes it."""
    return Log(
        address=data_of(found["address"]),
        topics=tuple(word_of(topic) for topic in found["topics"]),
        data=data_of(found["data"]),
        block_number=count_of(found["blockNumber"]),
        block_hash=word_of(found["blockHash"]),
        tx_hash=word_of(found["transactionHash"]),
        log_index=count_of(found["logIndex"], bits=PLACE_BITS),
    )


def quantity_of(value: Any) -> int:
    """A hex quantity."""
    if not isinstance(value, str) or not re.fullmatch(r"0x[0-9a-fA-F]+", value):
        raise ChainUnclear(f"{said(value)} is not a hex quantity")
    if len(value) > QUANTITY_CHARS_MAX:
        raise ChainUnclear("a quantity of more than 256 bits")
    return int(value, 16)


def count_of(value: Any, *, bits: int = COUNT_BITS) -> int:
    """A hex quantity of what is counted one by one."""
    count = quantity_of(value)
    if count >> bits:
        raise ChainUnclear(f"{value} is more than there can be")
    return count


def data_of(value: Any) -> bytes:
    """Hex data of any length."""
    if not isinstance(value, str) or not re.fullmatch(r"0x([0-9a-fA-F]{2})*", value):
        raise ChainUnclear(f"{said(value)} is not hex data")
    return bytes.fromhex(value[2:])


def word_of(value: Any) -> bytes:
    """32 bytes."""
    data = data_of(value)
    if len(data) != WORD_BYTES:
        raise ChainUnclear(f"expected 32 bytes, got {len(data)}")
    return data
