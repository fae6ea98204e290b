// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {PositionalTree} from "../libraries/PositionalTree.sol";
import {
    AcceptanceReceipt,
    AccountRow,
    BatchHeader,
    ClaimTo,
    IssuerLiability,
    LiabilityLeaf,
    Net,
    PointsEvent,
    Posting,
    SettlementLeaf,
    Words
} from "../libraries/Words.sol";

/// @title VerifierHarness: opens the libraries to tests; never deployed outside them
contract VerifierHarness {
    function hashPointsEvent(PointsEvent calldata x) external pure returns (bytes32) {
        return Words.hash(x);
    }

    function hashPosting(Posting calldata x) external pure returns (bytes32) {
        return Words.hash(x);
    }

    function hashSettlementLeaf(SettlementLeaf calldata x) external pure returns (bytes32) {
        return Words.hash(x);
    }

    function hashAccountRow(AccountRow calldata x) external pure returns (bytes32) {
        return Words.hash(x);
    }

    function hashBatchHeader(BatchHeader calldata x) external pure returns (bytes32) {
        return Words.hash(x);
    }

    function hashAcceptanceReceipt(AcceptanceReceipt calldata x) external pure returns (bytes32) {
        return Words.hash(x);
    }

    function hashClaimTo(ClaimTo calldata x) external pure returns (bytes32) {
        return Words.hash(x);
    }

    function hashLiabilityLeaf(LiabilityLeaf calldata x) external pure returns (bytes32) {
        return Words.hash(x);
    }

    function hashIssuerLiability(IssuerLiability calldata x) external pure returns (bytes32) {
        return Words.hash(x);
    }

    function hashNets(Net[] calldata nets) external pure returns (bytes32) {
        return Words.hash(nets);
    }

    function genesisAnchor(uint256 chainId, address hub) external pure returns (bytes32) {
        return Words.genesisAnchor(chainId, hub);
    }

    function carriedAnchor(uint256 chainId, address hub, uint256 oldChainId, address oldHub, bytes32 oldHeaderHash)
        external
        pure
        returns (bytes32)
    {
        return Words.carriedAnchor(chainId, hub, oldChainId, oldHub, oldHeaderHash);
    }

    function rootOf(uint256 size, uint256 index, bytes32 item, bytes32[] calldata path) external pure returns (bytes32) {
        return PositionalTree.rootOf(size, index, item, path);
    }

    function requireIncluded(bytes32 root, uint256 size, uint256 index, bytes32 item, bytes32[] calldata path)
        external
        pure
    {
        PositionalTree.requireIncluded(root, size, index, item, path);
    }

    function recover(bytes32 digest, bytes32 r, bytes32 vs) external pure returns (address) {
        return ECDSA.recover(digest, r, vs);
    }
}
