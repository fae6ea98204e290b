// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IForcedQueue} from "../interfaces/IForcedQueue.sol";
import {PointsEvent} from "../libraries/Words.sol";
import {Evidence} from "./Evidence.sol";

/// @title Waiting: who stands where in the queue
/// @dev A list in the order of ids, which is the order of deadlines: an entry knows its neighbours, so that any of them is
/// taken out at the same cost wherever it stands. Entry 0 stays empty: whoever asks for the head of an empty queue finds
/// that nothing is due. What waits has a deadline; of one that a batch has answered only a trace stays, in the place of
/// its hash, by which it comes back to its place if the batch is thrown out.
///
/// In a lane, `live` numbers up to `lastNonce` wait without a gap between them; `broken` ones above it follow a number that
/// was dropped. New ones are taken only while none is broken, so an entry is broken exactly if its number is above.
abstract contract Waiting is Evidence {
    using SafeCast for uint256;

    uint256 private constant QUEUED_PER_LANE_MAX = 16;

    struct Lane {
        uint64 lastNonce;
        uint16 live;
        uint16 broken;
    }

    uint32 internal _head;
    uint32 private _last;
    uint32 private _tail = 1;
    mapping(uint64 id => Entry) internal _entries;
    mapping(bytes32 account => Lane) private _lanes;

    /// @inheritdoc IForcedQueue
    function queue() external view returns (uint64 head, uint64 tail) {
        return (_head == 0 ? _tail : _head, _tail);
    }

    /// @inheritdoc IForcedQueue
    function entry(uint64 id) external view returns (Entry memory e) {
        if (_isQueued(id)) e = _entries[id];
    }

    /// Takes the event's number in its lane, of which a batch holds all up to `seq`.
    function _takePlace(bytes32 account, uint64 seq, PointsEvent calldata e) internal {
        Lane storage lane = _lanes[account];
        (uint16 live, uint16 broken) = (lane.live, lane.broken);
        if (broken != 0) revert LaneBroken(e.merchantId, e.keyId, broken);
        uint64 expected = (live != 0 ? lane.lastNonce : seq) + 1;
        if (e.nonce != expected) revert WrongNonce(expected, e.nonce);
        if (live == QUEUED_PER_LANE_MAX) revert LaneQueueFull(e.merchantId, e.keyId, QUEUED_PER_LANE_MAX);
        (lane.lastNonce, lane.live) = (expected, live + 1);
    }

    /// Puts an event at the end, due no sooner than what stands before it.
    function _append(PointsEvent calldata e, bytes32 eventHash, bytes32 basis, uint64 basisNo, uint256 dueAt)
        internal
        returns (uint32 id)
    {
        uint32 last = _last;
        id = _tail;
        Entry storage before = _entries[last];
        // A deadline that was shortened in between must not put a later entry before an earlier one.
        if (dueAt < before.dueAt) dueAt = before.dueAt;
        if (last == 0) _head = id;
        else before.next = id;
        (_last, _tail) = (id, id + 1);
        uint32 basisBatchNo = uint256(basisNo).toUint32();
        _entries[id] =
            Entry(eventHash, basis, basisBatchNo, e.nonce, e.merchantId, e.keyId, dueAt.toUint32(), 0, last);
    }

    /// Its lane's number was met: a batch holds it. Should that be thrown out, the trace says what was answered by which.
    function _answer(uint64 id, Entry memory e, uint64 batchNo, bytes32 headerHash) internal {
        Lane storage lane = _lanes[laneAccount(e.merchantId, e.keyId)];
        _takeOut(id, e);
        if (e.nonce > lane.lastNonce) {
            // It followed one that was dropped, and would have no place in its lane.
            lane.broken -= 1;
            return;
        }
        uint64 first = lane.lastNonce + 1 - lane.live;
        if (e.nonce != first) revert NotLanesFirst(first, e.nonce);
        lane.live -= 1;
        _entries[id].eventHash = _traceOf(e, batchNo, headerHash);
    }

    /// The batch that held it is no more: it stands where it stood, before what was forced after it.
    function _putBack(uint64 id, Entry memory e, uint64 previous) internal {
        _retake(e);
        uint32 next = previous == 0 ? _head : _entries[previous].next;
        bool fits = (previous == 0 || (previous < id && _isQueued(previous))) && (next == 0 || next > id);
        if (!fits) revert NotItsPlace(id, previous);
        // Ids are in the order of deadlines, but for a deadline that was shortened while some of them were away.
        uint32 earliest = _entries[previous].dueAt;
        if (e.dueAt < earliest) e.dueAt = earliest;
        if (next != 0 && e.dueAt > _entries[next].dueAt) e.dueAt = _entries[next].dueAt;
        // `previous` is one that is queued, or 0; ids and their neighbours are uint32.
        (e.previous, e.next) = (uint32(previous), next);
        _entries[id] = e;
        if (previous == 0) _head = uint32(id);
        else _entries[previous].next = uint32(id);
        if (next == 0) _last = uint32(id);
        else _entries[next].previous = uint32(id);
    }

    /// No batch can hold it: what follows in its lane is broken.
    function _break(Entry memory e) internal {
        Lane storage lane = _lanes[laneAccount(e.merchantId, e.keyId)];
        if (e.nonce > lane.lastNonce) {
            lane.broken -= 1;
            return;
        }
        // At most as many as wait in a lane.
        uint16 following = uint16(lane.lastNonce - e.nonce);
        (lane.live, lane.broken) = (lane.live - following - 1, lane.broken + following);
        lane.lastNonce = e.nonce - 1;
    }

    function _takeOut(uint64 id, Entry memory e) internal {
        if (e.previous == 0) _head = e.next;
        else _entries[e.previous].next = e.next;
        if (e.next == 0) _last = e.previous;
        else _entries[e.next].previous = e.previous;
        delete _entries[id];
    }

    function _isBroken(Entry memory e) internal view returns (bool) {
        return e.nonce > _lanes[laneAccount(e.merchantId, e.keyId)].lastNonce;
    }

    function _requireQueued(uint64 id) internal view returns (Entry memory e) {
        e = _entries[id];
        if (e.dueAt == 0) revert NotQueued(id);
    }

    function _isQueued(uint64 id) internal view returns (bool) {
        return _entries[id].dueAt != 0;
    }

    /// What is left of an entry that this batch has answered.
    function _traceOf(Entry memory e, uint64 batchNo, bytes32 headerHash) internal pure returns (bytes32) {
        bytes memory stood = abi.encode(e.eventHash, e.basisHash, e.basisBatchNo, e.nonce, e.merchantId, e.keyId, e.dueAt);
        return keccak256(bytes.concat(stood, abi.encode(batchNo, headerHash)));
    }

    /// Takes its number back into its lane, which lost them in their order and takes them back the other way round.
    function _retake(Entry memory e) private {
        Lane storage lane = _lanes[laneAccount(e.merchantId, e.keyId)];
        if (lane.broken != 0) revert LaneBroken(e.merchantId, e.keyId, lane.broken);
        if (lane.live == 0) {
            lane.lastNonce = e.nonce;
        } else {
            uint64 expected = lane.lastNonce - lane.live;
            if (e.nonce != expected) revert WrongNonce(expected, e.nonce);
        }
        lane.live += 1;
    }
}
