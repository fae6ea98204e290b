// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {BatchHeader, Net} from "../../contracts/libraries/Words.sol";
import {HubFixture} from "./HubFixture.sol";

/// @title Random nets with random shortages: everything adds up to the unit
contract DefaultsTest is HubFixture {
    uint32 private constant MERCHANTS = 512;

    function setUp() public {
        _found(MERCHANTS, NO_BOND);
    }

    /// Σ credits = Σ debits; each cut is its floor or one more, the odd units go to the first creditors; claims = cuts.
    function testFuzz_CutsAreExact(uint256 seed, uint16 size) public {
        Net[] memory nets = _nets(seed, 2 + size % (MERCHANTS - 1));
        uint256 gross = _gross(nets);
        uint256 missing = _fundDebtors(nets, seed);
        BatchHeader memory h = _commit(nets);
        _pass(7 days);
        _finalise(h, nets);
        assert(_fund.defaultPool(h.batchNo).claims == missing);
        (uint256 credited, uint256 cuts) = _checkCreditors(h.batchNo, nets, missing, gross);
        assert(cuts == missing);
        assert(credited + missing == gross);
        (uint256 held, uint256 owed) = _hub.solvency();
        assert(held == owed);
    }

    /// What defaulters pay back reaches the creditors in full, whatever the parts it comes in.
    function testFuzz_ClaimsAreRepaidInFull(uint256 seed, uint8 size) public {
        Net[] memory nets = _nets(seed, 2 + size % 60);
        _fundDebtors(nets, seed);
        BatchHeader memory h = _commit(nets);
        _pass(7 days);
        _finalise(h, nets);
        for (uint256 i = 0; i < nets.length; ++i) {
            _repayInParts(nets[i].merchantId);
            if (i % 7 == 0) _collectAll(h.batchNo, nets);
        }
        _collectAll(h.batchNo, nets);
        for (uint256 i = 0; i < nets.length; ++i) {
            if (nets[i].amount > 0) assert(_hub.balanceOf(nets[i].merchantId).free == uint128(nets[i].amount));
            else assert(_hub.netPosition(nets[i].merchantId) >= 0);
        }
    }

    function _repayInParts(uint32 id) private {
        uint128 owed = uint128(_fund.owedBy(id));
        if (owed > 1) _hub.deposit(id, owed / 2);
        if (owed > 0) _hub.deposit(id, owed - owed / 2);
        assert(_fund.owedBy(id) == 0);
    }

    function _collectAll(uint64 batchNo, Net[] memory nets) private {
        for (uint256 i = 0; i < nets.length; ++i) {
            try _fund.collectClaim(batchNo, nets[i].merchantId) {} catch {}
        }
    }

    function _checkCreditors(uint64 batchNo, Net[] memory nets, uint256 missing, uint256 gross)
        private
        view
        returns (uint256 credited, uint256 cuts)
    {
        uint256 odd = missing - _floors(nets, missing, gross);
        for (uint256 i = 0; i < nets.length; ++i) {
            if (nets[i].amount < 0) continue;
            uint256 net = uint128(nets[i].amount);
            uint256 cut = missing * net / gross;
            if (odd > 0) {
                cut += 1;
                odd -= 1;
            }
            assert(_fund.claimOf(batchNo, nets[i].merchantId).amount == cut);
            assert(_hub.balanceOf(nets[i].merchantId).free == net - cut);
            credited += net - cut;
            cuts += cut;
        }
    }

    function _floors(Net[] memory nets, uint256 missing, uint256 gross) private pure returns (uint256 sum) {
        for (uint256 i = 0; i < nets.length; ++i) {
            if (nets[i].amount > 0) sum += missing * uint128(nets[i].amount) / gross;
        }
    }

    /// Gives every debtor between nothing and all of what it will owe; returns what will be missing.
    function _fundDebtors(Net[] memory nets, uint256 seed) private returns (uint256 missing) {
        for (uint256 i = 0; i < nets.length; ++i) {
            if (nets[i].amount > 0) continue;
            uint128 due = uint128(-nets[i].amount);
            uint256 luck = uint256(keccak256(abi.encode(seed, "luck", i))) % 4;
            uint128 has = luck == 0 ? 0 : luck == 1 ? due / 2 : due;
            if (has != 0) _hub.deposit(nets[i].merchantId, has);
            missing += due - has;
        }
    }

    /// `n` random nets: the last one takes what balances the others, so none is zero and the sum is.
    function _nets(uint256 seed, uint256 n) private pure returns (Net[] memory nets) {
        nets = new Net[](n);
        int128 sum = 0;
        for (uint256 i = 0; i < n; ++i) {
            int128 amount = int128(1 + int256(uint256(keccak256(abi.encode(seed, i))) % 90e6));
            if (i == 0 || uint256(keccak256(abi.encode(seed, "side", i))) % 2 == 0) amount = -amount;
            if (i == n - 1) amount = -sum;
            if (i == n - 2 && sum + amount == 0) amount += amount > 0 ? int128(1) : int128(-1);
            nets[i] = Net(uint32(i + 1), amount);
            sum += amount;
        }
    }

    function _gross(Net[] memory nets) private pure returns (uint256 gross) {
        for (uint256 i = 0; i < nets.length; ++i) {
            if (nets[i].amount > 0) gross += uint128(nets[i].amount);
        }
    }
}
