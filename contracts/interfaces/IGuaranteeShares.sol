// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IMerchantRegistry} from "./IMerchantRegistry.sol";

/// @title Who has which part of the guarantee fund
/// @notice Members stand in for each other's defaults. The money lies in the hub, as everybody's; this is the register of
/// shares. A member joins with free collateral and leaves into free collateral, 90 days after it said so, at what its shares
/// are worth then: until then they stand behind every net. Losses lower the assets, slashes and recoveries raise them, and
/// every share alike. What was lost in the last 90 days, and is not made good yet, counts in the price at which others join,
/// less every day: so nobody buys cheaply today what a defaulter will have repaid tomorrow.
///
/// A share of 1,000,000 belongs to nobody and never leaves: it keeps what comes in before anybody has joined, and makes it
/// pointless to inflate a share's price against the next who joins. After losses that took everything shares grow by the
/// billion; who joins when there are 2^128 finds them counted anew, 2^64 old ones as one. Whatever is rounded, is rounded
/// in the fund's favour.
interface IGuaranteeShares {
    struct Leave {
        uint256 shares;
        uint64 readyAt;
    }

    error NotHub(address caller);
    error HubBoundAlready(address hub);
    error NoBounty(address account);
    error NotFundAdmin(uint32 merchantId, address caller);
    error NoAmount();
    /// Too little for a single share at today's price.
    error AmountBuysNoShare(uint256 amount);
    /// The price has risen: the fund has lost what it may get back.
    error WorthTooLow(uint256 worth, uint256 worthMin);
    error SharesTooFew(uint32 merchantId, uint256 held, uint256 needed);
    error LeavePending(uint32 merchantId, uint64 readyAt);
    error NoLeave(uint32 merchantId);
    error LeaveTooEarly(uint32 merchantId, uint64 readyAt);
    /// The shares did not leave in time: announce it anew.
    error LeaveLapsed(uint32 merchantId, uint64 lapsedAt);

    event HubBound(address indexed hub);
    event GuaranteeJoined(uint32 indexed merchantId, uint256 amount, uint256 shares);
    event LeaveRequested(uint32 indexed merchantId, uint256 shares, uint64 readyAt);
    event LeaveCancelled(uint32 indexed merchantId, uint256 shares);
    event GuaranteeLeft(uint32 indexed merchantId, uint256 amount, uint256 shares);
    event SharesBurnt(uint32 indexed merchantId, uint256 shares, uint256 amount);
    event BountyEarned(address indexed account, uint256 amount);
    event BountyPaid(address indexed account, uint256 amount);
    /// 2^64 old shares are one from here on, everybody's alike and announced ones too.
    event SharesRecounted(uint256 recounts, uint256 totalShares);
    event AssetsChanged(uint256 assets, uint256 totalShares);

    /// @notice Makes the caller the fund's hub; once. A hub does it in its constructor, and does not come to be if another
    /// was first.
    function bindHub() external;

    /// @notice Puts free collateral above the floor into the fund, for
    /// floor(amount · (totalShares + 10^6) / (assets + 1 + hopedFor)) shares. The merchant's admin only; not while it owes
    /// anything to claims.
    /// @param worthMin what the new shares must be worth at least: after a loss that came before this call they might be
    /// worth next to nothing until it is made good
    function joinGuarantee(uint32 merchantId, uint128 amount, uint128 worthMin) external returns (uint256 shares);

    /// @notice Announces that shares will leave. The merchant's admin only; one announcement at a time, but one that has
    /// lapsed makes room.
    function leaveGuarantee(uint32 merchantId, uint256 shares) external;

    /// @notice Pays announced shares, or what a default has left of them, into free collateral:
    /// floor(shares · (assets + 1) / (totalShares + 10^6)). After 90 days, and within 7 more, so that nobody keeps a way out
    /// in store for the day before a loss; at once when the hub winds down and nothing is pending. Anyone may call it.
    function executeLeave(uint32 merchantId) external returns (uint128 amount);

    /// @notice Takes an announcement back. The merchant's admin only.
    function cancelLeave(uint32 merchantId) external;

    /// @notice Halves what a reverted batch cost the operator between the challenger's bounty and the assets of all. The hub
    /// only.
    function putSlash(address challenger, uint128 slashed) external;

    /// @notice Pays an account what it has earned by fraud proofs. Anyone may call it.
    function collectBounty(address account) external;

    function bountyOf(address account) external view returns (uint256);

    /// @notice Bounties not collected yet.
    function bountiesTotal() external view returns (uint256);

    function assets() external view returns (uint256);

    /// @notice What members have lost to defaults and not got back, less a ninetieth for each day since the last loss or
    /// recovery.
    function hopedFor() external view returns (uint256);

    /// @notice How often shares were counted anew.
    function recounts() external view returns (uint256);

    /// @notice Without the share that belongs to nobody.
    function totalShares() external view returns (uint256);

    function sharesOf(uint32 merchantId) external view returns (uint256);

    /// @notice What a merchant's shares are worth now.
    function worthOf(uint32 merchantId) external view returns (uint128);

    function leaveOf(uint32 merchantId) external view returns (Leave memory);

    function hub() external view returns (address);

    function registry() external view returns (IMerchantRegistry);
}
