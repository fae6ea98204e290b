"""One creation or one call that takes effect once: what founding and hand-over are made of.

Invariants: a purpose stands for one transaction for ever, within the scope of its outbox; what the contract refuses is
never signed. Called by deployment.
"""

from __future__ import annotations

from typing import Any

from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes

from settlement.chain.client import Chain
from settlement.chain.contracts import Contract, Name, deployment_data
from settlement.chain.gas import bounded_gas
from settlement.chain.outbox import Intent, Outbox

CALL_GAS = 100_000
CREATE_GAS_PER_BYTE = 300


def create(
    chain: Chain, outbox: Outbox, name: Name, *arguments: Any, purpose: str | None = None
) -> tuple[Contract, int]:
    """The one contract of this purpose, deployed now or before, and the block that has it."""
    address, block_number = create_code(outbox, purpose or f"deploy:{name}", deployment_data(name, *arguments))
    return Contract(chain, name, address), block_number


def create_code(outbox: Outbox, purpose: str, data: bytes) -> tuple[bytes, int]:
    """Address and block of what this creation code leaves, deployed now or before."""
    receipt = outbox.complete(Intent(purpose + outbox.scope, None, data, creation_gas(data)))
    assert receipt.contract is not None, "a creation that succeeded has an address"
    return receipt.contract, receipt.block_number


def creation_gas(data: bytes) -> int:
    """The gas limit of creation code with its arguments."""
    return bounded_gas(500_000 + CREATE_GAS_PER_BYTE * len(data))


def call(outbox: Outbox, purpose: str, contract: Contract, function: str, *arguments: Any, gas: int = CALL_GAS) -> None:
    """One call that takes effect once. Raises `Refused` with the contract's own word before anything is signed."""
    intent = Intent(purpose + outbox.scope, contract.address, contract.data(function, *arguments), gas)
    if not outbox.is_signed(intent.purpose):
        contract.try_out(intent.data, sender=outbox.sender, gas=gas)
    outbox.complete(intent)


def data_of(raw: bytes) -> bytes:
    """The calldata or creation code of a signed transaction."""
    return bytes(TypedTransaction.from_bytes(HexBytes(raw)).as_dict()["data"])
