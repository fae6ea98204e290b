// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IAlliancePolicy} from "../interfaces/IAlliancePolicy.sol";
import {ICollateral} from "../interfaces/ICollateral.sol";
import {IGuaranteeFund} from "../interfaces/IGuaranteeFund.sol";
import {IMerchantRegistry, MerchantStatus} from "../interfaces/IMerchantRegistry.sol";
import {ISettlementAsset} from "../interfaces/ISettlementAsset.sol";

/// @title Collateral: what merchants, operator and guarantee fund have in the hub
/// @dev `_owedTotal` moves only when the asset does; nets only move it about inside. Held ≥ owed is therefore kept by
/// this file alone, and the tests add up every account against it.
///
/// A merchant's account is what it has and what pending settling batches will take; how much of it is locked follows.
/// So a lock is lifted exactly, and what comes in late is locked at once for what was missing.
abstract contract Collateral is ICollateral, AccessControl, ReentrancyGuardTransient {
    using SafeERC20 for ISettlementAsset;

    /// Takes out bond above the minimum.
    bytes32 public constant OPERATOR_ROLE = keccak256("OPERATOR_ROLE");

    uint64 private constant BOND_RELEASE_SECONDS = 90 days;
    /// How long an announced withdrawal can be executed once its delay is over.
    uint64 private constant WITHDRAWAL_OPEN_SECONDS = 7 days;

    struct Account {
        uint128 total;
        uint128 due;
    }

    ISettlementAsset internal immutable _asset;
    IMerchantRegistry internal immutable _registry;
    IAlliancePolicy internal immutable _policy;
    IGuaranteeFund internal immutable _fund;

    uint96 private _operatorBond;
    /// Beside the bond, because a commit asks for both. 0 while the hub is not winding down.
    uint64 internal _windDownAt;
    uint256 private _owedTotal;
    mapping(uint32 merchantId => Account) private _accounts;
    mapping(uint32 merchantId => Withdrawal) private _withdrawals;

    modifier onlyPayoutAdmin(uint32 merchantId) {
        _requirePayoutAdmin(merchantId);
        _;
    }

    modifier onlyPartner(address partner) {
        _requirePartner(partner);
        _;
    }

    constructor(ISettlementAsset settlementAsset, IAlliancePolicy alliancePolicy, IGuaranteeFund guaranteeFund) {
        _asset = settlementAsset;
        _policy = alliancePolicy;
        _registry = alliancePolicy.registry();
        _fund = guaranteeFund;
    }

    /// @inheritdoc ICollateral
    function deposit(uint32 merchantId, uint128 amount) external nonReentrant {
        if (_registry.merchant(merchantId).status == MerchantStatus.None) revert MerchantNotRegistered(merchantId);
        _pullAsset(amount);
        emit Deposited(merchantId, msg.sender, amount);
        _give(merchantId, amount);
    }

    /// @inheritdoc ICollateral
    function repayFromFree(uint32 merchantId) external nonReentrant {
        uint128 free = balanceOf(merchantId).free;
        _accounts[merchantId].total -= free;
        _give(merchantId, free);
    }

    /// @inheritdoc ICollateral
    function requestWithdraw(uint32 merchantId, uint128 amount) external onlyPayoutAdmin(merchantId) {
        if (amount == 0) revert ZeroAmount();
        Withdrawal storage w = _withdrawals[merchantId];
        if (w.amount != 0 && !_hasLapsed(w)) revert WithdrawalPending(merchantId, w.readyAt);
        w.amount = amount;
        w.readyAt = uint64(block.timestamp) + _params().withdrawDelaySeconds;
        emit WithdrawRequested(merchantId, amount, w.readyAt);
    }

    /// @inheritdoc ICollateral
    function executeWithdraw(uint32 merchantId) external nonReentrant {
        Withdrawal memory w = _withdrawals[merchantId];
        if (w.amount == 0) revert NoWithdrawal(merchantId);
        if (block.timestamp < w.readyAt) revert WithdrawalTooEarly(merchantId, w.readyAt);
        if (_hasLapsed(w)) revert WithdrawalLapsed(merchantId, w.readyAt + WITHDRAWAL_OPEN_SECONDS);
        delete _withdrawals[merchantId];
        _takeFree(merchantId, w.amount);
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
    function postBond(uint96 amount) external nonReentrant {
        _pullAsset(amount);
        _operatorBond += amount;
        emit BondPosted(msg.sender, amount, _operatorBond);
    }

    /// @inheritdoc ICollateral
    function withdrawBond(uint96 amount, address to) external nonReentrant onlyRole(OPERATOR_ROLE) {
        uint256 needed = (_bondIsReleased() ? 0 : uint256(_params().operatorBondMin)) + amount;
        if (_operatorBond < needed) revert BondTooLow(_operatorBond, needed);
        _operatorBond -= amount;
        emit BondWithdrawn(to, amount, _operatorBond);
        _pushAsset(to, amount);
    }

    /// @inheritdoc ICollateral
    function moveToFund(uint32 merchantId, uint128 amount) external nonReentrant onlyPartner(address(_fund)) {
        _takeFree(merchantId, amount);
    }

    /// @inheritdoc ICollateral
    function moveFromFund(uint32 merchantId, uint128 amount) external nonReentrant onlyPartner(address(_fund)) {
        _give(merchantId, amount);
    }

    /// @inheritdoc ICollateral
    function payBounty(address account, uint128 amount) external nonReentrant onlyPartner(address(_fund)) {
        _pushAsset(account, amount);
    }

    /// @inheritdoc ICollateral
    function refillBond(uint128 amount) external onlyPartner(address(_fund)) {
        _operatorBond += SafeCast.toUint96(amount);
    }

    /// @inheritdoc ICollateral
    function payPenalty(uint32 merchantId, uint128 amount)
        external
        nonReentrant
        onlyPartner(_forcedQueue())
        returns (uint128 paid)
    {
        paid = _takeBond(amount);
        emit PenaltyPaid(merchantId, paid, _operatorBond);
        _give(merchantId, paid);
    }

    /// @inheritdoc ICollateral
    function balanceOf(uint32 merchantId) public view returns (Balance memory) {
        Account memory a = _accounts[merchantId];
        uint128 locked = a.due < a.total ? a.due : a.total;
        return Balance(a.total - locked, locked);
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

    /// The contract that may ask for penalties.
    function _forcedQueue() internal view virtual returns (address);

    function _nothingPending() internal view virtual returns (bool);

    function _params() internal view returns (IAlliancePolicy.Params memory) {
        return _policy.params();
    }

    function _requireBond(uint256 needed) internal view {
        if (_operatorBond < needed) revert BondTooLow(_operatorBond, needed);
    }

    function _bond() internal view returns (uint128) {
        return _operatorBond;
    }

    /// Takes up to `amount` from the bond; returns what it took.
    function _takeBond(uint128 amount) internal returns (uint128 taken) {
        uint96 bond = _operatorBond;
        taken = amount < bond ? amount : bond;
        // taken ≤ bond, a uint96.
        _operatorBond = bond - uint96(taken);
    }

    /// What comes to a merchant repays its debts first.
    function _give(uint32 merchantId, uint128 amount) internal {
        (uint128 used, bool cleared) = _fund.repay(merchantId, amount);
        if (cleared) _registry.clearDelinquent(merchantId);
        _credit(merchantId, amount - used);
    }

    function _credit(uint32 merchantId, uint128 amount) internal {
        if (amount != 0) _accounts[merchantId].total += amount;
    }

    /// Notes what a pending batch will take; returns how much of it the merchant lacks.
    function _lock(uint32 merchantId, uint128 amount) internal returns (uint128 missing) {
        Account storage a = _accounts[merchantId];
        (uint128 total, uint128 due) = (a.total, a.due);
        uint128 free = due < total ? total - due : 0;
        missing = amount < free ? 0 : amount - free;
        a.due = due + amount;
    }

    /// The batch that would have taken it is no more.
    function _unlock(uint32 merchantId, uint128 amount) internal {
        _accounts[merchantId].due -= amount;
    }

    /// Takes up to `amount` of all that the merchant has; returns what is missing.
    function _debit(uint32 merchantId, uint128 amount) internal returns (uint128 missing) {
        Account storage a = _accounts[merchantId];
        (uint128 total, uint128 due) = (a.total, a.due);
        uint128 paid = amount < total ? amount : total;
        missing = amount - paid;
        (a.total, a.due) = (total - paid, due - amount);
    }

    function _requirePayoutAdmin(uint32 merchantId) private view {
        if (_registry.merchant(merchantId).admin != msg.sender) revert NotPayoutAdmin(merchantId, msg.sender);
    }

    function _requirePartner(address partner) private view {
        if (msg.sender != partner) revert NotPartner(msg.sender);
    }

    /// Takes free collateral above the floor, of a merchant that owes nothing to claims.
    function _takeFree(uint32 merchantId, uint128 amount) private {
        uint256 debt = _fund.owedBy(merchantId);
        if (debt != 0) revert MerchantDelinquent(merchantId, debt);
        uint256 floor = _isOld(_params().withdrawDelaySeconds) ? 0 : _policy.floorOf(merchantId);
        uint256 needed = floor + amount;
        uint256 free = balanceOf(merchantId).free;
        if (free < needed) revert FreeTooLow(merchantId, free, needed);
        _accounts[merchantId].total -= amount;
    }

    /// An announcement kept in store would be a way out at an hour's notice. In a wind-down no net can come any more.
    function _hasLapsed(Withdrawal memory w) private view returns (bool) {
        return _windDownAt == 0 && block.timestamp > w.readyAt + WITHDRAWAL_OPEN_SECONDS;
    }

    function _bondIsReleased() private view returns (bool) {
        return _isOld(BOND_RELEASE_SECONDS) && _nothingPending();
    }

    /// Whether a wind-down began at least so long ago.
    function _isOld(uint256 ageSeconds) private view returns (bool) {
        return _windDownAt != 0 && block.timestamp >= _windDownAt + ageSeconds;
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
