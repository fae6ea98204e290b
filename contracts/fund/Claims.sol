// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IDefaults} from "../interfaces/IDefaults.sol";
import {Shares} from "./Shares.sol";

/// @title Claims: who bore what a defaulter lacked, and how it is repaid
/// @dev The hub holds the money and says what is missing; this is the account of it. In a batch with many defaults a debtor
/// may repay before the account is closed by `cover`: until then nobody has a claim, and what was repaid waits.
abstract contract Claims is Shares, IDefaults {
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
    function takeLoss(uint64 defaultId, uint32 merchantId, uint128 lacking) external onlyHub returns (uint128 left) {
        uint128 taken = _takeOwn(merchantId, lacking);
        if (taken != 0) emit OwnSharesTaken(defaultId, merchantId, taken);
        left = lacking - taken;
        if (left == 0) return 0;
        DebtQueue storage queue = _debts[merchantId];
        queue.debts.push(Debt(defaultId, left));
        queue.owed += left;
        emit Defaulted(defaultId, merchantId, left);
    }

    /// @inheritdoc IDefaults
    function cover(uint64 defaultId, uint128 fromBond, uint128 missing) external onlyHub returns (uint128 left) {
        uint128 fromFund = _takeMutual(missing);
        left = missing - fromFund;
        DefaultPool storage pool = _pools[defaultId];
        (pool.claims, pool.fromFund, pool.fromBond) = (left, fromFund, fromBond);
        emit LossCovered(defaultId, fromBond, fromFund, left);
    }

    /// @inheritdoc IDefaults
    function addClaim(uint64 defaultId, uint32 creditorId, uint128 cut) external onlyHub {
        _claims[defaultId][creditorId].amount = cut;
        emit LossAllocated(defaultId, creditorId, cut);
    }

    /// @inheritdoc IDefaults
    function repay(uint32 merchantId, uint128 amount) external onlyHub returns (uint128 used, bool cleared) {
        DebtQueue storage queue = _debts[merchantId];
        if (queue.owed == 0) return (0, false);
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
        cleared = queue.owed == 0;
    }

    /// @inheritdoc IDefaults
    function collectClaim(uint64 defaultId, uint32 creditorId) external {
        DefaultPool storage pool = _pools[defaultId];
        Claim storage c = _claims[defaultId][creditorId];
        if (c.amount == 0) revert NothingToCollect(defaultId, creditorId);
        uint256 recovered = pool.recovered < pool.claims ? pool.recovered : pool.claims;
        uint128 entitled = uint128(uint256(c.amount) * recovered / pool.claims) - c.paid;
        if (entitled == 0) revert NothingToCollect(defaultId, creditorId);
        c.paid += entitled;
        emit ClaimCollected(defaultId, creditorId, entitled);
        _hub.moveFromFund(creditorId, entitled);
    }

    /// @inheritdoc IDefaults
    function restoreReserves(uint64 defaultId) external {
        DefaultPool storage pool = _pools[defaultId];
        uint128 beyond = pool.recovered > pool.claims ? pool.recovered - pool.claims : 0;
        uint128 fundEntitled = beyond < pool.fromFund ? beyond : pool.fromFund;
        uint128 bondEntitled = beyond - fundEntitled < pool.fromBond ? beyond - fundEntitled : pool.fromBond;
        (uint128 toFund, uint128 toBond) = (fundEntitled - pool.fundRestored, bondEntitled - pool.bondRestored);
        if (toFund == 0 && toBond == 0) revert NothingToRestore(defaultId);
        (pool.fundRestored, pool.bondRestored) = (fundEntitled, bondEntitled);
        emit ReservesRestored(defaultId, toFund, toBond);
        _restore(toFund);
        _hub.refillBond(toBond);
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
        return _debts[merchantId].owed;
    }
}
