// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IGuaranteeShares} from "../interfaces/IGuaranteeShares.sol";
import {IMerchantRegistry} from "../interfaces/IMerchantRegistry.sol";

/// @dev What the fund asks its hub.
interface IFundHub {
    function moveToFund(uint32 merchantId, uint128 amount) external;
    function moveFromFund(uint32 merchantId, uint128 amount) external;
    function payBounty(address account, uint128 amount) external;
    function refillBond(uint128 amount) external;
    function nothingPendingSinceWindDown() external view returns (bool);
}

/// @title Shares: who has which part of the guarantee fund
abstract contract Shares is IGuaranteeShares {
    uint64 private constant LEAVE_DELAY_SECONDS = 90 days;
    /// How long announced shares can leave once their delay is over.
    uint64 private constant LEAVE_OPEN_SECONDS = 7 days;
    uint128 private constant BOUNTY_DIVISOR = 2;
    uint256 private constant NOBODYS_SHARES = 1e6;
    /// Over which a loss that is not made good counts for less and less in the price at which others join.
    uint256 private constant HOPE_SECONDS = 90 days;
    /// Whoever joins a fund that has lost everything gets a share for next to nothing, so each time there are billions of
    /// times more of them. When there are as many as this, they are counted anew: so many old ones are one.
    uint256 private constant SHARES_MAX = 1 << 128;
    uint256 private constant RECOUNT_BITS = 64;

    /// Counted when there had been so many recounts.
    struct Holding {
        uint224 shares;
        uint32 recounts;
    }

    struct Notice {
        Holding leaving;
        uint64 readyAt;
    }

    IMerchantRegistry private immutable _registry;

    IFundHub internal _hub;
    uint128 private _assets;
    uint128 private _bountiesTotal;
    uint256 private _totalShares;
    /// What members had lost and not got back at `_hopedAt`.
    uint128 private _hoped;
    uint64 private _hopedAt;
    uint32 private _recounts;
    mapping(uint32 merchantId => Holding) private _shares;
    mapping(uint32 merchantId => Notice) private _leaves;
    mapping(address account => uint128) private _bounties;

    modifier onlyHub() {
        if (msg.sender != address(_hub)) revert NotHub(msg.sender);
        _;
    }

    modifier onlyAdmin(uint32 merchantId) {
        if (_registry.merchant(merchantId).admin != msg.sender) revert NotFundAdmin(merchantId, msg.sender);
        _;
    }

    constructor(IMerchantRegistry merchants) {
        _registry = merchants;
    }

    /// @inheritdoc IGuaranteeShares
    function bindHub() external {
        if (address(_hub) != address(0)) revert HubBoundAlready(address(_hub));
        _hub = IFundHub(msg.sender);
        emit HubBound(msg.sender);
    }

    /// @inheritdoc IGuaranteeShares
    function joinGuarantee(uint32 merchantId, uint128 amount, uint128 worthMin)
        external
        onlyAdmin(merchantId)
        returns (uint256 shares)
    {
        if (amount == 0) revert NoAmount();
        while (_totalShares >= SHARES_MAX) _recount();
        shares = Math.mulDiv(amount, _priceShares(), _priceAssets() + hopedFor());
        if (shares == 0) revert AmountBuysNoShare(amount);
        _totalShares += shares;
        _shares[merchantId] = _holding(sharesOf(merchantId) + shares);
        _assets += amount;
        uint128 worth = _worth(shares);
        if (worth < worthMin) revert WorthTooLow(worth, worthMin);
        emit GuaranteeJoined(merchantId, amount, shares);
        emit AssetsChanged(_assets, _totalShares);
        _hub.moveToFund(merchantId, amount);
    }

    /// @inheritdoc IGuaranteeShares
    function leaveGuarantee(uint32 merchantId, uint256 shares) external onlyAdmin(merchantId) {
        if (shares == 0) revert NoAmount();
        Notice storage n = _leaves[merchantId];
        if (n.leaving.shares != 0 && !_hasLapsed(n.readyAt)) revert LeavePending(merchantId, n.readyAt);
        uint256 held = sharesOf(merchantId);
        if (held < shares) revert SharesTooFew(merchantId, held, shares);
        (n.leaving, n.readyAt) = (_holding(shares), uint64(block.timestamp) + LEAVE_DELAY_SECONDS);
        emit LeaveRequested(merchantId, shares, n.readyAt);
    }

    /// @inheritdoc IGuaranteeShares
    function executeLeave(uint32 merchantId) external returns (uint128 amount) {
        Notice memory n = _leaves[merchantId];
        if (n.leaving.shares == 0) revert NoLeave(merchantId);
        if (!_hub.nothingPendingSinceWindDown()) {
            if (block.timestamp < n.readyAt) revert LeaveTooEarly(merchantId, n.readyAt);
            if (_hasLapsed(n.readyAt)) revert LeaveLapsed(merchantId, n.readyAt + LEAVE_OPEN_SECONDS);
        }
        delete _leaves[merchantId];
        uint256 announced = _counted(n.leaving);
        uint256 held = sharesOf(merchantId);
        uint256 shares = announced < held ? announced : held;
        amount = _worth(shares);
        _burn(merchantId, shares, amount);
        emit GuaranteeLeft(merchantId, amount, shares);
        _hub.moveFromFund(merchantId, amount);
    }

    /// @inheritdoc IGuaranteeShares
    function cancelLeave(uint32 merchantId) external onlyAdmin(merchantId) {
        Holding memory leaving = _leaves[merchantId].leaving;
        if (leaving.shares == 0) revert NoLeave(merchantId);
        delete _leaves[merchantId];
        emit LeaveCancelled(merchantId, _counted(leaving));
    }

    /// @inheritdoc IGuaranteeShares
    function putSlash(address challenger, uint128 slashed) external onlyHub {
        uint128 bounty = slashed / BOUNTY_DIVISOR;
        if (bounty != 0) {
            _bounties[challenger] += bounty;
            _bountiesTotal += bounty;
            emit BountyEarned(challenger, bounty);
        }
        _put(slashed - bounty);
    }

    /// @inheritdoc IGuaranteeShares
    function collectBounty(address account) external {
        uint128 amount = _bounties[account];
        if (amount == 0) revert NoBounty(account);
        delete _bounties[account];
        _bountiesTotal -= amount;
        emit BountyPaid(account, amount);
        _hub.payBounty(account, amount);
    }

    /// @inheritdoc IGuaranteeShares
    function bountyOf(address account) external view returns (uint256) {
        return _bounties[account];
    }

    /// @inheritdoc IGuaranteeShares
    function bountiesTotal() external view returns (uint256) {
        return _bountiesTotal;
    }

    /// @inheritdoc IGuaranteeShares
    function assets() external view returns (uint256) {
        return _assets;
    }

    /// @inheritdoc IGuaranteeShares
    function totalShares() external view returns (uint256) {
        return _totalShares;
    }

    /// @inheritdoc IGuaranteeShares
    function recounts() external view returns (uint256) {
        return _recounts;
    }

    /// @inheritdoc IGuaranteeShares
    function sharesOf(uint32 merchantId) public view returns (uint256) {
        return _counted(_shares[merchantId]);
    }

    /// @inheritdoc IGuaranteeShares
    function worthOf(uint32 merchantId) external view returns (uint128) {
        return _worth(sharesOf(merchantId));
    }

    /// @inheritdoc IGuaranteeShares
    function leaveOf(uint32 merchantId) external view returns (Leave memory) {
        Notice memory n = _leaves[merchantId];
        return Leave(_counted(n.leaving), n.readyAt);
    }

    /// @inheritdoc IGuaranteeShares
    function hopedFor() public view returns (uint256) {
        uint256 age = block.timestamp - _hopedAt;
        return age < HOPE_SECONDS ? _hoped * (HOPE_SECONDS - age) / HOPE_SECONDS : 0;
    }

    /// @inheritdoc IGuaranteeShares
    function hub() external view returns (address) {
        return address(_hub);
    }

    /// @inheritdoc IGuaranteeShares
    function registry() external view returns (IMerchantRegistry) {
        return _registry;
    }

    function _put(uint128 amount) internal {
        if (amount == 0) return;
        _assets += amount;
        emit AssetsChanged(_assets, _totalShares);
    }

    /// Burns a defaulter's shares for up to `lacking`; returns what they were worth.
    function _takeOwn(uint32 merchantId, uint128 lacking) internal returns (uint128 taken) {
        uint256 held = sharesOf(merchantId);
        if (held == 0) return 0;
        taken = _worth(held);
        if (taken > lacking) {
            taken = lacking;
            held = Math.mulDiv(taken, _priceShares(), _priceAssets(), Math.Rounding.Ceil);
        }
        _burn(merchantId, held, taken);
    }

    /// Takes up to `lacking` of all members' assets; returns what it took.
    function _takeMutual(uint128 lacking) internal returns (uint128 taken) {
        taken = lacking < _assets ? lacking : _assets;
        if (taken == 0) return 0;
        _assets -= taken;
        _hope(hopedFor() + taken);
        emit AssetsChanged(_assets, _totalShares);
    }

    /// Gives back to all members what a defaulter has made good.
    function _restore(uint128 amount) internal {
        uint256 hoped = hopedFor();
        if (hoped != 0) _hope(hoped > amount ? hoped - amount : 0);
        _put(amount);
    }

    /// @dev Never more than members have lost, a uint128.
    function _hope(uint256 amount) private {
        (_hoped, _hopedAt) = (uint128(amount), uint64(block.timestamp));
    }

    /// @dev amount ≤ assets: shares are fewer than all shares with nobody's, so their worth is less than assets + 1.
    function _burn(uint32 merchantId, uint256 shares, uint128 amount) private {
        _shares[merchantId] = _holding(sharesOf(merchantId) - shares);
        _totalShares -= shares;
        _assets -= amount;
        emit SharesBurnt(merchantId, shares, amount);
        emit AssetsChanged(_assets, _totalShares);
    }

    /// What is rounded off is nobody's from now on.
    function _recount() private {
        _totalShares >>= RECOUNT_BITS;
        _recounts += 1;
        emit SharesRecounted(_recounts, _totalShares);
    }

    /// A member that could leave at once on any day would leave on the day before a loss.
    function _hasLapsed(uint64 readyAt) private view returns (bool) {
        return block.timestamp > readyAt + LEAVE_OPEN_SECONDS;
    }

    /// @dev Fits: there are less than 2^128 when somebody joins, with no more than a uint96's worth of any asset.
    function _holding(uint256 shares) private view returns (Holding memory) {
        return Holding(SafeCast.toUint224(shares), _recounts);
    }

    /// So many shares are they today.
    function _counted(Holding memory h) private view returns (uint256) {
        return uint256(h.shares) >> (RECOUNT_BITS * (_recounts - h.recounts));
    }

    function _worth(uint256 shares) private view returns (uint128) {
        return uint128(Math.mulDiv(shares, _priceAssets(), _priceShares()));
    }

    function _priceAssets() private view returns (uint256) {
        return uint256(_assets) + 1;
    }

    function _priceShares() private view returns (uint256) {
        return _totalShares + NOBODYS_SHARES;
    }
}
