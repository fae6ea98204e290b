// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BatchHeader, Net} from "../libraries/Words.sol";
import {IAlliancePolicy} from "./IAlliancePolicy.sol";
import {ICollateral} from "./ICollateral.sol";
import {ICourtHooks} from "./ICourtHooks.sol";
import {IForcedQueue} from "./IForcedQueue.sol";
import {IGuaranteeFund} from "./IGuaranteeFund.sol";
import {IMerchantRegistry} from "./IMerchantRegistry.sol";
import {ISettlementAsset} from "./ISettlementAsset.sol";
import {ISettling} from "./ISettling.sol";

/// @notice How far a batch has come.
enum BatchStatus {
    /// No such batch.
    None,
    /// In its challenge window.
    Committed,
    /// Its nets have moved, or are moving; nothing can undo it.
    Final,
    /// Thrown out by a fraud proof.
    Reverted
}

/// @title The sequence of batches and the money they move
/// @notice commit → challenge window → finalise. A log batch only records roots; a settling batch also carries the nets
/// since the settling batch before it. Nets are locked at commit and moved at finalise, never before.
interface ISettlementHub is ICollateral, ISettling, ICourtHooks {
    /// Where a hub goes on: after the last header of another hub, which wound down. Numbers of batches and leaves, points
    /// in existence and the journal's head are those that it left; `netsSinceBatch` is the last of its batches that
    /// settled, from which on nets are counted. All zero for a hub that begins with nothing.
    struct Carried {
        uint256 chainId;
        address hub;
        bytes32 headerHash;
        uint64 batchNo;
        uint64 netsSinceBatch;
        uint64 firstLeafNo;
        int128 totalPoints;
        bytes32 journalHead;
    }

    /// What the first header has beyond its fixed fields. The accounts tree holds a row for every account registered by
    /// then, zero or as the hub before left it; `dataHash` names the file that holds those rows; `foundedAt` is both
    /// openedAt and sealedAt. Of what was carried over a contract can check nothing: an auditor does, before anybody signs.
    struct Genesis {
        uint32 accountsCount;
        bytes32 accountsRoot;
        bytes32 dataHash;
        uint64 foundedAt;
        bytes32 configHash;
        Carried carried;
    }

    /// `openDemands` and the status Reverted are the courts' to set; of the first batch that a revert threw out,
    /// `finalAfter` says when that was. `prevSettleBatch` is the settling batch before it.
    struct BatchRecord {
        uint40 committedAt;
        uint40 finalAfter;
        uint40 sealedAt;
        uint16 openDemands;
        BatchStatus status;
        bool settling;
        uint48 prevSettleBatch;
    }

    error AssetDecimalsWrong(uint8 decimals);
    /// A first header has number 0, or both a later number and the header of another hub that it follows.
    error CarriedHalfway(uint64 batchNo, bytes32 headerHash);
    /// What settled last was settled before the hub's first header.
    error CarriedUnsettled(uint64 batchNo, uint64 netsSinceBatch);
    error AlreadyCommitted(uint64 batchNo);
    /// A court has thrown this very header out: it never comes again, whoever signed it.
    error AlreadyReverted(uint64 batchNo, bytes32 headerHash);
    error WrongSequence(uint64 expected, uint64 actual);
    error WrongPrevHeader(bytes32 expected, bytes32 actual);
    error WrongFirstLeaf(uint64 expected, uint64 actual);
    error LeafCountOutOfRange(uint32 leafCount, uint32 leafCountMax);
    error TooManyPending(uint256 pending, uint256 pendingMax);
    error OpenedAfterSealed(uint64 openedAt, uint64 sealedAt);
    error SealedInFuture(uint64 sealedAt, uint256 nowSeconds);
    error SealTooOld(uint64 sealedAt, uint256 nowSeconds, uint256 lagSecondsMax);
    error SealedBeforePrevious(uint64 previousSealedAt, uint64 sealedAt);
    error NetsSinceWrong(uint64 expected, uint64 actual);
    error NetsHashWrong(bytes32 expected, bytes32 actual);
    error TooManyNets(uint256 count, uint256 countMax);
    error NetsNotAscending(uint32 previous, uint32 current);
    error ZeroNet(uint32 merchantId);
    error NetsUnbalanced(int256 sum);
    error BlobMissing(bytes32 expected, bytes32 actual);
    error HeaderMismatch(uint64 batchNo, bytes32 committed, bytes32 actual);
    error WindowOpen(uint64 batchNo, uint64 finalAfter);
    error DemandsOpen(uint64 batchNo, uint16 openDemands);
    error NothingToFinalise(uint64 batchNo, uint64 nextFinalNo);
    error SettlingBatchInRange(uint64 batchNo);

    /// No batch is taken any more.
    error WindingDown(uint64 since);
    /// There was a batch, or a revert, in the last 30 days, and no pause of more than 14.
    error WindDownTooEarly(uint256 lastCommitAt, uint256 pausedForSeconds);

