// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {ForcedFault} from "../interfaces/IForcedQueue.sol";
import {IMerchantRegistry} from "../interfaces/IMerchantRegistry.sol";
import {Forceable} from "../libraries/Forceable.sol";
import {SumTree} from "../libraries/SumTree.sol";
import {PointsEvent} from "../libraries/Words.sol";

/// @title EdgeHarness: opens sums, long signatures and the rules of forced events to tests; never deployed outside them
contract EdgeHarness {
    function sumRootOf(uint256 size, uint256 index, bytes32 item, uint256 balance, SumTree.Node[] calldata path)
        external
        pure
        returns (SumTree.Node memory)
    {
        return SumTree.rootOf(size, index, SumTree.leaf(item, balance), path);
    }

    function requireInSum(
        SumTree.Node calldata root,
        uint256 size,
        uint256 index,
        bytes32 item,
        uint256 balance,
        SumTree.Node[] calldata path
    ) external pure {
        SumTree.requireIncluded(root, size, index, item, balance, path);
    }

    function recoverLong(bytes32 digest, bytes calldata signature) external pure returns (address) {
        return ECDSA.recover(digest, signature);
    }

    /// The fault of an event in a batch, as the queue finds it but for the campaign.
    function faultOf(
        PointsEvent calldata pointsEvent,
        IMerchantRegistry.Terms calldata terms,
        uint64 batchNo,
        uint256 nowSeconds
    ) external pure returns (ForcedFault fault) {
        fault = Forceable.shapeFault(pointsEvent, nowSeconds);
        if (fault == ForcedFault.None && Forceable.needsTerms(pointsEvent.kind)) {
            fault = Forceable.termsFault(pointsEvent, terms, batchNo);
        }
    }
}
