"""Public account numbers, member tags and the salts that hide low-entropy balances.

An account is 32 bytes whose first byte says what it is. Lanes, points and cash accounts have a row in every batch;
member accounts are tags that only the holder of the member's secret can link. Source: docs/protocol §2.5, §2.6.
"""

from __future__ import annotations

import hmac
from hashlib import sha256

from proofs.keccak import keccak256
from proofs.words import uint_word

LANE, POINTS, CASH, MEMBER = 0x01, 0x02, 0x03, 0x04

OPERATOR_ID = 900_000_001
RESERVE_ID = 900_000_002
GUARANTEE_ID = 900_000_003
FIRST_RESERVED_ID = 900_000_000

ROW_SALT_SEQ = 2**64 - 1


def lane_account(merchant_id: int, key_id: int) -> bytes:
    """The lane of one signing key; its seq is the lane's last nonce, its balance always 0."""
    return bytes([LANE]) + merchant_id.to_bytes(4, "big") + key_id.to_bytes(4, "big") + bytes(23)


def points_account(issuer_id: int) -> bytes:
    """Outstanding points of one issuer."""
    return bytes([POINTS]) + issuer_id.to_bytes(4, "big") + bytes(27)


def cash_account(merchant_id: int) -> bytes:
    """Cumulative net receivable (+) or payable (-) of one party since genesis, in base units."""
    return bytes([CASH]) + merchant_id.to_bytes(4, "big") + bytes(27)


def member_account(secret: bytes, issuer_id: int) -> bytes:
    """The account of one member with one issuer: 0x04 ‖ first 31 bytes of HMAC-SHA256(k_m, "acct" ‖ issuerId)."""
    return bytes([MEMBER]) + hmac.digest(secret, b"acct" + issuer_id.to_bytes(4, "big"), sha256)[:31]


def member_ref(secret: bytes, merchant_id: int, epoch: int) -> bytes:
    """What one merchant calls a member within one epoch (calendar month): merchants cannot compare these."""
    return hmac.digest(secret, b"ref" + merchant_id.to_bytes(4, "big") + epoch.to_bytes(4, "big"), sha256)


def salt(batch_secret: bytes, account: bytes, seq: int) -> bytes:
    """The salt of one posting, or with seq = ROW_SALT_SEQ of an account's row.

    Keccak256(batchSecret ‖ account ‖ uint256(seq)).
    """
    return keccak256(batch_secret + account + uint_word(seq))
