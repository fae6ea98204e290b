"""The embedded chain: a small loopback JSON-RPC node over py-evm and one file, so that a clone settles on a real EVM
without installing anything.

`python -m settlement.embedded_chain --dir var/chain --port-file var/chain/node.json` runs it; `process.start` does so
from Python. It speaks the ordinary Ethereum JSON-RPC and is reached through `settlement.chain.client` like any other.
For development, tests and the demo: it has one block producer and no consensus, and whoever runs it can rewrite it;
merchants who do not trust the operator settle on a shared chain.
"""
