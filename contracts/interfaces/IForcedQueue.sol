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
/// is shown to hold it (coverForced). An event whose lane number was meanwhile used by another event that the merchant
/// signed is discharged too, and the merchant's double signature noted. What can no longer be taken (its key revoked, its
/// terms ended, its predecessor gone) can be dropped.
///
/// Of all that is overdue each event leaves the queue by itself, wherever it stands: what a committed batch holds is
/// discharged, what no batch can hold is dropped, and the rest the next batch can hold. So there is always a batch that the
/// hub takes. Within a lane the numbers leave in their order; what follows a dropped number can be dropped with it, and its
/// lane takes no more until that is done. A batch that answered some may be thrown out: each then comes back to where it
/// stood, due as it was, by whoever shows it (reopenForced); for what follows it in its lane rests on it.
///
/// A receipt is the operator's signed promise to merge an event by a time. Who shows that a later batch has not reached the
/// event's number is paid from the operator's bond, into the merchant's collateral: 100 units, or the event's own
/// settleAmount up to 1,000 units if that is more and the event is shown too. The batch stands. A promise ends with the
/// lane: a batch in which its key is revoked or its merchant restricted shows nothing, and the last one before that had
/// to hold whatever was accepted half an hour before it was sealed. So nobody makes a promise impossible to keep and is
/// paid for it, and a revocation frees the operator from nothing that it had the time to do.
interface IForcedQueue {
    /// `basis` is the batch whose lane row the event followed; `next` and `previous` are its neighbours in the queue, by id,
    /// 0 at its ends.
    struct Entry {
        bytes32 eventHash;
        bytes32 basisHash;
        uint32 basisBatchNo;
        uint64 nonce;
        uint32 merchantId;
        uint32 keyId;
        uint32 dueAt;
        uint32 next;
        uint32 previous;
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
    error NotCommitted(uint64 batchNo, bytes32 committed, bytes32 actual);
    error NotNextBatch(uint64 expected, uint64 actual);
    error WrongLane(bytes32 expected, bytes32 actual);
    error WrongNonce(uint64 expected, uint64 actual);
    error NotForceable(ForcedFault fault);
    error WrongSigner(address expected, address actual);
    error LaneQueueFull(uint32 merchantId, uint32 keyId, uint256 countMax);
    /// So many events of this lane follow one that was dropped, and have to be dropped first.
    error LaneBroken(uint32 merchantId, uint32 keyId, uint256 count);
    /// Another number of this lane has to leave the queue first.
    error NotLanesFirst(uint64 firstNonce, uint64 actual);
    error NotQueued(uint64 id);
    error WrongEvent(bytes32 expected, bytes32 actual);
    error StillDue(uint64 id);
    /// It was not answered by this batch, or stood otherwise; or it is queued; or it had followed a dropped one.
    error NotDischarged(uint64 id);
    /// What answered it has not been thrown out.
    error BatchStands(uint64 batchNo);
    /// An entry that stands in the queue with a lower id, or none, must be the neighbour, and the next have a higher one.
    error NotItsPlace(uint64 id, uint64 previous);
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
    /// The batch whose lane row a queued event follows; part of what reopenForced asks for.
    event ForcedBasis(uint64 indexed id, uint64 batchNo, bytes32 headerHash);
    /// It is due again: the batch that had answered it was thrown out.
    event ForcedReopened(uint64 indexed id, uint32 dueAt);
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

    /// @notice Queues a signed event. Checks, in this order: header is committed · lane row is in its accounts tree · row
    /// is the event's lane · no event of the lane follows a dropped one · nonce is the next after what this lane has
    /// queued, or after the row if it has nothing queued · fewer than 16 queued of this lane · the event is well-formed for
    /// the next batch · its signer is the lane's key then. Anyone may call it. Any committed batch will do, so that neither
    /// a batch that comes meanwhile nor an operator that keeps its newest rows to itself is in the way; a number that a
    /// later batch has used is discharged by the leaf that used it.
    function forceEvent(
        PointsEvent calldata pointsEvent,
        bytes32[2] calldata signature,
        RowProof calldata proof
    ) external returns (uint64 id);

    /// @notice Takes an event off the queue: a committed batch holds its lane and number. Checks, in this order: id is
    /// queued · header is committed · leaf is in its tree · the leaf is the event's · the event has the lane and number
    /// that were forced · if it is another event, that the lane's key signed it · no lower number of the lane is queued.
    function dischargeForced(uint64 id, LeafProof calldata proof) external;

    /// @notice Puts an event back that a batch had answered which was thrown out since. It stands where it stood, by its
    /// id, and its deadline is what it was. Anyone may call it, for the last number of a lane first. Checks, in this order:
    /// it was answered by this very batch and stood so · the batch is no more · no event of the lane follows a dropped one ·
    /// its number is the one before those of its lane that wait · `previous` is its neighbour.
    /// @param was the entry as it stood; `next` and `previous` in it do not count
    /// @param headerHash of the batch that had answered it
    /// @param previous id of the entry that it comes after, 0 at the head
    function reopenForced(uint64 id, Entry calldata was, uint64 batchNo, bytes32 headerHash, uint64 previous) external;

    /// @notice Shows that a batch which is about to be committed holds a queued event; the hub then takes that batch
    /// although the event is overdue. The same checks as dischargeForced, with a header that is next instead of
    /// committed, and without the last. What others show about other headers changes nothing.
    function coverForced(uint64 id, LeafProof calldata proof) external;

    /// @notice Takes an event off the queue if the next batch cannot hold it; or, once it is overdue, if only the next one
    /// can: what ends key, terms or a merchant's right begins a batch later, and no batch comes past an overdue event.
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

    /// @notice The first id that is queued, and the id that the next event will get; the same if none is queued. The others
    /// follow by `Entry.next`.
    function queue() external view returns (uint64 head, uint64 tail);

    /// @notice All zero if it is not queued.
    function entry(uint64 id) external view returns (Entry memory);

    /// @notice Whether a header was shown to hold this queued event.
    function isCovered(uint64 id, bytes32 headerHash) external view returns (bool);

    /// @notice Whether an event could be forced into a batch, its key aside.
    function faultOf(PointsEvent calldata pointsEvent, uint64 batchNo) external view returns (ForcedFault);

    /// @notice How often a merchant was shown here to have signed two events with one number.
    function equivocations(uint32 merchantId) external view returns (uint256);

    /// @notice What was paid for a promise about this number.
    function penaltyPaid(uint32 merchantId, uint32 keyId, uint64 nonce) external view returns (uint256);

    function hub() external view returns (address);
}
