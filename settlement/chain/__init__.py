"""One client for every node: contracts, gas, nonces, and an outbox that sends each purpose once."""
