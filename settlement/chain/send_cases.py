"""What nodes say about a transaction they are offered: every wording met, by node, and the one case it stands for.

Invariants: one table for all nodes; the first row whose words occur in the answer decides, so what is special comes
before what is general; an answer that no row knows is `REFUSED` and shown as it is. No case but `ACCEPTED` proves
anything about the chain: what counts is found by looking. Called by `chain`.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


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
    POOL_FULL = "the node takes no more for now"
    UNCLEAR = "no answer; treat as sent"
    REFUSED = "another reason, in the message"


class Wording(NamedTuple):
    """Words (lower case) that a node uses for a case."""

    case: SendCase
    node: str
    words: str


WORDINGS: tuple[Wording, ...] = (
    Wording(SendCase.ALREADY_KNOWN, "geth, erigon, reth", "already known"),
    Wording(SendCase.ALREADY_KNOWN, "anvil", "transaction already imported"),
    Wording(SendCase.ALREADY_KNOWN, "hardhat node, besu", "known transaction"),
    Wording(SendCase.ALREADY_KNOWN, "nethermind", "alreadyknown"),
    Wording(SendCase.ALREADY_KNOWN, "openethereum", "transaction with the same hash"),
    Wording(SendCase.ALREADY_KNOWN, "embedded", "transaction already exists"),
    Wording(SendCase.ALREADY_KNOWN, "fisco bcos", "alreadyintxpool"),
    Wording(SendCase.NONCE_TOO_LOW, "geth, anvil, hardhat node, erigon, reth, embedded", "nonce too low"),
    Wording(SendCase.NONCE_TOO_LOW, "besu", "nonce below"),
    Wording(SendCase.NONCE_TOO_LOW, "openethereum", "nonce is too low"),
    Wording(SendCase.NONCE_TOO_LOW, "nethermind", "oldnonce"),
    Wording(SendCase.NONCE_TOO_HIGH, "geth, hardhat node, embedded", "nonce too high"),
    Wording(SendCase.NONCE_TOO_HIGH, "openethereum", "nonce is too high"),
    Wording(SendCase.NONCE_TOO_HIGH, "geth", "gapped nonce"),
    Wording(SendCase.NONCE_TOO_HIGH, "nethermind", "nonce gap"),
    Wording(SendCase.NONCE_TOO_HIGH, "besu", "nonce too far in future"),
    Wording(SendCase.UNDERPRICED, "geth, anvil, hardhat node, erigon", "replacement"),
    Wording(SendCase.UNDERPRICED, "openethereum", "too low to replace"),
    Wording(SendCase.UNDERPRICED, "geth", "future transaction tries to replace pending"),
    Wording(SendCase.FEE_TOO_LOW, "geth, reth: pool minimum", "transaction underpriced"),
    Wording(SendCase.FEE_TOO_LOW, "geth, anvil", "less than block base fee"),
    Wording(SendCase.FEE_TOO_LOW, "hardhat node", "too low for the next block"),
    Wording(SendCase.FEE_TOO_LOW, "embedded", "fee cap below the block's base fee"),
    Wording(SendCase.FEE_TOO_LOW, "erigon", "fee cap less than block base fee"),
    Wording(SendCase.FEE_TOO_LOW, "besu", "gas price below"),
    Wording(SendCase.FEE_TOO_LOW, "nethermind", "feetoolow"),
    Wording(SendCase.FEE_TOO_LOW, "any", "fee cap below"),
    Wording(SendCase.FEE_TOO_LOW, "any", "fee cap too low"),
    Wording(SendCase.FEE_TOO_LOW, "any", "maxfeepergas"),
    Wording(SendCase.NO_FUNDS, "geth, anvil, erigon, reth, embedded", "insufficient funds"),
    Wording(SendCase.NO_FUNDS, "nethermind", "insufficientfunds"),
    Wording(SendCase.NO_FUNDS, "besu", "upfront cost exceeds"),
    Wording(SendCase.NO_FUNDS, "hardhat node", "doesn't have enough funds"),
    Wording(SendCase.NO_FUNDS, "fisco bcos", "insufficient balance"),
    Wording(SendCase.GAS_CAP, "geth, erigon", "exceeds block gas limit"),
    Wording(SendCase.GAS_CAP, "geth after Osaka", "transaction gas limit too high"),
    Wording(SendCase.GAS_CAP, "hardhat node", "exceeds transaction gas cap"),
    Wording(SendCase.GAS_CAP, "hardhat node", "transaction gas limit is"),
    Wording(SendCase.GAS_CAP, "hardhat node", "exceeds the block gas limit"),
    Wording(SendCase.GAS_CAP, "geth, anvil", "intrinsic gas too"),
    Wording(SendCase.GAS_CAP, "hardhat node", "requires at least"),
    Wording(SendCase.GAS_CAP, "besu", "gas limit of transaction"),
    Wording(SendCase.GAS_CAP, "any", "gas cap"),
    Wording(SendCase.GAS_CAP, "any", "16777216"),
    Wording(SendCase.GAS_CAP, "any", "gas too low"),
    Wording(SendCase.GAS_CAP, "any", "gas too high"),
    Wording(SendCase.POOL_FULL, "geth", "txpool is full"),
    Wording(SendCase.POOL_FULL, "fisco bcos", "txpoolisfull"),
)


def send_case(message: str) -> SendCase:
    """The case that a node's wording stands for."""
    said = message.lower()
    return next((wording.case for wording in WORDINGS if wording.words in said), SendCase.REFUSED)
