"""Stand-alone auditor: chain and published files in, findings out. Imports `proofs` and nothing of the operator."""
