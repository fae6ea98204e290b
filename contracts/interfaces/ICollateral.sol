// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title The money the hub holds: merchants' collateral and the operator's bond
/// @notice All amounts are base units of the settlement asset. `locked` waits for pending settling batches to become final:
/// it is what these will take from the merchant, as far as the merchant has it. `free` is the rest.
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
    /// It was not executed in time: announce it anew.
    error WithdrawalLapsed(uint32 merchantId, uint64 lapsedAt);
    error MerchantDelinquent(uint32 merchantId, uint256 owed);
    error FreeTooLow(uint32 merchantId, uint256 free, uint256 needed);
    error BondTooLow(uint256 bond, uint256 needed);
    /// Only this hub's guarantee fund, or only its forced queue, may call this.
    error NotPartner(address caller);

    event Deposited(uint32 indexed merchantId, address indexed from, uint256 amount);
    event WithdrawRequested(uint32 indexed merchantId, uint256 amount, uint64 readyAt);
    event WithdrawCancelled(uint32 indexed merchantId, uint256 amount);
    event Withdrawn(uint32 indexed merchantId, address indexed to, uint256 amount);
    event BondPosted(address indexed from, uint256 amount, uint256 bond);
    event BondWithdrawn(address indexed to, uint256 amount, uint256 bond);
    /// The operator paid a merchant for an event that it had promised to merge and did not.
    event PenaltyPaid(uint32 indexed merchantId, uint256 amount, uint256 bond);

    /// @notice Adds collateral; anyone may fund any registered merchant. What a defaulter receives repays its claims first.
    function deposit(uint32 merchantId, uint128 amount) external;

    /// @notice Uses a defaulter's free collateral on what it owes to claims: nets bring it money that repays nothing by
    /// itself. Anyone may call it.
    function repayFromFree(uint32 merchantId) external;

    /// @notice Announces a withdrawal. The merchant's admin only; one at a time, but one that has lapsed makes room. Until
    /// it is executed the amount still stands behind the merchant's nets.
    function requestWithdraw(uint32 merchantId, uint128 amount) external;

    /// @notice Pays an announced withdrawal to the merchant's payout address once the delay is over, if it leaves `free`
    /// at or above the policy's floor and no claim is open. Seven days later it has lapsed, unless the hub winds down: an
    /// announcement is a notice and not an option to leave at once on some later day. No floor holds once a wind-down is as
    /// old as that delay. Anyone may call it; works while paused.
    function executeWithdraw(uint32 merchantId) external;

    /// @notice Takes an announced withdrawal back. The merchant's admin only.
    function cancelWithdraw(uint32 merchantId) external;

    /// @notice Adds to the operator's bond; anyone may.
    function postBond(uint96 amount) external;

    /// @notice Takes out what the bond has above its minimum. OPERATOR only. 90 days after a wind-down began, with nothing
    /// pending, the minimum is nothing.
    function withdrawBond(uint96 amount, address to) external;

    /// @notice Moves free collateral above the floor into the guarantee fund's assets. The fund only.
    function moveToFund(uint32 merchantId, uint128 amount) external;

    /// @notice Moves what shares were worth back into a merchant's free collateral. The fund only.
    function moveFromFund(uint32 merchantId, uint128 amount) external;

    /// @notice Pays out a bounty. The fund only.
    function payBounty(address account, uint128 amount) external;

    /// @notice Gives back to the bond what defaulters have repaid to it. The fund only.
    function refillBond(uint128 amount) external;

    /// @notice Pays a merchant up to `amount` out of the bond. The forced queue only.
    function payPenalty(uint32 merchantId, uint128 amount) external returns (uint128 paid);

    function balanceOf(uint32 merchantId) external view returns (Balance memory);

    function withdrawalOf(uint32 merchantId) external view returns (Withdrawal memory);

    function operatorBond() external view returns (uint256);

    /// @notice What the hub holds of the asset and what it owes: all balances, the bond, the guarantee fund's assets,
    /// bounties and recoveries not yet fetched. Held is never below owed.
    function solvency() external view returns (uint256 held, uint256 owed);
}
