// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IDefaults} from "../interfaces/IDefaults.sol";
import {Net} from "../libraries/Words.sol";
import {Collateral} from "./Collateral.sol";

/// @title Defaults: nets moved exactly, losses shared to the unit, claims repaid pro rata
/// @dev Of the waterfall's four tranches this is the last, loss allocation. The three before it (the defaulter's own fund
/// shares, the operator's slice, the mutual fund) lower `missing` between `_collect` and `_allot` and join with the
/// guarantee fund.
abstract contract Defaults is Collateral, IDefaults {
    uint256 private constant DEBTS_PER_DEPOSIT_MAX = 32;
    /// New debts and claims in one call, so that even 512 nets that all default settle, in calls that fit into a block.
    uint256 private constant DEFAULT_WRITES_PER_CALL_MAX = 48;

    struct Debt {
        uint64 defaultId;
        uint128 owed;
    }

    /// First in, first repaid; entries before `head` are repaid.
    struct DebtQueue {
        Debt[] debts;
        uint64 head;
        uint128 owed;
    }

    /// How far a batch with many defaults has settled: `place` runs through the nets twice, first for the debtors, then for
    /// the creditors.
    struct Progress {
        uint32 place;
        uint128 missing;
    }

    /// How a batch's creditors share what is missing: in proportion to `gross`, the sum of their nets; the first `odd` of
    /// them lose one unit more than their floor; `rank` of them are served.
    struct Shares {
        uint256 gross;
        uint256 odd;
        uint256 rank;
    }

    mapping(uint64 batchNo => Progress) private _progress;
    mapping(uint64 defaultId => DefaultPool) private _pools;
    mapping(uint64 defaultId => mapping(uint32 creditorId => Claim)) private _claims;
    mapping(uint32 merchantId => DebtQueue) private _debts;

    /// @inheritdoc IDefaults
    function collectClaim(uint64 defaultId, uint32 creditorId) external nonReentrant {
        DefaultPool storage pool = _pools[defaultId];
        Claim storage c = _claims[defaultId][creditorId];
        if (c.amount == 0) revert NothingToCollect(defaultId, creditorId);
        uint128 entitled = uint128(uint256(c.amount) * pool.recovered / pool.claims) - c.paid;
        if (entitled == 0) revert NothingToCollect(defaultId, creditorId);
        c.paid += entitled;
        _credit(creditorId, entitled);
        emit ClaimCollected(defaultId, creditorId, entitled);
    }

    /// @inheritdoc IDefaults
    function defaultPool(uint64 defaultId) external view returns (DefaultPool memory) {
        return _pools[defaultId];
    }

    /// @inheritdoc IDefaults
    function claimOf(uint64 defaultId, uint32 creditorId) external view returns (Claim memory) {
        return _claims[defaultId][creditorId];
    }

    /// @inheritdoc IDefaults
    function owedBy(uint32 merchantId) external view returns (uint256) {
        return _debtOf(merchantId);
    }

    /// Moves the nets of a batch: every debtor pays what it has, every creditor receives its net less its cut.
    /// Σ credits = Σ debits, because Σ nets = 0 and Σ cuts = Σ missing.
    /// @return done false if the batch has so many defaults that the next call must go on
    function _settle(uint64 batchNo, Net[] calldata nets) internal returns (bool done) {
        if (nets.length == 0) return true;
        Progress memory p = _progress[batchNo];
        uint256 writesLeft = _collect(batchNo, nets, p, DEFAULT_WRITES_PER_CALL_MAX);
        if (p.place >= nets.length) {
            if (p.missing != 0) _pools[batchNo].claims = p.missing;
            _allot(batchNo, nets, p, writesLeft);
        }
        if (p.place == 2 * nets.length) return true;
        _progress[batchNo] = p;
        emit SettlementContinues(batchNo, p.place);
    }

    /// @inheritdoc Collateral
    function _repay(uint32 merchantId, uint128 amount) internal override returns (uint128 used) {
        DebtQueue storage queue = _debts[merchantId];
        if (queue.owed == 0) return 0;
        uint64 head = queue.head;
        uint256 stop = head + DEBTS_PER_DEPOSIT_MAX;
        while (used < amount && head < queue.debts.length) {
            if (head == stop) revert TooManyDebts(merchantId, DEBTS_PER_DEPOSIT_MAX);
            Debt storage debt = queue.debts[head];
            uint128 part = amount - used < debt.owed ? amount - used : debt.owed;
            used += part;
            debt.owed -= part;
            _pools[debt.defaultId].recovered += part;
            emit DebtRepaid(debt.defaultId, merchantId, part, debt.owed);
            if (debt.owed == 0) head += 1;
        }
        queue.head = head;
        queue.owed -= used;
        if (queue.owed == 0) _registry.clearDelinquent(merchantId);
    }

    /// @inheritdoc Collateral
    function _debtOf(uint32 merchantId) internal view override returns (uint256) {
        return _debts[merchantId].owed;
    }

    function _collect(uint64 batchNo, Net[] calldata nets, Progress memory p, uint256 writesLeft)
        private
        returns (uint256)
    {
        uint256 i = p.place;
        for (; i < nets.length && writesLeft != 0; ++i) {
            (uint32 id, int128 net) = _at(nets, i);
            if (net > 0) continue;
            uint128 lacking = _debit(id, uint128(-net));
            if (lacking != 0) {
                p.missing += lacking;
                writesLeft -= 1;
                _recordDebt(batchNo, id, lacking);
            }
            emit NetSettled(batchNo, id, net, lacking);
        }
        if (i > p.place) p.place = uint32(i);
        return writesLeft;
    }

    /// Rounded down, all cuts together fall short of `missing` by less than one unit per creditor; those odd units are
    /// taken one each from the first creditors. Where missing < gross a cut is at most net − 1, so there is room for it;
    /// where they are equal nothing is odd.
    function _allot(uint64 batchNo, Net[] calldata nets, Progress memory p, uint256 writesLeft) private {
        Shares memory s = _shares(nets, p);
        uint256 i = p.place - nets.length;
        for (; i < nets.length && writesLeft != 0; ++i) {
            (uint32 id, int128 net) = _at(nets, i);
            if (net < 0) continue;
            uint128 cut = 0;
            if (p.missing != 0) {
                cut = _cutOf(net, p.missing, s.gross) + (s.rank < s.odd ? 1 : 0);
                s.rank += 1;
            }
            if (cut != 0) {
                writesLeft -= 1;
                _recordClaim(batchNo, id, cut);
            }
            _credit(id, uint128(net) - cut);
            emit NetSettled(batchNo, id, net, cut);
        }
        p.place = uint32(i + nets.length);
    }

    /// All zero where nothing is missing, for then there is nothing to share.
    function _shares(Net[] calldata nets, Progress memory p) private pure returns (Shares memory s) {
        if (p.missing == 0) return s;
        uint256 served = p.place - nets.length;
        for (uint256 i = 0; i < nets.length; ++i) {
            (, int128 net) = _at(nets, i);
            if (net < 0) continue;
            s.gross += uint128(net);
            if (i < served) s.rank += 1;
        }
        s.odd = p.missing - _cutSum(nets, p.missing, s.gross);
    }

    function _cutSum(Net[] calldata nets, uint256 missing, uint256 gross) private pure returns (uint256 sum) {
        for (uint256 i = 0; i < nets.length; ++i) {
            if (nets[i].amount > 0) sum += _cutOf(nets[i].amount, missing, gross);
        }
    }

    /// @dev missing ≤ gross, so a cut is never more than its net.
    function _cutOf(int128 net, uint256 missing, uint256 gross) private pure returns (uint128) {
        return uint128(missing * uint128(net) / gross);
    }

    function _at(Net[] calldata nets, uint256 i) private pure returns (uint32 merchantId, int128 amount) {
        Net calldata net = nets[i];
        return (net.merchantId, net.amount);
    }

    function _recordDebt(uint64 batchNo, uint32 merchantId, uint128 lacking) private {
        DebtQueue storage queue = _debts[merchantId];
        queue.debts.push(Debt(batchNo, lacking));
        queue.owed += lacking;
        emit Defaulted(batchNo, merchantId, lacking);
        _registry.markDelinquent(merchantId);
    }

    function _recordClaim(uint64 batchNo, uint32 creditorId, uint128 cut) private {
        _claims[batchNo][creditorId].amount = cut;
        emit LossAllocated(batchNo, creditorId, cut);
    }
}
