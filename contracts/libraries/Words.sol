// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// One signed ledger event (protocol §2.3). `points` and `settleAmount` are unsigned: the kind gives the direction.
struct PointsEvent {
    uint8 kind;
    uint32 merchantId;
    uint32 keyId;
    uint64 nonce;
    uint64 occurredAt;
    uint32 issuerId;
    bytes32 memberRef;
    uint64 points;
    uint32 termsId;
    uint128 settleAmount;
    bytes32 refEventId;
    uint32 campaignId;
    uint8 level;
    uint128 basis;
    bytes32 detailHash;
}

/// One step of one account; `prevLeafNo` names the leaf of the account's previous step (0 for the first).
struct Posting {
    bytes32 account;
    uint64 seq;
    uint64 prevLeafNo;
    int128 delta;
    int128 balance;
    bytes32 salt;
}

/// What the leaves tree holds: an event, its signature and up to four hashed postings (0 for an unused slot).
struct SettlementLeaf {
    uint64 leafNo;
    uint64 lanePrevLeafNo;
    bytes32 eventHash;
    bytes32 sigR;
    bytes32 sigVS;
    bytes32 issuerPosting;
    bytes32 debtorPosting;
    bytes32 creditorPosting;
    bytes32 memberPosting;
    int128 totalPointsAfter;
}

/// Closing state of one merchant account, as held by the accounts tree.
struct AccountRow {
    bytes32 account;
    uint64 seq;
    uint64 lastLeafNo;
    int128 balance;
    bytes32 salt;
}

/// All that the chain needs to know of one batch. `prevHeaderHash` ties it to its chain, contract and predecessor.
struct BatchHeader {
    uint64 batchNo;
    bytes32 prevHeaderHash;
    uint64 firstLeafNo;
    uint32 leafCount;
    bytes32 leavesRoot;
    uint32 accountsCount;
    bytes32 accountsRoot;
    bytes32 historyRoot;
    bytes32 journalHead;
    int128 totalPoints;
    bytes32 netsHash;
    uint64 netsSinceBatch;
    bytes32 dataHash;
    bytes32 blobHash;
    uint64 openedAt;
    uint64 sealedAt;
    bytes32 configHash;
}

/// The operator's signed promise to put an accepted event into a batch sealed by `mergeBy`.
struct AcceptanceReceipt {
    bytes32 eventHash;
    uint32 merchantId;
    uint32 keyId;
    uint64 nonce;
    uint64 acceptedAt;
    uint64 mergeBy;
}

/// A member's signed choice of the wallet that receives one cash reward.
struct ClaimTo {
    bytes32 payee;
    uint32 campaignId;
    uint64 leafNo;
    address recipient;
    uint64 deadline;
}

/// One member account in an issuer's liability tree.
struct LiabilityLeaf {
    bytes32 account;
    uint64 seq;
    uint128 balance;
    bytes32 authKey;
    bytes32 salt;
}

/// One issuer in the epoch's liability tree.
struct IssuerLiability {
    uint32 issuerId;
    bytes32 sumRoot;
    uint128 total;
    uint128 debtTotal;
    uint64 memberCount;
    bytes32 salt;
}

/// What one merchant receives (+) or pays (−) in a settling batch, in base units of the settlement asset.
struct Net {
    uint32 merchantId;
    int128 amount;
}

