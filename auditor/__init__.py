"""The stand-alone auditor: a chain's logs and published files in, findings out.

It trusts nobody and shares only `proofs` with the operator's code: nothing here may import ledger, settlement or api,
and nobody imports this room. It runs as `python -m auditor`.
"""
