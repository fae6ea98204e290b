"""The council's work: calls that several signers put their names to, files that they send one another, and what waits
in the timelocks.

Invariants: a file holds the call and signatures, never words about it: what a signer reads is decoded from the very
bytes that are signed; no key leaves its machine, and signing needs no network. Correctness is the contract's: m
signatures, one nonce, one deadline.
"""
