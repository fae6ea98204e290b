// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IForcedQueue} from "../../contracts/interfaces/IForcedQueue.sol";
import {IMerchantRegistry, MerchantStatus} from "../../contracts/interfaces/IMerchantRegistry.sol";
import {BatchHeader, Net, PointsEvent} from "../../contracts/libraries/Words.sol";
import {ForcedFixture} from "./ForcedFixture.sol";

/// @title Forced events of several lanes, in any order and any mixture: never a batch past an overdue one, always a batch
/// @dev The model: an event may leave if its own lane, basis, key or terms are gone, and must be answered otherwise. What
/// was answered by a batch that is thrown out is due again.
contract ForcedOrderTest is ForcedFixture {
    uint256 private constant STEPS = 40;

    error TakenBack();
    error NotWaiting(uint32 merchantId, uint64 nonce);

    /// Where it was put into a committed batch, `mergedIn` is that batch and `place` its leaf; 0 is in none.
    struct Waiting {
        PointsEvent e;
        uint64 id;
        uint64 basisNo;
        bytes32 basisHash;
        uint64 mergedIn;
        uint256 place;
        bool broken;
        bool gone;
        IForcedQueue.Entry was;
    }

    Waiting[] private _all;
    bool[LANES] private _revoked;
    uint256 private _answered;
    uint256 private _dropped;

    function setUp() public {
        _foundLanes();
        _hub.grantRole(_hub.COURT_ROLE(), address(this));
    }

    /// While the first is not overdue the hub takes any batch; from then on only one that was shown to hold all of them.
    function testFuzz_NoBatchPastAnOverdueEvent(uint256 seed, uint8 count, uint8 shown, uint24 wait) public {
        uint256 forced = 1 + count % 10;
        for (uint256 i = 0; i < forced; ++i) {
            _forceIn(uint32(_luck(seed, i) % LANES), VOID);
        }
        _pass(wait % 3 days);
        bool overdue = _now > _queue.entry(1).dueAt;
        assert(_takes(_next(new PointsEvent[](0)).header) == !overdue);
        Kept memory k = _next(_unmerged());
        uint256 part = shown % (forced + 1);
        for (uint64 i = 0; i < part; ++i) {
            _queue.coverForced(_idOf(k.events[i]), _proof(k, i));
        }
        assert(_takes(k.header) == (!overdue || part == forced));
    }

    /// Random lives of lanes: some events are answered, some lose key, terms, right or basis, some follow those. Whatever
    /// has happened, the sound ones cannot be dropped, and there is a next batch.
    function testFuzz_ThereIsAlwaysANextBatch(uint256 seed) public {
        for (uint256 i = 0; i < STEPS; ++i) {
            _step(_luck(seed, i));
        }
        _pass(4 days);
        _leaveOrStay();
        Kept memory k = _next(_unmerged());
        for (uint64 i = 0; i < k.events.length; ++i) {
            _queue.coverForced(_idOf(k.events[i]), _proof(k, i));
        }
        _take(k);
        (uint64 head, uint64 tail) = _queue.queue();
        assert(head == tail);
        assert(tail == _all.length + 1);
        assert(_takes(_next(new PointsEvent[](0)).header));
    }

    /// That such lives are what the test is about: one of them by hand, with an event of each sort.
    function test_EverySortOfEventIsMet() public {
        _forceIn(0, EARN);
        _forceIn(1, EARN);
        _forceIn(1, VOID);
        _forceIn(2, VOID);
        _forceIn(3, VOID);
        _registry.endTerms(_termsOf[1]);
        _mergeLane(2);
        _registry.revokeKey(4, 1);
        _pass(4 days);
        _leaveOrStay();
        assert(_dropped == 3 && _answered == 1 && _unmerged().length == 1);
    }

    function tryCommit(BatchHeader calldata h) external {
        _hub.commitBatch(h, new Net[](0), new bytes32[2][](0));
        revert TakenBack();
    }

    function _step(uint256 luck) private {
        uint32 lane = uint32((luck >> 8) % LANES);
        uint256 action = luck % 16;
        if (action < 6) _forceIn(lane, luck & (1 << 16) == 0 ? EARN : VOID);
        else if (action < 8) _mergeLane(lane);
        else if (action == 8) _commitAnother();
        else if (action == 9) _endTerms(lane);
        else if (action == 10) _registry.setStatus(lane + 1, MerchantStatus.Suspended);
        else if (action == 11) _registry.setStatus(lane + 1, MerchantStatus.Active);
        else if (action == 12) _throwOutLast();
        else if (action == 13) _leaveOrStay();
        else if (action == 14 && luck >> 20 & 3 == 0) _revoke(lane);
        else _pass((luck >> 24) % 8 hours);
    }

    function _forceIn(uint32 lane, uint8 kind) private {
        uint64 basisNo = _hub.nextBatchNo() - 1;
        uint64 nonce = _seqsAt(basisNo)[lane];
        for (uint256 i = 0; i < _all.length; ++i) {
            if (!_all[i].gone && _all[i].e.merchantId == lane + 1) nonce = _all[i].e.nonce;
        }
        PointsEvent memory e = _event(lane, nonce + 1, kind);
        try this.tryForce(e, basisNo) returns (uint64 id) {
            assert(id == _all.length + 1);
            Waiting storage w = _all.push();
            (w.e, w.id, w.basisNo, w.basisHash) = (e, id, basisNo, _hub.headerHash(basisNo));
        } catch (bytes memory reason) {
            // Of these, and of no others, must a merchant be told; the first two are tried for in `_leaveOrStay`.
            bytes4 what = bytes4(reason);
            assert(
                what == IForcedQueue.LaneBroken.selector || what == IForcedQueue.LaneQueueFull.selector
                    || what == IForcedQueue.NotForceable.selector
            );
        }
    }

    function tryForce(PointsEvent calldata e, uint64 basisNo) external returns (uint64) {
        return _force(e, basisNo);
    }

    /// A batch with the first few of a lane that no batch holds yet, as far as they could be in it, unless that is too late.
    function _mergeLane(uint32 lane) private {
        PointsEvent[] memory events = new PointsEvent[](2);
        uint256 count = 0;
        for (uint256 i = 0; i < _all.length && count < 2; ++i) {
            Waiting storage w = _all[i];
            if (w.gone || w.mergedIn != 0 || w.e.merchantId != lane + 1) continue;
            if (w.broken || _endsBy(w.e, _hub.nextBatchNo()) || !_stands(w)) break;
            events[count++] = w.e;
        }
        if (count == 0) return;
        Kept memory k = _next(_first(events, count));
        if (!_takes(k.header)) return;
        _take(k);
        for (uint256 i = 0; i < count; ++i) {
            Waiting storage w = _all[_idOf(events[i]) - 1];
            (w.mergedIn, w.place) = (k.header.batchNo, i);
        }
    }

    function _commitAnother() private {
        Kept memory k = _next(new PointsEvent[](0));
        if (_takes(k.header)) _take(k);
    }

    function _endTerms(uint32 lane) private {
        _registry.endTerms(_termsOf[lane]);
        _newTerms(lane);
    }

    function _revoke(uint32 lane) private {
        if (_revoked[lane]) return;
        _revoked[lane] = true;
        _registry.revokeKey(lane + 1, 1);
    }

    /// Batch 1, which says where the lanes began, stays.
    function _throwOutLast() private {
        uint64 last = _hub.nextBatchNo() - 1;
        if (last == 1 || last < _hub.nextFinalNo()) return;
        bytes32 hash = _hub.headerHash(last);
        _hub.revertFrom(_keptBatch(last).header, address(this), 1);
        for (uint256 i = _all.length; i > 0; --i) {
            if (_all[i - 1].mergedIn == last) _reopen(_all[i - 1], hash);
        }
        // Another time, another header.
        _pass(1);
    }

    /// It is in no batch any more; if it had been answered, it is due again, unless others of its lane have to be dropped.
    function _reopen(Waiting storage w, bytes32 hash) private {
        (uint64 previous, bool broken) = (0, false);
        for (uint256 i = 0; i < _all.length; ++i) {
            if (_all[i].gone) continue;
            if (_all[i].id < w.id) previous = _all[i].id;
            if (_all[i].broken && _all[i].e.merchantId == w.e.merchantId) broken = true;
        }
        uint64 mergedIn = w.mergedIn;
        w.mergedIn = 0;
        if (!w.gone) return;
        try _queue.reopenForced(w.id, w.was, mergedIn, hash, previous) {
            assert(!broken);
            w.gone = false;
            assert(_queue.entry(w.id).dueAt == w.was.dueAt);
        } catch (bytes memory reason) {
            assert(broken && bytes4(reason) == IForcedQueue.LaneBroken.selector);
        }
    }

    /// Takes off the queue, in its order, what can leave it now, and sees that nothing else does.
    function _leaveOrStay() private {
        for (uint256 i = 0; i < _all.length; ++i) {
            Waiting storage w = _all[i];
            if (w.gone) continue;
            if (w.mergedIn != 0) {
                w.was = _queue.entry(w.id);
                _queue.dischargeForced(w.id, _proof(_keptBatch(w.mergedIn), w.place));
                (w.gone, _answered) = (true, _answered + 1);
            } else if (_tryDrop(w)) {
                if (!w.broken) _breakAfter(i);
                (w.gone, _dropped) = (true, _dropped + 1);
            }
        }
    }

    function _tryDrop(Waiting storage w) private returns (bool dropped) {
        uint64 last = _hub.nextBatchNo() + (_now > _queue.entry(w.id).dueAt ? 1 : 0);
        bool faulty = w.broken || !_stands(w) || _endsBy(w.e, _hub.nextBatchNo()) || _endsBy(w.e, last);
        try _queue.dropForced(w.id, w.e) {
            dropped = true;
        } catch (bytes memory reason) {
            assert(bytes4(reason) == IForcedQueue.StillDue.selector);
        }
        assert(dropped == faulty);
    }

    function _breakAfter(uint256 index) private {
        for (uint256 i = index + 1; i < _all.length; ++i) {
            if (_all[i].e.merchantId == _all[index].e.merchantId) _all[i].broken = true;
        }
    }

    /// Whether the hub takes it now; takes it back if so, so that nothing has happened.
    function _takes(BatchHeader memory h) private returns (bool taken) {
        try this.tryCommit(h) {
            assert(false);
        } catch (bytes memory reason) {
            taken = bytes4(reason) == TakenBack.selector;
            assert(taken || bytes4(reason) == IForcedQueue.ForcedOverdue.selector);
        }
    }

    function _stands(Waiting storage w) private view returns (bool) {
        return _hub.headerHash(w.basisNo) == w.basisHash;
    }

    /// Whether its key, its merchant's right or its terms are at an end in this batch.
    function _endsBy(PointsEvent memory e, uint64 batchNo) private view returns (bool) {
        IMerchantRegistry.Key memory k = _registry.key(e.merchantId, e.keyId);
        if (k.toBatch != 0 && batchNo >= k.toBatch) return true;
        if (e.kind == VOID) return false;
        if (_registry.statusAt(e.merchantId, batchNo) != MerchantStatus.Active) return true;
        uint32 toBatch = _registry.terms(e.termsId).toBatch;
        return toBatch != 0 && batchNo >= toBatch;
    }

    /// What waits and is in no batch, in the queue's order.
    function _unmerged() private view returns (PointsEvent[] memory) {
        PointsEvent[] memory events = new PointsEvent[](_all.length);
        uint256 count = 0;
        for (uint256 i = 0; i < _all.length; ++i) {
            if (!_all[i].gone && _all[i].mergedIn == 0) events[count++] = _all[i].e;
        }
        return _first(events, count);
    }

    function _first(PointsEvent[] memory events, uint256 count) private pure returns (PointsEvent[] memory few) {
        few = new PointsEvent[](count);
        for (uint256 i = 0; i < count; ++i) {
            few[i] = events[i];
        }
    }

    function _idOf(PointsEvent memory e) private view returns (uint64) {
        for (uint256 i = 0; i < _all.length; ++i) {
            Waiting storage w = _all[i];
            if (!w.gone && w.e.merchantId == e.merchantId && w.e.nonce == e.nonce) return w.id;
        }
        revert NotWaiting(e.merchantId, e.nonce);
    }

    function _luck(uint256 seed, uint256 i) private pure returns (uint256) {
        return uint256(keccak256(abi.encode(seed, i)));
    }
}
