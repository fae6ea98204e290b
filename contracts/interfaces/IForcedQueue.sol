// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AcceptanceReceipt, AccountRow, BatchHeader, PointsEvent, SettlementLeaf} from "../libraries/Words.sol";

/// @notice What an event must be for the operator to have to take it. Only kinds whose validity needs no hidden state.
enum ForcedFault {
    /// It may be forced.
    None,
    /// Not EARN, REFERRAL, VOID or REFERRAL_CASH.
    Kind,
    /// A field is set that this kind must not set, or the other way round.
    Shape,
    /// Says that it happens later than now.
    Clock,
    /// Names terms that are not in force for this issuer and signer.
    Terms,
    /// Its cash does not follow from its points, or would follow from a member's balance (terms paid on issuance).
    Rate,
    /// No campaign on chain answers for it.
    Campaign,
    /// Its lane's key does not answer for this kind.
    Key,
    /// The batch whose lane row it followed was reverted.
    Basis,
    /// An event before it in its lane was dropped.
    Gap
}

/// @title What a merchant can do when the operator does not take its events, or breaks its promise to
/// @notice A merchant puts a signed event on chain; once it is older than the deadline, the hub takes no batch but one that
/// is shown to hold it (coverForced). A queue in strict order: only its head is discharged. An event whose lane number was
/// meanwhile used by another event that the merchant signed is discharged too, and the merchant's double signature noted.
/// What can no longer be taken (its key revoked, its terms ended, its predecessor gone) can be dropped, so that no event can
/// stop the hub for good.
///
/// A receipt is the operator's signed promise to merge an event by a time. Who shows that a later batch has not reached the
/// event's number is paid from the operator's bond, into the merchant's collateral: 100 units, or the event's own
/// settleAmount up to 1,000 units if that is more and the event is shown too. The batch stands. A promise ends with the
/// lane: a batch in which its key is revoked or its merchant restricted shows nothing, and the last one before that had
/// to hold whatever was accepted half an hour before it was sealed. So nobody makes a promise impossible to keep and is
/// paid for it, and a revocation frees the operator from nothing that it had the time to do.
interface IForcedQueue {
    struct Entry {
        bytes32 eventHash;
        bytes32 basisHash;
        bytes32 coveredBy;
        uint64 basisBatchNo;
        uint64 nonce;
        uint32 merchantId;
        uint32 keyId;
        uint32 dueAt;
    }

    /// That a row stands at a place of a batch's accounts tree.
    struct RowProof {
        BatchHeader header;
        AccountRow row;
        uint256 index;
        bytes32[] path;
    }

    /// That a leaf stands at a place of a batch, and the event that it holds.
    struct LeafProof {
        BatchHeader header;
        SettlementLeaf leaf;
        uint256 index;
        bytes32[] path;
        PointsEvent pointsEvent;
    }

    error NotHub(address caller);
    error HubBoundAlready(address hub);
    /// Lane rows are proven against the last committed batch.
    error NotLastBatch(uint64 lastBatchNo, bytes32 lastHash, bytes32 actual);
    error NotCommitted(uint64 batchNo, bytes32 committed, bytes32 actual);
    error NotNextBatch(uint64 expected, uint64 actual);
    error WrongLane(bytes32 expected, bytes32 actual);
    error WrongNonce(uint64 expected, uint64 actual);
    error NotForceable(ForcedFault fault);
    error WrongSigner(address expected, address actual);
    error LaneQueueFull(uint32 merchantId, uint32 keyId, uint256 countMax);
    error NotHead(uint64 head, uint64 actual);
    error NotQueued(uint64 id);
    error WrongEvent(bytes32 expected, bytes32 actual);
    error StillDue(uint64 id);
    /// The operator must show that the batch it commits holds this event.
    error ForcedOverdue(uint64 id, uint32 dueAt);
    error UnknownReceiptSigner(address signer);
    /// The batch was sealed before it had to hold what was promised.
    error ReceiptNotLate(uint64 dueBy, uint64 sealedAt);
    /// The lane's key was revoked, or its merchant restricted, before this batch: it could not hold the event.
    error LaneEnded(uint32 merchantId, uint32 keyId, uint64 batchNo);
    error ReceiptKept(uint64 nonce, uint64 laneSeq);
    error PenaltyAlreadyPaid(uint32 merchantId, uint32 keyId, uint64 nonce);
    error BondEmpty();

