// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IAlliancePolicy} from "../interfaces/IAlliancePolicy.sol";
import {ICollateral} from "../interfaces/ICollateral.sol";
import {IMerchantRegistry, MerchantStatus} from "../interfaces/IMerchantRegistry.sol";
import {ISettlementAsset} from "../interfaces/ISettlementAsset.sol";

/// @title Collateral: what merchants and the operator have in the hub
/// @dev `_owedTotal` moves only when the asset does; nets only move it about inside. Held ≥ owed is therefore kept by
/// this file alone, and the tests add up every account against it.
abstract contract Collateral is ICollateral, AccessControl, ReentrancyGuardTransient {
    using SafeERC20 for ISettlementAsset;

    /// Sets merchants' floors within bounds.
    bytes32 public constant RISK_ROLE = keccak256("RISK_ROLE");
    /// Takes out bond above the minimum.
    bytes32 public constant OPERATOR_ROLE = keccak256("OPERATOR_ROLE");

    uint256 private constant FLOOR_RAISE_FACTOR_MAX = 10;
    uint256 private constant FLOOR_FIRST_MAX = 100_000e6;
    uint64 private constant FLOOR_CUT_DELAY_SECONDS = 7 days;

    struct Floor {
        uint96 before;
        uint96 value;
        uint64 fromTime;
    }

    ISettlementAsset internal immutable _asset;
    IMerchantRegistry internal immutable _registry;
    IAlliancePolicy internal immutable _policy;

    uint96 private _operatorBond;
    uint256 private _owedTotal;
    mapping(uint32 merchantId => Balance) private _balances;
    mapping(uint32 merchantId => Withdrawal) private _withdrawals;
    mapping(uint32 merchantId => Floor) private _floors;

    modifier onlyPayoutAdmin(uint32 merchantId) {
        if (_registry.merchant(merchantId).admin != msg.sender) revert NotPayoutAdmin(merchantId, msg.sender);
        _;
    }

    constructor(ISettlementAsset settlementAsset, IAlliancePolicy alliancePolicy) {
        _asset = settlementAsset;
        _policy = alliancePolicy;
        _registry = alliancePolicy.registry();
    }

    /// @inheritdoc ICollateral
    function deposit(uint32 merchantId, uint128 amount) external nonReentrant {
        if (_registry.merchant(merchantId).status == MerchantStatus.None) revert MerchantNotRegistered(merchantId);
        _pullAsset(amount);
        emit Deposited(merchantId, msg.sender, amount);
        _credit(merchantId, amount - _repay(merchantId, amount));
    }

    /// @inheritdoc ICollateral
    function requestWithdraw(uint32 merchantId, uint128 amount) external onlyPayoutAdmin(merchantId) {
        if (amount == 0) revert ZeroAmount();
        Withdrawal storage w = _withdrawals[merchantId];
        if (w.amount != 0) revert WithdrawalPending(merchantId, w.readyAt);
        w.amount = amount;
        w.readyAt = uint64(block.timestamp) + _policy.params().withdrawDelaySeconds;
        emit WithdrawRequested(merchantId, amount, w.readyAt);
    }

    /// @inheritdoc ICollateral
    function executeWithdraw(uint32 merchantId) external nonReentrant {
        Withdrawal memory w = _withdrawals[merchantId];
        if (w.amount == 0) revert NoWithdrawal(merchantId);
        if (block.timestamp < w.readyAt) revert WithdrawalTooEarly(merchantId, w.readyAt);
        uint256 debt = _debtOf(merchantId);
        if (debt != 0) revert MerchantDelinquent(merchantId, debt);
        uint256 needed = floorOf(merchantId) + w.amount;
        uint128 free = _balances[merchantId].free;
        if (free < needed) revert FreeTooLow(merchantId, free, needed);
        delete _withdrawals[merchantId];
        _balances[merchantId].free = free - w.amount;
        address to = _registry.merchant(merchantId).payoutAddress;
        emit Withdrawn(merchantId, to, w.amount);
        _pushAsset(to, w.amount);
    }

    /// @inheritdoc ICollateral
    function cancelWithdraw(uint32 merchantId) external onlyPayoutAdmin(merchantId) {
        uint128 amount = _withdrawals[merchantId].amount;
        if (amount == 0) revert NoWithdrawal(merchantId);
        delete _withdrawals[merchantId];
        emit WithdrawCancelled(merchantId, amount);
    }

    /// @inheritdoc ICollateral
    function setFloor(uint32 merchantId, uint96 floor) external onlyRole(RISK_ROLE) {
        uint256 last = floorOf(merchantId);
        uint256 floorMax = last == 0 ? FLOOR_FIRST_MAX : last * FLOOR_RAISE_FACTOR_MAX;
        if (floor > floorMax) revert FloorTooHigh(merchantId, floor, floorMax);
        uint64 fromTime = uint64(block.timestamp) + (floor < last ? FLOOR_CUT_DELAY_SECONDS : 0);
        // `last` came out of a uint96.
        _floors[merchantId] = Floor(uint96(last), floor, fromTime);
        emit FloorSet(merchantId, floor, fromTime);
    }

    /// @inheritdoc ICollateral
    function postBond(uint96 amount) external nonReentrant {
        _pullAsset(amount);
        _operatorBond += amount;
        emit BondPosted(msg.sender, amount, _operatorBond);
    }

    /// @inheritdoc ICollateral
    function withdrawBond(uint96 amount, address to) external nonReentrant onlyRole(OPERATOR_ROLE) {
        uint256 needed = uint256(_policy.params().operatorBondMin) + amount;
        if (_operatorBond < needed) revert BondTooLow(_operatorBond, needed);
        _operatorBond -= amount;
        emit BondWithdrawn(to, amount, _operatorBond);
        _pushAsset(to, amount);
    }

    /// @inheritdoc ICollateral
    function balanceOf(uint32 merchantId) public view returns (Balance memory) {
        return _balances[merchantId];
    }

    /// @inheritdoc ICollateral
    function withdrawalOf(uint32 merchantId) external view returns (Withdrawal memory) {
        return _withdrawals[merchantId];
    }

    /// @inheritdoc ICollateral
    function operatorBond() external view returns (uint256) {
        return _operatorBond;
    }

    /// @inheritdoc ICollateral
    function solvency() external view returns (uint256 held, uint256 owed) {
        return (_asset.balanceOf(address(this)), _owedTotal);
    }

    /// @inheritdoc ICollateral
    function floorOf(uint32 merchantId) public view returns (uint256) {
        Floor storage f = _floors[merchantId];
        return block.timestamp < f.fromTime ? f.before : f.value;
    }

    /// Uses up to `amount` of what comes in for a merchant on its debts to claims; returns what it used.
    function _repay(uint32 merchantId, uint128 amount) internal virtual returns (uint128 used);

    /// What a merchant still owes to claims.
    function _debtOf(uint32 merchantId) internal view virtual returns (uint256);

    function _requireBond(uint256 needed) internal view {
        if (_operatorBond < needed) revert BondTooLow(_operatorBond, needed);
    }

    function _credit(uint32 merchantId, uint128 amount) internal {
        if (amount != 0) _balances[merchantId].free += amount;
    }

    /// Sets aside up to `amount`; returns what is missing.
    function _lock(uint32 merchantId, uint128 amount) internal returns (uint128 missing) {
        Balance storage b = _balances[merchantId];
        (uint128 free, uint128 locked) = (b.free, b.locked);
        uint128 part = amount < free ? amount : free;
        missing = amount - part;
        (b.free, b.locked) = (free - part, locked + part);
    }

    /// Takes up to `amount` from what is locked, then from what is free; returns what is missing.
    function _debit(uint32 merchantId, uint128 amount) internal returns (uint128 missing) {
        Balance storage b = _balances[merchantId];
        (uint128 free, uint128 locked) = (b.free, b.locked);
        uint128 fromLocked = amount < locked ? amount : locked;
        uint128 rest = amount - fromLocked;
        uint128 fromFree = rest < free ? rest : free;
        missing = rest - fromFree;
        (b.free, b.locked) = (free - fromFree, locked - fromLocked);
    }

    function _pullAsset(uint256 amount) private {
        if (amount == 0) revert ZeroAmount();
        uint256 before = _asset.balanceOf(address(this));
        _asset.safeTransferFrom(msg.sender, address(this), amount);
        uint256 received = _asset.balanceOf(address(this)) - before;
        if (received != amount) revert AssetDeltaWrong(amount, received);
        _owedTotal += amount;
    }

    function _pushAsset(address to, uint256 amount) private {
        if (amount == 0) revert ZeroAmount();
        _owedTotal -= amount;
        _asset.safeTransfer(to, amount);
    }
}
