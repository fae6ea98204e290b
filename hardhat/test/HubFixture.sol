// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AlliancePolicy} from "../../contracts/AlliancePolicy.sol";
import {ForcedQueue} from "../../contracts/ForcedQueue.sol";
import {GuaranteeFund} from "../../contracts/GuaranteeFund.sol";
import {MerchantRegistry} from "../../contracts/MerchantRegistry.sol";
import {SettlementHub} from "../../contracts/SettlementHub.sol";
import {IAlliancePolicy} from "../../contracts/interfaces/IAlliancePolicy.sol";
import {IMerchantRegistry} from "../../contracts/interfaces/IMerchantRegistry.sol";
import {ISettlementAsset} from "../../contracts/interfaces/ISettlementAsset.sol";
import {ISettlementHub} from "../../contracts/interfaces/ISettlementHub.sol";
import {BatchHeader, Net} from "../../contracts/libraries/Words.sol";
import {TestToken} from "../../contracts/mocks/TestToken.sol";
import {VM} from "./Vm.sol";

/// @title A hub with merchants 1…n of this contract's own, whose batches nobody attests
abstract contract HubFixture {
    uint96 internal constant BOND = 50_000e6;
    uint96 internal constant NO_BOND = 0;

    TestToken internal _asset;
    MerchantRegistry internal _registry;
    AlliancePolicy internal _policy;
    GuaranteeFund internal _fund;
    ForcedQueue internal _queue;
    SettlementHub internal _hub;
    uint256 internal _now = 1_900_000_000;

    /// @param bond what the operator posts, and must keep for a commit
    function _found(uint32 merchants, uint96 bond) internal {
        VM.warp(_now);
        _asset = new TestToken();
        _registry = new MerchantRegistry(address(this));
        _policy = new AlliancePolicy(
            _registry, address(this), _params(bond), new IAlliancePolicy.AttesterEntry[](0), keccak256("founding")
        );
        ISettlementHub.Genesis memory genesis;
        genesis.foundedAt = uint64(_now);
        _fund = new GuaranteeFund(_registry);
        _queue = new ForcedQueue(_policy);
        _hub = new SettlementHub(ISettlementAsset(address(_asset)), _policy, _fund, _queue, address(this), genesis);
        _registry.bindHub(address(_hub));
        _registry.addMerchants(_entries(merchants));
        _asset.mint(address(this), type(uint128).max);
        _asset.approve(address(_hub), type(uint256).max);
        if (bond != 0) _hub.postBond(bond);
    }

    function _params(uint96 bond) internal pure returns (IAlliancePolicy.Params memory p) {
        p.fastWindowSeconds = 6 hours;
        p.slowWindowSeconds = 7 days;
        p.sealLagSecondsMax = 6 hours;
        p.withdrawDelaySeconds = 7 days;
        p.honestWeight = 3;
        p.operatorBondMin = bond;
        p.grossCapSlow = 100_000e6;
        p.grossCapFast = 2_000_000e6;
    }

    function _pass(uint256 timeSeconds) internal {
        _now += timeSeconds;
        VM.warp(_now);
    }

    function _header(Net[] memory nets) internal view returns (BatchHeader memory h) {
        h.batchNo = _hub.nextBatchNo();
        h.prevHeaderHash = _hub.headerHash(h.batchNo - 1);
        h.firstLeafNo = _hub.nextLeafNo();
        h.leafCount = 1;
        if (nets.length != 0) h.netsHash = keccak256(abi.encode(nets));
        h.netsSinceBatch = _hub.lastSettleBatch();
        h.openedAt = uint64(_now);
        h.sealedAt = uint64(_now);
        h.configHash = _policy.configHash();
    }

    function _commit(Net[] memory nets) internal returns (BatchHeader memory h) {
        h = _header(nets);
        _hub.commitBatch(h, nets, new bytes32[2][](0));
    }

    function _finalise(BatchHeader memory h, Net[] memory nets) internal returns (uint256 calls) {
        while (_hub.nextFinalNo() == h.batchNo) {
            _hub.finaliseBatch(h, nets);
            calls += 1;
        }
    }

    function _entries(uint32 merchants) private view returns (IMerchantRegistry.NewMerchant[] memory list) {
        list = new IMerchantRegistry.NewMerchant[](merchants);
        for (uint32 i = 0; i < merchants; ++i) {
            list[i] = IMerchantRegistry.NewMerchant(i + 1, address(this), address(this));
        }
    }
}
