"""The pairing-friendly curve BN254 (alt_bn128) over the standard library's integers, as far as a verifier needs it.

`fields` is the tower of extension fields, `curve` the two groups of points, `pairing` the optimal ate pairing. Nothing
here keeps a secret: times depend on the values, so none of it may be used to prove or to sign. Points that come in
have been checked once, where they were decoded (`proofs.groth16`, the only caller); a point in affine form is a tuple
of remainders below P, and infinity is None.

Sources: Barreto and Naehrig, "Pairing-friendly elliptic curves of prime order" (2005), and EIP-197 for the very curve,
its twist and its generators.
"""
