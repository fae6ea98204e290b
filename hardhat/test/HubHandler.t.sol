// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICollateral} from "../../contracts/interfaces/ICollateral.sol";
import {IDefaults} from "../../contracts/interfaces/IDefaults.sol";
import {BatchHeader, Net, Words} from "../../contracts/libraries/Words.sol";
import {HubFixture} from "./HubFixture.sol";
import {VM} from "./Vm.sol";

/// @title What merchants, operator, courts and passers-by may do to a hub, in any order
/// @dev Place i of `_batches` is batch i + 1; the first `settled` are final. What a revert throws out waits in `_dead` until
/// its locks are released. When a window ends is reckoned here, from the time of the commit and of demands, and never asked
/// of the hub; nobody attests, so it is the slow one.
contract HubHandler is HubFixture {
    uint32 public constant MERCHANTS = 6;
    uint256 private constant AMOUNT_MAX = 1_000e6;
    uint96 private constant SMALL_BOND = 800e6;
    uint256 private constant DEAD_MAX = 16;
    uint256 private constant WINDOW = 7 days;
    uint256 private constant ANSWER = 24 hours;
    address private constant CHALLENGER = address(0xC4A11E);

    struct Batch {
        BatchHeader header;
        Net[] nets;
        uint256 endsAt;
        uint256 demands;
    }

    /// How often something moved that had no right to, and how often that was looked for in vain.
    uint256 public strayMoves;
    uint256 public refusedEarly;
    uint256 public settled;
    uint256 public reverted;
    Batch[] private _batches;
    Batch[] private _dead;

    /// Nobody's collateral is any other after it.
    modifier movesNothing() {
        bytes32 before = keccak256(abi.encode(_totals()));
        _;
        if (keccak256(abi.encode(_totals())) != before) strayMoves += 1;
    }

    constructor() {
        _found(MERCHANTS, SMALL_BOND);
        _hub.grantRole(_hub.COURT_ROLE(), address(this));
    }

    function deposit(uint8 who, uint128 amount) external {
        _hub.deposit(_id(who), uint128(1 + amount % AMOUNT_MAX));
    }

    /// What is free of a defaulter's pays its debts, and nobody else has less or more for it.
    function repayFromFree(uint8 who) external {
        (uint256[] memory before, uint256 owed) = (_totals(), _fund.owedBy(_id(who)));
        try _hub.repayFromFree(_id(who)) {} catch {
            return;
        }
        uint256 repaid = owed - _fund.owedBy(_id(who));
        before[_id(who) - 1] -= repaid;
        if (keccak256(abi.encode(before)) != keccak256(abi.encode(_totals()))) strayMoves += 1;
        assert(_fund.owedBy(_id(who)) == 0 || _hub.balanceOf(_id(who)).free == 0);
    }

    function requestWithdraw(uint8 who, uint128 amount) external movesNothing {
        try _hub.requestWithdraw(_id(who), uint128(1 + amount % AMOUNT_MAX)) {} catch {}
    }

    function executeWithdraw(uint8 who) external {
        try _hub.executeWithdraw(_id(who)) {} catch {}
    }

    function setFloor(uint8 who, uint96 floor) external movesNothing {
        try _policy.setFloor(_id(who), uint96(floor % AMOUNT_MAX)) {} catch {}
    }

    function joinGuarantee(uint8 who, uint128 amount) external {
        try _fund.joinGuarantee(_id(who), uint128(1 + amount % AMOUNT_MAX), 0) {} catch {}
    }

    function leaveGuarantee(uint8 who, uint8 part) external movesNothing {
        uint256 held = _fund.sharesOf(_id(who));
        try _fund.leaveGuarantee(_id(who), held / (1 + part % 3)) {} catch {}
    }

    function executeLeave(uint8 who) external {
        uint256 readyAt = _fund.leaveOf(_id(who)).readyAt;
        if (readyAt > _now) _pass(readyAt - _now);
        try _fund.executeLeave(_id(who)) {} catch {}
    }

    function postBond(uint96 amount) external movesNothing {
        _hub.postBond(uint96(1 + amount % AMOUNT_MAX));
    }

    function payPenalty(uint8 who, uint128 amount) external {
        VM.prank(address(_queue));
        _hub.payPenalty(_id(who), uint128(1 + amount % 100e6));
    }

    /// Mostly less than a window, so that much is tried too early.
    function pass(uint24 timeSeconds) external movesNothing {
        _pass(timeSeconds % 5 days);
    }

    /// One in four is a log batch.
    function commit(uint256 seed) external movesNothing {
        if (_hub.operatorBond() < SMALL_BOND) _hub.postBond(SMALL_BOND);
        Net[] memory nets = seed % 4 == 0 ? new Net[](0) : _randomNets(seed);
        BatchHeader memory h = _header(nets);
        // So that no two are the same: one that was thrown out never comes again.
        h.journalHead = bytes32(seed);
        try _hub.commitBatch(h, nets, new bytes32[2][](0)) {
            Batch storage b = _batches.push();
            (b.header, b.endsAt) = (h, _now + WINDOW);
            for (uint256 i = 0; i < nets.length; ++i) {
                b.nets.push(nets[i]);
            }
        } catch {}
    }

    /// A unit too much, or too little, for somebody.
    function commitUnbalanced(uint256 seed) external movesNothing {
        if (_hub.operatorBond() < SMALL_BOND) _hub.postBond(SMALL_BOND);
        Net[] memory nets = _randomNets(seed);
        nets[seed % MERCHANTS].amount += seed & 1 << 128 == 0 ? int128(1) : int128(-1);
        try _hub.commitBatch(_header(nets), nets, new bytes32[2][](0)) {
            strayMoves += 1;
        } catch {}
    }

    function finalise() external {
        if (settled == _batches.length) return;
        Batch storage b = _batches[settled];
        (uint256[] memory before, uint256 sum) = (_totals(), this.owedInDetail());
        try _hub.finaliseBatch(b.header, b.nets) {
            if (!_isRipe(settled)) strayMoves += 1;
            settled += 1;
            _requireMovedAsNetted(b, before);
        } catch {
            assert(!_isRipe(settled));
            assert(keccak256(abi.encode(_totals())) == keccak256(abi.encode(before)));
            refusedEarly += 1;
        }
        assert(this.owedInDetail() == sum);
    }

    /// Any but the next one, and the next one with other nets than its own.
    function finaliseWrongly(uint8 which) external movesNothing {
        if (_batches.length == 0) return;
        Batch storage b = _batches[which % _batches.length];
        bool isNext = which % _batches.length == settled;
        Net[] memory nets = b.nets;
        if (isNext) nets = _randomNets(uint256(b.header.batchNo) << 8 | which);
        try _hub.finaliseBatch(b.header, nets) {
            strayMoves += 1;
        } catch {}
    }

    function finaliseThrough(uint8 few) external movesNothing {
        uint256 upto = settled + 1 + few % 3;
        bool ripe = upto <= _batches.length;
        for (uint256 i = settled; ripe && i < upto; ++i) {
            ripe = _isRipe(i) && _batches[i].nets.length == 0;
        }
        try _hub.finaliseThrough(uint64(upto)) {
            if (!ripe) strayMoves += 1;
            settled = upto;
        } catch {
            assert(!ripe);
        }
    }

    function addDemand(uint8 which) external movesNothing {
        if (_batches.length == settled) return;
        Batch storage b = _batches[settled + which % (_batches.length - settled)];
        try _hub.addDemand(b.header.batchNo, Words.hash(b.header)) {
            b.demands += 1;
            if (b.endsAt < _now + ANSWER) b.endsAt = _now + ANSWER;
        } catch {}
    }

    function closeDemand(uint8 which) external movesNothing {
        if (_batches.length == settled) return;
        Batch storage b = _batches[settled + which % (_batches.length - settled)];
        if (b.demands == 0) return;
        _hub.closeDemand(b.header.batchNo, Words.hash(b.header));
        b.demands -= 1;
    }

    /// Tries what the court may not touch as well, and to have back what it has thrown out.
    function revertFrom(uint8 which) external movesNothing {
        if (_batches.length == 0 || _dead.length > DEAD_MAX) return;
        uint256 place = which % _batches.length;
        bool pending = place >= settled;
        try _hub.revertFrom(_batches[place].header, CHALLENGER, 1) {
            assert(pending);
            reverted += 1;
            while (_batches.length > place) {
                _dead.push(_batches[_batches.length - 1]);
                _batches.pop();
            }
            _retake(_dead[_dead.length - 1]);
        } catch {
            assert(!pending);
        }
    }

    function releaseReverted(uint8 which) external movesNothing {
        if (_dead.length == 0) return;
        uint256 place = which % _dead.length;
        if (_dead[place].nets.length != 0) _hub.releaseReverted(_dead[place].header, _dead[place].nets);
        _dead[place] = _dead[_dead.length - 1];
        _dead.pop();
    }

    function collect(uint8 batch, uint8 who) external {
        if (settled == 0) return;
        try _fund.collectClaim(uint64(1 + batch % settled), _id(who)) {} catch {}
    }

    function restore(uint8 batch) external movesNothing {
        if (settled == 0) return;
        try _fund.restoreReserves(uint64(1 + batch % settled)) {} catch {}
    }

    function collectBounty() external movesNothing {
        try _fund.collectBounty(CHALLENGER) {} catch {}
    }

    /// All that the hub owes, added up account by account and pool by pool.
    function owedInDetail() external view returns (uint256 sum) {
        sum = _hub.operatorBond() + _fund.assets() + _fund.bountiesTotal();
        for (uint32 id = 1; id <= MERCHANTS; ++id) {
            ICollateral.Balance memory b = _hub.balanceOf(id);
            sum += uint256(b.free) + b.locked;
        }
        for (uint64 n = 1; n <= settled; ++n) {
            IDefaults.DefaultPool memory pool = _fund.defaultPool(n);
            sum += pool.recovered;
            sum -= uint256(pool.fundRestored) + pool.bondRestored;
            for (uint32 id = 1; id <= MERCHANTS; ++id) {
                sum -= _fund.claimOf(n, id).paid;
            }
        }
    }

    function solvency() external view returns (uint256 held, uint256 owed) {
        return _hub.solvency();
    }

    /// Claims are what was cut, repayments never more than was borne, and debts what is still to be repaid.
    function requireClaimsInBounds() external view {
        uint256 outstanding = 0;
        for (uint64 n = 1; n <= settled; ++n) {
            IDefaults.DefaultPool memory pool = _fund.defaultPool(n);
            uint256 borne = uint256(pool.claims) + pool.fromFund + pool.fromBond;
            assert(pool.recovered <= borne);
            assert(pool.fundRestored <= pool.fromFund && pool.bondRestored <= pool.fromBond);
            outstanding += borne - pool.recovered;
            (uint256 claims, uint256 paid) = (0, 0);
            for (uint32 id = 1; id <= MERCHANTS; ++id) {
                IDefaults.Claim memory c = _fund.claimOf(n, id);
                assert(c.paid <= c.amount);
                (claims, paid) = (claims + c.amount, paid + c.paid);
            }
            assert(claims == pool.claims);
            assert(paid + pool.fundRestored + pool.bondRestored <= pool.recovered);
        }
        for (uint32 id = 1; id <= MERCHANTS; ++id) {
            outstanding -= _fund.owedBy(id);
        }
        assert(outstanding == 0);
    }

    /// Locked is what pending and unreleased batches will take, as far as the merchant has it.
    function requireLocksExact() external view {
        for (uint32 id = 1; id <= MERCHANTS; ++id) {
            uint256 due = 0;
            for (uint256 i = settled; i < _batches.length; ++i) {
                due += _debit(_batches[i].nets, id);
            }
            for (uint256 i = 0; i < _dead.length; ++i) {
                due += _debit(_dead[i].nets, id);
            }
            ICollateral.Balance memory b = _hub.balanceOf(id);
            uint256 total = uint256(b.free) + b.locked;
            assert(b.locked == (due < total ? due : total));
        }
    }

    /// One header under each number, in a chain, and what is final stays.
    function requireOneSequence() external view {
        assert(_hub.nextBatchNo() == _batches.length + 1);
        assert(_hub.nextFinalNo() == settled + 1);
        for (uint256 i = 0; i < _batches.length; ++i) {
            bytes32 hash = Words.hash(_batches[i].header);
            assert(_hub.headerHash(uint64(i + 1)) == hash);
            assert(_hub.isFinal(uint64(i + 1), hash) == (i < settled));
            assert(_batches[i].header.prevHeaderHash == _hub.headerHash(uint64(i)));
        }
        assert(_hub.headerHash(uint64(_batches.length + 1)) == 0);
    }

    /// No member's shares are worth more than the fund has, nor all of them together.
    function requireSharesCovered() external view {
        (uint256 shares, uint256 worth) = (0, 0);
        for (uint32 id = 1; id <= MERCHANTS; ++id) {
            shares += _fund.sharesOf(id);
            worth += _fund.worthOf(id);
        }
        assert(shares == _fund.totalShares() || (_fund.recounts() != 0 && shares < _fund.totalShares()));
        assert(worth <= _fund.assets());
    }

    function _retake(Batch storage b) private {
        if (_hub.operatorBond() < SMALL_BOND) _hub.postBond(SMALL_BOND);
        try _hub.commitBatch(b.header, b.nets, new bytes32[2][](0)) {
            strayMoves += 1;
        } catch {}
    }

    /// Debtors paid what they owed as far as they had it; creditors got what is theirs but for what they may claim.
    function _requireMovedAsNetted(Batch storage b, uint256[] memory before) private view {
        uint256[] memory totals = _totals();
        for (uint32 i = 0; i < MERCHANTS; ++i) {
            int128 net = b.nets.length == 0 ? int128(0) : b.nets[i].amount;
            uint256 due = net < 0 ? uint128(-net) : 0;
            uint256 claim = _fund.claimOf(b.header.batchNo, i + 1).amount;
            if (net < 0) assert(totals[i] == before[i] - (due < before[i] ? due : before[i]));
            else assert(totals[i] + claim == before[i] + uint128(net));
        }
    }

    function _isRipe(uint256 place) private view returns (bool) {
        return _now >= _batches[place].endsAt && _batches[place].demands == 0;
    }

    /// What each merchant has in the hub, free or locked.
    function _totals() private view returns (uint256[] memory totals) {
        totals = new uint256[](MERCHANTS);
        for (uint32 i = 0; i < MERCHANTS; ++i) {
            ICollateral.Balance memory b = _hub.balanceOf(i + 1);
            totals[i] = uint256(b.free) + b.locked;
        }
    }

    function _debit(Net[] storage nets, uint32 id) private view returns (uint256) {
        if (nets.length == 0) return 0;
        int128 amount = nets[id - 1].amount;
        return amount < 0 ? uint128(-amount) : 0;
    }

    function _id(uint8 who) private pure returns (uint32) {
        return 1 + who % MERCHANTS;
    }

    function _randomNets(uint256 seed) private pure returns (Net[] memory nets) {
        nets = new Net[](MERCHANTS);
        int128 sum = 0;
        for (uint32 i = 0; i + 1 < MERCHANTS; ++i) {
            int128 amount = int128(int256(uint256(keccak256(abi.encode(seed, i))) % AMOUNT_MAX)) - int128(500e6);
            nets[i] = Net(i + 1, amount == 0 ? int128(1) : amount);
            sum += nets[i].amount;
        }
        if (sum == 0) {
            nets[0].amount += nets[0].amount == -1 ? int128(2) : int128(1);
            sum = nets[0].amount + nets[1].amount + nets[2].amount + nets[3].amount + nets[4].amount;
        }
        nets[MERCHANTS - 1] = Net(MERCHANTS, -sum);
    }
}
