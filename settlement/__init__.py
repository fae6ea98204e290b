"""Makes the ledger public and the merchants square: leaves, batches, files, chain. Imports `ledger` and `proofs`."""
