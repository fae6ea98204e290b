"""The doors of tier proofs: members enrol, fetch witnesses and consent; partners ask and verify; the operator looks on.

What is proven and how it is checked is `proofs.tier`, whose epochs `settlement.tiers` seals; here are the passes by
which members and partners come in, the bounds on what may be asked, and the one place that uses a proof up. Decisions
are in `asking`, statements in `rows`; the others own routes. Source: docs/tier-doors.md.
"""
