"""Founding an alliance on a network of one's own, and looking at one that somebody else founded: `python -m settlement
deploy` and `verify-deployment`.

Invariants: the plan is shown before anything is paid for; what is on the chain is judged by the compiled artefacts and
the chain's own events, never by what a file or a database says of itself. What founding does is `settlement.deploy`.
"""
