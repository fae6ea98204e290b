// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title The money the hub holds: merchants' collateral and the operator's bond
/// @notice All amounts are base units of the settlement asset. `free` may be withdrawn or locked, `locked` waits for
/// pending settling batches to become final.
interface ICollateral {
    struct Balance {
        uint128 free;
        uint128 locked;
    }

    struct Withdrawal {
        uint128 amount;
        uint64 readyAt;
    }

    error ZeroAmount();
    error MerchantNotRegistered(uint32 merchantId);
    error NotPayoutAdmin(uint32 merchantId, address caller);
    /// The asset moved another amount than asked: it takes a fee, or is no plain ERC-20.
    error AssetDeltaWrong(uint256 expected, uint256 actual);
    error NoWithdrawal(uint32 merchantId);
    error WithdrawalPending(uint32 merchantId, uint64 readyAt);
    error WithdrawalTooEarly(uint32 merchantId, uint64 readyAt);
    error MerchantDelinquent(uint32 merchantId, uint256 owed);
    error FreeTooLow(uint32 merchantId, uint256 free, uint256 needed);
    error FloorTooHigh(uint32 merchantId, uint256 floor, uint256 floorMax);
    error BondTooLow(uint256 bond, uint256 needed);

    event Deposited(uint32 indexed merchantId, address indexed from, uint256 amount);
    event WithdrawRequested(uint32 indexed merchantId, uint256 amount, uint64 readyAt);
    event WithdrawCancelled(uint32 indexed merchantId, uint256 amount);
    event Withdrawn(uint32 indexed merchantId, address indexed to, uint256 amount);
    /// The floor is `floor` from this time on.
    event FloorSet(uint32 indexed merchantId, uint256 floor, uint64 fromTime);
    event BondPosted(address indexed from, uint256 amount, uint256 bond);
    event BondWithdrawn(address indexed to, uint256 amount, uint256 bond);

    /// @notice Adds collateral; anyone may fund any registered merchant. What a defaulter receives repays its claims first.
    function deposit(uint32 merchantId, uint128 amount) external;

    /// @notice Announces a withdrawal. The merchant's admin only; one at a time. Until it is executed the amount still
    /// stands behind the merchant's nets.
    function requestWithdraw(uint32 merchantId, uint128 amount) external;

    /// @notice Pays an announced withdrawal to the merchant's payout address once the delay is over, if it leaves `free` at
    /// or above the floor and no claim is open. Anyone may call it; works while paused.
    function executeWithdraw(uint32 merchantId) external;

    /// @notice Takes an announced withdrawal back. The merchant's admin only.
    function cancelWithdraw(uint32 merchantId) external;

    /// @notice Sets what must stay free after a withdrawal. RISK only. At most ten times the last value (a first one at most
    /// 100,000 units), so the role cannot hold a merchant's money. A raise holds at once, a cut after 7 days.
    function setFloor(uint32 merchantId, uint96 floor) external;

    /// @notice Adds to the operator's bond; anyone may.
    function postBond(uint96 amount) external;

    /// @notice Takes out what the bond has above its minimum. OPERATOR only.
    function withdrawBond(uint96 amount, address to) external;

    function balanceOf(uint32 merchantId) external view returns (Balance memory);

    function withdrawalOf(uint32 merchantId) external view returns (Withdrawal memory);

    /// @notice Floor that a withdrawal must respect now.
    function floorOf(uint32 merchantId) external view returns (uint256);

    function operatorBond() external view returns (uint256);

    /// @notice What the hub holds of the asset and what it owes: all balances, the bond and recoveries not yet fetched.
    /// Held is never below owed.
    function solvency() external view returns (uint256 held, uint256 owed);
}
