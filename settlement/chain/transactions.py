"""One creation or one call that takes effect once: what founding and hand-over are made of.

Invariants: a purpose stands for one transaction for ever, within the scope of its outbox; what the contract refuses is
never signed. Called by deployment.
"""

from __future__ import annotations

from typing import Any

import rlp
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes

from proofs.keccak import keccak256
from settlement.chain.client import Chain, ChainUnclear
from settlement.chain.contracts import Contract, Name, deployment_data
from settlement.chain.gas import bounded_gas
from settlement.chain.outbox import Intent, Outbox

CALL_GAS = 100_000
CREATE_GAS_PER_BYTE = 300


def create(
    chain: Chain, outbox: Outbox, name: Name, *arguments: Any, purpose: str | None = None, nonce: int | None = None
) -> tuple[Contract, int]:
    """The one contract of this purpose, deployed now or before, and the block that has it. As `create_code`."""
    data = deployment_data(name, *arguments)
    address, block_number = create_code(outbox, purpose or f"deploy:{name}", data, only_nonce=nonce)
    return Contract(chain, name, address), block_number


def create_code(outbox: Outbox, purpose: str, data: bytes, *, only_nonce: int | None = None) -> tuple[bytes, int]:
    """Address and block of what this creation code leaves, deployed now or before. The address is the one that follows
    from account and nonce, whatever a node calls it. Raises `ChainUnclear` where that is another one, or where what is
    good for `only_nonce` would get another nonce; then nothing is signed.
    """
    receipt = outbox.complete(Intent(purpose + outbox.scope, None, data, creation_gas(data), nonce=only_nonce))
    nonce = outbox.nonce_of(purpose + outbox.scope)
    assert nonce is not None, "what was sent has one"
    address = created(outbox.sender, nonce)
    if receipt.contract != address:
        told = "nothing" if receipt.contract is None else f"0x{receipt.contract.hex()}"
        raise ChainUnclear(f"{purpose}: the node says that it made {told}, which can only be 0x{address.hex()}")
    return address, receipt.block_number


def created(sender: bytes, nonce: int) -> bytes:
    """The address of what an account creates with a nonce."""
    return keccak256(rlp.encode([sender, nonce]))[12:]


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
