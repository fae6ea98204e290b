// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Where a merchant stands with the alliance.
enum MerchantStatus {
    /// Never registered.
    None,
    /// All of its keys' kinds are open.
    Active,
    /// Has unpaid claims: set and cleared by the hub alone; kinds are restricted.
    Delinquent,
    /// Restricted by the registrar.
    Suspended,
    /// Has gone; restricted for good customs' sake so that refunds can still be recorded.
    Left
}

/// @title Who may sign what, from which batch to which
/// @notice A key is a lane: it signs with its own gap-free numbers, and is never given another signer. Validity is judged
/// by batch number, never by an event's own clock, because a stolen key can back-date. Everything is append-only except
/// the end of a key or of terms, a merchant's own addresses, and its status, whose history is kept.
interface IMerchantRegistry {
    struct NewMerchant {
        uint32 merchantId;
        address admin;
        address payoutAddress;
    }

    struct Merchant {
        address admin;
        address payoutAddress;
        MerchantStatus status;
    }

    struct NewKey {
        uint32 merchantId;
        uint32 keyId;
        address signer;
        uint16 kindMask;
    }

    /// Valid for fromBatch <= batch < toBatch; toBatch 0 means no end. Bit k of `kindMask` opens event kind k.
    struct Key {
        address signer;
        uint32 fromBatch;
        uint32 toBatch;
        uint16 kindMask;
    }

    struct NewTerms {
        uint32 issuerId;
        uint32 acceptorId;
        uint128 num;
        uint128 den;
        uint8 mode;
    }

    /// num/den base units of the settlement asset per point of `issuerId` used at `acceptorId` (0 = any merchant);
    /// mode 0 settles on redemption, 1 on issuance. Valid for fromBatch <= batch < toBatch; toBatch 0 means no end.
    struct Terms {
        uint32 issuerId;
        uint32 acceptorId;
        uint32 fromBatch;
        uint32 toBatch;
        uint8 mode;
        uint128 num;
        uint128 den;
    }

    error ZeroMerchantId();
    error ZeroAddress();
    error MerchantExists(uint32 merchantId);
    error UnknownMerchant(uint32 merchantId);
    error NotMerchantAdmin(uint32 merchantId, address caller);
    error StatusNotAllowed(uint32 merchantId, MerchantStatus from, MerchantStatus to);
    /// Keys answer by it from the next batch but one at the latest: there is nothing to renew.
    error StatusInForce(uint32 merchantId, uint32 fromBatch);
    error ZeroKeyId(uint32 merchantId);
    error KeyExists(uint32 merchantId, uint32 keyId);
    error UnknownKey(uint32 merchantId, uint32 keyId);
    error KeyAlreadyRevoked(uint32 merchantId, uint32 keyId);
    error KindMaskInvalid(uint16 kindMask);
    error TermsRateInvalid(uint128 num, uint128 den);
    error TermsModeInvalid(uint8 mode);
    error UnknownTerms(uint32 termsId);
    error TermsAlreadyEnded(uint32 termsId);
    error HubAlreadyBound(address hub);
    error HubForeign(address hub);
    error NotHub(address caller);

    event HubBound(address indexed hub);
    event MerchantSet(uint32 indexed merchantId, address admin, address payoutAddress, MerchantStatus status);
    /// Keys answer by `status` from this batch on.
    event StatusSet(uint32 indexed merchantId, MerchantStatus status, uint32 fromBatch);
    event KeySet(
        uint32 indexed merchantId, uint32 indexed keyId, address indexed signer, uint32 fromBatch, uint16 kindMask
    );
    event KeyRevoked(uint32 indexed merchantId, uint32 indexed keyId, uint32 toBatch);
    event TermsAdded(
        uint32 indexed termsId,
        uint32 indexed issuerId,
        uint32 indexed acceptorId,
        uint128 num,
        uint128 den,
        uint8 mode,
        uint32 fromBatch
    );
    event TermsEnded(uint32 indexed termsId, uint32 toBatch);

    /// @notice Names the hub whose batch numbers rule validity; once. Until then everything is valid from batch 1.
    function bindHub(address hub) external;

    /// @notice Registers merchants as active. REGISTRAR only; ids are chosen by the caller and never used twice.
    function addMerchants(NewMerchant[] calldata merchants) external;

    /// @notice Hands a merchant to other addresses. Its admin only.
    function setAddresses(uint32 merchantId, address admin, address payoutAddress) external;

    /// @notice Suspends, re-activates or retires a merchant from the batch after the next. REGISTRAR only; a delinquent
    /// merchant is the hub's matter, and one that has left stays so.
    function setStatus(uint32 merchantId, MerchantStatus status) external;

    /// @notice Lets a merchant's present status hold from the batch after the next, where a revert has put it off to some
    /// later number. Anyone may call it.
    function renewStatus(uint32 merchantId) external;

    /// @notice Opens lanes, valid from the next batch. Each merchant's admin only. Kind 9 (VOID) is added to every mask:
    /// a lane that could not burn a number could block itself for ever.
    function addKeys(NewKey[] calldata keys) external;

    /// @notice Closes a lane: the next batch is its last. The one batch of grace keeps a batch that was sealed honestly
    /// from being made fraudulent by a revocation that overtakes it. Where a revert has put its end off, it can be revoked
    /// once more. The merchant's admin only.
    function revokeKey(uint32 merchantId, uint32 keyId) external;

    /// @notice Appends terms, valid from the next batch. Each issuer's admin only, so nobody sets another's rate.
    /// @return firstTermsId id of the first; the others follow it
    function addTerms(NewTerms[] calldata terms) external returns (uint32 firstTermsId);

    /// @notice Ends terms: the next batch is their last. Once more where a revert has put their end off. The issuer's admin
    /// only.
    function endTerms(uint32 termsId) external;

    /// @notice Restricts a defaulter's keys from the batch after the next. The hub only.
    function markDelinquent(uint32 merchantId) external;

    /// @notice Lifts that restriction from the batch after the next; who was suspended before is so again. The hub only.
    function clearDelinquent(uint32 merchantId) external;

    /// @notice Signer that events of this kind, lane and batch must recover to; address 0 says that there is none. A
    /// restricted merchant's keys answer only for kinds 3, 4, 9 and 13 (claw-back, returned goods, VOID, fee).
    function keyAt(uint32 merchantId, uint32 keyId, uint64 batchNo, uint8 kind) external view returns (address signer);

    /// @notice The lane's record; all zero if it was never opened.
    function key(uint32 merchantId, uint32 keyId) external view returns (Key memory);

    /// @notice The terms' record; all zero if they do not exist.
    function terms(uint32 termsId) external view returns (Terms memory);

    /// @notice The merchant's record; status None if it was never registered.
    function merchant(uint32 merchantId) external view returns (Merchant memory);

    /// @notice Status by which keys answer in a batch.
    function statusAt(uint32 merchantId, uint64 batchNo) external view returns (MerchantStatus);

    /// @notice Number of merchants this address administers.
    function administeredBy(address admin) external view returns (uint256);

    /// @notice Number of terms; ids run from 1 to it.
    function termsCount() external view returns (uint32);
}
