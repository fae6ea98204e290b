// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICollateral} from "../../contracts/interfaces/ICollateral.sol";
import {BatchHeader, Net} from "../../contracts/libraries/Words.sol";
import {HubFixture} from "./HubFixture.sol";

/// @title What merchants, operator and passers-by may do to a hub, in any order
contract HubHandler is HubFixture {
    uint32 public constant MERCHANTS = 6;
    uint256 private constant AMOUNT_MAX = 1_000e6;

    uint256 public movedBeforeWindow;
    uint256 public settled;
    BatchHeader[] private _pending;
    mapping(uint256 place => Net[]) private _pendingNets;
    uint256 private _oldest;

    constructor() {
        _found(MERCHANTS, NO_BOND);
    }

    function deposit(uint8 who, uint128 amount) external {
        _hub.deposit(_id(who), uint128(1 + amount % AMOUNT_MAX));
    }

    function requestWithdraw(uint8 who, uint128 amount) external {
        try _hub.requestWithdraw(_id(who), uint128(1 + amount % AMOUNT_MAX)) {} catch {}
    }

    function executeWithdraw(uint8 who) external {
        try _hub.executeWithdraw(_id(who)) {} catch {}
    }

    function cancelWithdraw(uint8 who) external {
        try _hub.cancelWithdraw(_id(who)) {} catch {}
    }

    function setFloor(uint8 who, uint96 floor) external {
        try _policy.setFloor(_id(who), uint96(floor % AMOUNT_MAX)) {} catch {}
    }

    function pass(uint24 timeSeconds) external {
        _pass(timeSeconds);
    }

    function commit(uint256 seed) external {
        Net[] memory nets = _randomNets(seed);
        BatchHeader memory h = _header(nets);
        try _hub.commitBatch(h, nets, new bytes32[2][](0)) {
            for (uint256 i = 0; i < nets.length; ++i) {
                _pendingNets[_pending.length].push(nets[i]);
            }
            _pending.push(h);
        } catch {}
    }

    function finalise() external {
        if (_oldest == _pending.length) return;
        BatchHeader memory h = _pending[_oldest];
        bool early = _now < _hub.record(h.batchNo).finalAfter;
        try _hub.finaliseBatch(h, _pendingNets[_oldest]) {
            if (early) movedBeforeWindow += 1;
            settled += 1;
            _oldest += 1;
        } catch {
            assert(early);
        }
    }

    function collect(uint8 batch, uint8 who) external {
        if (_oldest == 0) return;
        try _fund.collectClaim(uint64(1 + batch % _oldest), _id(who)) {} catch {}
    }

    /// All that the hub owes, added up account by account and pool by pool.
    function owedInDetail() external view returns (uint256 sum) {
        sum = _hub.operatorBond();
        for (uint32 id = 1; id <= MERCHANTS; ++id) {
            ICollateral.Balance memory b = _hub.balanceOf(id);
            sum += uint256(b.free) + b.locked;
        }
        for (uint64 n = 1; n <= _oldest; ++n) {
            sum += _fund.defaultPool(n).recovered;
            for (uint32 id = 1; id <= MERCHANTS; ++id) {
                sum -= _fund.claimOf(n, id).paid;
            }
        }
    }

    function solvency() external view returns (uint256 held, uint256 owed) {
        return _hub.solvency();
    }

    function _id(uint8 who) private pure returns (uint32) {
        return 1 + who % MERCHANTS;
    }

    function _randomNets(uint256 seed) private pure returns (Net[] memory nets) {
        nets = new Net[](MERCHANTS);
        int128 sum = 0;
        for (uint32 i = 0; i + 1 < MERCHANTS; ++i) {
            int128 amount = int128(int256(uint256(keccak256(abi.encode(seed, i))) % AMOUNT_MAX)) - int128(500e6);
            nets[i] = Net(i + 1, amount == 0 ? int128(1) : amount);
            sum += nets[i].amount;
        }
        if (sum == 0) {
            nets[0].amount += nets[0].amount == -1 ? int128(2) : int128(1);
            sum = nets[0].amount + nets[1].amount + nets[2].amount + nets[3].amount + nets[4].amount;
        }
        nets[MERCHANTS - 1] = Net(MERCHANTS, -sum);
    }
}

/// @title Invariants of the hub under the handler's actions
contract SolvencyTest {
    HubHandler private _handler;

    function setUp() public {
        _handler = new HubHandler();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    function invariant_TheHubHoldsExactlyWhatItOwes() public view {
        (uint256 held, uint256 owed) = _handler.solvency();
        assert(held == owed);
        assert(owed == _handler.owedInDetail());
    }

    function invariant_NothingMovesBeforeItsWindow() public view {
        assert(_handler.movedBeforeWindow() == 0);
    }

    /// One long life by hand, so that the invariants are known to have seen batches settle and default.
    function test_TheHandlerReachesSettlement() public {
        for (uint256 round = 0; round < 12; ++round) {
            _handler.deposit(uint8(round), 400e6);
            _handler.commit(round);
            _handler.pass(7 days);
            _handler.finalise();
            _handler.collect(uint8(round), uint8(round));
            invariant_TheHubHoldsExactlyWhatItOwes();
        }
        assert(_handler.settled() == 12);
    }
}
