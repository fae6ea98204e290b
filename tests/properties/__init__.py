"""The ledger against the oracle: the same random commands to both, everything compared."""
