pragma circom 2.1.6;

include "bits.circom";

// low <= high, of two values that are known to be smaller than 2^n: their difference fits in n bits. Were low the larger
// one, the difference would be r minus less than 2^n, which fits in n bits for no n below 253. Whoever uses it has checked
// both ranges before: of unchecked values a difference says nothing.
template AtMost(n) {
    signal input low;
    signal input high;

    component difference = Bits(n);
    difference.in <== high - low;
    _ <== difference.out;
}

// One of 2^n values, by an index given as n bits, lowest first. The lowest bit picks one of each pair, the next one of
// each pair of those, and so on; the last node is the value.
template Pick(n) {
    signal input among[1 << n];
    signal input index[n];
    signal output out;

    signal nodes[(2 << n) - 1];
    for (var i = 0; i < (1 << n); i++) {
        nodes[i] <== among[i];
    }
    var from = 0;
    var next = 1 << n;
    for (var level = 0; level < n; level++) {
        for (var i = 0; 2 * i < next - from; i++) {
            nodes[next + i] <== nodes[from + 2 * i] + index[level] * (nodes[from + 2 * i + 1] - nodes[from + 2 * i]);
        }
        var width = next - from;
        from = next;
        next += width >> 1;
    }
    out <== nodes[(2 << n) - 2];
}