/// @title Typed words: EIP-712 type hashes and struct hashes of every record the protocol signs, hashes or publishes
/// @notice All fields are static, so the preimage of each hash is a plain run of 32-byte words: the type hash, then the
/// fields in order. Python and JavaScript hash the same bytes; `proofs/vectors/ex1.json` holds all three to it.
/// @dev A struct of static fields encodes in place, so `abi.encode(TYPEHASH, x)` is exactly that run of words.
library Words {
    bytes32 internal constant POINTS_EVENT_TYPEHASH = keccak256(
        "PointsEvent(uint8 kind,uint32 merchantId,uint32 keyId,uint64 nonce,uint64 occurredAt,uint32 issuerId,bytes32 memberRef,uint64 points,uint32 termsId,uint128 settleAmount,bytes32 refEventId,uint32 campaignId,uint8 level,uint128 basis,bytes32 detailHash)"
    );
    bytes32 internal constant POSTING_TYPEHASH = keccak256(
        "Posting(bytes32 account,uint64 seq,uint64 prevLeafNo,int128 delta,int128 balance,bytes32 salt)"
    );
    bytes32 internal constant SETTLEMENT_LEAF_TYPEHASH = keccak256(
        "SettlementLeaf(uint64 leafNo,uint64 lanePrevLeafNo,bytes32 eventHash,bytes32 sigR,bytes32 sigVS,bytes32 issuerPosting,bytes32 debtorPosting,bytes32 creditorPosting,bytes32 memberPosting,int128 totalPointsAfter)"
    );
    bytes32 internal constant ACCOUNT_ROW_TYPEHASH =
        keccak256("AccountRow(bytes32 account,uint64 seq,uint64 lastLeafNo,int128 balance,bytes32 salt)");
    bytes32 internal constant BATCH_HEADER_TYPEHASH = keccak256(
        "BatchHeader(uint64 batchNo,bytes32 prevHeaderHash,uint64 firstLeafNo,uint32 leafCount,bytes32 leavesRoot,uint32 accountsCount,bytes32 accountsRoot,bytes32 historyRoot,bytes32 journalHead,int128 totalPoints,bytes32 netsHash,uint64 netsSinceBatch,bytes32 dataHash,bytes32 blobHash,uint64 openedAt,uint64 sealedAt,bytes32 configHash)"
    );
    bytes32 internal constant ACCEPTANCE_RECEIPT_TYPEHASH = keccak256(
        "AcceptanceReceipt(bytes32 eventHash,uint32 merchantId,uint32 keyId,uint64 nonce,uint64 acceptedAt,uint64 mergeBy)"
    );
    bytes32 internal constant CLAIM_TO_TYPEHASH =
        keccak256("ClaimTo(bytes32 payee,uint32 campaignId,uint64 leafNo,address recipient,uint64 deadline)");
    bytes32 internal constant LIABILITY_LEAF_TYPEHASH =
        keccak256("LiabilityLeaf(bytes32 account,uint64 seq,uint128 balance,bytes32 authKey,bytes32 salt)");
    bytes32 internal constant ISSUER_LIABILITY_TYPEHASH = keccak256(
        "IssuerLiability(uint32 issuerId,bytes32 sumRoot,uint128 total,uint128 debtTotal,uint64 memberCount,bytes32 salt)"
    );

    /// Opens the preimage of header 0's `prevHeaderHash`, so that no two hubs share a chain of headers.
    bytes32 internal constant GENESIS_TAG = keccak256("LPA-GENESIS");
    /// The same for the first header of a hub that goes on where another one ended.
    bytes32 internal constant CARRIED_TAG = keccak256("LPA-CARRIED");

    function hash(PointsEvent memory x) internal pure returns (bytes32) {
        return keccak256(abi.encode(POINTS_EVENT_TYPEHASH, x));
    }

    function hash(Posting memory x) internal pure returns (bytes32) {
        return keccak256(abi.encode(POSTING_TYPEHASH, x));
    }

    function hash(SettlementLeaf memory x) internal pure returns (bytes32) {
        return keccak256(abi.encode(SETTLEMENT_LEAF_TYPEHASH, x));
    }

    function hash(AccountRow memory x) internal pure returns (bytes32) {
        return keccak256(abi.encode(ACCOUNT_ROW_TYPEHASH, x));
    }

    function hash(BatchHeader memory x) internal pure returns (bytes32) {
        return keccak256(abi.encode(BATCH_HEADER_TYPEHASH, x));
    }

    function hash(AcceptanceReceipt memory x) internal pure returns (bytes32) {
        return keccak256(abi.encode(ACCEPTANCE_RECEIPT_TYPEHASH, x));
    }

    function hash(ClaimTo memory x) internal pure returns (bytes32) {
        return keccak256(abi.encode(CLAIM_TO_TYPEHASH, x));
    }

    function hash(LiabilityLeaf memory x) internal pure returns (bytes32) {
        return keccak256(abi.encode(LIABILITY_LEAF_TYPEHASH, x));
    }

    function hash(IssuerLiability memory x) internal pure returns (bytes32) {
        return keccak256(abi.encode(ISSUER_LIABILITY_TYPEHASH, x));
    }

    /// Hash of a settling batch's nets. A log batch carries 0 instead: it has no nets, not an empty list of them.
    function hash(Net[] memory nets) internal pure returns (bytes32) {
        return keccak256(abi.encode(nets));
    }

    /// `prevHeaderHash` of header 0.
    function genesisAnchor(uint256 chainId, address hub) internal pure returns (bytes32) {
        return keccak256(abi.encode(GENESIS_TAG, chainId, hub));
    }

    /// `prevHeaderHash` of the first header of a hub that goes on after `oldHeaderHash`, the last one of another hub.
    function carriedAnchor(uint256 chainId, address hub, uint256 oldChainId, address oldHub, bytes32 oldHeaderHash)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(CARRIED_TAG, chainId, hub, oldChainId, oldHub, oldHeaderHash));
    }
}
