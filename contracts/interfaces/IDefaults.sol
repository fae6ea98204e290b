// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title What happens when a debtor cannot pay its net
/// @notice A default is known by its batch. What a debtor lacks is taken, in this order, from 1 its own shares of the
/// guarantee fund, 2 the operator's bond, up to a fifth of it for one batch, 3 the guarantee fund, all members losing
/// alike, 4 that batch's creditors in proportion to their nets, exactly to the unit; each cut becomes a claim. What is
/// not taken from its own shares the debtor owes. What defaulters pay in later goes back the other way: to claims pro
/// rata until they are whole, then to the fund, then to the bond.
interface IDefaults {
    /// Who bore what one batch's defaulters lacked, and what these have since paid in.
    struct DefaultPool {
        uint128 claims;
        uint128 recovered;
        uint128 fromFund;
        uint128 fromBond;
        uint128 fundRestored;
        uint128 bondRestored;
    }

    struct Claim {
        uint128 amount;
        uint128 paid;
    }

    error NothingToCollect(uint64 defaultId, uint32 creditorId);
    error NothingToRestore(uint64 defaultId);
    /// Pay the oldest debts first, in a smaller deposit: one deposit repays a bounded number of them.
    error TooManyDebts(uint32 merchantId, uint256 countMax);

    /// `defaultId` is the batch number.
    event Defaulted(uint64 indexed defaultId, uint32 indexed merchantId, uint256 missing);
    /// First tranche: taken from a defaulter's own shares of the guarantee fund.
    event OwnSharesTaken(uint64 indexed defaultId, uint32 indexed merchantId, uint256 amount);
    /// Second and third tranche: taken from the bond and from the guarantee fund; `left` is cut from the creditors.
    event LossCovered(uint64 indexed defaultId, uint256 fromBond, uint256 fromFund, uint256 left);
    event LossAllocated(uint64 indexed batchNo, uint32 indexed creditorId, uint256 cut);
    event DebtRepaid(uint64 indexed defaultId, uint32 indexed merchantId, uint256 amount, uint256 stillOwed);
    event ReservesRestored(uint64 indexed defaultId, uint256 toFund, uint256 toBond);
    event ClaimCollected(uint64 indexed defaultId, uint32 indexed creditorId, uint256 amount);

    /// @notice Takes a debtor's own shares for what it lacks, and notes the rest as its debt. The hub only.
    /// @return left what its shares did not cover
    function takeLoss(uint64 defaultId, uint32 merchantId, uint128 lacking) external returns (uint128 left);

    /// @notice Closes a batch's account of losses: what the bond gave, what the fund now gives. The hub only.
    /// @param missing what the bond did not cover
    /// @return left what the creditors must bear
    function cover(uint64 defaultId, uint128 fromBond, uint128 missing) external returns (uint128 left);

    /// @notice Notes what was cut from a creditor. The hub only.
    function addClaim(uint64 defaultId, uint32 creditorId, uint128 cut) external;

    /// @notice Uses up to `amount` of what comes in for a merchant on its debts, oldest first. The hub only.
    /// @return used what it used
    /// @return cleared whether nothing is owed any more that was owed before
    function repay(uint32 merchantId, uint128 amount) external returns (uint128 used, bool cleared);

    /// @notice Moves what a claim has recovered into its creditor's free collateral; anyone may call it.
    /// Entitled = floor(claim · min(recovered, claims) / claims) − paid before.
    function collectClaim(uint64 defaultId, uint32 creditorId) external;

    /// @notice Gives the guarantee fund, then the bond, what defaulters have paid in beyond the claims; anyone may call it.
    function restoreReserves(uint64 defaultId) external;

    function defaultPool(uint64 defaultId) external view returns (DefaultPool memory);

    function claimOf(uint64 defaultId, uint32 creditorId) external view returns (Claim memory);

    /// @notice All that a merchant still owes to claims.
    function owedBy(uint32 merchantId) external view returns (uint256);
}
