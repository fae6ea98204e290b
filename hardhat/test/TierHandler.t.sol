// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {TierRegistry} from "../../contracts/TierRegistry.sol";
import {ITierRegistry, Setup} from "../../contracts/interfaces/ITierRegistry.sol";
import {SignalsVerifier} from "../../contracts/mocks/TierVerifiers.sol";
import {ProofRequest, TierEpoch, TierWords} from "../../contracts/tiers/TierWords.sol";
import {VM} from "./Vm.sol";

/// @title What operator, guardian, council, partners and members may do to a tier registry, in any order
/// @dev Keeps its own account of everything and compares after each proof; `SignalsVerifier` stands in for the pairing.
contract TierHandler {
    bytes32 private constant CIRCUIT_ID = keccak256("TierProofV1(24)");
    uint32 private constant PARTNER_ID = 7;
    uint256 private constant EPOCH_KEY = 0xE90C;
    uint256 private constant PARTNER_KEY = 0x9A57;
    uint64 private constant GRACE = 1 days;
    uint8 private constant NULLIFIERS = 5;
    uint8 private constant WINDOWS = 2;

    TierRegistry private _registry;
    uint64 private _now = 1_900_000_000;
    uint256 private _nonces;
    uint32 private _circuits;
    TierEpoch[] private _published;
    mapping(uint32 epoch => bool) private _revoked;
    mapping(uint32 circuitNo => bool) private _retired;
    mapping(uint32 epoch => uint32) private _circuitOf;
    mapping(uint256 scope => mapping(uint256 nullifier => uint256)) private _uses;
    uint256 public taken;
    uint256 public takenTwice;
    uint256 public takenInactive;
    uint256 public refusedActive;

    constructor() {
        VM.warp(_now);
        _registry = new TierRegistry(address(this), VM.addr(EPOCH_KEY), GRACE);
        _registry.setPartner(PARTNER_ID, VM.addr(PARTNER_KEY));
        registerCircuit();
    }

    function pass(uint32 timeSeconds) external {
        _now += timeSeconds % 2 days;
        VM.warp(_now);
    }

    function registerCircuit() public {
        _circuits += 1;
        _registry.registerCircuit(CIRCUIT_ID, address(new SignalsVerifier()), bytes32(uint256(_circuits)), Setup.Ceremony);
    }

    function retireCircuit(uint8 which) external {
        uint32 circuitNo = 1 + which % _circuits;
        if (which % 4 != 0 || _retired[circuitNo]) return;
        _registry.retireCircuit(circuitNo);
        _retired[circuitNo] = true;
    }

    function publish(uint256 root, uint8 step, uint32 lifeSeconds) external {
        (uint32 last, bytes32 previous) = _registry.lastEpoch();
        TierEpoch memory h;
        h.allianceId = _registry.allianceId();
        h.epoch = last + step % 3;
        h.root = root % (TierWords.R + 2);
        h.depth = 24;
        h.circuitId = CIRCUIT_ID;
        h.vkHash = bytes32(uint256(_circuits));
        (h.notBefore, h.notAfter) = (_now + step, _now + lifeSeconds % 3 days);
        h.previous = previous;
        bool rises = h.epoch > last;
        bool good = h.root != 0 && h.root < TierWords.R && h.notAfter > _now && h.notBefore < h.notAfter;
        try _registry.publishEpoch(h, _signed(EPOCH_KEY, _registry.epochDigest(h))) {
            assert(rises && good && !_retired[_circuits]);
            _published.push(h);
            _circuitOf[h.epoch] = _circuits;
        } catch {
            assert(!rises || !good || _retired[_circuits]);
        }
    }

    function revoke(uint8 which) external {
        if (_published.length == 0 || which % 4 != 0) return;
        uint32 epoch = _published[which % _published.length].epoch;
        if (_revoked[epoch]) return;
        _registry.revokeEpoch(epoch);
        _revoked[epoch] = true;
    }

    function verify(uint8 which, uint8 nullifier, uint8 window) external {
        if (_published.length == 0) return;
        TierEpoch storage e = _published[which % _published.length];
        ProofRequest memory q = _request(e.epoch, window % WINDOWS);
        uint256 n = 1 + nullifier % NULLIFIERS;
        bytes32 digest = _registry.requestDigest(q);
        uint256[8] memory proof;
        proof[0] = uint256(keccak256(abi.encode(_signals(q, e.root, n, digest))));
        bool active = _active(e);
        bool fresh = _uses[q.scope][n] == 0;
        assert(active == _registry.isActive(e.epoch, _now));
        try _registry.verifyTier(q, _signed(PARTNER_KEY, digest), n, proof) {
            taken += 1;
            if (!active) takenInactive += 1;
            if (!fresh) takenTwice += 1;
            _uses[q.scope][n] += 1;
            assert(_registry.isVerified(digest) && _registry.isUsed(q.scope, n));
        } catch {
            if (active && fresh) refusedActive += 1;
        }
    }

    /// What was published stands as it was, in rising order and in one chain.
    function requireHistory() external view {
        (uint32 last, bytes32 lastHash) = _registry.lastEpoch();
        bytes32 previous = 0;
        uint32 before = 0;
        for (uint256 i = 0; i < _published.length; ++i) {
            TierEpoch memory h = _published[i];
            ITierRegistry.Epoch memory e = _registry.epochOf(h.epoch);
            assert(h.epoch > before && h.previous == previous);
            assert(e.root == h.root && e.notBefore == h.notBefore && e.notAfter == h.notAfter);
            assert(e.revoked == _revoked[h.epoch] && e.circuitNo == _circuitOf[h.epoch]);
            assert(e.headerHash == keccak256(abi.encode(TierWords.TIER_EPOCH_TYPEHASH, h)));
            (previous, before) = (e.headerHash, h.epoch);
        }
        assert(last == before && lastHash == previous);
    }

    function _active(TierEpoch storage e) private view returns (bool) {
        bool within = e.notBefore <= _now && _now <= e.notAfter + GRACE;
        return within && !_revoked[e.epoch] && !_retired[_circuitOf[e.epoch]];
    }

    function _request(uint32 epoch, uint32 window) private returns (ProofRequest memory q) {
        q.partnerId = PARTNER_ID;
        q.purpose = "gift";
        q.windowId = window;
        q.scope = _registry.scopeOf(PARTNER_ID, "gift", window);
        q.maxUses = 1;
        q.policy = (uint256(1) << 241) | (uint256(1) << 224);
        q.epoch = epoch;
        q.circuitId = CIRCUIT_ID;
        q.nonce = bytes32(_nonces++);
        q.expiresAt = _now + 1;
        q.recipient = address(this);
    }

    function _signals(ProofRequest memory q, uint256 root, uint256 nullifier, bytes32 digest)
        private
        view
        returns (uint256[6] memory)
    {
        uint256 tag = (uint256(_registry.allianceId()) << 32) | q.epoch;
        return [nullifier, root, tag, q.scope, uint256(keccak256(abi.encode(digest))) >> 8, q.policy];
    }

    function _signed(uint256 key, bytes32 digest) private returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = VM.sign(key, digest);
        return bytes.concat(r, s, bytes1(v));
    }
}
