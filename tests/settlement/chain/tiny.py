"""A contract of 21 bytes: it logs its calldata under topic 7, and reverts on a single byte."""

import time
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from web3 import Web3

from settlement.chain.client import Chain, Receipt, SendCase, Sent

# CALLDATASIZE == 1 ? revert : log1(calldata, topic 7)
RUNTIME = bytes.fromhex("36600114601157365f5f376007365fa1005b5f5ffd")
CREATION = bytes.fromhex("601580600a5f395ff300") + RUNTIME
TOPIC = (7).to_bytes(32, "big")

MINED_LOOKS_MAX = 100
MINED_LOOK_S = 0.05

SENDER: LocalAccount = Account.from_key(b"\x01" * 32)
ADDRESS = bytes.fromhex(SENDER.address[2:])


def signed(
    chain: Chain,
    *,
    to: bytes | None,
    data: bytes,
    nonce: int | None = None,
    gas: int = 200_000,
    fee: int | None = None,
    value: int = 0,
) -> tuple[bytes, bytes]:
    """(hash, raw bytes) of a transaction of SENDER."""
    fees = chain.fees()
    fields: dict[str, Any] = {
        "type": 2,
        "chainId": chain.chain_id(),
        "nonce": chain.nonce(ADDRESS) if nonce is None else nonce,
        "gas": gas,
        "maxFeePerGas": fees.max_fee_wei if fee is None else fee,
        "maxPriorityFeePerGas": fees.tip_wei if fee is None else min(fee, fees.tip_wei),
        "value": value,
        "data": data,
    }
    if to is not None:
        fields["to"] = Web3.to_checksum_address(to)
    made = SENDER.sign_transaction(fields)
    return bytes(made.hash), bytes(made.raw_transaction)


def send(chain: Chain, *, to: bytes | None, data: bytes, **more: int) -> tuple[Sent, Receipt | None]:
    """Sign, send, and look; what was taken is looked for until mined, because a node may mine after it answers."""
    tx_hash, raw = signed(chain, to=to, data=data, **more)
    sent = chain.send(raw)
    for _ in range(MINED_LOOKS_MAX if sent.case is SendCase.ACCEPTED else 1):
        if receipt := chain.receipt(tx_hash):
            return sent, receipt
        time.sleep(MINED_LOOK_S)
    return sent, None


def deploy(chain: Chain) -> bytes:
    """The address of a fresh tiny contract."""
    _, receipt = send(chain, to=None, data=CREATION)
    assert receipt is not None
    assert receipt.contract is not None
    return receipt.contract
