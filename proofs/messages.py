"""The structs that are hashed, signed and published, with the one EIP-712 domain they are signed under.

Type strings are normative, field order included (docs/protocol: §2.2, §2.3). Amounts: points are whole points of an
issuer, cash is base units of the settlement asset (6 decimals), times are Unix seconds. An instance is only data; what
the fields must satisfy is in `kinds`, `tree` and `headers`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from proofs.keccak import keccak256
from proofs.words import Typed, uint_word

DOMAIN_NAME = "PointsAlliance"
DOMAIN_VERSION = "1"
_DOMAIN_TYPEHASH = keccak256(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")


@dataclass(frozen=True, slots=True)
class PointsEvent(Typed):
    """What a merchant signs: one points event of one lane (merchant_id, key_id), numbered without gaps by `nonce`."""

    TYPE: ClassVar[str] = (
        "PointsEvent(uint8 kind,uint32 merchantId,uint32 keyId,uint64 nonce,uint64 occurredAt,uint32 issuerId,"
        "bytes32 memberRef,uint64 points,uint32 termsId,uint128 settleAmount,bytes32 refEventId,uint32 campaignId,"
        "uint8 level,uint128 basis,bytes32 detailHash)"
    )

    kind: int
    merchant_id: int
    key_id: int
    nonce: int
    occurred_at: int
    issuer_id: int
    member_ref: bytes
    points: int
    terms_id: int
    settle_amount: int
    ref_event_id: bytes
    campaign_id: int
    level: int
    basis: int
    detail_hash: bytes

    @property
    def event_id(self) -> bytes:
        """merchantId(4) ‖ keyId(4) ‖ nonce(8) ‖ 16 zero bytes.

        Unique because nonces have no gaps; derived, never stored.
        """
        return event_id(merchant_id=self.merchant_id, key_id=self.key_id, nonce=self.nonce)


def event_id(*, merchant_id: int, key_id: int, nonce: int) -> bytes:
    """The 32-byte id of an event: merchantId(4) ‖ keyId(4) ‖ nonce(8) ‖ 16 zero bytes."""
    return merchant_id.to_bytes(4, "big") + key_id.to_bytes(4, "big") + nonce.to_bytes(8, "big") + bytes(16)


@dataclass(frozen=True, slots=True)
class Posting(Typed):
    """One step of one account.

    Its sequence number, the leaf of its previous step, the change and the running balance after it.
    """

    TYPE: ClassVar[str] = (
        "Posting(bytes32 account,uint64 seq,uint64 prevLeafNo,int128 delta,int128 balance,bytes32 salt)"
    )

    account: bytes
    seq: int
    prev_leaf_no: int
    delta: int
    balance: int
    salt: bytes


@dataclass(frozen=True, slots=True)
class SettlementLeaf(Typed):
    """The leaf of the batch tree.

    A signed event and the hashes of the postings it causes (zero where a slot is unused).
    """

    TYPE: ClassVar[str] = (
        "SettlementLeaf(uint64 leafNo,uint64 lanePrevLeafNo,bytes32 eventHash,bytes32 sigR,bytes32 sigVS,"
        "bytes32 issuerPosting,bytes32 debtorPosting,bytes32 creditorPosting,bytes32 memberPosting,"
        "int128 totalPointsAfter)"
    )

    leaf_no: int
    lane_prev_leaf_no: int
    event_hash: bytes
    sig_r: bytes
    sig_vs: bytes
    issuer_posting: bytes
    debtor_posting: bytes
    creditor_posting: bytes
    member_posting: bytes
    total_points_after: int


@dataclass(frozen=True, slots=True)
class AccountRow(Typed):
    """The closing state of one account in a batch's accounts tree; `last_leaf_no` holds its closing posting."""

    TYPE: ClassVar[str] = "AccountRow(bytes32 account,uint64 seq,uint64 lastLeafNo,int128 balance,bytes32 salt)"

    account: bytes
    seq: int
    last_leaf_no: int
    balance: int
    salt: bytes


@dataclass(frozen=True, slots=True)
class BatchHeader(Typed):
    """What goes on chain for a batch.

    Its hashStruct is the header hash that the next header names and attesters sign.
    """

    TYPE: ClassVar[str] = (
        "BatchHeader(uint64 batchNo,bytes32 prevHeaderHash,uint64 firstLeafNo,uint32 leafCount,bytes32 leavesRoot,"
        "uint32 accountsCount,bytes32 accountsRoot,bytes32 historyRoot,bytes32 journalHead,int128 totalPoints,"
        "bytes32 netsHash,uint64 netsSinceBatch,bytes32 dataHash,bytes32 blobHash,uint64 openedAt,uint64 sealedAt,"
        "bytes32 configHash)"
    )

    batch_no: int
    prev_header_hash: bytes
    first_leaf_no: int
    leaf_count: int
    leaves_root: bytes
    accounts_count: int
    accounts_root: bytes
    history_root: bytes
    journal_head: bytes
    total_points: int
    nets_hash: bytes
    nets_since_batch: int
    data_hash: bytes
    blob_hash: bytes
    opened_at: int
    sealed_at: int
    config_hash: bytes


@dataclass(frozen=True, slots=True)
class AcceptanceReceipt(Typed):
    """The operator's promise to a merchant that an event will be in a batch sealed no later than `merge_by`."""

    TYPE: ClassVar[str] = (
        "AcceptanceReceipt(bytes32 eventHash,uint32 merchantId,uint32 keyId,uint64 nonce,uint64 acceptedAt,"
        "uint64 mergeBy)"
    )

    event_hash: bytes
    merchant_id: int
    key_id: int
    nonce: int
    accepted_at: int
    merge_by: int


@dataclass(frozen=True, slots=True)
class ClaimTo(Typed):
    """A payee's choice of the address that receives a committed referral reward."""

    TYPE: ClassVar[str] = "ClaimTo(bytes32 payee,uint32 campaignId,uint64 leafNo,address recipient,uint64 deadline)"

    payee: bytes
    campaign_id: int
    leaf_no: int
    recipient: bytes
    deadline: int


@dataclass(frozen=True, slots=True)
class LiabilityLeaf(Typed):
    """One member account in an issuer's liability sum tree."""

    TYPE: ClassVar[str] = "LiabilityLeaf(bytes32 account,uint64 seq,uint128 balance,bytes32 authKey,bytes32 salt)"

    account: bytes
    seq: int
    balance: int
    auth_key: bytes
    salt: bytes


@dataclass(frozen=True, slots=True)
class IssuerLiability(Typed):
    """One issuer in the epoch's sum tree of issuers."""

    TYPE: ClassVar[str] = (
        "IssuerLiability(uint32 issuerId,bytes32 sumRoot,uint128 total,uint128 debtTotal,uint64 memberCount,"
        "bytes32 salt)"
    )

    issuer_id: int
    sum_root: bytes
    total: int
    debt_total: int
    member_count: int
    salt: bytes


def domain_separator(*, chain_id: int, hub: bytes, name: str = DOMAIN_NAME, version: str = DOMAIN_VERSION) -> bytes:
    """The EIP-712 domain of one alliance: the chain and its contract (20 bytes) are in every signature."""
    named, numbered = keccak256(name.encode()), keccak256(version.encode())
    return keccak256(_DOMAIN_TYPEHASH + named + numbered + uint_word(chain_id) + bytes(12) + hub)


def signed_digest(separator: bytes, struct_hash: bytes) -> bytes:
    """The 32 bytes that are signed: keccak256(0x1901 ‖ domain separator ‖ hashStruct)."""
    return keccak256(b"\x19\x01" + separator + struct_hash)
