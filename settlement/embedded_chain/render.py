"""Blocks, transactions, receipts and logs as the JSON of the Ethereum JSON-RPC. Pure; called by `methods`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import rlp
from eth.abc import BlockAPI, BlockHeaderAPI, ReceiptAPI, SignedTransactionAPI
from eth.vm.forks.berlin.transactions import TypedTransaction

from proofs.keccak import keccak256


def data(value: bytes) -> str:
    """Bytes as 0x-prefixed hex of even length."""
    return "0x" + value.hex()


def word(value: int) -> str:
    """A 32-byte word as data."""
    return data(value.to_bytes(32, "big"))


def block(of: BlockAPI, *, full: bool) -> dict[str, Any]:
    """A mined block, with whole transactions or only their hashes."""
    transactions = [transaction(of, at) if full else data(item.hash) for at, item in enumerate(of.transactions)]
    return {**_header(of.header), "size": hex(len(rlp.encode(of))), "transactions": transactions}


def pending(header: BlockHeaderAPI) -> dict[str, Any]:
    """The block that would come next: it has no hash and no transactions yet."""
    return {**_header(header), "hash": None, "nonce": None, "size": "0x0", "transactions": []}


def _header(header: BlockHeaderAPI) -> dict[str, Any]:
    return {
        "number": hex(header.block_number),
        "hash": data(header.hash),
        "parentHash": data(header.parent_hash),
        "nonce": data(header.nonce),
        "sha3Uncles": data(header.uncles_hash),
        "logsBloom": data(header.bloom.to_bytes(256, "big")),
        "transactionsRoot": data(header.transaction_root),
        "stateRoot": data(header.state_root),
        "receiptsRoot": data(header.receipt_root),
        "miner": data(header.coinbase),
        "difficulty": hex(header.difficulty),
        "mixHash": data(header.mix_hash),
        "extraData": data(header.extra_data),
        "gasLimit": hex(header.gas_limit),
        "gasUsed": hex(header.gas_used),
        "timestamp": hex(header.timestamp),
        "baseFeePerGas": hex(base_fee(header)),
        "uncles": [],
    }


def base_fee(header: BlockHeaderAPI) -> int:
    """Wei per gas burnt in a block; every block here has one."""
    return int(header.base_fee_per_gas or 0)


def _kind(of: SignedTransactionAPI) -> int:
    return int(of.type_id or 0) if isinstance(of, TypedTransaction) else 0


def _price(of: SignedTransactionAPI, header: BlockHeaderAPI) -> int:
    """Wei per gas that the sender pays."""
    return int(min(of.max_fee_per_gas, base_fee(header) + of.max_priority_fee_per_gas))


def _place(of: BlockAPI, at: int) -> dict[str, Any]:
    return {"blockHash": data(of.hash), "blockNumber": hex(of.number), "transactionIndex": hex(at)}


def transaction(of: BlockAPI, at: int) -> dict[str, Any]:
    """The transaction at an index of a block."""
    item = of.transactions[at]
    return {
        **_place(of, at),
        "hash": data(item.hash),
        "type": hex(_kind(item)),
        "nonce": hex(item.nonce),
        "from": data(item.sender),
        "to": data(item.to) if item.to else None,
        "value": hex(item.value),
        "gas": hex(item.gas),
        "gasPrice": hex(_price(item, of.header)),
        "maxFeePerGas": hex(item.max_fee_per_gas),
        "maxPriorityFeePerGas": hex(item.max_priority_fee_per_gas),
        "input": data(item.data),
        "chainId": None if item.chain_id is None else hex(item.chain_id),
        "accessList": [],
        "yParity": hex(item.y_parity),
        "v": hex(item.y_parity),
        "r": hex(item.r),
        "s": hex(item.s),
    }


def receipt(of: BlockAPI, receipts: Sequence[ReceiptAPI], at: int) -> dict[str, Any]:
    """The receipt of the transaction at an index; `gasUsed` is its own, `cumulativeGasUsed` the block's up to it."""
    item, total = of.transactions[at], receipts[at].gas_used
    return {
        **_place(of, at),
        "transactionHash": data(item.hash),
        "from": data(item.sender),
        "to": data(item.to) if item.to else None,
        "contractAddress": None if item.to else data(keccak256(rlp.encode([item.sender, item.nonce]))[12:]),
        "cumulativeGasUsed": hex(total),
        "gasUsed": hex(total - (receipts[at - 1].gas_used if at else 0)),
        "effectiveGasPrice": hex(_price(item, of.header)),
        "logs": [log for log in logs(of, receipts) if log["transactionIndex"] == hex(at)],
        "logsBloom": data(receipts[at].bloom.to_bytes(256, "big")),
        "status": "0x1" if receipts[at].state_root == b"\x01" else "0x0",
        "type": hex(_kind(item)),
    }


def logs(of: BlockAPI, receipts: Sequence[ReceiptAPI]) -> Iterator[dict[str, Any]]:
    """Every log of a block, numbered through the block as `logIndex` asks."""
    number = 0
    for at, (item, held) in enumerate(zip(of.transactions, receipts, strict=True)):
        for log in held.logs:
            place = {**_place(of, at), "transactionHash": data(item.hash), "logIndex": hex(number), "removed": False}
            yield {
                **place,
                "address": data(log.address),
                "topics": [word(topic) for topic in log.topics],
                "data": data(log.data),
            }
            number += 1
