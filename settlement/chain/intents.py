"""What one transaction is to do, and what has become of it: the words between the outbox and those who use it.

Pure: a stored transaction's bytes say what it does, so that its replacement does the same. Called by `outbox`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes

from settlement.chain.client import Receipt
from settlement.chain.nonces import StoredTx
from settlement.steps import Fate

FILLER_GAS = 21_000


@dataclass(frozen=True, slots=True)
class Intent:
    """One transaction to be: `purpose` names it for ever; `to` None creates a contract. What was made for one `nonce`
    gets no other one.
    """

    purpose: str
    to: bytes | None
    data: bytes
    gas: int
    batch_no: int | None = None
    nonce: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The fate of a purpose, its best paying transaction, and the receipt once there is one."""

    fate: Fate
    newest: StoredTx | None = None
    replacements: int = 0
    receipt: Receipt | None = None


def outcome_of(fate: Fate, stored: list[StoredTx], receipt: Receipt | None = None) -> Outcome:
    """What is seen of a purpose for which these were signed, the best paying first."""
    return Outcome(fate, stored[0], len(stored) - 1, receipt)


def intent_of(purpose: str, raw: bytes) -> Intent:
    """What a stored transaction does, so that its replacement does the same to the byte."""
    fields = _fields(raw)
    return Intent(purpose, bytes(fields["to"]) or None, bytes(fields["data"]), fields["gas"])


def is_filler(raw: bytes, sender: bytes) -> bool:
    """Whether it is the empty transfer that only uses up a nonce."""
    return bytes(_fields(raw)["to"]) == sender


def _fields(raw: bytes) -> dict[str, Any]:
    return TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
