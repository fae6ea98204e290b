// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IDefaults} from "../interfaces/IDefaults.sol";
import {Net} from "../libraries/Words.sol";
import {Collateral} from "./Collateral.sol";

/// @title Defaults: nets moved exactly, losses shared to the unit, claims repaid pro rata
/// @dev Of the waterfall's four tranches this is the last, loss allocation. The three before it (the defaulter's own fund
/// shares, the operator's slice, the mutual fund) lower `missing` between `_collect` and `_allot` and join with the
/// guarantee fund.
abstract contract Defaults is Collateral, IDefaults {
    using SafeCast for uint256;

    uint256 private constant DEBTS_PER_DEPOSIT_MAX = 32;

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

    mapping(uint64 defaultId => DefaultPool) private _pools;
    mapping(uint64 defaultId => mapping(uint32 creditorId => Claim)) private _claims;
    mapping(uint32 merchantId => DebtQueue) private _debts;

    /// @inheritdoc IDefaults
    function collectClaim(uint64 defaultId, uint32 creditorId) external nonReentrant {
        DefaultPool storage pool = _pools[defaultId];
        Claim storage c = _claims[defaultId][creditorId];
        if (c.amount == 0) revert NothingToCollect(defaultId, creditorId);
        uint128 entitled = Math.mulDiv(c.amount, pool.recovered, pool.claims).toUint128() - c.paid;
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
    function _settle(uint64 batchNo, Net[] calldata nets) internal {
        (uint256 missing, uint256 gross) = _collect(batchNo, nets);
        uint256 odd = 0;
        if (missing != 0) {
            odd = missing - _cutSum(nets, missing, gross);
            _pools[batchNo].claims = missing.toUint128();
        }
        _allot(batchNo, nets, missing, gross, odd);
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

    function _collect(uint64 batchNo, Net[] calldata nets) private returns (uint256 missing, uint256 gross) {
        for (uint256 i = 0; i < nets.length; ++i) {
            (uint32 id, int128 net) = (nets[i].merchantId, nets[i].amount);
            if (net > 0) {
                gross += uint128(net);
                continue;
            }
            uint128 lacking = _debit(id, uint128(-net));
            if (lacking != 0) {
                missing += lacking;
                _recordDebt(batchNo, id, lacking);
            }
            emit NetSettled(batchNo, id, net, lacking);
        }
    }

    /// Rounded down, all cuts together fall short of `missing` by less than one unit per creditor; those odd units are
    /// taken one each from the first creditors. Where missing < gross a cut is at most net − 1, so there is room for it;
    /// where they are equal nothing is odd.
    function _allot(uint64 batchNo, Net[] calldata nets, uint256 missing, uint256 gross, uint256 odd) private {
        for (uint256 i = 0; i < nets.length; ++i) {
            (uint32 id, int128 net) = (nets[i].merchantId, nets[i].amount);
            if (net < 0) continue;
            uint128 cut = 0;
            if (missing != 0) {
                cut = _cutOf(net, missing, gross).toUint128();
                if (odd != 0) {
                    cut += 1;
                    odd -= 1;
                }
                _recordClaim(batchNo, id, cut);
            }
            _credit(id, uint128(net) - cut);
            emit NetSettled(batchNo, id, net, cut);
        }
    }

    function _cutSum(Net[] calldata nets, uint256 missing, uint256 gross) private pure returns (uint256 sum) {
        for (uint256 i = 0; i < nets.length; ++i) {
            if (nets[i].amount > 0) sum += _cutOf(nets[i].amount, missing, gross);
        }
    }

    function _cutOf(int128 net, uint256 missing, uint256 gross) private pure returns (uint256) {
        return Math.mulDiv(missing, uint128(net), gross);
    }

    function _recordDebt(uint64 batchNo, uint32 merchantId, uint128 lacking) private {
        DebtQueue storage queue = _debts[merchantId];
        queue.debts.push(Debt(batchNo, lacking));
        queue.owed += lacking;
        emit Defaulted(batchNo, merchantId, lacking);
        _registry.markDelinquent(merchantId);
    }

    function _recordClaim(uint64 batchNo, uint32 creditorId, uint128 cut) private {
        if (cut == 0) return;
        _claims[batchNo][creditorId].amount = cut;
        emit LossAllocated(batchNo, creditorId, cut);
    }
}
