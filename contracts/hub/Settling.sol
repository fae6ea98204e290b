// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ISettling} from "../interfaces/ISettling.sol";
import {Net} from "../libraries/Words.sol";
import {Collateral} from "./Collateral.sol";

/// @title Settling: nets moved exactly, losses shared to the unit
/// @dev The waterfall: `_collect` takes the first tranche debtor by debtor, `_cover` the second and third once for the
/// batch, `_allot` what is left from the creditors. The fund keeps the account of it.
abstract contract Settling is Collateral, ISettling {
    /// The operator's part in one batch's losses: a fifth of the bond.
    uint128 private constant BOND_SLICE_DIVISOR = 5;
    /// New debts and claims in one call, so that even 512 nets that all default settle, in calls that fit into a block.
    uint256 private constant DEFAULT_WRITES_PER_CALL_MAX = 48;

    /// How far a batch with many defaults has settled: `place` runs through the nets twice, first for the debtors, then for
    /// the creditors.
    struct Progress {
        uint32 place;
        uint128 missing;
    }

    /// How a batch's creditors share what is missing: in proportion to `gross`, the sum of their nets; the first `odd` of
    /// them lose one unit more than their floor; `rank` of them are served.
    struct Shares {
        uint256 gross;
        uint256 odd;
        uint256 rank;
    }

    mapping(uint64 batchNo => Progress) private _progress;

    /// Moves the nets of a batch: every debtor pays what it has, every creditor receives its net less its cut.
    /// Σ credits = Σ debits and covers, because Σ nets = 0 and Σ cuts = Σ missing − Σ covers.
    /// @return done false if the batch has so many defaults that the next call must go on
    function _settle(uint64 batchNo, Net[] calldata nets) internal returns (bool done) {
        if (nets.length == 0) return true;
        Progress memory p = _progress[batchNo];
        bool collecting = p.place < nets.length;
        uint256 writesLeft = _collect(batchNo, nets, p, DEFAULT_WRITES_PER_CALL_MAX);
        if (p.place >= nets.length) {
            if (collecting && p.missing != 0) p.missing = _cover(batchNo, p.missing);
            _allot(batchNo, nets, p, writesLeft);
        }
        if (p.place == 2 * nets.length) return true;
        _progress[batchNo] = p;
        emit SettlementContinues(batchNo, p.place);
    }

    function _collect(uint64 batchNo, Net[] calldata nets, Progress memory p, uint256 writesLeft)
        private
        returns (uint256)
    {
        uint256 i = p.place;
        for (; i < nets.length && writesLeft != 0; ++i) {
            (uint32 id, int128 net) = _at(nets, i);
            if (net > 0) continue;
            uint128 lacking = _debit(id, uint128(-net));
            if (lacking != 0) {
                writesLeft -= 1;
                lacking = _fund.takeLoss(batchNo, id, lacking);
                p.missing += lacking;
                if (lacking != 0) _registry.markDelinquent(id);
            }
            emit NetSettled(batchNo, id, net, lacking);
        }
        if (i > p.place) p.place = uint32(i);
        return writesLeft;
    }

    /// What the operator and the members of the fund bear; returns what is left for the creditors.
    function _cover(uint64 batchNo, uint128 missing) private returns (uint128) {
        uint128 slice = _bond() / BOND_SLICE_DIVISOR;
        uint128 fromBond = _takeBond(missing < slice ? missing : slice);
        return _fund.cover(batchNo, fromBond, missing - fromBond);
    }

    /// Rounded down, all cuts together fall short of `missing` by less than one unit per creditor; those odd units are
    /// taken one each from the first creditors. Where missing < gross a cut is at most net − 1, so there is room for it;
    /// where they are equal nothing is odd.
    function _allot(uint64 batchNo, Net[] calldata nets, Progress memory p, uint256 writesLeft) private {
        Shares memory s = _shares(nets, p);
        uint256 i = p.place - nets.length;
        for (; i < nets.length && writesLeft != 0; ++i) {
            (uint32 id, int128 net) = _at(nets, i);
            if (net < 0) continue;
            uint128 cut = 0;
            if (p.missing != 0) {
                cut = _cutOf(net, p.missing, s.gross) + (s.rank < s.odd ? 1 : 0);
                s.rank += 1;
            }
            if (cut != 0) {
                writesLeft -= 1;
                _fund.addClaim(batchNo, id, cut);
            }
            _credit(id, uint128(net) - cut);
            emit NetSettled(batchNo, id, net, cut);
        }
        p.place = uint32(i + nets.length);
    }

    /// All zero where nothing is missing, for then there is nothing to share.
    function _shares(Net[] calldata nets, Progress memory p) private pure returns (Shares memory s) {
        if (p.missing == 0) return s;
        uint256 served = p.place - nets.length;
        for (uint256 i = 0; i < nets.length; ++i) {
            (, int128 net) = _at(nets, i);
            if (net < 0) continue;
            s.gross += uint128(net);
            if (i < served) s.rank += 1;
        }
        s.odd = p.missing - _cutSum(nets, p.missing, s.gross);
    }

    function _cutSum(Net[] calldata nets, uint256 missing, uint256 gross) private pure returns (uint256 sum) {
        for (uint256 i = 0; i < nets.length; ++i) {
            if (nets[i].amount > 0) sum += _cutOf(nets[i].amount, missing, gross);
        }
    }

    /// @dev missing ≤ gross, so a cut is never more than its net.
    function _cutOf(int128 net, uint256 missing, uint256 gross) private pure returns (uint128) {
        return uint128(missing * uint128(net) / gross);
    }

    function _at(Net[] calldata nets, uint256 i) private pure returns (uint32 merchantId, int128 amount) {
        Net calldata net = nets[i];
        return (net.merchantId, net.amount);
    }
}
