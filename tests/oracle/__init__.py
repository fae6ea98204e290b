"""A second opinion on the ledger: the rule book in plain Python, sharing no code with it."""
