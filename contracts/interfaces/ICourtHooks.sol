// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BatchHeader, Net} from "../libraries/Words.sol";

/// @title What courts may do to pending batches, and what follows from it
/// @notice A court is whoever has COURT: a contract that decides fraud proofs and demands for data. It can throw out a
/// pending batch with all that follow it, and hold up a batch's end within bounds; it can touch no final batch and move no
/// money but the fifth of the bond that a revert costs the operator: half to the challenger, half to the guarantee fund, so
/// that to challenge oneself is always a loss.
interface ICourtHooks {
    /// Not committed, final already, or reverted.
    error BatchNotPending(uint64 batchNo);
    /// The batch has been held up for as long as it may be.
    error DemandsExhausted(uint64 batchNo, uint64 committedAt);
    error NothingToRelease(bytes32 headerHash);

    /// From this batch on nothing that was committed counts any more.
    event BatchReverted(uint64 indexed batchNo, uint16 code, address indexed challenger, uint256 slashed);
    event LocksReleased(uint64 indexed batchNo, bytes32 indexed headerHash);
    event DemandAdded(uint64 indexed batchNo, uint16 openDemands, uint64 finalAfter);
    event DemandClosed(uint64 indexed batchNo, uint16 openDemands);

    /// @notice Throws out a pending batch and all after it; the next batch takes its number, under another header: this one
    /// is refused for ever, and with it whatever was sealed on top of it. COURT only.
    /// @param header the batch's committed header
    /// @param challenger earns half of the slash
    /// @param code of the proof
    function revertFrom(BatchHeader calldata header, address challenger, uint16 code) external;

    /// @notice Keeps a pending batch from becoming final until closeDemand, and its window open for an answer; answers are
    /// due within three slow windows from its commit, for all demands together. An open demand has no end of its own: its
    /// court closes it or reverts the batch, and any other court can. COURT only.
    function addDemand(uint64 batchNo, bytes32 headerHash) external;

    /// @notice Ends one demand. Does nothing if the header is not pending any more: its demands went with it. COURT only.
    function closeDemand(uint64 batchNo, bytes32 headerHash) external;

    /// @notice Unlocks what a reverted settling batch had locked, once. Anyone may call it.
    function releaseReverted(BatchHeader calldata header, Net[] calldata nets) external;
}
