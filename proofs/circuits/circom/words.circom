pragma circom 2.1.6;

include "bits.circom";

// The two packed words of the statement. Fields stand lowest first, and both packings are the ones of proofs/tier.

// points:64 spend:64 since:32 validUntil:32 keyEpoch:32 tier:4 programme:8. Each field is checked to fit its width, so
// that no field can borrow from its neighbour; the bits of the tier come out, for they pick from the policy's mask.
template PackedAttributes() {
    signal input points;
    signal input spend;
    signal input since;
    signal input validUntil;
    signal input keyEpoch;
    signal input tier;
    signal input programme;
    signal output word;
    signal output tierBits[4];

    var widths[7] = [64, 64, 32, 32, 32, 4, 8];
    signal fields[7];
    fields[0] <== points;
    fields[1] <== spend;
    fields[2] <== since;
    fields[3] <== validUntil;
    fields[4] <== keyEpoch;
    fields[5] <== tier;
    fields[6] <== programme;

    component bits[7];
    var sum = 0;
    var shift = 0;
    for (var i = 0; i < 7; i++) {
        bits[i] = Bits(widths[i]);
        bits[i].in <== fields[i];
        if (i != 5) {
            _ <== bits[i].out;
        }
        sum += fields[i] * (1 << shift);
        shift += widths[i];
    }
    word <== sum;
    for (var i = 0; i < 4; i++) {
        tierBits[i] <== bits[5].out[i];
    }
}

// lo:64 hi:64 sinceMax:32 validOn:32 keyEpochMax:32 tierMask:16 metric:1 maxUses:8, 249 bits. Taking the word apart into
// bits checks the width of every field at once, and that no bit stands above them.
template Policy() {
    signal input word;
    signal output lo;
    signal output hi;
    signal output sinceMax;
    signal output validOn;
    signal output keyEpochMax;
    signal output tierMask[16];
    signal output metric;
    signal output maxUses;

    component bits = Bits(249);
    bits.in <== word;

    var starts[9] = [0, 64, 128, 160, 192, 224, 240, 241, 249];
    var sums[8];
    for (var field = 0; field < 8; field++) {
        sums[field] = 0;
        for (var i = starts[field]; i < starts[field + 1]; i++) {
            sums[field] += bits.out[i] * (1 << (i - starts[field]));
        }
    }
    lo <== sums[0];
    hi <== sums[1];
    sinceMax <== sums[2];
    validOn <== sums[3];
    keyEpochMax <== sums[4];
    for (var i = 0; i < 16; i++) {
        tierMask[i] <== bits.out[224 + i];
    }
    metric <== sums[6];
    maxUses <== sums[7];
}
