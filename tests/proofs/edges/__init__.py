"""Edge vectors: what the protocol says where encodings, trees, sums, signatures and money are at their limits, for
Python, Solidity and JavaScript to read from the same files.

Written from the protocol and from the definitions it names, never from the code that is tested: nothing here imports
`proofs` but its keccak. Each module makes one file's content; `python -m tests.proofs.edges` writes all, and a test
sees that the files are what the modules say.
"""