    /// This hub goes on where another one ended: its first header is bound to that one's last.
    event CarriedOver(uint256 indexed chainId, address indexed hub, bytes32 indexed headerHash);
    event WindDownBegun(address indexed account, uint64 since);
    event BatchCommitted(
        uint64 indexed batchNo,
        bytes32 indexed headerHash,
        BatchHeader header,
        uint64 finalAfter,
        uint256 weight,
        address[] attesters
    );
    event NetsCommitted(uint64 indexed batchNo, Net[] nets);
    /// At commit this debtor's free collateral fell short of its net. What arrives before finalise still counts.
    event Shortage(uint64 indexed batchNo, uint32 indexed merchantId, uint256 missing);
    event BatchFinalised(uint64 indexed batchNo, bytes32 indexed headerHash);

    /// @notice Records a sealed batch. Checks, in this order, each with its own error (2, 12, 19 and 20 are the
    /// policy's): 1 not winding down · 2 not paused · 3 caller has SUBMITTER · 4 bond ≥ minimum · 5 batchNo is next
    /// (AlreadyCommitted if this very header is there, else WrongSequence), and a court has not thrown out this very
    /// header before (AlreadyReverted) · 6 prevHeaderHash · 7 firstLeafNo · 8 1 ≤
    /// leafCount ≤ 2^20 · 9 fewer than 1,024 pending · 10 openedAt ≤ sealedAt ≤ now ≤ sealedAt + lag · 11 sealedAt ≥ the
    /// previous one · 12 configHash, current or for 24 h the one before · 13 no forced event overdue but those this
    /// header was shown to hold · 14 netsSinceBatch is the last settling batch · 15 netsHash (0 without nets) · 16 at
    /// most 512 nets and 8 settling batches pending · 17 ids strictly ascending, no zero, Σ = 0 · 18 blob, if named, is
    /// carried · 19 attestations: low-s, strictly ascending, in the set · 20 gross within the cap of the window they
    /// earn. Then per debtor min(|net|, free) is locked; a shortage is an event, never a refusal.
    /// @param header the sealed header; `netsHash` ≠ 0 makes it a settling batch
    /// @param nets empty for a log batch; a settling batch may also have none
    /// @param attestations EIP-2098 signatures (r, vs) over the header's digest, ascending by signer
    function commitBatch(BatchHeader calldata header, Net[] calldata nets, bytes32[2][] calldata attestations) external;

    /// @notice Makes the oldest pending batch final and moves its nets; anyone may call it. Checks, in this order: not
    /// paused, unless the hub winds down · batchNo is next to finalise · header is the committed one · its window is
    /// over · no demand is open · nets hash to its netsHash. A batch with many defaults takes several calls with the
    /// same arguments (SettlementContinues); it is next to finalise until the last of them, and status Final from the
    /// first, for nothing can undo it.
    function finaliseBatch(BatchHeader calldata header, Net[] calldata nets) external;

    /// @notice Makes all pending batches up to `batchNo` final, if they are log batches. The same checks for each.
    function finaliseThrough(uint64 batchNo) external;

    /// @notice Stops commits for good. Anyone may, 30 days after the last batch or revert, or 14 days into a pause; the
    /// default admin at any time. What is pending becomes final when its windows end, paused or not; floors end when a
    /// withdrawal's delay is over.
    function beginWindDown() external;

    /// @notice Tells when the head of the forced queue is due; 0 if the queue is empty. The forced queue only.
    function setForcedDue(uint32 dueAt) external;

    /// @notice Hash of the header committed under this number; 0 if there is none, or none any more.
    function headerHash(uint64 batchNo) external view returns (bytes32);

    function record(uint64 batchNo) external view returns (BatchRecord memory);

    function nextBatchNo() external view returns (uint64);

    function nextFinalNo() external view returns (uint64);

    function nextLeafNo() external view returns (uint64);

    function lastSettleBatch() external view returns (uint64);

    /// @notice Whether this very header is final under this number.
    function isFinal(uint64 batchNo, bytes32 hash) external view returns (bool);

    /// @notice A merchant's standing with the hub: free + locked − owed to claims.
    function netPosition(uint32 merchantId) external view returns (int256);

    function domainSeparator() external view returns (bytes32);

    function asset() external view returns (ISettlementAsset);

    function registry() external view returns (IMerchantRegistry);

    function policy() external view returns (IAlliancePolicy);

    function guaranteeFund() external view returns (IGuaranteeFund);

    function forcedQueue() external view returns (IForcedQueue);

    /// @notice Since when the hub winds down; 0 if it does not.
    function windDownAt() external view returns (uint64);

    /// @notice Whether the hub winds down and every batch is final.
    function nothingPendingSinceWindDown() external view returns (bool);
}
