"""The questions an audit asks nodes, and the shape in which their answers are compared.

Each function is one kind of question, asked of all nodes at once (`rpc.Nodes`); an answer that is no answer is an
`RpcError`. Used by `reading` and `replay`. Source: the Ethereum JSON-RPC specification, protocol §6 check 2.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from auditor.logs import LogError, decode_values
from auditor.rpc import Nodes, RpcError, RpcRefused
from proofs.json_form import hex_bytes, hex_text
from proofs.keccak import keccak256
from proofs.messages import BatchHeader
from proofs.words import WORD_BYTES

BLOCKS_PER_QUESTION_MAX = 10_000


class Log(NamedTuple):
    """One log in the shape in which nodes are compared."""

    block_no: int
    log_index: int
    address: bytes
    topics: tuple[bytes, ...]
    data: bytes
    tx_hash: bytes


def logs(
    nodes: Nodes, addresses: Sequence[bytes], first: int, last: int, *, topics: Sequence[bytes] = ()
) -> Iterator[Log]:
    """All logs of the contracts in order, asked for in stretches that are halved where a node finds them too long; with
    `topics` those that begin with these, and without addresses anybody's.
    """
    asked: dict[str, Any] = {"topics": [hex_text(each) for each in topics]}
    if addresses:
        asked["address"] = [hex_text(each) for each in addresses]
    stretch = BLOCKS_PER_QUESTION_MAX
    while first <= last:
        end = min(last, first + stretch - 1)
        question = {**asked, "fromBlock": hex(first), "toBlock": hex(end)}
        try:
            yield from nodes.agreed(_log_list, "eth_getLogs", question)
        except RpcRefused:
            if stretch == 1:
                raise
            stretch //= 2
        else:
            first = end + 1


def _log_list(answer: Any) -> list[Log]:
    return sorted(
        Log(
            number(log["blockNumber"]),
            number(log["logIndex"]),
            hex_bytes(log["address"]),
            tuple(hex_bytes(topic) for topic in log["topics"]),
            hex_bytes(log["data"]),
            hex_bytes(log["transactionHash"]),
        )
        for log in answer
    )


def call(nodes: Nodes, contract: bytes, signature: str, arguments: bytes, block_no: int) -> bytes:
    """One word that a view of the contract returns."""
    question = {"to": hex_text(contract), "data": hex_text(keccak256(signature.encode())[:4] + arguments)}
    answer = nodes.agreed(hex_bytes, "eth_call", question, hex(block_no))
    if len(answer) != WORD_BYTES:
        raise RpcError(f"{signature} of {hex_text(contract)} answers {len(answer)} bytes, not one word: is it the hub?")
    return answer


def call_words(nodes: Nodes, contract: bytes, signature: str, arguments: bytes, block_no: int) -> list[int]:
    """The words that a view of the contract returns, as numbers."""
    question = {"to": hex_text(contract), "data": hex_text(keccak256(signature.encode())[:4] + arguments)}
    answer = nodes.agreed(hex_bytes, "eth_call", question, hex(block_no))
    return [int.from_bytes(answer[at : at + WORD_BYTES], "big") for at in range(0, len(answer), WORD_BYTES)]


_NETS, _SIGNATURES = "(uint32,int128)[]", "(bytes32,bytes32)[]"


def signatures(nodes: Nodes, tx_hash: bytes) -> tuple[tuple[bytes, bytes], ...] | None:
    """The attestations in the transaction's own words; None where a contract in between hides the call."""
    data = nodes.agreed(lambda answer: hex_bytes(answer["input"]), "eth_getTransactionByHash", hex_text(tx_hash))
    if data[:4] != COMMIT_SELECTOR:
        return None
    try:
        *_, signatures = decode_values([HEADER_TYPE, _NETS, _SIGNATURES], data[4:])
    except LogError:
        return None
    return tuple((r, vs) for r, vs in signatures)  # type: ignore[misc, union-attr] # the type says pairs of words


HEADER_TYPE = "(" + ",".join(part.split(" ")[0] for part in BatchHeader.TYPE[len("BatchHeader(") : -1].split(",")) + ")"
COMMIT_SELECTOR = keccak256(f"commitBatch({HEADER_TYPE},{_NETS},bytes32[2][])".encode())[:4]


def number(text: Any) -> int:
    return int(text, 16)


def block(answer: Any) -> tuple[int, bytes, int]:
    """(number, hash, time) of a block."""
    if answer is None:
        raise RpcError("the node does not know the block it was asked for")
    return number(answer["number"]), hex_bytes(answer["hash"]), number(answer["timestamp"])
