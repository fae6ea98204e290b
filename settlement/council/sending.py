"""One transaction of somebody who keeps no database: a signer of the council, or anybody who carries out what is ripe.

Invariants: the call is tried before it is signed, and what the contract refuses is never sent; it may be sent again at
any time, for the council's nonce and the timelock's state take each call once; it counts when its block is final.
Called by the council's commands.
"""

from __future__ import annotations

from time import sleep
from typing import Any, Final

from settlement.chain.client import Chain, Receipt, SendCase
from settlement.chain.contracts import Contract
from settlement.chain.gas import bounded_gas
from settlement.chain.senders import TransactionSigner

CALL_GAS: Final = 400_000
CALL_GAS_PER_BYTE: Final = 700
"""A merchant that is registered takes the most: 50,000 gas for 96 bytes."""
POLL_S: Final = 1.0
FINAL_S_MAX: Final = 3_600
_ON_ITS_WAY: Final = frozenset({SendCase.ACCEPTED, SendCase.ALREADY_KNOWN, SendCase.UNCLEAR})


class NotSent(RuntimeError):
    """The node did not take the transaction; nothing happened."""


class NotFinal(RuntimeError):
    """It is on its way or in a block, but not final; `list` tells what became of it."""


class CallFailed(RuntimeError):
    """It is in a block and failed there: somebody else was first, or time had run out."""


def send_call(
    contract: Contract, signer: TransactionSigner, function: str, *arguments: Any, final_s_max: int = FINAL_S_MAX
) -> Receipt:
    """Have one call made and wait until it is final. Raises `Refused`, `NotSent`, `NotFinal`, `CallFailed`."""
    chain, data = contract.chain, contract.data(function, *arguments)
    gas = bounded_gas(CALL_GAS + CALL_GAS_PER_BYTE * len(data))
    contract.try_out(data, sender=signer.address, gas=gas)
    fees = chain.fees()
    fields: dict[str, Any] = {
        "type": 2,
        "chainId": chain.chain_id(),
        "nonce": chain.nonce(signer.address, "pending"),
        "gas": gas,
        "maxFeePerGas": fees.max_fee_wei,
        "maxPriorityFeePerGas": fees.tip_wei,
        "value": 0,
        "data": data,
        "to": contract.address,
    }
    tx_hash, raw = signer.sign(fields)
    sent = chain.send(raw)
    if sent.case not in _ON_ITS_WAY:
        raise NotSent(f"{sent.case.value}: {sent.message}")
    return _final(chain, tx_hash, final_s_max)


def _final(chain: Chain, tx_hash: bytes, seconds_max: int) -> Receipt:
    receipt = None
    for _ in range(max(1, int(seconds_max / POLL_S))):
        receipt = chain.receipt(tx_hash)
        if receipt is not None and not receipt.succeeded:
            raise CallFailed(f"0x{tx_hash.hex()} failed in block {receipt.block_number}")
        if receipt is not None and receipt.block_number <= chain.head("finalized").number:
            return receipt
        sleep(POLL_S)
    raise NotFinal(f"0x{tx_hash.hex()}: {'in no block' if receipt is None else 'not final'} after {seconds_max} s")
