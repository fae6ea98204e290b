pragma circom 2.1.6;

include "poseidon.circom";
include "bits.circom";
include "bounds.circom";
include "path.circom";
include "words.circom";

// keccak256 of "tongdui.tier.v1.identity" and of "tongdui.tier.v1.nullifier", without their lowest 8 bits.
function TAG_ID() {
    return 426433646768027326220540466460161426094258221140641558938676224354756489665;
}
function TAG_NULL() {
    return 105045708547302434216012882752632298077079527732777147968182410322221408364;
}

// "I know the secret of a leaf under this root whose attributes the policy admits, this is its nullifier for this scope,
// and I answer this challenge." What the statement means, field by field, is in proofs/circuits/README.md.
template TierProofV1(depth) {
    // Public, in the order in which every verifier lists them.
    signal input nullifier;
    signal input root;
    signal input epochTag;
    signal input scope;
    signal input challenge;
    signal input policy;
    // The witness: what the member holds, and what the ledger gave them for this epoch.
    signal input secret;
    signal input points;
    signal input spend;
    signal input since;
    signal input validUntil;
    signal input keyEpoch;
    signal input tier;
    signal input programme;
    signal input salt;
    signal input useIndex;
    signal input siblings[depth];
    signal input positions[depth];

    component attributes = PackedAttributes();
    attributes.points <== points;
    attributes.spend <== spend;
    attributes.since <== since;
    attributes.validUntil <== validUntil;
    attributes.keyEpoch <== keyEpoch;
    attributes.tier <== tier;
    attributes.programme <== programme;

    // The leaf hashes four values and a node two: two different permutations, so that no node passes for a leaf.
    component commitment = Poseidon(2);
    commitment.inputs[0] <== TAG_ID();
    commitment.inputs[1] <== secret;
    component leaf = Poseidon(4);
    leaf.inputs[0] <== commitment.out;
    leaf.inputs[1] <== epochTag;
    leaf.inputs[2] <== attributes.word;
    leaf.inputs[3] <== salt;
    component path = PathRoot(depth);
    path.leaf <== leaf.out;
    for (var level = 0; level < depth; level++) {
        path.siblings[level] <== siblings[level];
        path.positions[level] <== positions[level];
    }
    path.root === root;

    component bounds = Policy();
    bounds.word <== policy;

    component admitted = Pick(4);
    for (var rank = 0; rank < 16; rank++) {
        admitted.among[rank] <== bounds.tierMask[rank];
    }
    for (var bit = 0; bit < 4; bit++) {
        admitted.index[bit] <== attributes.tierBits[bit];
    }
    admitted.out === 1;

    signal measured;
    measured <== points + bounds.metric * (spend - points);
    component notBelow = AtMost(64);
    notBelow.low <== bounds.lo;
    notBelow.high <== measured;
    component notAbove = AtMost(64);
    notAbove.low <== measured;
    notAbove.high <== bounds.hi;
    component longEnough = AtMost(32);
    longEnough.low <== since;
    longEnough.high <== bounds.sinceMax;
    component stillValid = AtMost(32);
    stillValid.low <== bounds.validOn;
    stillValid.high <== validUntil;
    component keyOldEnough = AtMost(32);
    keyOldEnough.low <== keyEpoch;
    keyOldEnough.high <== bounds.keyEpochMax;

    // useIndex < maxUses: with one added, of 9 bits.
    component use = Bits(8);
    use.in <== useIndex;
    _ <== use.out;
    component usesLeft = AtMost(9);
    usesLeft.low <== useIndex + 1;
    usesLeft.high <== bounds.maxUses;

    component once = Poseidon(4);
    once.inputs[0] <== TAG_NULL();
    once.inputs[1] <== secret;
    once.inputs[2] <== scope;
    once.inputs[3] <== useIndex;
    once.out === nullifier;

    // Nothing above speaks of the challenge. A public input that stands in no constraint has no point in the key, and then
    // one proof would fit every challenge.
    signal bound;
    bound <== challenge * challenge;
}
