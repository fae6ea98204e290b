// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IMerchantRegistry, MerchantStatus} from "../../contracts/interfaces/IMerchantRegistry.sol";
import {Net} from "../../contracts/libraries/Words.sol";
import {HubFixture} from "./HubFixture.sol";

/// @title Keys and status by batch number, whenever they are set and ended
contract RegistryTest is HubFixture {
    address private constant SIGNER = address(0xA11CE);
    uint8 private constant REDEEM = 2;
    uint8 private constant REFUND_REDEEM = 4;

    function setUp() public {
        _found(1, BOND);
    }

    /// A key answers from the batch after it was set to the batch after it was revoked: one batch of grace, no more.
    function testFuzz_AKeyAnswersForExactlyItsBatches(uint8 before, uint8 life) public {
        _commitLogs(before % 8);
        uint64 first = _hub.nextBatchNo();
        _addKey();
        _commitLogs(life % 8);
        uint64 last = _hub.nextBatchNo();
        _registry.revokeKey(1, 1);
        for (uint64 n = 0; n <= last + 4; ++n) {
            assert((_registry.keyAt(1, 1, n, REDEEM) == SIGNER) == (first <= n && n <= last));
        }
    }

    /// A suspension holds from the batch after the next until the batch after the next of its end, in history too.
    function testFuzz_ASuspensionHoldsForExactlyItsBatches(uint8 before, uint8 life) public {
        _addKey();
        _commitLogs(before % 8);
        uint64 first = _hub.nextBatchNo() + 1;
        _registry.setStatus(1, MerchantStatus.Suspended);
        _commitLogs(1 + life % 8);
        uint64 next = _hub.nextBatchNo() + 1;
        _registry.setStatus(1, MerchantStatus.Active);
        for (uint64 n = 1; n <= next + 4; ++n) {
            bool restricted = first <= n && n < next;
            assert((_registry.keyAt(1, 1, n, REDEEM) == SIGNER) == !restricted);
            assert(_registry.keyAt(1, 1, n, REFUND_REDEEM) == SIGNER);
        }
    }

    function _addKey() private {
        IMerchantRegistry.NewKey[] memory keys = new IMerchantRegistry.NewKey[](1);
        keys[0] = IMerchantRegistry.NewKey(1, 1, SIGNER, uint16((1 << REDEEM) | (1 << REFUND_REDEEM)));
        _registry.addKeys(keys);
    }

    function _commitLogs(uint256 count) private {
        for (uint256 i = 0; i < count; ++i) {
            _commit(new Net[](0));
        }
    }
}