    event HubBound(address indexed hub);
    /// Carries all that the operator needs to take it.
    event ForcedQueued(
        uint64 indexed id,
        uint32 indexed merchantId,
        uint32 indexed keyId,
        uint32 dueAt,
        bytes32 eventHash,
        PointsEvent pointsEvent,
        bytes32[2] signature
    );
    event ForcedCovered(uint64 indexed id, bytes32 indexed headerHash);
    event ForcedDischarged(uint64 indexed id, uint64 indexed batchNo, bool late);
    event ForcedDropped(uint64 indexed id, ForcedFault fault);
    /// A merchant signed two events with one number; the second hash is the one that was merged.
    event Equivocation(uint32 indexed merchantId, uint32 indexed keyId, uint64 nonce, bytes32 eventHash, bytes32 mergedHash);
    event LateReceipt(
        uint32 indexed merchantId, uint32 indexed keyId, uint64 nonce, bytes32 eventHash, uint64 batchNo, uint256 paid
    );

    /// @notice Makes the caller the queue's hub; once. A hub does it in its constructor.
    function bindHub() external;

    /// @notice Queues a signed event. Checks, in this order: header is the last committed one · lane row is in its
    /// accounts tree · row is the event's lane · nonce is the next after the row and after what this lane has queued ·
    /// fewer than 16 queued of this lane · the event is well-formed for the next batch · its signer is the lane's key
    /// then. Anyone may call it.
    function forceEvent(
        PointsEvent calldata pointsEvent,
        bytes32[2] calldata signature,
        RowProof calldata proof
    ) external returns (uint64 id);

    /// @notice Takes the head off the queue: a committed batch holds its lane and number. Checks, in this order: id is
    /// the head · header is committed · leaf is in its tree · the leaf is the event's · the event has the head's lane
    /// and number · if it is another event, that the lane's key signed it.
    function dischargeForced(uint64 id, LeafProof calldata proof) external;

    /// @notice Shows that a batch which is about to be committed holds a queued event; the hub then takes that batch
    /// although the event is overdue. The same checks as dischargeForced, with a header that is next instead of
    /// committed.
    function coverForced(uint64 id, LeafProof calldata proof) external;

    /// @notice Takes the head off the queue if the next batch can no longer hold it.
    function dropForced(uint64 id, PointsEvent calldata pointsEvent) external;

    /// @notice Takes overdue heads that this header was shown to hold off the queue; reverts if one is left. The hub only.
    /// @return dueAt when the next head is due; 0 if there is none
    function clearOverdue(bytes32 headerHash) external returns (uint32 dueAt);

    /// @notice Pays a merchant 100 units for a receipt that was not kept. Checks, in this order: header is committed ·
    /// lane row is in its accounts tree · row is the receipt's lane · its key answers in this batch · sealedAt is after
    /// mergeBy, or after half an hour from acceptedAt if the key answers no longer in the next · the row has not
    /// reached the nonce · the receipt's signer is one of the operator's · not yet paid. Anyone may call it.
    function proveLateReceipt(
        AcceptanceReceipt calldata receipt,
        bytes32[2] calldata signature,
        RowProof calldata proof
    ) external returns (uint256 paid);

    /// @notice The same with the event that the receipt names: its settleAmount up to 1,000 units, at least 100 units, less
    /// what was paid for this number before.
    function proveLateEvent(
        AcceptanceReceipt calldata receipt,
        bytes32[2] calldata signature,
        RowProof calldata proof,
        PointsEvent calldata pointsEvent
    ) external returns (uint256 paid);

    /// @notice Ids from `head` up to but not including `tail` are queued.
    function queue() external view returns (uint64 head, uint64 tail);

    /// @notice All zero if it is not queued.
    function entry(uint64 id) external view returns (Entry memory);

    /// @notice Whether an event could be forced into a batch, its key aside.
    function faultOf(PointsEvent calldata pointsEvent, uint64 batchNo) external view returns (ForcedFault);

    /// @notice How often a merchant was shown here to have signed two events with one number.
    function equivocations(uint32 merchantId) external view returns (uint256);

    /// @notice What was paid for a promise about this number.
    function penaltyPaid(uint32 merchantId, uint32 keyId, uint64 nonce) external view returns (uint256);

    function hub() external view returns (address);
}
