pragma circom 2.1.6;

include "poseidon.circom";

// The root of a tree, from a leaf and its siblings, lowest first. A position of 1 says that the node on the path is the
// right child; it is held to be 0 or 1 here, since anything between would mix the two children into a third value.
template PathRoot(depth) {
    signal input leaf;
    signal input siblings[depth];
    signal input positions[depth];
    signal output root;

    component hash[depth];
    signal left[depth];
    signal node[depth + 1];
    node[0] <== leaf;
    for (var level = 0; level < depth; level++) {
        positions[level] * (positions[level] - 1) === 0;
        left[level] <== node[level] + positions[level] * (siblings[level] - node[level]);
        hash[level] = Poseidon(2);
        hash[level].inputs[0] <== left[level];
        hash[level].inputs[1] <== node[level] + siblings[level] - left[level];
        node[level + 1] <== hash[level].out;
    }
    root <== node[depth];
}
