pragma circom 2.1.6;

// The bits of a value, lowest first; no witness exists unless the value lies in [0, 2^n).
//
// n stays below 253, so 2^n - 1 < r and the bits are unique: a larger n would let v and v + r share bits. This is the only
// place where a signal is assigned without being constrained by the same sign (`<--`); the gate refuses any other.
template Bits(n) {
    assert(n < 253);
    signal input in;
    signal output out[n];

    var sum = 0;
    for (var i = 0; i < n; i++) {
        out[i] <-- (in >> i) & 1;
        out[i] * (out[i] - 1) === 0;
        sum += out[i] * (1 << i);
    }
    in === sum;
}
