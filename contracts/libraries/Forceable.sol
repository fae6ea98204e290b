// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ForcedFault} from "../interfaces/IForcedQueue.sol";
import {IMerchantRegistry} from "../interfaces/IMerchantRegistry.sol";
import {PointsEvent} from "./Words.sol";

/// @title The rules of protocol §2.4 for the four kinds that need no hidden state
/// @notice The same rules as `broken_rules` in proofs/kinds.py, for kinds 1, 8, 9 and 12 alone.
library Forceable {
    uint8 internal constant EARN = 1;
    uint8 internal constant REFERRAL = 8;
    uint8 internal constant VOID = 9;
    uint8 internal constant REFERRAL_CASH = 12;

    uint8 private constant ON_REDEMPTION = 0;
    uint8 private constant LEVEL_MAX = 2;
    uint32 private constant FIRST_RESERVED_ID = 900_000_000;

    /// @notice What is wrong with the event by its own fields, whatever the registry says.
    function shapeFault(PointsEvent calldata e, uint256 nowSeconds) internal pure returns (ForcedFault) {
        bool campaign = e.kind == REFERRAL || e.kind == REFERRAL_CASH;
        if (!campaign && e.kind != EARN && e.kind != VOID) return ForcedFault.Kind;
        if (e.merchantId == 0 || e.keyId == 0 || e.nonce == 0) return ForcedFault.Shape;
        if ((e.points == 0) != (e.kind == VOID || e.kind == REFERRAL_CASH)) return ForcedFault.Shape;
        if ((e.memberRef == 0) != (e.kind == VOID)) return ForcedFault.Shape;
        if ((e.refEventId == 0) == campaign) return ForcedFault.Shape;
        if (_campaignFieldsWrong(e, campaign) || _partiesWrong(e)) return ForcedFault.Shape;
        return e.occurredAt > nowSeconds ? ForcedFault.Clock : ForcedFault.None;
    }

    /// @notice What is wrong with its terms in a batch.
    function termsFault(PointsEvent calldata e, IMerchantRegistry.Terms memory t, uint64 batchNo)
        internal
        pure
        returns (ForcedFault)
    {
        if (t.issuerId != e.issuerId || (t.acceptorId != 0 && t.acceptorId != e.merchantId)) return ForcedFault.Terms;
        if (batchNo < t.fromBatch || (t.toBatch != 0 && batchNo >= t.toBatch)) return ForcedFault.Terms;
        // What is paid into the reserve follows from the member's balance, which nobody sees here: neither cash nor its
        // absence can be called right, and an event that no leaf may hold would stop the hub.
        return t.mode == ON_REDEMPTION && e.settleAmount == 0 ? ForcedFault.None : ForcedFault.Rate;
    }

    /// @notice Whether the kind moves points, and so needs terms.
    function needsTerms(uint8 kind) internal pure returns (bool) {
        return kind == EARN || kind == REFERRAL;
    }

    function _campaignFieldsWrong(PointsEvent calldata e, bool campaign) private pure returns (bool) {
        if (campaign) return e.campaignId == 0 || e.level == 0 || e.level > LEVEL_MAX;
        return e.campaignId != 0 || e.level != 0 || e.basis != 0;
    }

    function _partiesWrong(PointsEvent calldata e) private pure returns (bool) {
        if (needsTerms(e.kind)) return e.issuerId != e.merchantId || e.issuerId >= FIRST_RESERVED_ID;
        return e.issuerId != 0 || e.settleAmount != 0 || e.termsId != 0;
    }
}
